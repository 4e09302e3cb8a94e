"""HTTP/1 as raw bytes: a client that sends what it is told, a reader that takes nothing but what RFC 9112 says in one way,
and origins that record or tell what came to them."""
import json
import re
import socket

from harness.client import connect
from harness.origin import Origin

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
FRAMING = (b"content-length", b"transfer-encoding")
IN_PIECES = 300  # bytes up to which a message goes out byte by byte


class Ambiguous(Exception):
    """Bytes that two readers of RFC 9112 could understand differently, or that none should send."""


class Message:
    """A request or an answer. `lines` are its field lines as they came, `body` is decoded."""

    def __init__(self):
        self.first, self.lines, self.fields, self.trailers, self.body = b"", [], [], [], b""
        self.method = self.target = self.version = self.status = None

    def values(self, name):
        """Of all fields of that name, in any case."""
        return [value for key, value in self.fields if key.lower() == name.lower().encode()]

    def value(self, name):
        """Of the only field of that name; None if there is none."""
        found = self.values(name)
        assert len(found) < 2, f"{name} is there {len(found)} times: {found}"
        return found[0].decode("latin-1") if found else None

    def json(self):
        return json.loads(self.body)


def field_of(line):
    name, colon, value = line.partition(b":")
    if not colon or not TOKEN.fullmatch(name):
        raise Ambiguous(f"no field name in {line!r}")
    if not VALUE.fullmatch(value):
        raise Ambiguous(f"a control in {line!r}")
    folded = name.lower().replace(b"_", b"-").replace(b".", b"-")
    if folded in FRAMING and name.lower() != folded:
        raise Ambiguous(f"{name!r} may be taken for {folded!r}")
    return name, value.strip(b" \t")


class Reader:
    """Messages of one direction of a connection, from bytes in pieces of any size."""

    def __init__(self):
        self.buffer, self.message, self.done = b"", Message(), []
        self.step, self.left, self.line_number = self._first_line, 0, 0

    @property
    def clean(self):
        """Nothing of a message has come since the last one ended."""
        return self.step == self._first_line and not self.buffer

    def feed(self, data):
        """The messages that are complete now; Ambiguous at the first byte that may not be."""
        self.buffer += data
        while self.step():
            pass
        done, self.done = self.done, []
        return done

    def _line(self):
        """The next line without its end; None if there is none yet."""
        line, end, rest = self.buffer.partition(b"\r\n")
        bare = line[:-1] if not end and line.endswith(b"\r") else line
        if b"\r" in bare or b"\n" in bare:
            raise Ambiguous(f"CR or LF alone in {bare[:80]!r}")
        if not end:
            return None
        self.buffer = rest
        return line

    def _first_line(self):
        line = self._line()
        if line is None:
            return False
        self.message = Message()
        self.message.first = line
        self.read_first(self.message, line)
        self.step = self._field
        return True

    def _field(self):
        line = self._line()
        if line is None:
            return False
        if line:
            self.message.lines.append(line)
            self.message.fields.append(field_of(line))
            return True
        return self._head_over()

    def _head_over(self):
        self.check(self.message)
        lengths, codings = self.message.values("content-length"), self.message.values("transfer-encoding")
        if len(lengths) + len(codings) > 1:
            raise Ambiguous(f"more than one length: {lengths} {codings}")
        if self.bodiless(self.message):
            return self._over()
        if codings:
            if codings[0].lower() != b"chunked":
                raise Ambiguous(f"Transfer-Encoding {codings[0]!r}")
            self.step = self._chunk_size
            return True
        if lengths and not re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
            raise Ambiguous(f"Content-Length {lengths[0]!r}")
        if not lengths:
            return self.without_length()
        self.left, self.step = int(lengths[0]), self._body
        return True

    def _over(self):
        self.done.append(self.message)
        self.step = self._first_line
        return bool(self.buffer)

    def _take(self):
        part, self.buffer = self.buffer[:self.left], self.buffer[self.left:]
        self.left -= len(part)
        self.message.body += part

    def _body(self):
        self._take()
        return self._over() if self.left == 0 else False

    def _chunk_size(self):
        line = self._line()
        if line is None:
            return False
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", line):
            raise Ambiguous(f"chunk size {line!r}")
        self.left = int(line, 16)
        self.step = self._chunk if self.left else self._trailer
        return True

    def _chunk(self):
        self._take()
        if self.left == 0:
            self.step = self._chunk_end
        return self.left == 0

    def _chunk_end(self):
        if not b"\r\n".startswith(self.buffer[:2]):
            raise Ambiguous(f"{self.buffer[:2]!r} after a chunk")
        if len(self.buffer) < 2:
            return False
        self.buffer, self.step = self.buffer[2:], self._chunk_size
        return True

    def _trailer(self):
        line = self._line()
        if line is None:
            return False
        if not line:
            return self._over()
        if field_of(line)[0].lower() in FRAMING + (b"host",):
            raise Ambiguous(f"the trailer {line!r}")
        self.message.trailers.append(line)
        return True


class RequestReader(Reader):
    """What a server gets."""

    def read_first(self, request, line):
        match = re.fullmatch(rb"([^ ]+) ([\x21-\x7e]+) (HTTP/1\.[01])", line)
        if not match or not TOKEN.fullmatch(match[1]):
            raise Ambiguous(f"the request line {line!r}")
        request.method, request.target, request.version = match[1], match[2], match[3]
        if not re.fullmatch(rb"/.*|\*", request.target) or b"#" in request.target:
            raise Ambiguous(f"the target {request.target!r}")

    def check(self, request):
        hosts = request.values("host")
        if len(hosts) > 1 or (not hosts and request.version == b"HTTP/1.1"):
            raise Ambiguous(f"{len(hosts)} Hosts")
        if request.values("transfer-encoding") and request.version == b"HTTP/1.0":
            raise Ambiguous("Transfer-Encoding in HTTP/1.0")

    def bodiless(self, _):
        return False

    def without_length(self):
        return self._over()


class AnswerReader(Reader):
    """What a client gets; `method` is that of the request that is answered."""

    def __init__(self, method=b"GET"):
        super().__init__()
        self.method = method

    def read_first(self, answer, line):
        match = re.fullmatch(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)", line)
        if not match:
            raise Ambiguous(f"the status line {line!r}")
        answer.status = int(match[1])

    def check(self, answer):
        pass

    def bodiless(self, answer):
        return self.method == b"HEAD" or answer.status < 200 or answer.status in (204, 304)

    def without_length(self):
        self.step = self._until_end
        return True

    def _until_end(self):
        self.message.body += self.buffer
        self.buffer = b""
        return False

    def end(self):
        """The peer has ended: the message that ends with the connection, if there is one."""
        if self.step == self._until_end:
            self.step = self._first_line
            return [self.message]
        assert self.clean, f"an answer is cut short: {self.message.first!r} {self.buffer!r}"
        return []


# --- client -----------------------------------------------------------------------------------------------------------

class Connection:
    """A connection of an HTTP/1 client, over a socket that may be one of TLS."""

    def __init__(self, sock):
        self.sock, self.answers, self.reader = sock, [], AnswerReader()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data, cuts=()):
        """The bytes, cut at these offsets. They end where the peer takes no more: it may have answered already."""
        borders = [0, *cuts, len(data)]
        for start, end in zip(borders, borders[1:]):
            try:
                self.sock.sendall(data[start:end])
            except (BrokenPipeError, ConnectionResetError):
                return

    def send_bytewise(self, data):
        """One byte at a time; what is longer than some hundred bytes in as many pieces."""
        self.send(data, range(1, len(data), 1 + len(data) // IN_PIECES))

    def answer(self, method=b"GET"):
        """The next answer, read strictly; interim ones are skipped."""
        self.reader.method = method
        while True:
            while self.answers:
                answer = self.answers.pop(0)
                if answer.status >= 200 or answer.status == 101:
                    return answer
            self._receive()

    def _receive(self):
        data = self.sock.recv(1 << 16)
        self.answers += self.reader.feed(data) if data else self.reader.end()
        assert data or self.answers, "the connection ended without an answer"

    def ask(self, data, method=b"GET"):
        self.send(data)
        return self.answer(method)

    def is_ended(self):
        """Whether the peer ends the connection and says nothing more."""
        assert not self.answers and self.reader.clean
        try:
            rest = self.sock.recv(1 << 16)
        except ConnectionResetError:
            return True
        assert not rest, f"more came: {rest!r}"
        return True


def open_plain(port, **keys):
    return Connection(connect(port, **keys))


def request(target="/", *lines, method="GET", host="a.test", version="HTTP/1.1", body=b""):
    """A request as bytes; body adds its length unless a line frames it. host=None leaves Host out."""
    head = [f"{method} {target} {version}"] + ([f"Host: {host}"] if host is not None else []) + list(lines)
    if body and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


# --- origins ----------------------------------------------------------------------------------------------------------

class Record:
    """What came over one connection of a recorder."""

    def __init__(self):
        self.bytes, self.reader, self.problem, self.ended = b"", RequestReader(), None, False


class Recorder(Origin):
    """Keeps every byte; answers each complete request with 200; `problems` has what a strict reader would not take."""

    def __init__(self, answer=lambda request: b"ok"):
        self.records, self.requests, self.body_of = [], [], answer
        super().__init__(lambda sock, origin: origin.record(sock))

    def record(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one = Record()
        with self.lock:
            self.records.append(one)
        try:
            while True:
                data = sock.recv(1 << 16)
                if not data:
                    return
                self._take(sock, one, data)
        except Ambiguous as problem:
            one.problem = str(problem)
        finally:
            one.ended = True

    def _take(self, sock, one, data):
        one.bytes += data
        for found in one.reader.feed(data):
            with self.lock:
                self.requests.append(found)
            body = self.body_of(found)
            head = f"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            sock.sendall(head + (b"" if found.method == b"HEAD" else body))

    @property
    def problems(self):
        return [one.problem for one in self.records if one.problem]

    def seen(self):
        """How many bytes came so far."""
        return sum(len(one.bytes) for one in self.records)

    def unfinished(self):
        """Of the connections on which a request has begun and not ended."""
        return [one for one in self.records if not one.reader.clean]


def tell(message):
    """A head as JSON: every line as it came."""
    return json.dumps({
        "method": message.method.decode(), "target": message.target.decode(), "version": message.version.decode(),
        "lines": [line.decode("latin-1") for line in message.lines],
        "trailers": [line.decode("latin-1") for line in message.trailers], "length": len(message.body)}).encode()


class Telling(Recorder):
    """Answers with the head that it got, as JSON: method, target, version, lines, trailers, length."""

    def __init__(self):
        super().__init__(tell)


class Told:
    """The answer of a telling origin, to ask for fields by name."""

    def __init__(self, answer):
        assert answer.status == 200, (answer.first, answer.body)
        self.all = answer.json() if hasattr(answer, "json") else json.loads(answer.body)
        self.lines, self.trailers, self.target = self.all["lines"], self.all["trailers"], self.all["target"]

    def values(self, name):
        """Values of all fields whose name a server may take for this one: case does not count, '_' and '.' are '-'."""
        return [line.split(":", 1)[1].strip() for line in self.lines + self.trailers if folded(line.split(":", 1)[0]) ==
                folded(name)]

    def value(self, name):
        found = self.values(name)
        assert len(found) == 1, f"{name} came {len(found)} times: {found}"
        return found[0]


def folded(name):
    return name.lower().replace("_", "-").replace(".", "-")


