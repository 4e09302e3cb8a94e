-- Lets clients in by common name (CN) of their certificate.
--
--   [listener payments]
--   tls                 = mutual
--   script              = scripting/examples/allow_cn.lua
--   option.cn           = alice, bob
--   option.organization = Example Ltd          ; optional: the O must be one of these too

local organizations = lb.option("organization")

function on_authorize(conn)
  if not conn.certificate then
    return lb.deny("no certificate")
  end
  local subject = conn.certificate.subject
  if not lb.options.cn[subject.CN] then
    return lb.deny("CN " .. tostring(subject.CN) .. " may not use " .. conn.listener)
  end
  if organizations and not organizations[subject.O] then
    return lb.deny("O " .. tostring(subject.O) .. " may not use " .. conn.listener)
  end
  return true
end
