"""Requests in HTTP/1 that two servers could read differently: lb refuses them, and nothing of them reaches a server."""
import json
import shutil
import tempfile

import pytest

from harness import config, http1
from harness.ambiguous import REFUSED, TAIL, TAKEN
from harness.http1 import Recorder, request
from harness.nginx import Nginx
from harness.ports import free_port
from harness.product import Lb
from harness.waiting import until

REASONS = {400: "request-invalid", 414: "uri-too-long", 431: "headers-too-large", 501: "request-invalid", 505: "request-invalid"}
manners = pytest.mark.parametrize("send", [http1.Connection.send, http1.Connection.send_bytewise], ids=["whole", "bytewise"])


class World:
    """One lb in front of a recorder and of nginx; `lines` are those that its log got."""

    def __init__(self, folder):
        self.recorder, self.nginx = Recorder(), Nginx(folder, access_log=True)
        self.port, self.nginx_port, self.count = free_port(), free_port(), 0
        self.lb, self.lines, self.read = Lb(tempfile.mkdtemp(prefix="lb-")), [], 0
        self.lb.start(config.plain(self.port, self.recorder, name="recorder", protocol="http") +
                      config.plain(self.nginx_port, self.nginx.port, name="nginx", protocol="http"))

    def close(self):
        self.nginx.close()
        self.recorder.close()
        try:
            self.lb.stop()
        finally:
            shutil.rmtree(self.lb.folder)

    def log(self):
        """All lines so far."""
        with open(self.lb.log, "rb") as file:
            file.seek(self.read)
            new = file.read()
        new = new[:new.rfind(b"\n") + 1]
        self.read += len(new)
        self.lines += [json.loads(line) for line in new.split(b"\n")[:-1]]
        return self.lines

    def lines_of(self, client, since):
        """The requests of one connection, once one is in the log. Clients' ports come again: lines before `since` are others'."""
        def found():
            return [line for line in self.log()[since:] if line.get("client") == client]
        return until(found, lambda: f"a line of {client} in {self.lines[-5:]}")

    def good(self, port):
        """A request on a new connection; its target."""
        self.count += 1
        target = f"/fine/{self.count}"
        with http1.open_plain(port) as connection:
            answer = connection.ask(request(target))
        assert answer.status == (200 if port == self.port else 404)
        return target

    def passed(self, listener):
        """How many requests lb handed to servers."""
        return len([line for line in self.log() if line.get("listener") == listener and line.get("server", "-") not in ("-", "", None)])


@pytest.fixture(scope="module")
def world():
    folder = tempfile.mkdtemp(prefix="lb-")
    made = World(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


def statuses(case):
    return case.status if isinstance(case.status, tuple) else (case.status,)


def send_refused(port, send, case, tail=TAIL):
    """Sends it, and a request behind it; the answer must be one refusal, and the end. Gives the client's address."""
    with http1.open_plain(port) as connection:
        client = "{}:{}".format(*connection.sock.getsockname())
        send(connection, case.raw + tail)
        answer = connection.answer()
        assert connection.is_ended()
    return client, answer


# --- refused ----------------------------------------------------------------------------------------------------------

@manners
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name.encode("unicode_escape").decode()[:80])
def test_a_request_that_can_be_read_in_two_ways_is_refused(world, case, send):
    recorder, since = world.recorder, len(world.log())
    seen, accepted, complete = recorder.seen(), recorder.accepted, len(recorder.requests)
    problems, unfinished = len(recorder.problems), recorder.unfinished()
    client, answer = send_refused(world.port, send, case)
    assert answer.status in statuses(case), answer.first
    assert answer.value("connection") == "close"
    line, = world.lines_of(client, since)
    assert line["decision"] == "deny" and line["reason"] == REASONS[answer.status] and line["status"] == answer.status
    if case.begun is None:
        assert (recorder.seen(), recorder.accepted) == (seen, accepted), "something of it reached the server"
    for one in recorder.unfinished():
        if one not in unfinished:
            assert one.reader.message.target == b"/begun" and case.begun.startswith(one.reader.message.body)
            until(lambda: one.ended, "lb to leave the server's connection")  # pylint: disable=cell-var-from-loop
    target = world.good(world.port)
    assert [one.target.decode() for one in recorder.requests[complete:]] == [target]
    assert not recorder.problems[problems:]


@manners
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name.encode("unicode_escape").decode()[:80])
def test_nginx_sees_no_request_that_lb_did_not_pass(world, case, send):
    since, nginx_lines = len(world.log()), len(world.nginx.log.read_text(errors="replace").splitlines())
    client, answer = send_refused(world.nginx_port, send, case)
    assert answer.status in (*statuses(case), 404, 405) if case.begun is not None else answer.status in statuses(case)
    assert len(world.lines_of(client, since)) == 1
    target = world.good(world.nginx_port)
    until(lambda: f"GET {target} " in world.nginx.log.read_text(errors="replace"), "nginx's log")
    lines = world.nginx.log.read_text(errors="replace").splitlines()
    until(lambda: world.passed("nginx") >= len(lines),
          lambda: f"nginx saw {len(lines)} requests, lb passed {world.passed('nginx')}")
    assert not [line for line in lines[nginx_lines:] if not line.split(" ", 2)[2].startswith(("GET /fine/", "POST /begun "))]


@manners
def test_a_refused_request_behind_a_good_one_ends_the_connection_after_the_first_answer(world, send):
    complete = len(world.recorder.requests)
    for case in REFUSED[::25]:
        with http1.open_plain(world.port) as connection:
            send(connection, request("/first") + case.raw + TAIL)
            first = connection.answer()
            assert first.status == 200
            assert connection.answer().status in statuses(case)
            assert connection.is_ended()
    assert {one.target for one in world.recorder.requests[complete:]} == {b"/first"}
    assert len(world.recorder.requests) - complete == len(REFUSED[::25])
    assert not world.recorder.problems


def test_a_refused_request_says_nothing_of_why(world):
    with http1.open_plain(world.port) as connection:
        answer = connection.ask(request("/bad", "Content-Length: +5"))
    assert b"ontent" not in answer.body and answer.body.startswith(b"400")


def test_no_byte_of_a_refused_request_is_echoed(world):
    for raw in (b"GET /<script> HTTP/1.1\r\nHost: <script>\r\n\r\n", b"<script> / HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: a.test\r\n<script>: x\r\n\r\n"):
        with http1.open_plain(world.port) as connection:
            answer = connection.ask(raw)
            assert answer.status == 400 and b"script" not in answer.body + b"".join(answer.lines)


def test_every_cut_of_a_head_is_judged_alike(world):
    good = request("/cut", "Content-Length: 0", "X: y")
    bad = request("/cut", "Content-Length: 5", "Transfer-Encoding: chunked")
    for raw, status in ((good, 200), (bad, 400)):
        for cut in range(1, len(raw)):
            with http1.open_plain(world.port) as connection:
                connection.send(raw, [cut])
                assert connection.answer().status == status, cut
    assert not world.recorder.problems


# --- taken ------------------------------------------------------------------------------------------------------------

@manners
@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name.encode("unicode_escape").decode()[:80])
def test_an_unusual_request_arrives_once_and_in_normal_form(world, case, send):
    recorder = world.recorder
    complete, problems = len(recorder.requests), len(recorder.problems)
    with http1.open_plain(world.port) as connection:
        send(connection, case.raw)
        assert connection.answer(case.method).status == 200
    got, = recorder.requests[complete:]
    assert (got.method, got.target, got.version, got.body) == (case.method, case.target, b"HTTP/1.1", case.body)
    assert [one.lower() for one in got.trailers] == case.trailers
    for name, value in case.fields.items():
        assert got.values(name) == [value.encode("latin-1")]
    assert not [name for name in case.absent if got.values(name)]
    assert not recorder.problems[problems:]


def test_requests_behind_each_other_arrive_one_by_one(world):
    complete = len(world.recorder.requests)
    with http1.open_plain(world.port) as connection:
        connection.send(b"".join(request(f"/{number}", method="POST", body=TAIL[:number]) for number in range(20)))
        assert [connection.answer().status for _ in range(20)] == [200] * 20
    assert [(one.target.decode(), one.body) for one in world.recorder.requests[complete:]] == [
        (f"/{number}", TAIL[:number]) for number in range(20)]


def test_a_body_that_its_server_did_not_wait_for_is_no_request(lb, origin):
    def hasty(sock, server):
        server.received.append(sock.recv(1 << 16))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        server.received.append(http1_rest(sock))
    behind, port = origin(hasty), free_port()
    lb.start(config.plain(port, behind, protocol="http"))
    with http1.open_plain(port) as connection:
        connection.send(request("/one", f"Content-Length: {len(TAIL)}", method="POST"))
        assert connection.answer().status == 200
        connection.send(TAIL)
        behind.wait_received(2)
        assert b"smuggled" not in behind.received[1] or behind.accepted == 1
        assert len([line for line in lb.connections() if "smuggled" in line.get("target", "")]) == 0


def http1_rest(sock):
    """What comes until the peer's end."""
    parts = []
    while True:
        part = sock.recv(1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)


def test_what_a_client_sends_cannot_push_the_verdict_out_of_the_log(world):
    odd = "\"\\" * 3000
    for raw in (request("/" + "x" * 8100), request("/bad", f"User-Agent: {odd}", f"Referer: {odd}", f"X: {odd}"),
                request("/bad" + '"' * 4000, "User-Agent: " + "\u00ff" * 6000, "Referer: " + "\u00ff" * 6000),
                request("/bad", host="\u00ff" * 6000), request("/" + "x" * 9000)):
        since = len(world.log())
        with http1.open_plain(world.port) as connection:
            client = "{}:{}".format(*connection.sock.getsockname())
            status = connection.ask(raw).status
        line, = world.lines_of(client, since)
        assert line["status"] == status and line["decision"] == ("allow" if status == 200 else "deny")
