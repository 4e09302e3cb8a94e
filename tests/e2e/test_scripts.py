"""Authorization by script: whatever goes wrong denies, and disturbs nobody else."""
import datetime
import threading
import time

import pytest

from harness import client, config
from harness.client import V12, V13, refusal
from harness.origin import named_and_staying
from harness.ports import free_port
from harness.product import ROOT
from harness.waiting import PATIENCE

EXAMPLES = ROOT / "scripting/examples"

# One script with a fault per server name, so that good and bad connections meet in one state.
FAULTS_LUA = r"""
local faults = {}
faults["loop.test"] = function() while true do end end
faults["pcall-loop.test"] = function() while true do pcall(function() while true do end end) end end
faults["pcall-once.test"] = function() pcall(function() while true do end end) return true end
faults["coroutine-loop.test"] = function()
  local co = coroutine.create(function() while true do end end)
  coroutine.resume(co)
  return true
end
faults["recursion.test"] = function() local function down(n) return 1 + down(n + 1) end return down(1) end
faults["pcall-recursion.test"] = function()
  local function down() return pcall(down) and down() end
  return down()
end
faults["memory.test"] = function() local t = {} while true do t[#t + 1] = ("x"):rep(10000) .. #t end end
faults["pcall-memory.test"] = function()
  local t = {}
  while true do pcall(function() t[#t + 1] = ("x"):rep(1000000) .. #t end) end
end
faults["big-string.test"] = function() return ("x"):rep(1 << 40) end
faults["pattern.test"] = function() return ("a"):rep(3000):find((".-"):rep(20) .. "b") and true end
faults["metamethod.test"] = function()
  local t = setmetatable({}, {__index = function(t, k) while true do end end})
  return t.x
end
faults["gc.test"] = function()
  setmetatable({}, {__gc = function() while true do end end})
  if collectgarbage then collectgarbage() end
  for i = 1, 1e9 do local t = {i} end
  return true
end
faults["sort.test"] = function()
  local t = {}
  for i = 1, 200 do t[i] = i end
  table.sort(t, function() while true do end end)
  return true
end
faults["error.test"] = function() error("as written") end
faults["error-object.test"] = function() error({}) end
faults["error-nil.test"] = function() error(nil) end
faults["nil-index.test"] = function(conn) return conn.nothing.more end
faults["os.test"] = function() return os.execute("true") end
faults["io.test"] = function() return io.open("/etc/passwd") end
faults["load.test"] = function() return loadfile("/etc/passwd") end
faults["nothing.test"] = function() end
faults["number.test"] = function() return 42 end
faults["string.test"] = function() return "yes" end
faults["table.test"] = function() return {} end
faults["forged-table.test"] = function() return {allow = true, verdict = "allow", backend = "main"} end
faults["function.test"] = function() return print end
faults["backend.test"] = function() return lb.allow{backend = "nowhere"} end
faults["backend-number.test"] = function() return lb.allow{backend = 7} end
faults["sleep.test"] = function() lb.sleep(3600) return true end
faults["sleep-loop.test"] = function() while true do pcall(lb.sleep, 0.01) end end
faults["yield.test"] = function() coroutine.yield() return true end
faults["change-lb.test"] = function() lb.deny = function() return true end return lb.deny("no") end

function on_authorize(conn)
  local fault = faults[conn.server_name]
  if fault then return fault(conn) end
  return true
end
"""
FAULTS = {
    "loop": "script-cpu", "pcall-loop": "script-cpu", "pcall-once": "script-cpu", "coroutine-loop": "script-cpu",
    "recursion": ("script-error", "script-memory", "script-cpu"),
    "pcall-recursion": ("script-error", "script-memory", "script-cpu", "script-result"),
    "memory": ("script-memory", "script-cpu"), "pcall-memory": ("script-memory", "script-cpu"),
    "big-string": ("script-memory", "script-error"), "pattern": ("script-cpu", "script-error"),
    "metamethod": "script-cpu", "gc": ("script-cpu", "script-error", "script-memory"), "sort": "script-cpu",
    "error": "script-error", "error-object": "script-error", "error-nil": "script-error", "nil-index": "script-error",
    "os": "script-error", "io": "script-error", "load": "script-error",
    "nothing": "script-result", "number": "script-result", "string": "script-result", "table": "script-result",
    "forged-table": "script-result", "function": "script-result", "backend": "script-result",
    "backend-number": ("script-result", "script-error"),
    "sleep": "script-time", "sleep-loop": ("script-time", "script-cpu"),
    "yield": ("script-error", "script-result", "script-time"), "change-lb": ("script-error", "denied"),
}


@pytest.fixture
def serve(lb, pki, behind):
    """Starts lb with one mutual listener and a script; gives the port."""
    def start(lua, more="", **keys):
        port = free_port()
        script = lb.file("policy.lua", lua)
        lb.start(config.mutual(pki, port, behind, script=script, **keys) + more)
        return port
    return start


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_script_denies_and_the_next_connection_goes_on(lb, pki, serve, behind, fault):
    expected = FAULTS[fault]
    waits = "script-time" in expected  # the others must not be ended by a machine that has no time for them
    port = serve(FAULTS_LUA, script_timeout="500ms" if waits else "20s", script_cpu="50ms", script_memory="8m")
    assert refusal(pki, port, "good", name=f"{fault}.test").alert == 49
    line = lb.wait_connection(listener="main")
    assert line["reason"] in ([expected] if isinstance(expected, str) else expected), line
    assert line["decision"] == "deny" and line["text"]
    assert behind.accepted == 0
    assert client.echoes(pki, port, "good", name="fine.test")
    assert client.echoes(pki, port, "good", name="fine.test", version=V12)


def test_faults_of_one_state_in_a_row_leave_it_intact(lb, pki, serve):
    port = serve(FAULTS_LUA, script_timeout="100ms", script_cpu="20ms", script_memory="8m")
    for _ in range(2):
        for fault in FAULTS:
            assert refusal(pki, port, "good", name=f"{fault}.test").alert == 49, fault
        for _ in range(4):
            assert client.echoes(pki, port, "good", name="fine.test")


def test_an_error_names_file_and_line_in_the_log(lb, pki, serve):
    port = serve("-- first line\nfunction on_authorize(conn)\n  error('as written')\nend\n")
    refusal(pki, port, "good")
    text = lb.wait_connection(listener="main")["text"]
    assert "policy.lua:3" in text and "as written" in text


def test_loops_do_not_hold_up_other_connections(lb, pki, serve, behind):
    port = serve(FAULTS_LUA, script_cpu="50ms")
    with client.tls(pki, port, "good", name="fine.test") as held:
        client.ask(held)
        loops = [threading.Thread(target=refusal, args=(pki, port, "good"), kwargs={"name": "loop.test"})
                 for _ in range(8)]
        for loop in loops:
            loop.start()
        for _ in range(20):
            assert client.ask(held) == b"ping"
        for loop in loops:
            loop.join()
        assert client.ask(held) == b"ping"
    assert len(lb.wait_connections(8, reason="script-cpu")) == 8


def test_a_script_that_waits_holds_up_nobody(lb, pki, serve):
    port = serve("function on_authorize(conn)\n if conn.server_name == 'slow.test' then lb.sleep(5) end return true end",
                 script_timeout="60s")
    waiting = [client.tls(pki, port, "good", name="slow.test") for _ in range(10)]
    started = time.monotonic()
    for _ in range(10):
        assert client.echoes(pki, port, "good", name="fast.test")
    assert time.monotonic() - started < 4 * PATIENCE
    for sock in waiting:
        sock.close()


def test_a_script_that_waits_and_then_allows_is_waited_for(lb, pki, serve):
    port = serve("function on_authorize(conn) lb.sleep(0.2) return true end")
    assert client.echoes(pki, port, "good")
    line = lb.wait_connection(listener="main")
    assert line["script_us"] < 200000 <= line["total_us"]


def test_what_a_client_sends_before_the_decision_arrives_after_it(lb, pki, serve, behind):
    port = serve("function on_authorize(conn) lb.sleep(0.3) return true end")
    with client.tls(pki, port, "good") as sock:
        sock.sendall(b"early bytes")
        assert behind.accepted == 0
        assert client.receive(sock, 11) == b"early bytes"


def test_what_a_denied_client_sends_never_arrives(pki, serve, behind):
    port = serve("function on_authorize(conn) lb.sleep(0.2) return false, 'no' end")
    with pytest.raises(client.Refused):
        with client.tls(pki, port, "good") as sock:
            client.ask(sock, b"early bytes")
    assert behind.accepted == 0


@pytest.mark.parametrize("version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("result", ["lb.deny('not on Sundays')", "false, 'not on Sundays'"])
def test_a_denial_gives_access_denied_and_its_reason_only_to_the_log(lb, pki, serve, behind, version, result):
    port = serve(f"function on_authorize(conn) return {result} end")
    assert refusal(pki, port, "good", version=version).alert == 49
    line = lb.wait_connection(listener="main")
    assert (line["decision"], line["reason"], line["close"]) == ("deny", "denied", "denied")
    assert "not on Sundays" in line["text"]
    assert behind.accepted == 0
    assert lb.metric("lb_connections_ended_total", listener="main", reason="denied") == 1


def test_a_script_is_not_asked_about_a_bad_certificate(lb, pki, serve):
    port = serve("function on_authorize(conn) lb.log.info('asked') return true end")
    refusal(pki, port, "expired")
    assert client.echoes(pki, port, "good")
    assert len(lb.wait_event("asked")) == 1


def test_print_and_log_appear_in_the_log_and_cannot_forge_a_line(lb, pki, serve):
    port = serve("""function on_authorize(conn)
      print("printed", 1, nil)
      lb.log.warning('two\\nlines {"level":"error"}')
      return true
    end""")
    assert client.echoes(pki, port, "good")
    assert "1" in lb.wait_event("printed")[0]["event"]
    assert lb.wait_event("two")[0]["level"] == "warning"
    assert not lb.events(level="error")


def test_allow_chooses_the_backend(lb, pki, origin, serve):
    other = origin(named_and_staying("other"))
    port = serve("""function on_authorize(conn)
      return lb.allow{ backend = conn.certificate.subject.OU == "treasury" and "other" or nil }
    end""", more=config.backend("other", other))
    with client.tls(pki, port, "treasury") as sock:
        assert client.receive(sock, 6) == b"other\n"
    assert client.echoes(pki, port, "good")
    assert lb.wait_connection(subject=pki["treasury"].subject)["backend"] == "other"
    assert lb.wait_connection(subject=pki["good"].subject)["backend"] == "main"


def test_log_fields_are_attached_to_the_line(lb, pki, serve):
    port = serve("""function on_authorize(conn)
      return lb.allow{ log = { team = conn.certificate.subject.OU, note = 'a "quoted"\\nvalue' } }
    end""")
    assert client.echoes(pki, port, "good")
    line = lb.wait_connection(listener="main")
    assert line["log"]["team"] == "payments" and "quoted" in line["log"]["note"]


def test_log_fields_cannot_replace_those_of_lb(lb, pki, serve):
    port = serve("""function on_authorize(conn)
      return lb.allow{ log = { subject = "CN=forged", decision = "forged", ['x":1,"listener'] = "forged" } }
    end""")
    assert client.echoes(pki, port, "good")
    line = lb.wait_connection(listener="main")
    assert line["subject"] == pki["good"].subject and line["decision"] == "allow"


def test_too_many_log_fields_leave_the_line_whole(lb, pki, serve):
    port = serve("""function on_authorize(conn)
      local fields = {}
      for i = 1, 300 do fields["field" .. i] = ('"\\\\\\1'):rep(200) end
      return lb.allow{ log = fields }
    end""")
    try:
        client.echoes(pki, port, "good")
    except client.Refused:
        pass
    assert lb.wait_connection()["subject"] == pki["good"].subject


def test_a_long_reason_leaves_the_line_whole(lb, pki, serve):
    port = serve("function on_authorize(conn) return lb.deny(('\\\"\\\\\\1\\n'):rep(100000)) end")
    assert refusal(pki, port, "good").alert == 49
    assert lb.wait_connection()["reason"] in ("denied", "script-memory")


FACTS_LUA = """
function on_authorize(conn)
  local c = conn.certificate
  local want = {
    {"CN", c.subject.CN, "good"}, {"OU", c.subject.OU, "payments"}, {"O", c.subject.O, "Test"},
    {"all", #c.subject:all("OU"), 1}, {"text", tostring(c.subject), "CN=good,OU=payments,O=Test"},
    {"issuer", c.issuer.CN, "Test root"}, {"uri", c.san.uri[1], "spiffe://lb.test/payments/good"},
    {"dns", c.san.dns[1], "good.test"}, {"email", c.san.email[1], "good@lb.test"},
    {"spiffe", c.spiffe_id, "spiffe://lb.test/payments/good"}, {"type", c.key.type, "EC"}, {"bits", c.key.bits, 256},
    {"sha256", c.sha256, tostring(lb.options.sha256)}, {"eku", c.extended_key_usage[1], "clientAuth"},
    {"ku", c.key_usage[1], "digitalSignature"}, {"chain", #conn.chain, 2}, {"anchor", tostring(c.anchor), "CN=Test root,O=Test"},
    {"listener", conn.listener, "main"}, {"address", conn.address, "127.0.0.1"}, {"name", conn.server_name, "facts.test"},
    {"version", conn.tls.version, "TLSv1.3"}, {"resumed", conn.tls.resumed, false},
    {"dates", c.not_before < lb.now() and c.not_after > lb.now(), true},
    {"pem", c.pem:match("^%-%-%-%-%-BEGIN CERTIFICATE"), "-----BEGIN CERTIFICATE"},
  }
  for _, one in ipairs(want) do
    if one[2] ~= one[3] then return lb.deny(one[1] .. " is " .. tostring(one[2]) .. ", not " .. tostring(one[3])) end
  end
  return true
end
"""


def test_a_script_sees_the_facts_of_the_certificate(lb, pki, serve):
    port = serve(FACTS_LUA, **{"option.sha256": pki["good"].sha256})
    with client.tls(pki, port, "good", name="facts.test") as sock:
        try:
            assert client.ask(sock) == b"ping"
        except client.Refused:
            pytest.fail(lb.wait_connection(listener="main")["text"])


def test_without_a_certificate_it_is_nil(lb, pki, serve):
    port = serve("function on_authorize(conn) return conn.certificate == nil and #conn.chain == 0, 'has one' end",
                 tls="mutual-optional")
    assert client.echoes(pki, port, None)
    assert refusal(pki, port, "good").alert == 49


def test_a_plain_listener_has_a_script_too(lb, behind):
    port = free_port()
    script = lb.file("plain.lua", "function on_authorize(conn) return conn.tls == nil and conn.port > 0 "
                                  "and conn.address == '127.0.0.2', 'wrong address' end")
    lb.start(config.plain(port, behind, script=script))
    with client.connect(port, source="127.0.0.2") as sock:
        assert client.ask(sock) == b"ping"
    with client.connect(port) as sock, pytest.raises(client.Refused):
        client.ask(sock)
    assert lb.wait_connection(reason="denied")["text"] == "wrong address"


def test_options_reach_the_script_as_text_and_as_a_set(lb, pki, serve):
    port = serve("""function on_authorize(conn)
      return lb.options.ou[conn.certificate.subject.OU] == true and tostring(lb.options.ou) == "payments, treasury", "no"
    end""", **{"option.ou": "payments, treasury"})
    assert client.echoes(pki, port, "good") and client.echoes(pki, port, "treasury")
    assert refusal(pki, port, "marketing").alert == 49


# --- the examples ----------------------------------------------------------------------------------------------------

def hours_until(weekday, hour):
    """From now to that weekday (0 is Monday) and hour, UTC, in hours."""
    now = datetime.datetime.utcnow()
    then = now.replace(hour=hour, minute=0, second=0) + datetime.timedelta(days=(weekday - now.weekday()) % 7)
    return (then - now).total_seconds() / 3600


def with_colons(fingerprint):
    return ":".join(fingerprint[at:at + 2] for at in range(0, 64, 2)).upper()


HOURS = {"option.from": 8, "option.to": 18}
EXAMPLE_CASES = [  # file, options (made from the pki), who is allowed, who is denied
    ("allow_ou.lua", lambda pki: {"option.ou": "payments, treasury"}, ["good", "treasury"], ["marketing"]),
    ("allow_cn.lua", lambda pki: {"option.cn": "good, treasury"}, ["good", "treasury"], ["marketing", "good-rsa"]),
    ("allow_cn.lua", lambda pki: {"option.cn": "good", "option.organization": "Other"}, [], ["good"]),
    ("allow_fingerprint.lua", lambda pki: {"option.sha256": pki["good"].sha256 + ", " + with_colons(
        pki["treasury"].sha256)}, ["good", "treasury"], ["marketing"]),
    ("allow_issuer.lua", lambda pki: {"option.issuer": "Test intermediate"}, ["good-chained"], ["good"]),
    ("allow_spiffe.lua", lambda pki: {"option.trust_domain": "lb.test", "option.path": "/payments"}, ["good"],
     ["treasury", "good-rsa"]),
    ("route_by_ou.lua", lambda pki: {"option.route": "payments=main, treasury=other"}, ["good", "treasury"], ["marketing"]),
    ("working_hours.lua", lambda pki: {"option.always": "payments", "option.from": 0, "option.to": 0}, ["good"],
     ["marketing"]),
    ("working_hours.lua", lambda pki: {**HOURS, "option.utc_offset": hours_until(2, 12)}, ["marketing"], []),
    ("working_hours.lua", lambda pki: {**HOURS, "option.utc_offset": hours_until(2, 19)}, [], ["marketing"]),
    ("working_hours.lua", lambda pki: {**HOURS, "option.utc_offset": hours_until(6, 12)}, [], ["marketing"]),
]


def test_every_example_is_tested_here():
    by_request = {"rate_limit.lua", "identity_headers.lua"}  # in test_http_scripts.py
    assert {path.name for path in EXAMPLES.glob("*.lua")} == {row[0] for row in EXAMPLE_CASES} | by_request


@pytest.mark.parametrize("example,options,allowed,denied", EXAMPLE_CASES, ids=[row[0] for row in EXAMPLE_CASES])
def test_an_example_allows_and_denies_as_it_says(lb, pki, behind, example, options, allowed, denied):
    port = free_port()
    lb.start(config.mutual(pki, port, behind, script=EXAMPLES / example, **options(pki)) +
             config.backend("other", behind))
    for identity in allowed:
        assert client.echoes(pki, port, identity), identity
    for identity in denied:
        assert refusal(pki, port, identity).alert == 49, identity
        line = lb.wait_connection(subject=pki[identity].subject)
        assert line["decision"] == "deny" and line["reason"] == "denied" and line["text"]
