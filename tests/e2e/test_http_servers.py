"""Servers behind an http listener: kept connections, further tries, and answers that are none."""
import socket
import threading
import time

import pytest

from harness import client, web
from harness.origin import reset
from harness.ports import free_port
from harness.waiting import SECONDS, until
from test_states import Blackhole

both = pytest.mark.parametrize("version", ["http/1.1", "h2"])


@pytest.fixture
def front(lb):
    """front(*servers, **backend keys) starts lb; front.open(version) is a client of HTTP/1.1 or HTTP/2."""
    class Front:
        def __call__(self, *servers, listener_keys=None, **backend_keys):
            self.port = free_port()
            lb.write(web.plain(self.port, *servers, h2c="yes", backend_keys=backend_keys, **(listener_keys or {})), workers=1)
            lb.start()
            return self

        def open(self, version="http/1.1"):
            return web.open_two(self.port) if version == "h2" else web.open_wire(self.port)

        def line(self, count=1):
            return lb.wait_connections(count, listener="main")[count - 1]
    return Front()


def handle(origin, handler, **keys):
    return origin(web.serve(handler, **keys))


# --- bad answers ------------------------------------------------------------------------------------------------------

BAD = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello",
    "an enormous length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello",
    "garbage": b"\x00\x01\x02\x03\x04 what is this\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
    "a status that is none": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a status below 100": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "another version": b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a blank in a name": b"HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n",
    "a NUL in a value": b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "a bare CR in a value": b"HTTP/1.1 200 OK\r\nX-A: a\rX-B: b\r\nContent-Length: 0\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 3000000,
    "too many fields": b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(20000)) + b"\r\n",
}


@both
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_answer_is_not_passed_on(front, origin, lb, version, bad):
    front(handle(origin, web.always(bad)), retries=0)
    with front.open(version) as one:
        answer = one.ask()
        assert answer.status == 502 and b"hello" not in answer.body
    line = front.line()
    assert line["reason"] == "answer-invalid" and line["status"] == 502
    assert lb.metric("lb_requests_ended_total", listener="main", reason="answer-invalid") == 1


@both
@pytest.mark.parametrize("silence", ["end", "reset"])
def test_a_server_that_ends_without_an_answer_is_502(front, origin, version, silence):
    front(handle(origin, lambda _, wire, __: reset(wire.sock) if silence == "reset" else None), retries=0)
    with front.open(version) as one:
        assert one.ask().status == 502
    assert front.line()["reason"] == "server-closed"


@both
def test_an_answer_that_ends_in_its_head_is_502(front, origin, version):
    front(handle(origin, web.always(b"HTTP/1.1 200 OK\r\nContent-Le")), retries=0)
    with front.open(version) as one:
        assert one.ask().status == 502
    assert front.line()["end"] in ("answer-cut", "answer-invalid")


CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nhalf",
    "between chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "before the last line": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\nmore\r\n0\r\n\r\n",
    "a chunk that is too long": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf and more\r\n0\r\n\r\n",
}


@both
@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
def test_a_cut_answer_looks_cut_to_the_client(front, origin, version, cut):
    front(handle(origin, web.always(cut)), retries=0)
    with front.open(version) as one:
        with pytest.raises((web.Cut, ConnectionError)):
            one.ask()
            pytest.fail("half an answer looked whole")
    assert front.line()["end"] in ("answer-cut", "answer-invalid")


def test_an_answer_until_the_end_that_is_reset_looks_cut_to_old_clients_too(front, origin):
    def half(_, wire, __):
        wire.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"half")
        time.sleep(0.05)
        reset(wire.sock)
    front(handle(origin, half), retries=0)
    with front.open() as wire:
        with pytest.raises((web.Cut, ConnectionError)):
            wire.ask(version="1.0")
            pytest.fail("half an answer looked whole")


@pytest.mark.parametrize("arguments", [["--http1.1"], ["--http2-prior-knowledge"], ["--http1.0"]])
def test_curl_reports_a_cut_answer(front, origin, arguments):
    front(handle(origin, web.always(CUT["length"])), retries=0)
    done = client.subprocess.run(["curl", "-sS", *arguments, f"http://127.0.0.1:{front.port}/"], capture_output=True, check=False)
    assert done.returncode in (18, 56, 92), done


def test_curl_reports_cut_chunks(front, origin):
    front(handle(origin, web.always(CUT["between chunks"])), retries=0)
    done = client.subprocess.run(["curl", "-sS", f"http://127.0.0.1:{front.port}/"], capture_output=True, check=False)
    assert done.returncode in (18, 56), done


# --- what follows an answer -------------------------------------------------------------------------------------------

def test_bytes_behind_an_answer_never_answer_the_next_request(front, origin):
    def more(message, *_):
        return web.reply(b"right") + web.reply(b"stolen")
    front(handle(origin, more))
    with front.open() as wire:
        for _ in range(10):
            assert wire.ask().body == b"right"


def test_a_second_answer_that_comes_later_answers_nobody(front, origin):
    def more(message, wire, made):
        wire.send(web.reply(b"right"))
        time.sleep(0.03)
        return web.reply(b"stolen")
    behind = handle(origin, more)
    front(behind)
    with front.open() as wire:
        for _ in range(4):
            assert wire.ask().body == b"right"
            time.sleep(0.06)
    assert behind.accepted == 4


# --- kept connections -------------------------------------------------------------------------------------------------

def test_one_connection_serves_many_requests(front, origin, lb):
    behind = handle(origin, web.telling)
    front(behind)
    with front.open() as wire:
        for number in range(30):
            assert wire.ask("GET", f"/{number}").status == 200
    with front.open("h2") as two:
        for number in range(30):
            assert two.ask("GET", f"/{number}").status == 200
    assert behind.accepted == 1
    lines = lb.wait_connections(60)
    assert [line["reused"] for line in lines] == [False] + [True] * 59
    assert all(line["connect_us"] < 1000 for line in lines[1:])
    assert lb.metric("lb_server_connections_total", backend="main", server="s0") == 1


def test_other_clients_use_what_one_has_left(front, origin):
    behind = handle(origin, web.telling)
    front(behind)
    for _ in range(20):
        with front.open() as wire:
            assert wire.ask("GET", "/", web.CLOSE).status == 200
    assert behind.accepted == 1


def test_nothing_is_kept_without_a_pool(front, origin):
    behind = handle(origin, web.telling)
    front(behind, pool_connections=0)
    with front.open() as wire:
        for _ in range(5):
            assert wire.ask().status == 200
    assert behind.accepted == 5
    behind.wait_idle()


def held_requests(front, origin, count, **keys):
    """As many requests at once, answered when all have come."""
    barrier = threading.Barrier(count)

    def together(message, *_):
        if message.target == "/together":
            barrier.wait(SECONDS)
        return web.telling(message)
    behind = handle(origin, together)
    front(behind, **keys)
    wires = [front.open() for _ in range(count)]
    for wire in wires:
        wire.send(web.request("GET", "/together"))
    for wire in wires:
        assert wire.answer().status == 200
        wire.sock.close()
    return behind


def test_a_pool_keeps_no_more_than_pool_connections(front, origin):
    behind = held_requests(front, origin, 8, pool_connections=3)
    assert behind.accepted == 8
    until(lambda: behind.active == 3, lambda: f"3 kept connections, there are {behind.active}")


def test_timeout_pool_ends_idle_connections(front, origin):
    behind = held_requests(front, origin, 4, timeout_pool="300ms")
    until(lambda: behind.active == 4, "4 kept connections")
    behind.wait_idle()


def test_an_answer_with_connection_close_is_the_last_of_its_connection(front, origin):
    behind = handle(origin, lambda *_: web.reply(b"bye", web.CLOSE))
    front(behind)
    with front.open() as wire:
        for _ in range(5):
            answer = wire.ask()
            assert answer.body == b"bye" and answer["connection"] is None
    assert behind.accepted == 5


def test_an_answer_of_http_1_0_is_the_last_of_its_connection(front, origin):
    behind = handle(origin, lambda *_: web.reply(b"bye", version="1.0"))
    front(behind)
    with front.open() as wire:
        for _ in range(3):
            assert wire.ask().body == b"bye"
    assert behind.accepted == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_ends_its_connection_after_each_answer_costs_no_request(front, origin, method):
    def once(message, wire, _):
        wire.send(web.telling(message))
    behind = handle(origin, once)
    front(behind)
    with front.open() as wire:
        for number in range(30):
            answer = wire.ask(method, f"/{number}", body=b"x" if method == "POST" else None)
            assert answer.status == 200, (number, answer)
            if method == "POST":  # whether the end came before the next request is not to be told; see below
                until(lambda: behind.active == 0, "the end")
                time.sleep(0.005)
    assert [message.target for message in behind.received] == [f"/{number}" for number in range(30)]


def test_kept_connections_that_the_server_has_ended_are_noticed(front, origin):
    behind = handle(origin, web.telling)
    front(behind)
    with front.open() as wire:
        for _ in range(5):
            assert wire.ask("POST", "/", body=b"x").status == 200
            behind.kill(how=lambda sock: sock.shutdown(socket.SHUT_RDWR))
            behind.wait_idle()
            time.sleep(0.01)
    assert len(behind.received) == 5


# --- further tries ----------------------------------------------------------------------------------------------------

def test_a_server_that_refuses_is_replaced_by_the_next(front, origin, lb):
    behind = handle(origin, web.telling)
    front(free_port(), behind, free_port(), retries=2)
    with front.open() as wire:
        for number in range(9):
            answer = wire.ask("POST", "/", body=b"x")
            assert answer.status == 200 and answer.body == b"POST / x"
    assert len(behind.received) == 9
    assert lb.metric("lb_request_retries_total", listener="main") == \
        sum(line["retries"] for line in lb.wait_connections(9)) > 0


def test_with_all_servers_refusing_it_is_503(front, lb):
    front(free_port(), free_port(), retries=5)
    with front.open() as wire:
        for _ in range(3):
            assert wire.ask().status == 503
    line = front.line()
    assert line["reason"] == "connect-failed" and line["retries"] == 1


def test_retries_0_asks_one_server(front, origin, lb):
    front(free_port(), handle(origin, web.telling), retries=0)
    with front.open() as wire:
        assert sorted(wire.ask().status for _ in range(2)) == [200, 503]


BREAKS = {"end": lambda wire: None, "reset": lambda wire: reset(wire.sock)}


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_an_idempotent_request_whose_connection_broke_is_sent_to_another_server(front, origin, method, how):
    broken = handle(origin, lambda _, wire, __: BREAKS[how](wire))
    good = handle(origin, lambda message, *_: web.reply(b"", ("X-Got", message.body.decode())))
    front(broken, good)
    with front.open() as wire:
        for _ in range(4):
            answer = wire.ask(method, "/", body=b"text" if method == "PUT" else None)
            assert answer.status == 200 and answer["x-got"] == ("text" if method == "PUT" else "")
    assert len(good.received) == 4 and len(broken.received) >= 1


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK"])
def test_other_requests_are_never_sent_twice(front, origin, method, how):
    broken = [handle(origin, lambda _, wire, __: BREAKS[how](wire)) for _ in range(3)]
    front(*broken, retries=5)
    with front.open() as wire:
        for number in range(6):
            assert wire.ask(method, f"/{number}", body=b"once").status == 502
    asked = [message.target for one in broken for message in one.received]
    assert sorted(asked) == [f"/{number}" for number in range(6)]


def test_a_post_on_a_kept_connection_is_not_sent_twice(front, origin):
    """The server may have acted on it before it ended the connection."""
    def second_breaks(message, wire, made):
        return web.telling(message) if message.method == "GET" else None
    behind = handle(origin, second_breaks)
    front(behind, retries=5)
    for number in range(5):
        with front.open() as wire:
            assert wire.ask().status == 200
            assert wire.ask("POST", f"/{number}", body=b"once").status == 502
    assert sorted(message.target for message in behind.received if message.method == "POST") == \
        [f"/{number}" for number in range(5)]


def test_nothing_is_tried_again_once_an_answer_has_begun(front, origin):
    half = handle(origin, web.always(CUT["length"]))
    front(half, handle(origin, web.always(CUT["length"])), retries=5)
    with front.open() as wire:
        with pytest.raises((web.Cut, ConnectionError)):
            wire.ask()
    assert len(half.received) <= 1
    assert front.line()["retries"] == 0


def test_a_large_put_whose_connection_broke_is_not_sent_in_halves(front, origin):
    def in_the_middle(_, wire, __):
        wire.sock.recv(200000)
        reset(wire.sock)
    broken = handle(origin, in_the_middle, body=False)
    good = handle(origin, web.telling)
    front(broken, good)
    statuses = []
    for _ in range(2):
        with front.open() as wire:
            try:
                answer = wire.ask("PUT", "/", body=b"x" * 5000000)
                statuses.append(answer.status)
                assert answer.status in (200, 502) and (answer.status != 200 or len(answer.body) == 5000006)
            except (web.Cut, OSError):
                statuses.append(0)
    assert 200 in statuses
    assert all(len(message.body) == 5000000 for message in good.received)


# --- time -------------------------------------------------------------------------------------------------------------

@both
def test_a_server_that_does_not_answer_is_504(front, origin, version):
    behind = handle(origin, lambda _, wire, __: wire.sock.recv(1) and None)
    front(behind, timeout_server="300ms")
    with front.open(version) as one:
        assert one.ask().status == 504
        behind.wait_idle()
    assert front.line()["reason"] == "timeout-server" and len(behind.received) == 1


@both
def test_a_server_that_stops_in_its_answer_is_cut(front, origin, version):
    def stop(_, wire, __):
        wire.send(CUT["length"])
        wire.sock.recv(1)
    front(handle(origin, stop), timeout_server="300ms")
    with front.open(version) as one:
        with pytest.raises((web.Cut, ConnectionError)):
            one.ask()
    assert front.line()["end"] == "timeout-server"


def test_a_slow_answer_that_goes_on_is_no_timeout(front, origin):
    def slowly(_, wire, __):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            time.sleep(0.1)
            wire.send(b"x")
    front(handle(origin, slowly), timeout_server="400ms")
    with front.open() as wire:
        assert wire.ask().body == b"x" * 10


def test_timeout_server_does_not_run_while_the_client_sends(front, origin):
    front(handle(origin, web.telling), timeout_server="300ms")
    with front.open() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            time.sleep(0.1)
            wire.send(b"x")
        assert wire.answer().body == b"POST / xxxxxxxx"


@both
def test_a_server_that_does_not_accept_is_504(front, version):
    hole = Blackhole()
    front(hole, timeout_connect="300ms", retries=0)
    with front.open(version) as one:
        assert one.ask().status == 504
    assert front.line()["reason"] == "timeout-connect"
    hole.close()


def test_a_server_that_does_not_accept_is_replaced(front, origin):
    hole = Blackhole()
    front(hole, handle(origin, web.telling), timeout_connect="200ms")
    with front.open() as wire:
        for _ in range(2):
            assert wire.ask("POST", "/", body=b"x").status == 200
    hole.close()


# --- limits of a server -----------------------------------------------------------------------------------------------

def test_max_connections_of_a_server_counts_requests_and_room_is_used_again(front, origin):
    go = threading.Event()

    def wait(message, *_):
        if message.target == "/wait":
            go.wait(SECONDS)
        return web.telling(message)
    behind = handle(origin, wait)
    front(f"only {behind.address} max-connections=2")
    held = [front.open() for _ in range(2)]
    for wire in held:
        wire.send(web.request("GET", "/wait"))
    behind.wait_received(2)
    with front.open() as wire:
        assert wire.ask().status == 503
        assert front.line()["reason"] == "no-server"
        go.set()
        for one in held:
            assert one.answer().status == 200
            one.sock.close()
        until(lambda: wire.ask().status == 200, "room")
    assert behind.accepted <= 3


def test_least_connections_counts_requests_not_kept_connections(front, origin):
    slow, fast = handle(origin, lambda message, *_: time.sleep(0.2) or web.named("slow")()), handle(origin, web.named("fast"))
    front(slow, fast, balance="least-connections")
    with front.open("h2") as two:
        streams = [two.begin() for _ in range(2)]
        bodies = [two.answer(stream).body for stream in streams]
        assert sorted(bodies) == [b"fast", b"slow"]


def test_round_robin_goes_by_request_on_one_connection(front, origin):
    front(*[handle(origin, web.named(name)) for name in ("a", "b", "c")])
    with front.open() as wire:
        assert sorted(wire.ask().body for _ in range(9)) == [b"a"] * 3 + [b"b"] * 3 + [b"c"] * 3
    with front.open("h2") as two:
        assert sorted(two.ask().body for _ in range(9)) == [b"a"] * 3 + [b"b"] * 3 + [b"c"] * 3


# --- what servers are told --------------------------------------------------------------------------------------------

def test_host_is_what_the_client_named(front, origin):
    behind = handle(origin, web.telling)
    front(behind)
    with front.open() as wire:
        wire.send(web.request(host="Shop.Example.test:8080"))
        assert wire.answer().status == 200
    with front.open("h2") as two:
        assert two.ask(authority="shop.EXAMPLE.test:8080").status == 200
    assert [message["host"] for message in behind.received] == ["shop.example.test:8080"] * 2


def test_host_is_what_the_backend_says(front, origin):
    behind = handle(origin, web.telling)
    front(behind, host="inner.test:81")
    with front.open() as wire:
        assert wire.ask().status == 200
    with front.open("h2") as two:
        assert two.ask().status == 200
    assert [message["host"] for message in behind.received] == ["inner.test:81"] * 2
    assert behind.received[0]["x-forwarded-host"] == "localhost"


def test_a_server_may_be_a_unix_socket(front, origin, folder):
    front(origin(web.serve(web.telling), address=f"{folder}/http"))
    with front.open() as wire:
        assert wire.ask().status == 200


def test_a_server_of_http_2_that_speaks_http_1_is_502(front, origin):
    front(handle(origin, web.telling), server_protocol="h2", retries=0)
    with front.open() as wire:
        assert wire.ask().status == 502


def test_a_server_of_http_1_that_speaks_http_2_is_502(front, node):
    front(node("h2_origin.js"), retries=0)
    with front.open() as wire:
        assert wire.ask().status in (502, 504)


def test_a_refused_stream_was_not_processed_and_may_be_sent_again(front, node):
    first, second = node("h2_origin.js"), node("h2_origin.js")
    front(first, second, server_protocol="h2", retries=1)
    with front.open() as wire:
        assert wire.ask("POST", "/refuse", body=b"").status in (502, 503)
    for behind in (first, second):
        assert len([line for line in behind.said() if line.get("path") == "/refuse"]) == 1


def test_a_server_of_http_2_gets_all_requests_over_one_connection(front, node, lb):
    behind = node("h2_origin.js")
    front(behind, server_protocol="h2")
    wires = [front.open() for _ in range(10)]
    for wire in wires:
        assert wire.ask().body == b"hello"
    for wire in wires:
        wire.send(web.request("GET", "/slow"))
    for wire in wires:
        assert wire.answer().body == b"slow"
        wire.sock.close()
    assert {line["connection"] for line in behind.said()} == {0}


def test_a_server_of_http_2_that_is_gone_is_an_error_not_a_wait(front, node):
    first = node("h2_origin.js")
    front(first, server_protocol="h2")
    with front.open() as wire:
        assert wire.ask().body == b"hello"
        first.close()
        assert wire.ask().status in (502, 503)
