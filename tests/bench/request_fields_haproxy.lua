-- The same decision as request_fields.lua, for HAProxy.
core.register_action("decide", { "http-req" }, function(txn)
  local fetch = txn.sf
  local ou = fetch:ssl_c_s_dn("OU")
  if fetch:method() == "GET" and fetch:path():sub(1, 1) == "/" and fetch:req_hdr("x-tenant") == ou and ou == "payments" then
    return act.CONTINUE
  end
  return act.DENY
end)
