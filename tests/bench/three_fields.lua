-- Reads three fields of the client certificate and allows: what authorization by script costs on top of a mutual handshake.
function on_authorize(conn)
  local certificate = conn.certificate
  local ou = certificate.subject.OU
  local uri = certificate.san.uri[1]
  local sha256 = certificate.sha256
  return ou == "payments" and uri == "spiffe://bench.test/client" and #sha256 > 0
end
