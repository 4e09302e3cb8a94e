"""HTTP over the test's own sockets: what stands on the wire is the test's choice, what comes back is read strictly."""
import itertools
import socket
import struct
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from harness import client, config
from harness.origin import CHUNK
from harness.waiting import SECONDS

CLOSE = ("connection", "close")


class Cut(Exception):
    """The connection or the stream ended in the middle of a message, or before one."""


class Message:
    """A request or an answer. Names of fields are in lower case."""

    def __init__(self, start="", fields=(), body=b"", trailers=()):
        self.start, self.fields, self.body, self.trailers = start, list(fields), body, list(trailers)
        self.interim = []  # answers with 1xx that came before
        self.whole = True
        self.until_end = False  # the answer ended with the connection
        self.chunked = False

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    def __getitem__(self, name):
        """The one field of that name; None without one."""
        found = self.all(name)
        assert len(found) < 2, f"{name} stands there twice: {found}"
        return found[0] if found else None

    def __repr__(self):
        return f"<{self.start} {self.fields} {self.body[:200]!r}>"


class Wire:
    """A socket that is read as HTTP/1."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, *parts):
        self.sock.sendall(b"".join(part.encode() if isinstance(part, str) else part for part in parts))

    def more(self):
        part = self.sock.recv(CHUNK)
        self.buffer += part
        return bool(part)

    def line(self):
        while b"\n" not in self.buffer:
            if not self.more():
                raise Cut(f"the end after {self.buffer[-200:]!r}")
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert line.endswith(b"\r"), f"a line without CR: {line!r}"
        return line[:-1].decode("latin-1")

    def exactly(self, count):
        parts, have = [self.buffer], len(self.buffer)
        while have < count:
            part = self.sock.recv(CHUNK)
            if not part:
                self.buffer = b""
                raise Cut(f"the end {count - have} bytes early")
            parts.append(part)
            have += len(part)
        data = b"".join(parts)
        self.buffer = data[count:]
        return data[:count]

    def rest(self):
        while self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def is_over(self):
        """The peer has ended the connection in order, with nothing before."""
        return not self.buffer and not self.more()

    def fields(self):
        found = []
        while True:
            line = self.line()
            if not line:
                return found
            name, colon, value = line.partition(":")
            assert colon and name == name.strip(), f"not a field: {line!r}"
            found.append((name.lower(), value.strip()))

    def head(self):
        start = self.line()
        return Message(start, self.fields())

    def chunks(self):
        """(bytes, trailers)"""
        parts = []
        while True:
            size = int(self.line().split(";")[0], 16)
            if size == 0:
                return b"".join(parts), self.fields()
            parts.append(self.exactly(size))
            assert self.line() == ""

    def read_body(self, message, to_end):
        message.chunked = message["transfer-encoding"] == "chunked"
        if message.chunked:
            assert message["content-length"] is None
            message.body, message.trailers = self.chunks()
        elif message["content-length"] is not None:
            message.body = self.exactly(int(message["content-length"]))
        elif to_end:
            message.until_end, message.body = True, self.rest()
        return message

    def request(self, body=True):
        """The next request; None at the end between two."""
        if not self.buffer and not self.more():
            return None
        message = self.head()
        return self.read_body(message, False) if body else message

    def answer(self, method="GET"):
        interim = []
        while True:
            message = self.head()
            assert message.start.startswith("HTTP/1."), message.start
            if message.status >= 200 or message.status == 101:
                break
            interim.append(message)
        message.interim = interim
        if method == "HEAD" or message.status in (101, 204, 304):
            return message
        return self.read_body(message, True)

    def ask(self, method="GET", target="/", *fields, body=None, version="1.1"):
        self.send(request(method, target, *fields, body=body, version=version))
        return self.answer(method)


def request(method="GET", target="/", *fields, body=None, version="1.1", host="localhost"):
    lines = [f"{method} {target} HTTP/{version}"]
    if host:
        lines.append(f"Host: {host}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


def reply(body=b"", *fields, status="200 OK", length=True, version="1.1"):
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/{version} {status}"] + [f"{name}: {value}" for name, value in fields]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def open_wire(port, **keys):
    return Wire(client.connect(port, **keys))


def open_tls(pki, port, identity=None, **keys):
    return Wire(client.tls(pki, port, identity, alpn=["http/1.1"], **keys))


# --- configurations -------------------------------------------------------------------------------------------------

def plain(bind, *servers, **keys):
    return config.plain(bind, *servers, protocol="http", **keys)


def one_way(pki, bind, *servers, **keys):
    return config.one_way(pki, bind, *servers, protocol="http", **keys)


def mutual(pki, bind, *servers, **keys):
    return config.mutual(pki, bind, *servers, protocol="http", **keys)


def answering(bind, *routes, **keys):
    """A listener that answers by itself."""
    return config.listener("main", bind, protocol="http", route=list(routes) or ["-> respond=200:hello"], **keys)


# --- origins --------------------------------------------------------------------------------------------------------

numbers = itertools.count()


def serve(handler, body=True):
    """A behaviour for Origin: handler(request, wire, origin) gives the answer's bytes, or None to end the connection.
    origin.received gets every request, with the number of its connection. body=False leaves the body to the handler."""
    def behaviour(sock, origin):
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire, number = Wire(sock), next(numbers)
        try:
            while True:
                message = wire.request(body)
                if message is None:
                    return
                message.connection = number
                origin.received.append(message)
                answer = handler(message, wire, origin)
                if answer is None:
                    return
                wire.send(answer)
        except Cut:
            pass
    return behaviour


def telling(message, *_):
    """Says what it was asked, and gives back the body."""
    return reply(f"{message.method} {message.target} ".encode() + message.body)


def named(name):
    return lambda *_: reply(name)


def always(raw):
    """The same bytes to each request, then the end."""
    def handler(_, wire, __):
        wire.send(raw)
    return handler


# --- HTTP/2 ---------------------------------------------------------------------------------------------------------

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
END_STREAM, END_HEADERS, ACK = 1, 4, 1
# :method GET, :scheme http or https, :path /, :authority localhost; all from the static table or literal, no index.
GET_HTTP, GET_HTTPS = b"\x82\x86\x84\x01\x09localhost", b"\x82\x87\x84\x01\x09localhost"
POST_HTTP = b"\x83\x86\x84\x01\x09localhost"


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Stream:
    """An answer in the making."""

    def __init__(self):
        self.message, self.interim, self.parts, self.trailers = None, [], [], []
        self.ended, self.reset = False, None

    @property
    def over(self):
        return self.ended or self.reset is not None


class Two:
    """An HTTP/2 client, single-threaded: whoever waits reads for all streams."""

    def __init__(self, sock, scheme="http", window=1 << 20, **settings):
        self.sock, self.scheme, self.streams, self.goaway, self.over = sock, scheme, {}, None, False
        self.rest = b""
        self.grant = True  # gives the window back as data comes
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False,
            validate_inbound_headers=True))
        codes = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window, h2.settings.SettingCodes.ENABLE_PUSH: 0, **settings}
        self.h2.local_settings.update(codes)
        self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        if window > 65535:
            self.h2.increment_flow_control_window(window)
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def begin(self, method="GET", path="/", *fields, end=True, authority="localhost"):
        stream = self.h2.get_next_available_stream_id()
        self.streams[stream] = Stream()
        self.h2.send_headers(stream, [(":method", method), (":scheme", self.scheme), (":authority", authority),
                                      (":path", path), *fields], end_stream=end)
        self.flush()
        return stream

    def data(self, stream, data=b"", end=False):
        view = memoryview(data)
        while len(view) and not self.streams[stream].over:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(view))
            if room == 0:
                self.pump()
                continue
            last = end and room == len(view)
            self.h2.send_data(stream, bytes(view[:room]), end_stream=last)
            end = end and not last
            view = view[room:]
            self.flush()
        if end and not self.streams[stream].over:
            self.h2.end_stream(stream)
            self.flush()

    def trailers(self, stream, *fields):
        self.h2.send_headers(stream, list(fields), end_stream=True)
        self.flush()

    def pump(self):
        """Reads once. False at the end of the connection."""
        try:
            data = self.sock.recv(CHUNK)
        except ConnectionError:
            data = b""
        if not data:
            self.over = True
            return False
        for event in self.h2.receive_data(self.without_goaway(data)):
            self.event(event)
        try:
            self.flush()
        except ConnectionError:
            self.over = True
        return True

    def without_goaway(self, data):
        """Whole frames only. The library takes GOAWAY for the end, but streams that are open go on."""
        self.rest += data
        whole = []
        while len(self.rest) >= 9 and len(self.rest) >= 9 + int.from_bytes(self.rest[:3], "big"):
            length = 9 + int.from_bytes(self.rest[:3], "big")
            one, self.rest = self.rest[:length], self.rest[length:]
            if one[3] == GOAWAY:
                self.last_stream, self.goaway = struct.unpack(">II", one[9:17])
            else:
                whole.append(one)
        return b"".join(whole)

    def event(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.DataReceived):
            stream.parts.append(event.data)
            if self.grant and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.ResponseReceived):
            stream.message = self.message(event.headers)
        elif isinstance(event, h2.events.InformationalResponseReceived):
            stream.interim.append(self.message(event.headers))
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = list(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset) and stream:
            stream.reset = event.error_code

    @staticmethod
    def message(fields):
        fields = [(name, value) for name, value in fields]
        status = dict(fields)[":status"]
        return Message(f"HTTP/2 {status}", [field for field in fields if field[0] != ":status"])

    def answer(self, number):
        """The whole answer; Cut if it was reset or the connection ended."""
        stream = self.streams[number]
        while not stream.over:
            if not self.pump():
                raise Cut(f"the connection ended, GOAWAY {self.goaway}")
        if stream.reset is not None and not stream.ended:
            raise Cut(f"reset with {stream.reset} after {stream.message}")
        message = stream.message
        message.body, message.trailers, message.interim = b"".join(stream.parts), stream.trailers, stream.interim
        return message

    def ask(self, method="GET", path="/", *fields, body=None, **keys):
        number = self.begin(method, path, *fields, end=body is None, **keys)
        if body is not None:
            self.data(number, body, end=True)
        return self.answer(number)

    def until_over(self):
        """Reads to the end of the connection; the code of its GOAWAY."""
        while self.pump():
            pass
        return self.goaway


def open_two(port, **keys):
    """HTTP/2 from the first byte, without TLS."""
    return Two(client.connect(port), **keys)


def open_two_tls(pki, port, identity=None, alpn=("h2",), settings=None, **keys):
    sock = client.tls(pki, port, identity, alpn=list(alpn), **keys)
    assert sock.selected_alpn_protocol() == "h2"
    return Two(sock, scheme="https", **(settings or {}))


class Good:
    """A client that goes on asking in a thread while something else happens; every answer has to be a good one."""

    def __init__(self, ask):
        """ask() makes one request and says whether it was answered as it should be."""
        self.ask, self.count, self.failures, self.stopped = ask, 0, [], threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.stopped.is_set():
            try:
                assert self.ask(), "another answer"
                self.count += 1
            except Exception as error:  # pylint: disable=broad-except
                self.failures.append(repr(error))
                if len(self.failures) > 10:
                    return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopped.set()
        self.thread.join(SECONDS)
        if kind is None:
            assert not self.thread.is_alive(), "a good client got no answer"
            assert not self.failures, self.failures
            assert self.count > 0
