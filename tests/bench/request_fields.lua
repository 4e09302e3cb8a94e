-- Looks at the method, the path, one header field and the client certificate: what a decision on each request costs.
function on_request(req)
  local ou = req.conn.certificate.subject.OU
  if req.method == "GET" and req.path:sub(1, 1) == "/" and req.headers["x-tenant"] == ou and ou == "payments" then
    return true
  end
  return lb.deny("OU " .. tostring(ou) .. " may not do this")
end
