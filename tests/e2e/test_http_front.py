"""Clients of an http listener, in HTTP/1.0, 1.1 and 2: how messages begin, end and follow each other."""
import base64
import hashlib
import os
import socket
import struct
import subprocess
import threading
import time

import pytest

from harness import client, node as nodes, web
from harness.origin import reset
from harness.ports import free_port
from harness.product import is_sanitized
from harness.waiting import SECONDS, until


@pytest.fixture
def front(lb, origin):
    """front(handler, **keys) starts lb before an origin with that handler: front.wire() is a client, front.origin the origin."""
    class Front:
        def __call__(self, handler=web.telling, body=True, **keys):
            self.origin, self.port = origin(web.serve(handler, body)), free_port()
            lb.start(web.plain(self.port, self.origin, **keys))
            return self

        def wire(self):
            return web.open_wire(self.port)

        def curl(self, *arguments, path="/"):
            return subprocess.run(["curl", "-sS", "--max-time", str(int(SECONDS)), *map(str, arguments),
                                   f"http://127.0.0.1:{self.port}{path}"], capture_output=True, check=False)
    return Front()


# --- connections ------------------------------------------------------------------------------------------------------

def test_a_client_that_asks_for_the_end_gets_it(front):
    with front().wire() as wire:
        answer = wire.ask("GET", "/", web.CLOSE)
        assert answer.status == 200 and answer["connection"] == "close"
        assert wire.is_over()


def test_a_kept_connection_serves_one_request_after_the_other(front):
    with front().wire() as wire:
        for number in range(50):
            answer = wire.ask("POST" if number % 2 else "GET", f"/{number}", body=b"x" * number if number % 2 else None)
            assert answer.body.startswith(f"{'POST' if number % 2 else 'GET'} /{number} ".encode())
            assert answer["connection"] is None


def test_http_1_0_ends_with_the_answer(front):
    with front().wire() as wire:
        answer = wire.ask(version="1.0")
        assert answer.status == 200 and answer["connection"] == "close" and wire.is_over()


def test_http_1_0_with_keep_alive_goes_on(front):
    with front().wire() as wire:
        for _ in range(3):
            answer = wire.ask("GET", "/", ("Connection", "keep-alive"), version="1.0")
            assert answer.status == 200 and answer["connection"].lower() == "keep-alive"


def test_http_1_0_gets_no_chunks_but_an_end(front):
    front(lambda _, wire, __: wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
    with front.wire() as wire:
        answer = wire.ask("GET", "/", ("Connection", "keep-alive"), version="1.0")
        assert answer.body == b"hello" and not answer.chunked and answer.until_end


def test_http_1_0_gets_no_interim_answers(front):
    front(lambda *_: b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + web.reply(b"done"))
    with front.wire() as wire:
        answer = wire.ask(version="1.0")
        assert answer.interim == [] and answer.body == b"done"


def test_pipelined_requests_are_answered_in_order(front):
    def sometimes_slow(message, *_):
        if int(message.target[1:]) % 3 == 0:
            time.sleep(0.02)
        return web.telling(message)
    with front(sometimes_slow).wire() as wire:
        wire.send(*(web.request("POST", f"/{number}", body=b"b%d" % number) for number in range(20)))
        for number in range(20):
            assert wire.answer().body == b"POST /%d b%d" % (number, number)


def test_what_is_pipelined_behind_the_last_request_is_not_asked(front):
    with front().wire() as wire:
        wire.send(web.request("GET", "/1", web.CLOSE), web.request("GET", "/2"))
        assert wire.answer().body == b"GET /1 "
        assert wire.is_over()
    assert [message.target for message in front.origin.received] == ["/1"]


def test_very_many_pipelined_requests_wait_for_their_turn(front, lb):
    with front().wire() as wire:
        before, count = lb.rss(), 3000
        thread = threading.Thread(target=wire.send, args=[web.request("GET", f"/{number}") for number in range(count)])
        thread.start()
        for number in range(count):
            assert wire.answer().body == b"GET /%d " % number
        thread.join()
        assert lb.rss() - before < 16 << 20 or is_sanitized()


def test_a_request_in_single_bytes_arrives_whole(front):
    with front().wire() as wire:
        for byte in web.request("POST", "/slow", body=b"body"):
            wire.send(bytes([byte]))
        assert wire.answer().body == b"POST /slow body"


def test_an_empty_line_before_a_request_is_skipped(front):
    with front().wire() as wire:
        wire.send(b"\r\n", web.request())
        assert wire.answer().status == 200


# --- bodies and trailers ----------------------------------------------------------------------------------------------

def chunked(*parts, trailers=()):
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return body + b"0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers).encode() + b"\r\n"


def test_a_chunked_request_arrives_chunked_with_its_trailers(front):
    with front().wire() as wire:
        wire.send(web.request("POST", "/", ("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")),
                  chunked(b"one", b"two" * 10000, trailers=[("X-Sum", "5")]))
        assert wire.answer().body == b"POST / one" + b"two" * 10000
        assert wire.ask().status == 200
    asked = front.origin.received[0]
    assert asked.chunked and asked.trailers == [("x-sum", "5")]


def test_a_chunked_answer_arrives_with_its_trailers(front):
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + \
        chunked(b"he", b"llo", trailers=[("X-Sum", "5")])
    with front(lambda *_: raw).wire() as wire:
        for _ in range(2):
            answer = wire.ask("GET", "/", ("TE", "trailers"))
            assert answer.body == b"hello" and answer.chunked and answer.trailers == [("x-sum", "5")]


def test_trailers_cannot_change_what_was_decided(front):
    with front().wire() as wire:
        wire.send(web.request("POST", "/", ("Transfer-Encoding", "chunked")),
                  chunked(b"x", trailers=[("Content-Length", "5"), ("Host", "evil"), ("Authorization", "x"),
                                          ("X-Forwarded-For", "1.2.3.4"), ("X-Fine", "y")]))
        assert wire.answer().status in (200, 400)
    for asked in front.origin.received:
        assert not {name for name, _ in asked.trailers} & {"content-length", "host", "authorization", "x-forwarded-for"}


def test_each_chunk_is_passed_on_when_it_comes(front):
    go = threading.Event()

    def slowly(_, wire, __):
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        go.wait(SECONDS)
        wire.send(b"3\r\ntwo\r\n0\r\n\r\n")
    with front(slowly).wire() as wire:
        wire.send(web.request())
        wire.head()
        assert (wire.line(), wire.exactly(5)) == ("3", b"one\r\n")
        go.set()
        assert wire.chunks() == (b"two", [])


def test_an_answer_without_length_lasts_until_its_end(front):
    front(web.always(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100000))
    with front.wire() as wire:
        answer = wire.ask()
        assert answer.body == b"x" * 100000 and answer.chunked  # 1.1: the connection goes on
        assert wire.ask().body == b"x" * 100000
    with front.wire() as wire:
        answer = wire.ask(version="1.0")
        assert answer.body == b"x" * 100000 and answer.until_end


def test_an_answer_of_http_1_0_is_answered_in_1_1(front):
    with front(web.always(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")).wire() as wire:
        answer = wire.ask()
        assert answer.start == "HTTP/1.1 200 OK" and answer.body == b"hello"
        assert wire.ask().body == b"hello"


def test_an_answer_with_204_has_no_body_and_no_length(front):
    with front(lambda *_: b"HTTP/1.1 204 No Content\r\n\r\n").wire() as wire:
        for _ in range(2):
            answer = wire.ask()
            assert answer.status == 204 and answer["content-length"] is None and answer["transfer-encoding"] is None


def test_an_answer_with_304_keeps_its_length_without_a_body(front):
    with front(lambda *_: b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 99\r\n\r\n').wire() as wire:
        for _ in range(2):
            answer = wire.ask("GET", "/", ("If-None-Match", '"a"'))
            assert answer.status == 304 and answer["etag"] == '"a"'


def test_head_gets_the_length_and_no_body(front):
    def handler(message, *_):
        whole = web.reply(b"x" * 5000)
        return whole[:-5000] if message.method == "HEAD" else whole
    with front(handler).wire() as wire:
        for _ in range(3):
            answer = wire.ask("HEAD", "/")
            assert answer["content-length"] == "5000" and answer.body == b""
        assert len(wire.ask().body) == 5000


def test_head_of_an_answer_without_length_ends_at_once(front):
    with front(lambda *_: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").wire() as wire:
        for _ in range(2):
            assert wire.ask("HEAD", "/").status == 200


# --- interim answers --------------------------------------------------------------------------------------------------

def test_the_servers_100_reaches_a_client_that_waits_for_it(front):
    def handler(message, wire, _):
        assert message["expect"].lower() == "100-continue"
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.read_body(message, False)
        return web.telling(message)
    with front(handler, body=False).wire() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert wire.head().status == 100
        wire.send(b"body")
        assert wire.answer().body == b"POST / body"


def test_a_server_that_refuses_before_100_is_heard_and_no_body_is_awaited(front):
    front(lambda *_: web.reply(b"no", status="417 Expectation Failed"), body=False)
    with front.wire() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400000\r\nExpect: 100-continue\r\n\r\n")
        answer = wire.answer()
        assert answer.status == 417 and answer.interim == []


def test_lb_refuses_before_100_without_the_body(lb):
    port = free_port()
    lb.start(web.answering(port, "-> respond=403:no"))
    with web.open_wire(port) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400000\r\nExpect: 100-continue\r\n\r\n")
        answer = wire.answer()
        assert answer.status == 403 and answer.interim == [] and answer["connection"] == "close"
        assert wire.is_over()


def test_curl_uploads_a_file_after_100(lb, node, tmp_path):
    data, port = os.urandom(3 << 20), free_port()
    (tmp_path / "up").write_bytes(data)
    lb.start(web.plain(port, node("h1_origin.js")))
    done = subprocess.run(["curl", "-sSv", "--max-time", str(int(SECONDS)), "-H", "Expect: 100-continue", "-T", tmp_path / "up",
                           f"http://127.0.0.1:{port}/hash"], capture_output=True, text=True, check=False)
    assert done.stdout == f"{len(data)} {hashlib.sha256(data).hexdigest()}", done.stderr
    assert "HTTP/1.1 100" in done.stderr


def test_early_hints_come_before_the_answer(lb, node):
    port = free_port()
    lb.start(web.plain(port, node("h1_origin.js")))
    with web.open_wire(port) as wire:
        for _ in range(2):
            answer = wire.ask("GET", "/hints")
            assert [one.status for one in answer.interim] == [103]
            assert answer.interim[0]["link"] == "</style.css>; rel=preload; as=style"
            assert answer.body == b"hinted"


def test_many_interim_answers_pass(front):
    with front(lambda *_: b"HTTP/1.1 102 Processing\r\n\r\n" * 20 + web.reply(b"done")).wire() as wire:
        answer = wire.ask()
        assert [one.status for one in answer.interim] == [102] * 20 and answer.body == b"done"


# --- clients that leave -----------------------------------------------------------------------------------------------

def test_a_client_that_leaves_in_its_head_reaches_no_server(front, lb):
    wire = front().wire()
    wire.send(b"GET / HTTP/1.1\r\nHo")
    wire.sock.close()
    until(lambda: lb.metric("lb_connections_active", listener="main") == 0, "no active connection")
    assert front.origin.accepted == 0


@pytest.mark.parametrize("leave", [reset, lambda sock: sock.close()], ids=["reset", "end"])
def test_a_client_that_leaves_in_its_body_frees_the_server(front, lb, leave):
    wire = front(body=False, handler=lambda message, wire, _: wire.read_body(message, False) and None).wire()
    wire.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf")
    front.origin.wait_received()
    leave(wire.sock)
    front.origin.wait_idle()
    line = lb.wait_connection(listener="main")
    assert line["end"] in ("client-reset", "client-closed") and line["bytes_in"] == 4


@pytest.mark.parametrize("fields,body", [("Content-Length: 1000", b"half"), ("Transfer-Encoding: chunked", b"4\r\nhalf\r\n")],
                         ids=["length", "chunked"])
def test_half_a_request_body_never_looks_whole_to_the_server(front, fields, body):
    cuts = []

    def handler(message, wire, _):
        try:
            wire.read_body(message, False)
        except (web.Cut, OSError) as error:
            cuts.append(error)
    with front(handler, body=False).wire() as wire:
        wire.send(f"POST / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n", body)
        front.origin.wait_received()
        wire.sock.shutdown(socket.SHUT_WR)
        with pytest.raises((web.Cut, OSError)):
            wire.answer()
    until(lambda: cuts, "a cut request")


def test_a_client_that_leaves_before_the_answer_frees_the_server(front, lb):
    front(lambda message, wire, _: wire.sock.recv(1) and None)
    wire = front.wire()
    wire.send(web.request())
    front.origin.wait_received()
    reset(wire.sock)
    front.origin.wait_idle()
    assert lb.wait_connection(listener="main")["end"] == "client-reset"


def test_a_client_that_leaves_in_the_answer_frees_the_server(front, lb):
    def endless(_, wire, __):
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            wire.send(chunked(b"x" * 10000)[:-5])
    wire = front(endless).wire()
    wire.send(web.request())
    wire.exactly(100000)
    reset(wire.sock)
    front.origin.wait_idle()
    line = lb.wait_connection(listener="main")
    assert line["end"] == "client-reset" and line["status"] == 200 and line["bytes_out"] > 90000


def test_a_client_that_has_ended_its_side_still_gets_the_answer(front):
    def slow(message, *_):
        time.sleep(0.1)
        return web.telling(message)
    with front(slow).wire() as wire:
        wire.send(web.request("POST", "/", body=b"last words"))
        wire.sock.shutdown(socket.SHUT_WR)
        assert wire.answer().body == b"POST / last words"
        assert wire.is_over()


def test_a_slow_client_that_has_ended_its_side_gets_every_pipelined_answer(front):
    big = bytes(range(256)) * 8192
    front(lambda *_: web.reply(big))
    with web.Wire(client.connect(front.port, receive_buffer=65536)) as wire:
        wire.send(*(web.request("GET", f"/{number}") for number in range(5)))
        wire.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        for _ in range(5):
            assert wire.answer().body == big
        assert wire.is_over()


# --- answers before the request's end ---------------------------------------------------------------------------------

def test_a_servers_early_answer_reaches_a_client_that_still_sends(front):
    front(lambda *_: web.reply(b"too much", web.CLOSE, status="413 Content Too Large"), body=False)
    with front.wire() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n\r\n")
        wire.send(b"x" * 20000)
        answer = wire.answer()
        assert answer.status == 413 and answer.body == b"too much"


def test_curl_hears_an_early_answer_although_it_uploads(front, tmp_path):
    (tmp_path / "up").write_bytes(bytes(8 << 20))

    def refuse(_, wire, __):
        wire.send(web.reply(b"too much", web.CLOSE, status="413 Content Too Large"))
        wire.sock.settimeout(1)
        while wire.sock.recv(65536):  # as careful servers do
            pass
    done = front(refuse, body=False).curl("-T", tmp_path / "up", "-H", "Expect:", "-w", " %{http_code}")
    assert done.stdout == b"too much 413", done.stderr


def test_after_an_early_answer_the_rest_of_the_body_is_no_request(front):
    def early(message, wire, _):
        if message.method == "GET":
            return web.telling(message)
        wire.send(web.reply(b"early"))
        wire.read_body(message, False)
        return b""
    with front(early, body=False).wire() as wire:
        smuggled = web.request("GET", "/smuggled")
        wire.send(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(smuggled)}\r\n\r\n")
        assert wire.answer().body == b"early"
        try:
            wire.send(smuggled, web.request("GET", "/next"))
            assert wire.answer().body == b"GET /next "
        except (web.Cut, OSError):
            pass  # ending the connection is as good
    assert "/smuggled" not in [message.target for message in front.origin.received]


# --- upgrades ---------------------------------------------------------------------------------------------------------

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


def ws_frame(data, opcode=2, mask=b"\x11\x22\x33\x44"):
    head = bytes([0x80 | opcode])
    masked = 0x80 if mask else 0
    if len(data) < 126:
        head += bytes([masked | len(data)])
    elif len(data) < 65536:
        head += struct.pack(">BH", masked | 126, len(data))
    else:
        head += struct.pack(">BQ", masked | 127, len(data))
    if not mask:
        return head + data
    key = (mask * (len(data) // 4 + 1))[:len(data)]
    return head + mask + (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(len(data), "big")


def ws_read(wire):
    """(opcode, data)"""
    first, second = wire.exactly(2)
    length = second & 0x7F
    if length == 126:
        length, = struct.unpack(">H", wire.exactly(2))
    elif length == 127:
        length, = struct.unpack(">Q", wire.exactly(8))
    mask = wire.exactly(4) if second & 0x80 else None
    data = wire.exactly(length)
    if mask:
        key = (mask * (length // 4 + 1))[:length]
        data = (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
    return first & 0x0F, data


def ws_serve(message, wire, _):
    """Echoes frames; a close frame is answered and ends the connection."""
    if message["upgrade"] != "websocket":
        return web.telling(message)
    assert message["connection"].lower() == "upgrade"
    accept = base64.b64encode(hashlib.sha1((message["sec-websocket-key"] + MAGIC).encode()).digest()).decode()
    wire.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              f"Sec-WebSocket-Accept: {accept}\r\n\r\n")
    while True:
        opcode, data = ws_read(wire)
        wire.send(ws_frame(data, opcode, mask=None))
        if opcode == 8:
            return None


def ws_open(wire, target="/chat", more=b""):
    key = base64.b64encode(b"0123456789abcdef").decode()
    wire.send(web.request("GET", target, ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
                          ("Sec-WebSocket-Key", key)), more)
    answer = wire.answer()
    assert answer.status == 101, answer
    assert answer["upgrade"] == "websocket" and answer["connection"].lower() == "upgrade"
    assert answer["sec-websocket-accept"] == base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest()).decode()
    return wire


def test_a_server_that_ignores_the_upgrade_answers_as_usual(front):
    with front().wire() as wire:
        for _ in range(2):
            answer = wire.ask("GET", "/", ("Upgrade", "websocket"), ("Connection", "Upgrade"))
            assert answer.status == 200 and answer.body == b"GET / "


def test_a_server_that_switches_unasked_is_not_believed(front, lb):
    front(web.always(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\nConnection: Upgrade\r\n\r\nmore"))
    with front.wire() as wire:
        assert wire.ask().status == 502
    assert lb.wait_connection(listener="main")["reason"] == "answer-invalid"


def test_a_websocket_carries_frames_both_ways(front, lb):
    with front(ws_serve).wire() as wire:
        ws_open(wire)
        for size in (0, 1, 125, 126, 65535, 65536, 500000):
            data = os.urandom(size)
            wire.send(ws_frame(data))
            assert ws_read(wire) == (2, data)
        wire.send(ws_frame(b"\x03\xe8", 8))
        assert ws_read(wire) == (8, b"\x03\xe8")
        assert wire.is_over()
    line = lb.wait_connection(listener="main")
    assert line["status"] == 101 and line["end"] == "finished" and line["bytes_in"] > 600000 < line["bytes_out"]


def test_a_websocket_over_tls(lb, pki, origin):
    port = free_port()
    lb.start(web.one_way(pki, port, origin(web.serve(ws_serve))))
    with web.open_tls(pki, port) as wire:
        ws_open(wire)
        wire.send(ws_frame(b"secret" * 10000))
        assert ws_read(wire) == (2, b"secret" * 10000)


def test_a_frame_right_behind_the_upgrade_is_not_lost(front):
    with front(ws_serve).wire() as wire:
        ws_open(wire, more=ws_frame(b"eager"))
        assert ws_read(wire) == (2, b"eager")


def test_bytes_right_behind_the_servers_101_are_not_lost(front):
    def eager(_, wire, __):
        wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: line\r\nConnection: Upgrade\r\n\r\nfirst")
        wire.sock.recv(1)
    with front(eager).wire() as wire:
        wire.send(web.request("GET", "/", ("Upgrade", "line"), ("Connection", "Upgrade")))
        assert wire.answer().status == 101
        assert wire.exactly(5) == b"first"


def test_a_tunnel_is_half_closed_by_the_client(front):
    def until_end(_, wire, __):
        wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: line\r\nConnection: Upgrade\r\n\r\n")
        got = wire.rest()
        wire.send(b"got %d" % len(got))
    with front(until_end).wire() as wire:
        wire.send(web.request("GET", "/", ("Upgrade", "line"), ("Connection", "Upgrade")))
        assert wire.answer().status == 101
        wire.send(b"x" * 100000)
        wire.sock.shutdown(socket.SHUT_WR)
        assert wire.rest() == b"got 100000"


def test_a_tunnel_is_half_closed_by_the_server(front, origin):
    def ends_first(_, wire, made):
        wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: line\r\nConnection: Upgrade\r\n\r\nbye")
        wire.sock.shutdown(socket.SHUT_WR)
        made.got = wire.rest()
    with front(ends_first).wire() as wire:
        wire.send(web.request("GET", "/", ("Upgrade", "line"), ("Connection", "Upgrade")))
        assert wire.answer().status == 101
        assert wire.rest() == b"bye"
        wire.send(b"after the end")
        wire.sock.shutdown(socket.SHUT_WR)
        until(lambda: getattr(front.origin, "got", None) == b"after the end", "the last words")


def test_a_silent_tunnel_lives_as_long_as_timeout_idle_allows(front, lb):
    """Longer than any other limit of the listener; then it is closed."""
    front(ws_serve, timeout_idle="1500ms", timeout_keep_alive="100ms", timeout_header="100ms", timeout_body="100ms",
          timeout_first_byte="5s", backend_keys={"timeout_server": "100ms"})
    with front.wire() as wire:
        ws_open(wire)
        time.sleep(0.7)
        wire.send(ws_frame(b"still here"))
        assert ws_read(wire) == (2, b"still here")
        began = time.monotonic()
        with pytest.raises((web.Cut, ConnectionError)):
            wire.exactly(1)
        assert time.monotonic() - began > 1
    assert lb.wait_connection(listener="main")["end"] == "timeout-idle"


# --- HTTP/2 -----------------------------------------------------------------------------------------------------------

def test_without_h2c_the_preface_of_http_2_is_no_request(front):
    with front().wire() as wire:
        wire.send(web.PREFACE, web.frame(web.SETTINGS))
        assert not wire.rest().startswith(b"HTTP/1.1 200")
    assert front.origin.accepted == 0


def test_upgrading_to_h2c_is_not_done(front):
    with front(h2c="yes").wire() as wire:
        answer = wire.ask("GET", "/", ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                          ("HTTP2-Settings", "AAMAAABkAAQAAP__"))
        assert answer.status == 200
    assert front.origin.received[0]["http2-settings"] is None


def test_with_h2c_both_versions_are_served(front, lb):
    front(h2c="yes")
    with web.open_two(front.port) as two:
        assert two.ask().body == b"GET / "
    with front.wire() as wire:
        assert wire.ask().body == b"GET / "
    assert {line["protocol"] for line in lb.wait_connections(2)} == {"HTTP/2", "HTTP/1.1"}


def test_the_preface_in_pieces_is_a_preface(front):
    front(h2c="yes")
    sock = client.connect(front.port)
    data = web.PREFACE + web.frame(web.SETTINGS) + web.frame(web.HEADERS, web.END_STREAM | web.END_HEADERS, 1, web.GET_HTTP)
    for byte in data:
        sock.sendall(bytes([byte]))
    got = b""
    while b"GET / " not in got:
        part = sock.recv(65536)
        assert part, got
        got += part
    sock.close()


def test_much_right_behind_the_preface_does_not_stop_the_connection(front):
    """One read of all that a client may send before it has heard anything."""
    front(h2c="yes")
    data = [web.PREFACE, web.frame(web.SETTINGS), web.frame(web.HEADERS, web.END_HEADERS, 1, web.POST_HTTP)]
    data += [web.frame(web.DATA, 0, 1, b"x" * size) for size in (16384, 16384, 16384, 16383)]
    for _ in range(10):
        with web.Wire(client.connect(front.port)) as wire:
            wire.send(*data)
            time.sleep(0.05)
            wire.send(web.frame(web.DATA, web.END_STREAM, 1, b"last"))
            while b"POST / x" not in wire.buffer:
                assert wire.more()


def test_much_at_once_in_http_1_does_not_stop_the_connection(front):
    front(h2c="yes")
    for _ in range(10):
        with front.wire() as wire:
            wire.send(web.request("POST", "/", body=b"x" * 200000))
            assert len(wire.answer().body) == 200007


@pytest.mark.parametrize("alpn,protocol", [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None)])
def test_alpn_chooses_the_version(lb, pki, origin, alpn, protocol):
    port = free_port()
    lb.start(web.one_way(pki, port, origin(web.serve(web.telling))))
    sock = client.tls(pki, port, alpn=list(alpn))
    assert sock.selected_alpn_protocol() == protocol
    if protocol == "h2":
        with web.Two(sock, scheme="https") as two:
            assert two.ask().body == b"GET / "
    else:
        with web.Wire(sock) as wire:
            assert wire.ask().body == b"GET / "


def test_curl_speaks_http_2_over_tls(lb, pki, origin):
    port = free_port()
    lb.start(web.one_way(pki, port, origin(web.serve(web.telling))))
    url = f"https://localhost:{port}/"
    done = client.curl(pki, url, None, "--http2", "-w", " %{http_version} %{num_connects}\n", "-d", "data", url)
    assert done.stdout.splitlines() == ["POST / data 2 1", "POST / data 2 0"], done.stderr


def test_many_streams_at_once_are_answered_each_with_its_own(front):
    front(h2c="yes")
    with web.open_two(front.port) as two:
        wanted = {}
        for number in range(90):
            body = b"b" * number * 100 if number % 2 else None
            stream = two.begin("POST" if body is not None else "GET", f"/{number}", end=body is None)
            if body is not None:
                two.data(stream, body, end=True)
            wanted[stream] = (b"POST" if body is not None else b"GET") + b" /%d " % number + (body or b"")
        for stream, body in wanted.items():
            assert two.answer(stream).body == body


def test_trailers_pass_from_http_2_to_http_1_and_back(front):
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + \
        chunked(b"hello", trailers=[("X-Sum", "5")])
    front(lambda *_: raw, h2c="yes")
    with web.open_two(front.port) as two:
        stream = two.begin("POST", "/", ("te", "trailers"), end=False)
        two.data(stream, b"abc")
        two.trailers(stream, ("x-client", "7"))
        answer = two.answer(stream)
        assert answer.body == b"hello" and answer.trailers == [("x-sum", "5")]
    assert front.origin.received[0].trailers == [("x-client", "7")] and front.origin.received[0].body == b"abc"


def test_interim_answers_pass_to_http_2(lb, node):
    port = free_port()
    lb.start(web.plain(port, node("h1_origin.js"), h2c="yes"))
    with web.open_two(port) as two:
        answer = two.ask("GET", "/hints")
        assert [one.status for one in answer.interim] == [103] and answer.body == b"hinted"


def test_head_over_http_2_gets_the_length_and_no_body(front):
    front(lambda message, *_: web.reply(b"x" * 500)[:-500] if message.method == "HEAD" else web.reply(b"x" * 500), h2c="yes")
    with web.open_two(front.port) as two:
        answer = two.ask("HEAD", "/")
        assert answer["content-length"] == "500" and answer.body == b""
        assert len(two.ask().body) == 500


def test_a_stream_that_its_client_resets_frees_the_server_and_the_others_go_on(front, lb):
    def handler(message, wire, _):
        if message.target == "/wait":
            wire.sock.recv(1)
            return None
        return web.telling(message)
    front(handler, h2c="yes")
    with web.open_two(front.port) as two:
        stream = two.begin("GET", "/wait")
        front.origin.wait_received()
        two.h2.reset_stream(stream, 8)
        two.flush()
        assert two.ask("GET", "/next").body == b"GET /next "
        lb.wait_connection(listener="main", target="/wait")
        until(lambda: front.origin.active <= 1, "the server of the reset stream to be free")


def test_a_stream_without_its_end_holds_up_no_other(front):
    front(h2c="yes")
    with web.open_two(front.port) as two:
        held = two.begin("POST", "/held", end=False)
        two.data(held, b"half")
        for number in range(10):
            assert two.ask("GET", f"/{number}").body == b"GET /%d " % number
        two.data(held, b" and half", end=True)
        assert two.answer(held).body == b"POST /held half and half"


# --- servers of HTTP/2 ------------------------------------------------------------------------------------------------

H2 = {"server_protocol": "h2"}


@pytest.fixture
def grpc(lb, node):
    class Grpc:
        behind = node("h2_origin.js")
        port = free_port()
    lb.start(web.plain(Grpc.port, Grpc.behind, h2c="yes", backend_keys=H2))
    return Grpc


def test_a_grpc_call_keeps_messages_and_trailers(grpc):
    with web.open_two(grpc.port) as two:
        for body in (b"", b"\0\0\0\0\5hello", os.urandom(300000)):
            stream = two.begin("POST", "/pkg.Service/Method", ("content-type", "application/grpc"), ("te", "trailers"), end=False)
            two.data(stream, body, end=True)
            answer = two.answer(stream)
            assert answer.body == body
            assert dict(answer.trailers) == {"grpc-status": "0", "grpc-message": "fine"}
    asked = [line for line in grpc.behind.said() if "path" in line]
    assert {line["headers"].get("te") for line in asked} == {"trailers"}
    assert {line["connection"] for line in asked} == {0}


def test_a_grpc_stream_flows_both_ways_at_once(grpc):
    with web.open_two(grpc.port) as two:
        stream = two.begin("POST", "/pkg.Service/Stream", ("content-type", "application/grpc"), ("te", "trailers"), end=False)
        for number in range(20):
            two.data(stream, b"message %d;" % number)
            until(lambda: two.pump() and b"".join(two.streams[stream].parts).endswith(b"message %d;" % number), "the echo")
        two.trailers(stream, ("x-last", "1"))
        assert dict(two.answer(stream).trailers)["grpc-status"] == "0"
    assert {"x-last": "1"}.items() <= [line for line in grpc.behind.said() if "trailers" in line][0]["trailers"].items()


def test_an_answer_that_is_trailers_only_has_them_in_its_head(grpc):
    with web.open_two(grpc.port) as two:
        answer = two.ask("POST", "/only-trailers", ("content-type", "text/plain"), body=b"")
        assert answer["grpc-status"] == "12" and answer.body == b""


def test_http_1_clients_reach_a_server_of_http_2(grpc):
    with web.open_wire(grpc.port) as wire:
        for number in range(5):
            assert wire.ask("POST", f"/{number}", body=b"over one").body == b"over one"
        answer = wire.ask("GET", "/hints")
        assert [one.status for one in answer.interim] == [103] and answer.body == b"hinted"
        wire.send(web.request("POST", "/", ("Content-Type", "application/grpc"), ("Transfer-Encoding", "chunked")),
                  chunked(b"call"))
        answer = wire.answer()
        assert answer.body == b"call" and ("grpc-status", "0") in answer.trailers


def test_a_stream_that_the_server_resets_is_cut_for_the_client(grpc, lb):
    with web.open_two(grpc.port) as two:
        with pytest.raises(web.Cut):
            two.ask("GET", "/reset")
        assert two.ask().body == b"hello"
    with web.open_wire(grpc.port) as wire:
        with pytest.raises((web.Cut, ConnectionError)):
            wire.ask("GET", "/reset")
    assert all(line["end"] == "answer-cut" for line in lb.wait_connections(2, target="/reset"))


def test_node_is_served_over_one_connection(lb, node):
    port = free_port()
    lb.start(web.plain(port, node("h1_origin.js")))
    result = nodes.run("h1_client.js", port, 20, "POST", "/", "chunky")
    assert result["statuses"] == [200] * 20 and set(result["bodies"]) == {"chunky"} and result["sockets"] == 1
    result = nodes.run("h1_client.js", port, 2, "GET", "/trailers")
    assert result["bodies"] == ["something"] * 2 and result["trailers"] == [{"x-sum": "42"}] * 2
    result = nodes.run("h1_client.js", port, 1, "GET", "/hints")
    assert result["hints"] == [103]


def test_nodes_http_2_is_served_with_many_streams(lb, pki, node):
    port = free_port()
    lb.start(web.one_way(pki, port, node("h1_origin.js")))
    result = nodes.run("h2_client.js", f"https://localhost:{port}", pki.server_ca, 50, "POST", "/", 1000)
    assert result["statuses"] == [200] * 50 and result["lengths"] == [1000] * 50 and not result["errors"]


def test_nghttp_downloads_a_file(lb, nginx):
    port = free_port()
    lb.start(web.plain(port, nginx.port, h2c="yes"))
    done = subprocess.run(["nghttp", f"http://127.0.0.1:{port}/big"], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0 and done.stdout == (nginx.folder / "big").read_bytes()


# --- nginx ------------------------------------------------------------------------------------------------------------

@pytest.fixture
def files(lb, nginx):
    nginx.front = free_port()
    lb.start(web.plain(nginx.front, nginx.port, h2c="yes"))
    nginx.body = (nginx.folder / "big").read_bytes()
    return nginx


def test_a_range_of_a_file(files):
    with web.open_wire(files.front) as wire:
        answer = wire.ask("GET", "/big", ("Range", "bytes=1000-1999"))
        assert answer.status == 206 and answer.body == files.body[1000:2000]
        assert answer["content-range"] == f"bytes 1000-1999/{len(files.body)}"
        answer = wire.ask("GET", "/big", ("Range", "bytes=99999999-"))
        assert answer.status == 416
        assert wire.ask("GET", "/big").body == files.body


def test_curl_goes_on_with_half_a_file(files, tmp_path):
    out = tmp_path / "out"
    out.write_bytes(files.body[:300000])
    done = subprocess.run(["curl", "-sS", "-C", "-", "-o", out, f"http://127.0.0.1:{files.front}/big"], check=False)
    assert done.returncode == 0 and out.read_bytes() == files.body


def test_several_ranges_come_as_they_are(files):
    with web.open_wire(files.front) as wire:
        answer = wire.ask("GET", "/big", ("Range", "bytes=0-9,100-109"))
        assert answer.status == 206 and answer["content-type"].startswith("multipart/byteranges")
        assert files.body[:10] in answer.body and files.body[100:110] in answer.body


def test_a_file_that_has_not_changed_is_not_sent_again(files):
    with web.open_wire(files.front) as wire:
        tag = wire.ask("GET", "/big")["etag"]
        for _ in range(3):
            assert wire.ask("GET", "/big", ("If-None-Match", tag)).status == 304
    with web.open_two(files.front) as two:
        assert two.ask("GET", "/big", ("if-none-match", tag)).status == 304
