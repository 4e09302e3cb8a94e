-- Lets some organizational units (OU) in at any time, all others from Monday to Friday in working hours.
--
--   [listener payments]
--   tls               = mutual
--   script            = scripting/examples/working_hours.lua
--   option.always     = operations           ; optional
--   option.from       = 8                    ; first hour
--   option.to         = 18                   ; first hour that is too late
--   option.utc_offset = 1                    ; optional: hours that local time is ahead of UTC
--
-- A connection that is open at the end of the day stays open: the hook runs when it begins.

local function number(option, default)
  return tonumber(tostring(lb.option(option, default))) or error("option." .. option .. " is no number")
end

local from, to = number("from"), number("to")
local offset = number("utc_offset", 0)
local always = lb.option("always", {})

function on_authorize(conn)
  local ou = conn.certificate and conn.certificate.subject.OU
  if not ou then
    return lb.deny("no OU")
  end
  if always[ou] then
    return true
  end
  local now = os.date("!*t", math.floor(lb.now() + offset * 3600))
  local weekday = now.wday >= 2 and now.wday <= 6 -- 1 is Sunday
  if weekday and now.hour >= from and now.hour < to then
    return true
  end
  return lb.deny(("OU %s may come from Monday to Friday, %d to %d o'clock"):format(ou, from, to))
end
