"""Reloads and the end of the process, seen from kept connections of HTTP: the next request follows the new rules, and what
runs is not cut."""
import signal
import subprocess
import threading
import time

import pytest

from harness import client, config, web
from harness.ports import free_port
from harness.waiting import SECONDS, scaled, until
from test_http_front import ws_frame, ws_open, ws_read, ws_serve

both = pytest.mark.parametrize("version", ["http/1.1", "h2"])


@pytest.fixture
def front(lb, pki, origin):
    """front(**keys) starts lb; front.again(**keys) reloads it with other keys. tls=None, "one-way" or "mutual"."""
    class Front:
        go = threading.Event()
        drain_spread = "0"

        def handler(self, message, wire, made):
            if message["upgrade"]:
                return ws_serve(message, wire, made)
            if message.target == "/wait":
                self.go.wait(SECONDS)
            return web.telling(message)

        def __call__(self, tls=None, **keys):
            self.port, self.tls = free_port(), tls
            self.origin, self.other = origin(web.serve(self.handler)), origin(web.serve(web.named("other")))
            lb.write(self.text(**keys), drain_spread=self.drain_spread)
            lb.start()
            return self

        def text(self, tls="same", **keys):
            tls = self.tls if tls == "same" else tls
            other = config.backend("other", self.other)
            if tls:
                return getattr(web, tls.replace("-", "_"))(pki, self.port, self.origin, **keys) + other
            return web.plain(self.port, self.origin, h2c="yes", **keys) + other

        def again(self, **keys):
            assert not lb.reload(self.text(**keys))

        def open(self, version="http/1.1", identity=None):
            identity = identity or ("good" if self.tls == "mutual" else None)
            if self.tls:
                return web.open_two_tls(pki, self.port, identity) if version == "h2" else web.open_tls(pki, self.port, identity)
            return web.open_two(self.port) if version == "h2" else web.open_wire(self.port)
    return Front()


def is_silent(one, seconds=0.3):
    """Nothing comes and nothing ends for a while."""
    one.sock.settimeout(seconds)
    try:
        return one.sock.recv(1) == b"never"
    except (TimeoutError, client.ssl.SSLWantReadError):
        return True
    finally:
        one.sock.settimeout(SECONDS)


# --- what kept connections use ----------------------------------------------------------------------------------------

@both
def test_a_kept_connection_uses_the_new_routes(front, version):
    with front().open(version) as one:
        assert one.ask("GET", "/a").body == b"GET /a "
        front.again(route="path=/a -> other")
        assert one.ask("GET", "/a").body == b"other"
        front.again(route="path=/a -> respond=404:gone")
        assert one.ask("GET", "/a").status == 404
        assert one.ask("GET", "/b").status == 200


@both
def test_a_kept_connection_uses_the_new_limits(front, version):
    with front().open(version) as one:
        assert one.ask("POST", "/", body=b"x" * 100).status == 200
        front.again(max_body=10)
        assert one.ask("POST", "/", body=b"x" * 100).status == 413


@both
def test_a_kept_connection_uses_the_new_script(front, lb, version):
    script = lb.file("policy.lua", "function on_request(req) return true end")
    with front(script=script).open(version) as one:
        assert one.ask().status == 200
        script.write_text('function on_request(req) return lb.deny("closed today") end')
        front.again(script=script)
        assert one.ask().status == 403
        script.write_text("function on_request(req) return true end")
        front.again(script=script)
        assert one.ask().status == 200


@both
def test_on_authorize_decides_again_about_a_kept_connection(front, lb, version):
    script = lb.file("policy.lua", "function on_authorize(conn) return true end")
    with front(tls="mutual", script=script).open(version) as one:
        assert one.ask().status == 200
        front.again(script=script)
        assert one.ask().status == 200
        script.write_text('function on_authorize(conn) return lb.deny("no more") end')
        front.again(script=script)
        assert one.ask().status == 403
    line = lb.wait_connections(3, listener="main")[-1]
    assert (line["reason"], line["text"]) == ("denied", "no more")


def test_a_reload_while_the_script_decides_decides_by_the_new_one(front, lb):
    script = lb.file("policy.lua", "function on_request(req) lb.sleep(0.5) return true end")
    with front(script=script, script_timeout="5s").open() as wire:
        wire.send(web.request())
        until(lambda: lb.metric("lb_requests_total", listener="main") == 1, "the request")
        script.write_text('function on_request(req) return lb.deny("changed") end')
        front.again(script=script, script_timeout="5s")
        assert wire.answer().status == 403
    assert not front.origin.received


@both
def test_a_kept_connection_lives_through_any_number_of_reloads(front, lb, version):
    script = lb.file("policy.lua", "function on_authorize(conn) return true end")
    with front(script=script, script_timeout="10ms").open(version) as one:
        for _ in range(20):
            assert one.ask().status == 200
            front.again(script=script, script_timeout="10ms")
        assert one.ask().status == 200


@both
def test_a_refused_reload_changes_nothing(front, lb, version):
    with front().open(version) as one:
        assert one.ask().status == 200
        lb.reload(front.text(route="path=/a -> nowhere"), expect="reload refused")
        assert one.ask("GET", "/a").body == b"GET /a "


@both
def test_a_request_that_runs_finishes_under_its_own_rules(front, version):
    with front().open(version) as one:
        if version == "h2":
            stream = one.begin("GET", "/wait")
        else:
            one.send(web.request("GET", "/wait"))
        front.origin.wait_received()
        front.again(route="-> respond=404")
        front.go.set()
        answer = one.answer(stream) if version == "h2" else one.answer()
        assert answer.status == 200
        assert one.ask().status == 404


# --- a policy that is no more -----------------------------------------------------------------------------------------

@both
def test_a_removed_listener_finishes_what_runs_and_then_ends_its_connections(front, lb, version):
    with front().open(version) as one, front.open(version) as idle:
        assert idle.ask().status == 200
        if version == "h2":
            stream = one.begin("GET", "/wait")
        else:
            one.send(web.request("GET", "/wait"))
        front.origin.wait_received(2)
        lb.reload(web.plain(free_port(), front.origin, name="another"))
        time.sleep(0.3)  # drain-spread is 0, and time goes in ticks
        front.go.set()
        answer = one.answer(stream) if version == "h2" else one.answer()
        assert answer.status == 200
        if version == "h2":
            assert one.until_over() == 0
        else:
            assert answer["connection"] == "close" and one.is_over()


@both
def test_a_changed_tls_policy_ends_kept_connections_with_their_next_answer(front, pki, version):
    with front(tls="one-way").open(version) as one:
        assert one.ask().status == 200
        front.again(tls="mutual")
        try:
            answer = one.ask()
        except (web.Cut, OSError):  # HTTP/2 was told to go before
            assert version == "h2" and one.goaway == 0
            return
        assert answer.status in (403, 421, 200)
        if version == "h2":
            assert one.until_over() == 0
        else:
            assert answer["connection"] == "close"
    assert client.curl(pki, f"https://localhost:{front.port}/", None).returncode != 0


def test_a_certificate_whose_ca_is_gone_is_refused_on_its_kept_connection(front, pki):
    with front(tls="mutual").open() as wire:
        assert wire.ask().status == 200
        front.again(client_ca=pki.server_ca, client_crl=None)
        try:
            assert wire.ask().status == 403
        except (web.Cut, OSError):
            pass
    assert len(front.origin.received) == 1


def test_idle_kept_connections_of_http_1_are_not_cut_by_a_reload(front):
    """A request may be on its way."""
    with front().open() as wire:
        assert wire.ask().status == 200
        for _ in range(3):
            front.again(route="path=/a -> other")
        assert is_silent(wire)
        assert wire.ask("GET", "/a").body == b"other"


@both
def test_a_reload_that_changes_nothing_ends_no_connection(front, version):
    with front().open(version) as one:
        assert one.ask().status == 200
        for _ in range(5):
            front.again()
            answer = one.ask()
            assert answer.status == 200 and answer["connection"] is None
        if version == "h2":
            assert one.goaway is None


def test_connections_to_servers_survive_a_reload(front):
    with front().open() as wire:
        for _ in range(5):
            assert wire.ask().status == 200
            front.again()
    assert front.origin.accepted == 1


def test_a_websocket_survives_reloads(front, lb):
    with front().open() as wire:
        ws_open(wire)
        for number in range(5):
            front.again(route=f"path=/{number} -> other")
            wire.send(ws_frame(b"still %d" % number))
            assert ws_read(wire) == (2, b"still %d" % number)
        lb.reload(web.plain(free_port(), front.origin, name="another"))
        wire.send(ws_frame(b"even now"))
        assert ws_read(wire) == (2, b"even now")


# --- the end ----------------------------------------------------------------------------------------------------------

@both
def test_sigterm_lets_running_requests_finish_and_ends_the_others(front, lb, version):
    front()
    with front.open(version) as one, front.open(version) as idle:
        assert idle.ask().status == 200
        if version == "h2":
            stream = one.begin("GET", "/wait")
        else:
            one.send(web.request("GET", "/wait"))
        front.origin.wait_received(2)
        lb.signal(signal.SIGTERM)
        if version == "h2":
            assert idle.until_over() == 0
            until(lambda: one.goaway == 0 or one.pump() and one.goaway == 0, "GOAWAY")
        else:
            assert idle.is_over()
        front.go.set()
        answer = one.answer(stream) if version == "h2" else one.answer()
        assert answer.status == 200
        if version == "http/1.1":
            assert answer["connection"] == "close" and one.is_over()
        else:
            assert one.until_over() == 0
    assert lb.wait_exit() == 0


def test_sigterm_ends_a_websocket_after_shutdown_timeout(front, lb):
    front()
    with front.open() as wire:
        ws_open(wire)
        lb.signal(signal.SIGTERM)
        wire.send(ws_frame(b"last words"))
        assert ws_read(wire) == (2, b"last words")
        with pytest.raises((web.Cut, OSError)):
            ws_read(wire)
    assert lb.wait_exit() == 0


# --- under load -------------------------------------------------------------------------------------------------------

@pytest.mark.heavy
def test_no_request_fails_while_lb_reloads(front, lb):
    script = lb.file("policy.lua", "function on_request(req) return true end")
    front(script=script, log="no")
    wires = [front.open(version) for version in ("http/1.1", "http/1.1", "h2", "h2")]

    def asking(one):
        return lambda: one.ask("GET", "/x").status == 200 and one.ask("POST", "/", body=b"y" * 5000).body.endswith(b"y")

    def once():
        with front.open() as wire:
            return wire.ask("GET", "/", web.CLOSE).status == 200
    with web.Good(asking(wires[0])), web.Good(asking(wires[1])), web.Good(asking(wires[2])), web.Good(asking(wires[3])), \
            web.Good(once):
        for number in range(scaled(20, 5)):
            script.write_text(f"function on_request(req) return lb.allow{{ log = {{ n = '{number}' }} }} end")
            front.again(script=script, route=f"path=/{number} -> other", log="no")
            time.sleep(0.05)
    for one in wires:
        one.sock.close()


@pytest.mark.heavy
@pytest.mark.parametrize("arguments", [["--h1"], []], ids=["http/1.1", "h2"])
def test_h2load_loses_no_request_to_reloads(front, arguments):
    front(log="no")
    with subprocess.Popen(["h2load", *arguments, "-n", str(scaled(10000, 2000)), "-c", "10", "-m", "1" if arguments else "10",
                           f"http://127.0.0.1:{front.port}/"], stdout=subprocess.PIPE, text=True) as load:
        for number in range(scaled(20, 5)):
            front.again(route=f"path=/{number} -> other", log="no")
        said = load.communicate(timeout=120)[0]
    assert "0 failed, 0 errored, 0 timeout" in said, said


@both
def test_drain_spread_spreads_the_ends_of_kept_connections(front, lb, version):
    front.drain_spread = "1s"
    front()
    held = [front.open(version) for _ in range(10)]
    for one in held:
        assert one.ask().status == 200
    lb.reload(web.plain(free_port(), front.origin, name="another"))
    if version == "h2":
        for one in held:
            assert one.until_over() == 0
    else:
        assert sum(is_silent(one, 0.02) for one in held) == len(held)
    for one in held:
        one.sock.close()
