-- Lets each organizational unit (OU) into its own part of a site, and tells the servers who the client is.
--
--   [listener site]
--   protocol     = http
--   tls          = mutual
--   script       = scripting/examples/identity_headers.lua
--   option.allow = payments=/payments, treasury=/treasury
--
-- Each entry is OU=PREFIX: the path itself and all below it. Servers get x-client-ou, x-client-cn and
-- x-client-sha256; whatever the client itself sends under such names, with _ for - too, is taken away.

local prefixes = {}
for _, entry in ipairs(lb.options.allow) do
  local ou, prefix = entry:match("^(.-)%s*=%s*(/.-)/?$")
  if not ou or ou == "" then
    error("option.allow: '" .. entry .. "' is not of the form OU=/PREFIX")
  end
  prefixes[ou] = prefix
end

-- What servers may take for another path than it looks like.
local function is_plain(path)
  local lower = path:lower()
  for _, part in ipairs{ "..", "//", "/./", "\\", ";", "%2e", "%2f", "%5c", "%3b", "%00", "%25" } do
    if lower:find(part, 1, true) then
      return false
    end
  end
  return true
end

local function is_below(path, prefix)
  return path == prefix or path:sub(1, #prefix + 1) == prefix .. "/"
end

function on_request(req)
  for name in pairs(req.headers) do
    if name:gsub("_", "-"):find("^x%-client%-") then
      req.headers:remove(name)
    end
  end
  local certificate, path = req.conn.certificate, req.path
  if not certificate then
    return lb.deny("no certificate")
  end
  local ou = certificate.subject.OU
  local prefix = ou and prefixes[ou]
  if not (prefix and path and is_plain(path) and is_below(path, prefix)) then
    return lb.deny("OU " .. tostring(ou) .. " may not use " .. tostring(path), { log = { ou = ou or "" } })
  end
  return lb.allow{
    headers = {
      ["x-client-ou"] = ou,
      ["x-client-cn"] = certificate.subject.CN or "",
      ["x-client-sha256"] = certificate.sha256,
    },
    log = { ou = ou },
  }
end
