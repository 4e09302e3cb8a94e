"""Large bodies: whole, at the pace of the slower side, and never in lb's memory."""
import hashlib
import os
import socket
import subprocess
import threading
import time

import pytest

from harness import client, node as nodes, web
from harness.ports import free_port
from harness.product import is_sanitized
from harness.transfer import PIECE, pattern_hash
from harness.waiting import PATIENCE, SCALE, SECONDS, until
from test_relay import stalled

MB = 1 << 20
SIZE = max(16, int(int(os.environ.get("LB_BODY_MB", "256")) * SCALE)) * MB
GROWTH = (64 if not is_sanitized() else 400) * MB
WAYS = ["http", "http2", "https", "https2"]
ways = pytest.mark.parametrize("way", WAYS)


def send_pieces(wire, total):
    while total > 0:
        wire.sock.sendall(PIECE[:total])
        total -= len(PIECE)


def bodies(message, wire, origin):
    """GET /SIZE gets that much; anything else is told length and hash of its body."""
    if message.method == "GET":
        total = int(message.target[1:])
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n")
        send_pieces(wire, total)
        return b""
    left, digest = int(message["content-length"] or 0), hashlib.sha256()
    if message["transfer-encoding"]:
        length = 0
        while True:
            size = int(wire.line(), 16)
            if size == 0:
                wire.fields()
                return web.reply(f"{length} {digest.hexdigest()}")
            digest.update(wire.exactly(size))
            length += size
            wire.line()
    length = left
    while left:
        if not wire.buffer:
            assert wire.more()
        part, wire.buffer = wire.buffer[:left], wire.buffer[left:]
        digest.update(part)
        left -= len(part)
    return web.reply(f"{length} {digest.hexdigest()}")


class Memory:
    """How far lb's memory grows while something happens."""

    def __init__(self, lb):
        self.lb, self.first, self.most, self.stopped = lb, lb.rss(), 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self.stopped.wait(0.02):
            self.most = max(self.most, self.lb.rss())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopped.set()
        self.thread.join()
        if kind is None:
            assert self.most - self.first < GROWTH, f"{(self.most - self.first) / MB:.0f} MB more"


@pytest.fixture
def front(lb, pki, origin):
    """front(way) starts lb before an origin of bodies; front.curl(...) is curl in that way."""
    class Front:
        def __call__(self, way, *servers, **keys):
            self.way, self.port = way, free_port()
            servers = servers or (origin(web.serve(bodies, body=False)),)
            if way.startswith("https"):
                lb.start(web.one_way(pki, self.port, *servers, **keys))
            else:
                lb.start(web.plain(self.port, *servers, h2c="yes", **keys))
            return self

        @property
        def url(self):
            return f"{self.way.removesuffix('2')}://localhost:{self.port}"

        def command(self, *arguments, path="/"):
            version = {"http": "--http1.1", "http2": "--http2-prior-knowledge", "https": "--http1.1", "https2": "--http2"}
            return ["curl", "-sS", "--resolve", f"localhost:{self.port}:127.0.0.1", "--cacert", str(pki.server_ca),
                    version[self.way], "--max-time", str(int(60 * PATIENCE)), *map(str, arguments), self.url + path]
    return Front()


@pytest.mark.heavy
@ways
def test_a_large_download_is_whole_and_not_in_memory(lb, front, way):
    front(way)
    with Memory(lb):
        with subprocess.Popen(front.command(path=f"/{SIZE}"), stdout=subprocess.PIPE) as process:
            digest, length = hashlib.sha256(), 0
            while part := process.stdout.read(1 << 20):
                digest.update(part)
                length += len(part)
        assert process.returncode == 0
    assert (length, digest.hexdigest()) == (SIZE, pattern_hash(SIZE))
    assert lb.wait_connection(listener="main")["bytes_out"] == SIZE


@pytest.mark.heavy
@ways
def test_a_large_upload_is_whole_and_not_in_memory(lb, front, way):
    front(way)
    with Memory(lb):
        with subprocess.Popen(front.command("-T", "-", "-X", "POST"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            left = SIZE
            while left > 0:
                process.stdin.write(PIECE[:left])
                left -= len(PIECE)
            process.stdin.close()
            said = process.stdout.read().decode()
    assert said == f"{SIZE} {pattern_hash(SIZE)}"
    assert lb.wait_connection(listener="main")["bytes_in"] == SIZE


@pytest.mark.heavy
@pytest.mark.parametrize("way", ["http", "https2"])
def test_a_file_with_a_length_is_uploaded_whole(lb, front, way, tmp_path):
    size = min(SIZE, 128 * MB)
    with open(tmp_path / "up", "wb") as file:
        for _ in range(size // len(PIECE)):
            file.write(PIECE)
    front(way)
    with Memory(lb):
        done = subprocess.run(front.command("-T", tmp_path / "up"), capture_output=True, text=True, check=False)
    assert done.stdout == f"{size} {pattern_hash(size)}", done.stderr


@pytest.mark.heavy
@pytest.mark.parametrize("server", ["h1_origin.js", "h2_origin.js"])
def test_20_streams_of_10_mb_at_once(lb, pki, front, node, server):
    size = max(MB, int(10 * MB * SCALE))
    wanted = hashlib.sha256(b"abcdefgh" * (size // 8)).hexdigest()
    front("https2", node(server), backend_keys={"server_protocol": "h2" if server.startswith("h2") else "http/1.1"})
    with Memory(lb):
        result = nodes.run("h2_client.js", front.url, pki.server_ca, 20, "GET", f"/bytes/{size}", timeout=60 * PATIENCE)
        assert not result["errors"] and result["hashes"] == [wanted] * 20
        result = nodes.run("h2_client.js", front.url, pki.server_ca, 20, "POST", "/hash", size, timeout=60 * PATIENCE)
        assert not result["errors"] and result["bodies"] == [f"{size} {wanted}"] * 20


@pytest.mark.heavy
def test_h2load_gets_every_answer(lb, front, nginx):
    front("https2", nginx.port)
    done = subprocess.run(["h2load", "-n", str(max(200, int(1000 * SCALE))), "-c", "10", "-m", "20", front.url + "/big"],
                          capture_output=True, text=True, timeout=120 * PATIENCE, check=False)
    assert "0 failed, 0 errored, 0 timeout" in done.stdout, done.stdout


# --- back-pressure ----------------------------------------------------------------------------------------------------

def counting(moved, total):
    """A handler that sends `total` bytes and counts what went out of its hands."""
    def handler(_, wire, __):
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n")
        while moved[0] < total:
            wire.sock.sendall(PIECE[:65536])
            moved[0] += 65536
        return b""
    return handler


def reader(pki, way, port, window=65535):
    sock = client.tls(pki, port, alpn=["h2" if way.endswith("2") else "http/1.1"]) if way.startswith("https") else client.connect(port)
    return web.Two(sock, scheme="https" if way.startswith("https") else "http", window=window) if way.endswith("2") else web.Wire(sock)


@ways
def test_a_client_that_does_not_read_holds_up_the_server(lb, pki, origin, front, way):
    moved, total = [0], 64 * MB
    front(way, origin(web.serve(counting(moved, total))))
    with reader(pki, way, front.port) as one:
        before = lb.rss()
        if way.endswith("2"):
            stream = one.begin()
        else:
            one.send(web.request())
        until(stalled(lambda: moved[0]), "the server to be stopped")
        assert moved[0] < 24 * MB, f"{moved[0] / MB:.0f} MB went into somebody's memory"
        assert lb.rss() - before < 8 * MB or is_sanitized()
        body = one.answer(stream).body if way.endswith("2") else one.answer().body
        assert len(body) == total and hashlib.sha256(body).hexdigest() == hashlib.sha256(PIECE[:65536] * (total // 65536)).hexdigest()


@ways
def test_a_server_that_does_not_read_holds_up_the_client(lb, pki, origin, front, way):
    go, moved, total = threading.Event(), [0], 64 * MB

    def late(message, wire, made):
        go.wait(6 * SECONDS)
        return bodies(message, wire, made)
    front(way, origin(web.serve(late, body=False)), timeout_body="60s")
    with reader(pki, way, front.port) as one:
        before = lb.rss()
        if way.endswith("2"):
            stream = one.begin("POST", "/", ("content-length", str(total)), end=False)
        else:
            one.send(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {total}\r\n\r\n")

        def push():
            for number in range(total // 65536):
                if way.endswith("2"):
                    one.data(stream, PIECE[:65536], end=number == total // 65536 - 1)
                else:
                    one.sock.sendall(PIECE[:65536])
                moved[0] += 65536
        thread = threading.Thread(target=push, daemon=True)
        thread.start()
        until(stalled(lambda: moved[0]), "the client to be stopped")
        assert moved[0] < 24 * MB, f"{moved[0] / MB:.0f} MB went into somebody's memory"
        assert lb.rss() - before < 8 * MB or is_sanitized()
        go.set()
        thread.join(6 * SECONDS)
        answer = one.answer(stream) if way.endswith("2") else one.answer()
        assert answer.body.startswith(b"%d " % total)


def test_a_stream_that_is_not_read_does_not_hold_up_the_others(lb, origin, front):
    moved = [0]

    def handler(message, wire, made):
        return counting(moved, 64 * MB)(message, wire, made) if message.target == "/big" else web.telling(message)
    front("http2", origin(web.serve(handler)))
    with web.open_two(front.port, window=65535) as two:
        two.grant = False
        two.h2.increment_flow_control_window(1 << 30)
        two.begin("GET", "/big")
        until(lambda: two.pump() and len(b"".join(two.streams[1].parts)) == 65535, "the window to be full")
        before = lb.rss()
        for number in range(100):
            assert two.ask("GET", f"/{number}").body == b"GET /%d " % number
        assert moved[0] < 24 * MB
        assert lb.rss() - before < 8 * MB or is_sanitized()


@pytest.mark.heavy
def test_many_clients_that_do_not_read_cost_little_memory(lb, origin, front):
    moved, count = [0], max(20, int(200 * SCALE))
    front("http", origin(web.serve(lambda _, wire, __: counting([0], 64 * MB)(_, wire, __))))
    before = lb.rss()
    held = [web.open_wire(front.port, receive_buffer=4096) for _ in range(count)]
    for wire in held:
        wire.send(web.request())
    for wire in held:
        assert wire.head().status == 200
    time.sleep(0.3)
    growth = (lb.rss() - before) / count
    for wire in held:
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wire.sock.close()
    assert growth < 400 * 1024 or is_sanitized(), f"{growth / 1024:.0f} KB each"
    assert not moved[0]


def test_a_download_slower_than_every_timeout_but_steady_is_not_cut(lb, origin, front):
    total = 24 * MB
    front("http", origin(web.serve(bodies, body=False)), timeout_idle="1s", timeout_body="1s", timeout_keep_alive="1s",
          backend_keys={"timeout_server": "1s"})
    with web.Wire(client.connect(front.port, receive_buffer=MB)) as wire:
        wire.send(web.request("GET", f"/{total}"))
        wire.head()
        got, began = len(wire.buffer), time.monotonic()
        while got < total:
            got += len(wire.sock.recv(100000))
            time.sleep(0.008)
        assert got == total and time.monotonic() - began > 1.5
