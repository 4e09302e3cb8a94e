-- Limits the requests of each client, told by the fingerprint of its certificate.
--
--   [listener api]
--   protocol       = http
--   tls            = mutual
--   script         = scripting/examples/rate_limit.lua
--   option.limit   = 100
--   option.seconds = 60
--
-- Who exceeds the limit is answered with 429 until older requests have passed out of that time.

local limit = tonumber(tostring(lb.options.limit)) or error("option.limit is no number")
local seconds = tonumber(tostring(lb.options.seconds)) or error("option.seconds is no number")

function on_request(req)
  local certificate = req.conn.certificate
  if not certificate then
    return lb.deny("no certificate")
  end
  if not lb.rate_limit(certificate.sha256, limit, seconds) then
    return lb.deny("more than " .. limit .. " requests in " .. seconds .. " s", 429)
  end
  return true
end
