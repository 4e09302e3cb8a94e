"""Scripts that decide about requests: what they may say, and that whatever goes wrong means no."""
import threading
import time

import pytest

from harness import client, config, web
from harness.origin import reset
from harness.ports import free_port
from harness.product import ROOT
from harness.waiting import until

both = pytest.mark.parametrize("version", ["http/1.1", "h2"])


@pytest.fixture
def front(lb, origin):
    """front(lua, **keys) starts lb with one worker, a script and the backends main (s0, s1) and other."""
    class Front:
        def __call__(self, lua, handler=web.telling, body=True, **keys):
            self.port = free_port()
            self.servers = [origin(web.serve(handler, body)) for _ in range(2)]
            self.other = origin(web.serve(web.named("other")))
            self.path = lb.file("policy.lua", lua)
            lb.write(self.text(**keys), workers=1)
            lb.start()
            return self

        def text(self, **keys):
            return web.plain(self.port, *self.servers, h2c="yes", script=self.path, **keys) + config.backend("other", self.other)

        def open(self, version="http/1.1"):
            return web.open_two(self.port) if version == "h2" else web.open_wire(self.port)

        def asked(self):
            return [message for one in (*self.servers, self.other) for message in one.received]
    return Front()


def hook(body):
    return f"function on_request(req)\n  {body}\nend\n"


# --- faults -----------------------------------------------------------------------------------------------------------

FAULTS = {
    "error": ('error("broken")', "script-error"),
    "error with a table": ("error({})", "script-error"),
    "typo": ("return req.hots == 'x'", "script-error"),
    "index of nil": ("local x = nil; return x.y", "script-error"),
    "nothing": ("return", "script-result"),
    "nil": ("return nil", "script-result"),
    "a number": ("return 1", "script-result"),
    "a text": ('return "allow"', "script-result"),
    "a table": ("return {}", "script-result"),
    "unknown backend": ('return lb.allow{ backend = "nowhere" }', "script-result"),
    "unknown server": ('return lb.allow{ server = "nowhere" }', "script-result"),
    "unknown key": ('return lb.allow{ beckend = "other" }', "script-result"),
    "CR LF in a header": ('return lb.allow{ headers = { ["x-a"] = "a\\r\\nx-evil: 1" } }', "script-result"),
    "LF in a header": ('req.headers["x-a"] = "a\\nb"; return true', "script-result"),
    "NUL in a header": ('req.headers["x-a"] = "a\\0b"; return true', "script-result"),
    "a header's name with a blank": ('req.headers["x a"] = "a"; return true', "script-result"),
    "a refused header hidden by pcall": ('pcall(function() req.headers["x-a"] = "a\\nb" end); return true', "script-result"),
    "content-length": ('req.headers["content-length"] = "5"; return true', "script-result"),
    "transfer-encoding": ('return lb.allow{ headers = { ["transfer-encoding"] = "chunked" } }', "script-result"),
    "host": ('req.headers["host"] = "evil"; return true', "script-result"),
    "path with a line end": ('return lb.allow{ path = "/a\\r\\nx: y" }', "script-result"),
    "path with a blank": ('return lb.allow{ path = "/a b HTTP/1.1" }', "script-result"),
    "path without a slash": ('return lb.allow{ path = "http://evil/" }', "script-result"),
    "redirect with a line end": ('return lb.redirect("https://x.test/\\r\\nx: y")', "script-result"),
    "redirect to nothing": ('return lb.redirect("javascript:alert(1)")', "script-result"),
    "redirect with a wrong status": ('return lb.redirect("/a", 200)', "script-result"),
    "respond with a line end": ('return lb.respond{ headers = { ["x-a"] = "a\\r\\nb: c" } }', "script-result"),
    "respond with a wrong status": ("return lb.respond{ status = 999 }", "script-result"),
    "respond with a body that is none": ('return lb.respond{ status = 204, body = "x" }', "script-result"),
    "deny with a wrong status": ('return lb.deny("no", 200)', "script-result"),
    "endless loop": ("while true do end", "script-cpu"),
    "endless loop in pcall": ("while true do pcall(function() while true do end end) end", "script-cpu"),
    "endless loop in a coroutine": ("coroutine.wrap(function() while true do end end)()", "script-cpu"),
    "endless pattern": ('return string.find(string.rep("a", 30000), string.rep("a*", 30) .. "b") == nil', "script-cpu"),
    "waits too long": ("lb.sleep(60); return true", "script-time"),
    "memory": ("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100000) .. i end return true", "script-memory"),
    "memory in pcall": ("pcall(function() local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100000) .. i end end) return true",
                        "script-memory"),
    "endless recursion": ("local function f() return 1 + f() end return f() == 1", ("script-error", "script-memory", "script-cpu")),
    "body in pcall without end": ("local ok = pcall(req.body, req, -1); return ok", "denied"),
}


@pytest.mark.parametrize("lua,reason", FAULTS.values(), ids=FAULTS)
def test_what_goes_wrong_is_answered_with_500_and_reaches_no_server(front, lb, lua, reason):
    """Only on /bad; the other connections of the worker go on."""
    front('function bad(req) ' + lua + ' end\n' + hook('if req.path == "/bad" then return bad(req) end return true'),
          script_memory="4m", script_timeout="400ms", script_cpu="50ms")
    with front.open() as other, front.open() as wire:
        assert other.ask("GET", "/before").status == 200
        answer = wire.ask("GET", "/bad")
        assert answer.status == (403 if reason == "denied" else 500), answer
        assert b"policy.lua" not in answer.body
        assert other.ask("GET", "/after").status == 200
        assert wire.ask("GET", "/again").status == 200
    line = lb.wait_connection(listener="main", target="/bad")
    assert line["reason"] in (reason if isinstance(reason, tuple) else (reason,)) and line["decision"] == "deny", line
    if reason != "denied":
        assert ("policy.lua: on_request returned" if "returned" in line["text"] else "policy.lua:1") in line["text"], line["text"]
    assert [message.target for message in front.asked()] == ["/before", "/after", "/again"] or \
        sorted(message.target for message in front.asked()) == ["/after", "/again", "/before"]


def test_a_script_that_waits_holds_up_nobody_else(front):
    front(hook('if req.path == "/slow" then lb.sleep(0.5) end return true'), script_timeout="5s")
    with front.open() as slow, front.open() as quick:
        slow.send(web.request("GET", "/slow"))
        began = time.monotonic()
        for _ in range(20):
            assert quick.ask().status == 200
        assert time.monotonic() - began < 0.4
        assert slow.answer().status == 200


def test_a_client_that_leaves_while_the_script_waits_reaches_no_server(front, lb):
    front(hook("lb.sleep(0.3) return true"), script_timeout="5s")
    with front.open() as wire:
        wire.send(web.request())
        until(lambda: lb.metric("lb_requests_total", listener="main") == 1, "the request")
        reset(wire.sock)
    lb.wait_connection(listener="main")
    time.sleep(0.4)
    assert not front.asked()


# --- deciding ---------------------------------------------------------------------------------------------------------

@both
def test_a_denied_request_is_403_and_the_connection_goes_on(front, lb, version):
    front(hook('if req.path == "/secret" then return lb.deny("not this one") end return true'))
    with front.open(version) as one:
        for _ in range(2):
            answer = one.ask("GET", "/secret")
            assert answer.status == 403 and b"not this one" not in answer.body
            assert one.ask("GET", "/open").status == 200
    line = lb.wait_connections(4)[0]
    assert (line["reason"], line["decision"], line["text"], line["status"]) == ("denied", "deny", "not this one", 403)
    assert [message.target for message in front.asked()] == ["/open"] * 2


@pytest.mark.parametrize("lua,status", [('lb.deny("x", 404)', 404), ('lb.deny("x", { status = 429 })', 429), ("false", 403),
                                        ('false, "why"', 403)])
def test_a_denial_may_choose_its_status(front, lua, status):
    with front(hook(f"return {lua}")).open() as wire:
        assert wire.ask().status == status
    assert not front.asked()


@both
def test_a_body_of_a_denied_request_is_no_further_request(front, version):
    front(hook('if req.method == "POST" then return false end return true'))
    with front.open(version) as one:
        assert one.ask("POST", "/", body=web.request("GET", "/smuggled")).status == 403
        try:
            assert one.ask("GET", "/next").body == b"GET /next "
        except (web.Cut, OSError):
            pass
    assert "/smuggled" not in [message.target for message in front.asked()]


@both
def test_redirects_and_answers_of_the_script(front, version):
    front(hook('''if req.path == "/old" then return lb.redirect("https://new.test/", 308) end
      return lb.respond{ status = 418, headers = { ["x-pot"] = "tea", ["set-cookie"] = { "a=1", "b=2" } }, body = "short\\n" }'''))
    with front.open(version) as one:
        answer = one.ask("GET", "/old")
        assert answer.status == 308 and answer["location"] == "https://new.test/"
        answer = one.ask("GET", "/else")
        assert answer.status == 418 and answer["x-pot"] == "tea" and answer.body == b"short\n"
        assert answer.all("set-cookie") == ["a=1", "b=2"]
        answer = one.ask("HEAD", "/else")
        assert answer.status == 418 and answer["content-length"] == "6" and answer.body == b""
    assert not front.asked()


def test_the_script_chooses_backend_and_server(front):
    front(hook('''if req.path == "/other" then return lb.allow{ backend = "other" } end
      return lb.allow{ server = req.headers["x-server"] }'''))
    with front.open() as wire:
        assert wire.ask("GET", "/other").body == b"other"
        for name in ("s1", "s0", "s1", "s1"):
            assert wire.ask("GET", "/", ("X-Server", name)).status == 200
    assert len(front.servers[0].received) == 1 and len(front.servers[1].received) == 3


@both
def test_the_script_changes_headers_and_path(front, version):
    front(hook('''req.headers["x-gone"] = nil
      req.headers["x-set"] = "new"
      req.headers:add("x-more", "b")
      return lb.allow{ path = "/inner?x=" .. req.path, headers = { ["x-user"] = "me" } }'''))
    with front.open(version) as one:
        answer = one.ask("GET", "/outer?q", ("x-gone", "1"), ("x-gone", "2"), ("x-set", "old"), ("x-more", "a"), ("x-user", "evil"))
        assert answer.body == b"GET /inner?x=/outer "
    message = front.asked()[0]
    assert message["x-gone"] is None and message["x-set"] == "new" and message.all("x-more") == ["a", "b"]
    assert message["x-user"] == "me"


def test_facts_of_a_request(front, lb):
    front(hook('''return lb.allow{ log = { method = req.method, path = req.path, query = req.query or "none", host = req.host,
      scheme = req.scheme, id = req.id, cookie = req.cookies.session or "none", address = req.conn.address, header = req.headers["x-a"] } }'''))
    with front.open() as wire:
        assert wire.ask("GET", "/a/%62?x=1", ("Cookie", "a=b; session=s1"), ("X-A", "va")).status == 200
    line = lb.wait_connection(listener="main")
    said = line["log"]
    assert (said["method"], said["path"], said["query"], said["host"], said["scheme"], said["cookie"], said["address"], said["header"]) \
        == ("GET", "/a/b", "x=1", "localhost", "http", "s1", "127.0.0.1", "va")
    assert said["id"] == line["id"] == front.asked()[0]["x-request-id"]


@both
def test_a_script_reads_the_body_and_it_goes_on(front, version):
    front(hook('if req.method == "POST" then return req:body(100) == "open sesame" end return true'))
    with front.open(version) as one:
        assert one.ask("POST", "/", body=b"open sesame").body == b"POST / open sesame"
        assert one.ask("POST", "/", body=b"open says me").status == 403
        assert one.ask("POST", "/", body=b"").status == 403
    assert len(front.asked()) == 1


@both
def test_a_body_longer_than_the_script_reads_is_413(front, lb, version):
    front(hook("return #req:body(10) > 0"))
    with front.open(version) as one:
        assert one.ask("POST", "/", body=b"x" * 11).status == 413
    assert lb.wait_connection(listener="main")["reason"] == "body-too-large"
    assert not front.asked()


def test_a_body_that_dribbles_meets_the_scripts_time(front):
    front(hook("return #req:body(1000) > 0"), script_timeout="400ms")
    with front.open() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
        with pytest.raises((OSError, AssertionError)):
            for _ in range(60):
                wire.send(b"x")
                time.sleep(0.05)
            raise AssertionError("went on") if wire.answer().status == 500 else OSError
    assert not front.asked()


def test_a_script_that_reads_the_body_invites_it(front):
    front(hook('return req:body(100) == "body"'))
    with front.open() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert wire.head().status == 100
        wire.send(b"body")
        assert wire.answer().body == b"POST / body"


def test_rate_limits_count_over_connections_and_versions(front):
    front(hook('''if not lb.rate_limit(req.headers["x-key"] or "none", 5, 60) then return lb.deny("too many", 429) end return true'''))
    statuses = []
    for number in range(4):
        with front.open("h2" if number % 2 else "http/1.1") as one:
            statuses += [one.ask("GET", "/", ("x-key", "a")).status for _ in range(2)]
    assert statuses == [200] * 5 + [429] * 3
    with front.open() as wire:
        assert wire.ask("GET", "/", ("X-Key", "b")).status == 200


def test_each_request_of_a_connection_is_decided_by_itself(front):
    front(hook('return req.headers["x-pass"] == "yes"'))
    for version in ("http/1.1", "h2"):
        with front.open(version) as one:
            assert [one.ask("GET", "/", ("x-pass", word)).status for word in ("yes", "no", "yes", "no")] == [200, 403, 200, 403]
    with front.open("h2") as two:
        streams = {two.begin("GET", f"/{number}", ("x-pass", "yes" if number % 3 else "no")): number for number in range(30)}
        for stream, number in streams.items():
            assert two.answer(stream).status == (200 if number % 3 else 403)


# --- answers ----------------------------------------------------------------------------------------------------------

def answer_hook(body):
    return f"function on_response(res)\n  {body}\nend\nfunction on_request(req) return true end\n"


def test_a_script_that_only_looks_at_answers_lets_nobody_in(front):
    """Nothing in it decides about requests."""
    with front("function on_response(res) end").open() as wire:
        assert wire.ask().status in (403, 500)
    assert not front.asked()


@both
def test_on_response_changes_status_and_headers(front, version):
    front(answer_hook('''res.headers["server"] = nil
      res.headers["x-seen"] = res.request.path .. " " .. res.status
      res.headers:add("set-cookie", "c=3")
      if res.status == 404 then res.status = 410 end'''),
          handler=lambda message, *_: web.reply(b"body", ("Server", "x/1"), ("Set-Cookie", "a=1"), status="404 Not Found"))
    with front.open(version) as one:
        for _ in range(2):
            answer = one.ask("GET", "/it")
            assert answer.status == 410 and answer.body == b"body" and answer["server"] is None
            assert answer["x-seen"] == "/it 404" and answer.all("set-cookie") == ["a=1", "c=3"]


@pytest.mark.parametrize("lua", ['error("x")', 'res.headers["x-a"] = "a\\r\\nb: c"', "res.status = 99", "while true do end",
                                 'res.headers["content-length"] = "1"', "return 5", 'res.request.headers["x"] = "y"'])
def test_an_answer_whose_script_fails_is_500(front, lb, lua):
    front(answer_hook(lua), handler=lambda *_: web.reply(b"secret"), script_cpu="50ms")
    with front.open() as wire:
        answer = wire.ask()
        assert answer.status == 500 and b"secret" not in answer.body
    assert ("policy.lua: on_response returned" if lua == "return 5" else "policy.lua:2") in lb.wait_connection(listener="main")["text"]


def test_an_answer_may_be_denied(front):
    front(answer_hook('if res.headers["x-internal"] then return lb.deny("internal") end'),
          handler=lambda message, *_: web.reply(b"body", *([("X-Internal", "1")] if message.target == "/internal" else [])))
    with front.open() as wire:
        answer = wire.ask("GET", "/internal")
        assert answer.status == 403 and answer.body != b"body"
        assert wire.ask("GET", "/").body == b"body"


@both
def test_a_response_hook_that_waits_loses_no_byte(front, version):
    front(answer_hook("lb.sleep(0.1)"), handler=lambda *_: web.reply(bytes(range(256)) * 2000), script_timeout="5s")
    with front.open(version) as one:
        assert one.ask().body == bytes(range(256)) * 2000


# --- certificates -----------------------------------------------------------------------------------------------------

@pytest.fixture
def mutual(lb, pki, origin):
    class Mutual:
        def __call__(self, lua, **keys):
            self.port, self.origin = free_port(), origin(web.serve(web.telling))
            lb.write(web.mutual(pki, self.port, self.origin, script=lb.file("policy.lua", lua), **keys), workers=1)
            lb.start()
            return self

        def open(self, identity="good", version="http/1.1"):
            if version == "h2":
                return web.open_two_tls(pki, self.port, identity)
            return web.open_tls(pki, self.port, identity)
    return Mutual()


AUTHORIZE = 'function on_authorize(conn) return conn.certificate.subject.CN == "someone else", "not you" end\n'


@both
def test_a_connection_that_on_authorize_denies_is_told_403(mutual, lb, version):
    with mutual(AUTHORIZE).open(version=version) as one:
        assert one.ask().status == 403
        if version == "h2":
            one.until_over()
        else:
            assert one.is_over()
    line = lb.wait_connection(listener="main")
    assert (line["status"], line["reason"], line["text"]) == (403, "denied", "not you")
    assert not mutual.origin.accepted
    assert lb.metric("lb_denied_total", listener="main") == 1


@both
@pytest.mark.parametrize("lua", ["error('x')", "return 1", "while true do end"])
def test_a_connection_whose_script_fails_is_told_500(mutual, lb, version, lua):
    with mutual(f"function on_authorize(conn) {lua} end", script_cpu="50ms").open(version=version) as one:
        assert one.ask().status in (500, 403)
    assert lb.wait_connection(listener="main")["reason"].startswith("script-")
    assert not mutual.origin.accepted


def test_curl_sees_403_where_a_script_denies(mutual, pki):
    mutual(AUTHORIZE)
    done = client.curl(pki, f"https://localhost:{mutual.port}/", "good", "-w", "%{http_code}", "-o", "/dev/null")
    assert done.stdout == "403", done.stderr


def test_a_certificate_that_does_not_verify_gets_no_http_at_all(mutual, pki, lb):
    mutual("function on_request(req) return true end\nfunction on_authorize(conn) return true end")
    for identity in (None, "expired", "revoked"):
        done = client.curl(pki, f"https://localhost:{mutual.port}/", identity)
        assert done.returncode != 0 and done.stdout == ""
    assert not mutual.origin.accepted


@both
def test_the_organizational_unit_decides_about_each_path(mutual, pki, version):
    ou = pki["good"].certificate.subject.get_attributes_for_oid(client_ou())
    name = ou[0].value if ou else None
    mutual(f'''function on_request(req)
      local ou = req.conn.certificate.subject.OU
      if req.path:find("^/mine") then return ou == {f'"{name}"' if name else "nil"} end
      return lb.deny("OU " .. tostring(ou) .. " may not")
    end''')
    with mutual.open(version=version) as one:
        assert [one.ask("GET", path).status for path in ("/mine", "/theirs", "/mine/too", "/theirs")] == [200, 403, 200, 403]
    assert [message.target for message in mutual.origin.received] == ["/mine", "/mine/too"]


def client_ou():
    from cryptography.x509.oid import NameOID
    return NameOID.ORGANIZATIONAL_UNIT_NAME


def test_headers_of_on_authorize_are_set_for_every_request_and_cannot_be_forged(mutual):
    mutual('function on_authorize(conn) return lb.allow{ headers = { ["x-user"] = conn.certificate.subject.CN } } end')
    with mutual.open() as wire:
        for _ in range(3):
            assert wire.ask("GET", "/", ("X-User", "evil"), ("x-user", "evil2")).status == 200
    assert len({message["x-user"] for message in mutual.origin.received}) == 1
    assert "evil" not in mutual.origin.received[0]["x-user"]


def test_decisions_of_many_threads_do_not_mix(front):
    front(hook('lb.sleep(0.01) return lb.respond{ body = req.path .. req.headers["x-n"] }'), script_timeout="5s")
    failures = []

    def ask(number):
        with front.open("h2" if number % 2 else "http/1.1") as one:
            for turn in range(20):
                if one.ask("GET", f"/{number}", ("x-n", str(turn))).body != f"/{number}{turn}".encode():
                    failures.append((number, turn))
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# --- the examples -----------------------------------------------------------------------------------------------------

EXAMPLES = ROOT / "scripting/examples"


@both
def test_rate_limit_answers_429_to_the_client_that_asks_too_often(lb, pki, origin, version):
    port = free_port()
    lb.start(web.mutual(pki, port, origin(web.serve(web.telling)), script=EXAMPLES / "rate_limit.lua",
                        **{"option.limit": 3, "option.seconds": 60}))

    def statuses(identity, count):
        with web.open_two_tls(pki, port, identity) if version == "h2" else web.open_tls(pki, port, identity) as one:
            return [one.ask().status for _ in range(count)]
    assert statuses("good", 5) == [200] * 3 + [429] * 2
    assert statuses("good", 1) == [429]
    assert statuses("treasury", 2) == [200] * 2


@both
def test_identity_headers_lets_each_unit_into_its_own_part_only(lb, pki, origin, version):
    port, behind = free_port(), origin(web.serve(web.telling))
    lb.start(web.mutual(pki, port, behind, script=EXAMPLES / "identity_headers.lua",
                        **{"option.allow": "payments=/payments, treasury=/treasury"}))
    forged = [("x-client-ou", "treasury"), ("x_client_cn", "boss"), ("X-Client-Else", "1")]
    if version == "h2":
        forged = [(name.lower(), value) for name, value in forged]
    with web.open_two_tls(pki, port, "good") if version == "h2" else web.open_tls(pki, port, "good") as one:
        assert one.ask("GET", "/").status == 403
        assert one.ask("GET", "/payments/a", *forged).status == 200
    for path in ("/treasury", "/paymentsx", "/payments/../treasury", "/payments/%2e%2e/treasury", "/payments;x/../treasury", "/PAYMENTS"):
        with web.open_two_tls(pki, port, "good") if version == "h2" else web.open_tls(pki, port, "good") as one:
            assert one.ask("GET", path).status in (400, 403), path
    message, = behind.received
    assert message["x-client-ou"] == "payments" and message["x-client-cn"] and len(message["x-client-sha256"]) == 64
    assert message["x-client-else"] is None and message["x_client_cn"] is None
