-- Lets clients in by organizational unit (OU) of their certificate.
--
--   [listener payments]
--   tls       = mutual
--   script    = scripting/examples/allow_ou.lua
--   option.ou = payments, treasury
--
-- A certificate may carry several OUs: one of the list is enough.

function on_authorize(conn)
  if not conn.certificate then
    return lb.deny("no certificate")
  end
  local subject = conn.certificate.subject
  for _, ou in ipairs(subject:all("OU")) do
    if lb.options.ou[ou] then
      return lb.allow{ log = { ou = ou } }
    end
  end
  return lb.deny("OU " .. tostring(subject.OU) .. " may not use " .. conn.listener)
end
