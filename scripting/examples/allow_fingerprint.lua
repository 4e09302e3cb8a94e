-- Lets single certificates in, by the SHA-256 of the certificate. The chain is verified all the same, dates and
-- revocation too.
--
--   [listener payments]
--   tls           = mutual
--   script        = scripting/examples/allow_fingerprint.lua
--   option.sha256 = 5E:0F:…, 91c2…
--
-- Fingerprints are written as openssl x509 -noout -fingerprint -sha256 prints them, or in plain hex.
--
-- For long lists put a file beside the script, fingerprints.lua, that returns { ["5e0f…"] = "who it is", … }, and write
--   local known = require("fingerprints")

local known = {}
for _, fingerprint in ipairs(lb.options.sha256) do
  local plain = fingerprint:gsub(":", ""):lower()
  if not plain:find("^%x+$") or #plain ~= 64 then
    error("option.sha256: " .. fingerprint .. " is no SHA-256 fingerprint")
  end
  known[plain] = true
end

function on_authorize(conn)
  local certificate = conn.certificate
  if certificate and known[certificate.sha256] then
    return true
  end
  return lb.deny("certificate " .. tostring(certificate and certificate.sha256) .. " is not on the list")
end
