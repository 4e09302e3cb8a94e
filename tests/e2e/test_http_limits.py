"""The limits of an http listener: each with its status, its reason in the log and its counter."""
import json
import threading
import time

import pytest

from harness import client, web
from harness.ports import free_port
from harness.waiting import SECONDS, scaled, until

both = pytest.mark.parametrize("version", ["http/1.1", "h2"])


@pytest.fixture
def front(lb, origin):
    """front(**keys) starts lb before an origin that tells what it was asked."""
    class Front:
        def __call__(self, handler=web.telling, body=True, backend_keys=None, **keys):
            self.port, self.origin = free_port(), origin(web.serve(handler, body))
            lb.start(web.plain(self.port, self.origin, h2c="yes", backend_keys=backend_keys, **keys))
            return self

        def open(self, version="http/1.1"):
            return web.open_two(self.port) if version == "h2" else web.open_wire(self.port)

        def refused(self, status, reason, count=1):
            """The line of a refused request; the server has seen none, and the counters have."""
            line = lb.wait_connections(count, listener="main")[-1]
            assert (line["status"], line["reason"], line["decision"]) == (status, reason, "deny"), line
            assert lb.metric("lb_requests_ended_total", listener="main", reason=reason) == count
            assert lb.metric("lb_responses_total", listener="main", code=f"{status // 100}xx") == count
            assert not self.origin.received
            return line
    return Front()


# --- heads ------------------------------------------------------------------------------------------------------------

@both
def test_too_many_header_bytes_are_431(front, version):
    with front(max_header_bytes="4k").open(version) as one:
        assert one.ask("GET", "/", ("x-long", "a" * 5000)).status == 431
    front.refused(431, "headers-too-large")


@both
def test_too_many_fields_are_431(front, version):
    with front(max_headers=20).open(version) as one:
        assert one.ask("GET", "/", *((f"x-{number}", "a") for number in range(30))).status == 431
    front.refused(431, "headers-too-large")


@both
def test_a_target_that_is_too_long_is_414(front, version):
    with front(max_uri="1k").open(version) as one:
        assert one.ask("GET", "/" + "a" * 1100).status == 414
    front.refused(414, "uri-too-long")


@both
def test_what_stays_within_the_limits_is_served(front, version):
    with front(max_header_bytes="4k", max_headers=20, max_uri="1k").open(version) as one:
        assert one.ask("GET", "/" + "a" * 900, ("x-long", "a" * 2500)).status == 200
        assert one.ask("GET", "/", *((f"x-{number}", "a") for number in range(12))).status == 200


def test_an_endless_head_is_answered_before_it_ends_and_costs_no_memory(front, lb):
    front()
    before = lb.rss()
    with front.open() as wire:
        try:
            wire.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            for _ in range(3000):
                wire.send(b"X-More: " + b"x" * 10000 + b"\r\n")
        except OSError:
            pass
        try:
            assert wire.answer().status == 431
        except ConnectionError:
            pass  # the answer was lost behind what nobody reads any more
    front.refused(431, "headers-too-large")
    assert lb.rss() - before < 8 << 20


def test_after_a_refused_head_the_connection_ends(front):
    with front(max_headers=20).open() as wire:
        answer = wire.ask("GET", "/", *((f"x-{number}", "a") for number in range(30)))
        assert answer.status == 431 and answer["connection"] == "close" and wire.is_over()


def test_a_refused_stream_leaves_the_connection_to_the_others(front):
    with front(max_headers=20, max_body=10).open("h2") as two:
        assert two.ask("GET", "/", *((f"x-{number}", "a") for number in range(30))).status == 431
        assert two.ask("POST", "/", body=b"x" * 11).status == 413
        assert two.ask("GET", "/fine").body == b"GET /fine "


# --- bodies -----------------------------------------------------------------------------------------------------------

@both
def test_a_content_length_over_max_body_is_413_before_any_server(front, version):
    with front(max_body="1k").open(version) as one:
        assert one.ask("POST", "/", *([("content-length", "1025")] if version == "h2" else []), body=b"x" * 1025).status == 413
    front.refused(413, "body-too-large")


def test_chunks_over_max_body_are_413(front, lb):
    front(max_body="1k", body=False, handler=lambda message, wire, _: wire.read_body(message, False) and None)
    with front.open() as wire:
        wire.send(web.request("POST", "/", ("Transfer-Encoding", "chunked")), b"400\r\n", b"x" * 1024, b"\r\n1\r\nx\r\n0\r\n\r\n")
        assert wire.answer().status == 413
    assert lb.wait_connection(listener="main")["reason"] == "body-too-large"


def test_data_over_max_body_is_413_over_http_2(front, lb):
    front(max_body="1k", body=False, handler=lambda message, wire, _: wire.read_body(message, False) and None)
    with front.open("h2") as two:
        stream = two.begin("POST", "/", end=False)
        two.data(stream, b"x" * 1000)
        two.data(stream, b"x" * 1000, end=True)
        assert two.answer(stream).status == 413
        assert lb.wait_connection(listener="main")["reason"] == "body-too-large"


@both
def test_a_body_of_max_body_is_served(front, version):
    with front(max_body="1k").open(version) as one:
        assert len(one.ask("POST", "/", body=b"x" * 1024).body) == 1031


def test_413_reaches_a_client_that_uploads(front, tmp_path):
    (tmp_path / "up").write_bytes(bytes(4 << 20))
    front(max_body="1m")
    done = client.subprocess.run(["curl", "-sS", "-T", tmp_path / "up", "-w", "%{http_code}", "-o", "/dev/null",
                                  f"http://127.0.0.1:{front.port}/"], capture_output=True, text=True, check=False)
    assert done.stdout == "413"


# --- time -------------------------------------------------------------------------------------------------------------

def test_a_head_that_does_not_end_is_408(front):
    with front(timeout_header="300ms").open() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        answer = wire.answer()
        assert answer.status == 408 and answer["connection"] == "close" and wire.is_over()
    front.refused(408, "timeout-header")


def test_a_dribbling_head_does_not_extend_its_time(front):
    with front(timeout_header="500ms").open() as wire:
        began = time.monotonic()
        with pytest.raises(OSError):
            wire.send(b"GET / HTTP/1.1\r\nX: ")
            for _ in range(400):
                wire.send(b"a")
                time.sleep(0.02)
        assert time.monotonic() - began < 4
    front.refused(408, "timeout-header")


def test_each_head_of_a_kept_connection_has_its_own_time(front):
    with front(timeout_header="600ms").open() as wire:
        for _ in range(4):
            wire.send(b"GET / HTTP/1.1\r\n")
            time.sleep(0.2)
            wire.send(b"Host: localhost\r\n\r\n")
            assert wire.answer().status == 200


@both
def test_a_body_that_stops_is_408(front, lb, version):
    front(timeout_body="300ms", body=False, handler=lambda message, wire, _: wire.read_body(message, False) and None)
    with front.open(version) as one:
        if version == "h2":
            stream = one.begin("POST", "/", ("content-length", "100"), end=False)
            one.data(stream, b"half")
            assert one.answer(stream).status == 408
        else:
            one.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
            assert one.answer().status == 408
            assert one.is_over()
    assert lb.wait_connection(listener="main")["reason"] == "timeout-body"
    front.origin.wait_idle()


def test_a_body_that_goes_on_is_not_cut(front):
    with front(timeout_body="400ms").open() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            time.sleep(0.1)
            wire.send(b"x")
        assert wire.answer().status == 200


@both
def test_an_idle_kept_connection_is_closed_without_a_word(front, lb, version):
    with front(timeout_keep_alive="300ms").open(version) as one:
        assert one.ask().status == 200
        if version == "h2":
            assert one.until_over() == 0
        else:
            assert one.is_over()
    assert len(lb.connections()) == 1
    until(lambda: lb.metric("lb_connections_ended_total", listener="main", reason="timeout-keep-alive") == 1, "the counter")


@both
def test_a_connection_without_any_request_is_closed(front, lb, version):
    with front(timeout_first_byte="300ms").open(version) as one:
        if version == "h2":
            assert one.until_over() in (0, None)
        else:
            assert one.is_over()
    until(lambda: lb.metric("lb_connections_ended_total", listener="main", reason="timeout-first-byte") == 1, "the counter")
    assert lb.metric("lb_requests_total", listener="main") == 0


def test_pings_do_not_keep_an_idle_http_2_connection(front):
    front(timeout_keep_alive="500ms", timeout_first_byte="500ms")
    with front.open("h2") as two:
        assert two.ask().status == 200
        began = time.monotonic()
        two.sock.settimeout(0.05)
        with pytest.raises((OSError, AssertionError)):
            while time.monotonic() - began < 6:
                two.sock.sendall(web.frame(web.PING, 0, 0, b"12345678"))
                try:
                    assert two.pump()
                except TimeoutError:
                    pass
        assert time.monotonic() - began < 5


def test_half_a_header_block_over_http_2_is_closed(front):
    front(timeout_keep_alive="500ms", timeout_first_byte="500ms", timeout_header="500ms")
    with front.open("h2") as two:
        two.sock.sendall(web.frame(web.HEADERS, web.END_STREAM, 1, web.GET_HTTP))
        began = time.monotonic()
        two.until_over()
        assert time.monotonic() - began < 5
    assert not front.origin.received


def test_an_http_2_connection_that_waits_for_an_answer_is_not_idle(front):
    front(handler=lambda message, *_: time.sleep(0.8) or web.telling(message), timeout_keep_alive="200ms", timeout_first_byte="300ms")
    with front.open("h2") as two:
        assert two.ask().status == 200


# --- counts -----------------------------------------------------------------------------------------------------------

def test_max_requests_is_said_with_the_last_answer(front):
    with front(max_requests=3).open() as wire:
        assert [wire.ask()["connection"] for _ in range(3)] == [None, None, "close"]
        assert wire.is_over()


def test_max_requests_is_said_by_goaway(front):
    with front(max_requests=3).open("h2") as two:
        for _ in range(3):
            assert two.ask().status == 200
        assert two.until_over() == 0


def test_max_streams_is_announced_and_held(front):
    go = threading.Event()
    front(handler=lambda message, *_: go.wait(SECONDS) and web.telling(message), max_streams=5)
    with front.open("h2") as two:
        until(lambda: two.pump() and two.h2.remote_settings.max_concurrent_streams == 5, "the setting")
        for _ in range(5):
            two.begin()
        front.origin.wait_received(5)
        for stream in range(11, 31, 2):
            two.sock.sendall(web.frame(web.HEADERS, web.END_STREAM | web.END_HEADERS, stream, web.GET_HTTP))
        time.sleep(0.1)
        assert len(front.origin.received) == 5
        go.set()
    with front.open("h2") as two:
        assert two.ask().status == 200


# --- what clients are told --------------------------------------------------------------------------------------------

@both
def test_an_error_tells_the_status_only(front, version):
    with front(max_body=10).open(version) as one:
        answer = one.ask("POST", "/", body=b"x" * 11)
        assert answer["content-type"].startswith("text/plain") and answer.body == b"413 Content Too Large\n"


def test_errors_in_json_name_the_request(front, lb):
    with front(max_body=10, error_format="json").open() as wire:
        answer = wire.ask("POST", "/", body=b"x" * 11)
        assert answer["content-type"] == "application/json"
        said = json.loads(answer.body)
        assert said["status"] == 413 and "reason" not in said
    with front.open() as wire:
        said = json.loads(wire.ask("GET", "/%zz").body)
        assert said["status"] == 400
    assert len(lb.wait_connections(2)) == 2


def test_show_reason_says_what_the_log_says(front, lb):
    with front(show_reason="yes").open() as wire:
        body = wire.ask("GET", "/%zz").body.decode()
    text = lb.wait_connection(listener="main")["text"]
    assert text and text in body


def test_without_show_reason_nothing_of_it_is_told(front, lb):
    with front().open() as wire:
        body = wire.ask("GET", "/%zz").body.decode()
    assert lb.wait_connection(listener="main")["text"] not in body


@both
def test_an_error_page_replaces_the_body(front, lb, version):
    page = lb.file("sorry.html", "<h1>too much</h1>")
    with front(max_body=10, error_page=f"413 {page}").open(version) as one:
        answer = one.ask("POST", "/", body=b"x" * 11)
        assert answer.status == 413 and answer.body == b"<h1>too much</h1>" and answer["content-type"].startswith("text/html")


def test_head_of_an_error_has_no_body(front):
    with front(max_body=10).open() as wire:
        wire.send(web.request("HEAD", "/", ("Content-Length", "100000000")))
        answer = wire.answer("HEAD")
        assert answer.status == 413 and answer["content-length"] == "22" and wire.is_over()


def test_an_error_page_is_not_used_for_a_servers_own_error(front, lb):
    page = lb.file("sorry.html", "ours")
    front(handler=lambda *_: web.reply(b"theirs", status="503 Service Unavailable"), error_page=f"503 {page}")
    with front.open() as wire:
        assert wire.ask().body == b"theirs"


# --- many -------------------------------------------------------------------------------------------------------------

@pytest.mark.heavy
def test_slow_clients_do_not_keep_others_from_being_served(front, lb):
    front(timeout_header="60s", timeout_first_byte="60s")
    count, before = scaled(2000, 100), lb.rss()
    held = [client.connect(front.port, source=f"127.0.2.{number % 4 + 1}") for number in range(count)]
    for sock in held:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")

    def ask():
        with front.open() as wire:
            return wire.ask().status == 200
    with web.Good(ask) as good:
        for _ in range(5):
            for sock in held:
                sock.sendall(b"a")
        until(lambda: good.count > 50, "good clients to be served")
    assert (lb.rss() - before) / count < 32 * 1024
    for sock in held:
        sock.close()


def test_many_slow_clients_are_all_ended_by_their_time(front, lb):
    front(timeout_header="500ms")
    count = scaled(300, 50)
    held = [client.connect(front.port) for _ in range(count)]
    for sock in held:
        sock.sendall(b"GET / HTTP/1.1\r\n")
    until(lambda: lb.metric("lb_requests_ended_total", listener="main", reason="timeout-header") == count, "408 for all")
    for sock in held:
        assert sock.recv(100).startswith(b"HTTP/1.1 408 ")
        sock.close()
