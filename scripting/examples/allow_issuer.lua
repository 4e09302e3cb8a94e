-- Lets clients in by the CA that issued their certificate, for a client-ca that trusts several.
--
--   [listener payments]
--   tls           = mutual
--   script        = scripting/examples/allow_issuer.lua
--   option.issuer = Example Payments CA, Example Treasury CA
--
-- The names are the CN of the issuer. Any CA below your root can choose its CN: where that matters, compare
-- conn.certificate.anchor (the root's whole name) or conn.chain[2].spki_sha256 (the issuer's key) instead.

function on_authorize(conn)
  if not conn.certificate then
    return lb.deny("no certificate")
  end
  local issuer = conn.certificate.issuer
  if lb.options.issuer[issuer.CN] then
    return lb.allow{ log = { issuer = issuer.CN } }
  end
  return lb.deny("issuer " .. tostring(issuer) .. " may not use " .. conn.listener)
end
