-- Lets workloads in by SPIFFE ID: the one URI among the alternative names, spiffe://TRUST-DOMAIN/PATH.
--
--   [listener payments]
--   tls                 = mutual
--   script              = scripting/examples/allow_spiffe.lua
--   option.trust_domain = example.org
--   option.path         = /payments, /treasury/reports
--
-- A path admits itself and everything below it: /payments admits /payments/api, and not /payments-test.

local function below(path, allowed)
  return path == allowed or path:sub(1, #allowed + 1) == allowed .. "/"
end

function on_authorize(conn)
  local id = conn.certificate and conn.certificate.spiffe_id
  if not id then
    return lb.deny("no SPIFFE ID")
  end
  local domain, path = id:match("^spiffe://([^/]+)(/.*)$")
  if not domain or not lb.options.trust_domain[domain] then
    return lb.deny(id .. " is of another trust domain")
  end
  for _, allowed in ipairs(lb.options.path) do
    if below(path, allowed) then
      return lb.allow{ log = { spiffe_id = id } }
    end
  end
  return lb.deny(id .. " may not use " .. conn.listener)
end
