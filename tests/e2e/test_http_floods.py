"""Floods over HTTP/2, frame by frame: lb's memory stays as it is, the flooding connection is ended or slowed down, and
everybody else is served."""
import socket
import struct
import threading
import time

import pytest

from harness import client, web
from harness.ports import free_port
from harness.product import is_sanitized
from harness.waiting import PATIENCE, scaled

GROWTH = (24 if not is_sanitized() else 200) << 20
DEADLINE = 4 * PATIENCE  # seconds a flood lasts at most


def get(stream, flags=web.END_STREAM | web.END_HEADERS):
    return web.frame(web.HEADERS, flags, stream, web.GET_HTTP)


@pytest.fixture
def flood(lb, origin):
    """flood(frames) sends what the generator gives from a connection of its own until it is over, it was ended, or its time is
    up, while good clients are served. Gives (bytes sent, bytes read, GOAWAY's code or None, whether lb ended it)."""
    class Flood:
        port = free_port()
        origin = None

        def __call__(self, frames, read=True, **keys):
            lb.write(web.plain(self.port, self.origin, h2c="yes", **keys), workers=1)
            lb.start()
            before, most = lb.rss(), [0]

            def one():
                most[0] = max(most[0], lb.rss())
                with web.open_wire(self.port) as wire:
                    return wire.ask().status == 200

            def two():
                with web.open_two(self.port) as connection:
                    return connection.ask().status == 200
            with web.Good(one), web.Good(two):
                result = self.send(frames, read)
            assert max(most[0], lb.rss()) - before < GROWTH, f"{(most[0] - before) >> 20} MB more"
            assert lb.is_running()
            return result

        def send(self, frames, read):
            sock = client.connect(self.port, timeout=0.5 * PATIENCE)
            got, sent, ended = [], 0, False
            stop = time.monotonic() + DEADLINE

            def reader():
                sock_read = sock.dup()
                sock_read.settimeout(DEADLINE)
                try:
                    while part := sock_read.recv(65536):
                        got.append(part)
                except OSError:
                    pass
                finally:
                    sock_read.close()
            thread = threading.Thread(target=reader, daemon=True)
            if read:
                thread.start()
            try:
                sock.sendall(web.PREFACE + web.frame(web.SETTINGS))
                for part in frames:
                    sock.sendall(part)
                    sent += len(part)
                    if time.monotonic() > stop:
                        break
            except TimeoutError:
                pass  # lb reads no more: as good as an end
            except OSError:
                ended = True
            if read and not ended:
                thread.join(1 * PATIENCE)
                ended = not thread.is_alive()
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
            thread.join(DEADLINE) if read else None
            return sent, b"".join(got), ended
    made = Flood()
    made.origin = origin(web.serve(web.telling))
    return made


def goaway_code(data):
    """The code of the last GOAWAY in what lb sent."""
    code = None
    while len(data) >= 9:
        length = int.from_bytes(data[:3], "big")
        if data[3] == web.GOAWAY:
            code, = struct.unpack(">I", data[13:17])
        data = data[9 + length:]
    return code


def streams(count):
    return range(1, 2 * count, 2)


def test_rapid_reset_ends_the_connection(flood, lb):
    """CVE-2023-44487"""
    _, got, ended = flood(get(stream) + web.frame(web.RST_STREAM, 0, stream, struct.pack(">I", 8)) for stream in streams(200000))
    assert ended and goaway_code(got) in (None, 11, 2, 1)
    assert lb.metric("lb_requests_total", listener="main") < 100000


def test_continuation_frames_without_end_end_the_connection(flood):
    """CVE-2024-27316 and others"""
    def frames():
        yield get(1, web.END_STREAM)
        for _ in range(100000):
            yield web.frame(web.CONTINUATION, 0, 1, b"\x00\x01x\x7f\x81\x7f" + b"a" * 256)
    _, got, ended = flood(frames())
    assert ended and goaway_code(got)


def test_empty_continuation_frames_end_the_connection(flood):
    def frames():
        yield get(1, web.END_STREAM)
        for _ in range(5000):
            yield web.frame(web.CONTINUATION, 0, 1) * 100
    assert flood(frames())[2]


def test_settings_without_end_end_the_connection(flood):
    """CVE-2019-9515"""
    frames = [web.frame(web.SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 100] * 20000
    flood(frames, read=False)  # the acknowledgements are queued nowhere
    assert flood.send(frames, True)[2]


def test_pings_that_are_never_read_are_queued_nowhere(flood):
    """CVE-2019-9512"""
    flood((web.frame(web.PING, 0, 0, b"12345678") * 1000 for _ in range(20000)), read=False)


def test_pings_without_end_end_the_connection_or_are_answered_at_their_pace(flood):
    flood(web.frame(web.PING, 0, 0, b"12345678") * 100 for _ in range(20000))


def test_empty_data_frames_end_the_connection(flood):
    """CVE-2019-9518"""
    def frames():
        yield web.frame(web.HEADERS, web.END_HEADERS, 1, web.POST_HTTP)
        for _ in range(20000):
            yield web.frame(web.DATA, 0, 1) * 100
    assert flood(frames())[2]


def test_empty_headers_frames_end_the_connection(flood):
    _, _, ended = flood(web.frame(web.HEADERS, web.END_STREAM | web.END_HEADERS, stream) for stream in streams(100000))
    assert ended


def test_priority_without_end_costs_nothing(flood):
    """CVE-2019-9513"""
    flood(web.frame(web.PRIORITY, 0, stream, struct.pack(">IB", 0, 15)) * 20 for stream in streams(100000))


def test_unknown_frames_without_end_cost_nothing(flood):
    flood(web.frame(0x77, 0, 0, b"x" * 1000) * 20 for _ in range(20000))


def test_window_updates_without_end_cost_nothing(flood):
    def frames():
        yield get(1)
        for _ in range(20000):
            yield web.frame(web.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 100
    flood(frames())


def test_a_window_that_overflows_ends_the_connection(flood):
    _, got, ended = flood(web.frame(web.WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFFFFFF)) for _ in range(10))
    assert ended and goaway_code(got) == 3


def test_a_window_update_of_zero_ends_the_connection(flood):
    _, got, ended = flood(iter([web.frame(web.WINDOW_UPDATE, 0, 0, struct.pack(">I", 0))]))
    assert ended and goaway_code(got) == 1


def test_made_you_reset_ends_the_connection(flood, lb):
    """CVE-2025-8671: the client makes lb reset its own streams."""
    _, _, ended = flood(get(stream) + web.frame(web.WINDOW_UPDATE, 0, stream, struct.pack(">I", 0)) for stream in streams(100000))
    assert ended
    assert lb.metric("lb_requests_total", listener="main") < 50000


def test_made_you_reset_by_data_behind_the_end_ends_the_connection(flood):
    assert flood(get(stream) + web.frame(web.DATA, 0, stream, b"x") for stream in streams(100000))[2]


def test_streams_over_the_limit_end_the_connection(flood, origin):
    """Requests that are never read, each over max-streams."""
    go = threading.Event()
    flood.origin = origin(web.serve(lambda message, *_: go.wait(DEADLINE) and web.telling(message) if message["x-hold"]
                                    else web.telling(message)))
    held = web.GET_HTTP + b"\x00\x06x-hold\x01y"
    flood(web.frame(web.HEADERS, web.END_STREAM | web.END_HEADERS, stream, held) for stream in streams(scaled(100000, 1000)))
    go.set()


def test_a_tiny_window_does_not_make_lb_keep_the_answers(flood, lb, origin):
    """Internal data buffering, CVE-2019-9517: many large answers, and a client that takes nothing."""
    big = web.reply(b"x" * (4 << 20))
    flood.origin = origin(web.serve(lambda message, *_: big if message.target == "/big" else web.telling(message)))
    block = b"\x82\x86\x04\x04/big\x01\x09localhost"

    def frames():
        yield web.frame(web.SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
        for stream in streams(90):
            yield web.frame(web.HEADERS, web.END_STREAM | web.END_HEADERS, stream, block)
        for _ in range(20):
            time.sleep(0.05)
            yield web.frame(web.PING, 0, 0, b"12345678")
    flood(frames())


def test_a_client_that_takes_single_bytes_does_not_make_lb_busy(flood, lb, origin):
    """CVE-2019-9511: windows that open byte by byte."""
    big = web.reply(b"x" * (1 << 20))
    flood.origin = origin(web.serve(lambda message, *_: big if message.target == "/big" else web.telling(message)))

    def frames():
        yield web.frame(web.SETTINGS, 0, 0, struct.pack(">HI", 4, 1))
        yield web.frame(web.HEADERS, web.END_STREAM | web.END_HEADERS, 1, b"\x82\x86\x04\x04/big\x01\x09localhost")
        for _ in range(3000):
            yield web.frame(web.WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)) * 10
    flood(frames())


def test_a_header_that_grows_when_it_is_unpacked_is_refused(flood):
    """An index into the table for every byte: the HPACK bomb."""
    insert = b"\x40\x01x" + b"\x7f\x81\x1e" + b"a" * 4000  # name x, value of 4000 bytes, into the table
    bomb = insert + b"\xbe" * 10000

    def frames():
        for stream in streams(2000):
            yield web.frame(web.HEADERS, web.END_STREAM | web.END_HEADERS, stream, web.GET_HTTP + bomb)
    flood(frames())


def test_table_sizes_that_change_without_end_cost_nothing(flood):
    def frames():
        for stream in streams(20000):
            yield web.frame(web.HEADERS, web.END_STREAM | web.END_HEADERS, stream, b"\x20\x3f\xe1\x1f" + web.GET_HTTP)
    flood(frames())


def test_requests_of_http_1_that_are_pipelined_without_reading_are_held_up(flood, lb):
    """The same flood in HTTP/1: lb stops reading."""
    lb.write(web.plain(flood.port, flood.origin), workers=1)
    lb.start()
    before = lb.rss()
    with web.open_wire(flood.port) as wire:
        wire.sock.settimeout(1)
        stop, data = time.monotonic() + DEADLINE, web.request("GET", "/" + "a" * 2000) * 30
        try:  # what lb reads it answers, into the buffers of the kernel; then it reads no more
            while time.monotonic() < stop:
                wire.sock.send(data)
        except TimeoutError:
            pass
        assert lb.rss() - before < GROWTH
        with web.open_wire(flood.port) as other:
            assert other.ask().status == 200
