-- Chooses the backend by organizational unit (OU); who is not on the list stays outside.
--
--   [listener shared]
--   tls          = mutual
--   script       = scripting/examples/route_by_ou.lua
--   option.route = payments=app, treasury=other
--   backend      = app
--
-- Each entry is OU=BACKEND. A backend that does not exist refuses the connection.

local backends = {}
for _, entry in ipairs(lb.options.route) do
  local ou, backend = entry:match("^(.-)%s*=%s*(.+)$")
  if not ou or ou == "" then
    error("option.route: '" .. entry .. "' is not of the form OU=BACKEND")
  end
  backends[ou] = backend
end

function on_authorize(conn)
  local ou = conn.certificate and conn.certificate.subject.OU
  local backend = ou and backends[ou]
  if not backend then
    return lb.deny("there is no backend for OU " .. tostring(ou))
  end
  return lb.allow{ backend = backend, log = { ou = ou } }
end
