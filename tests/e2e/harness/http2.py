"""HTTP/2 as single frames: a client that sends heads as they are told, however wrong, and says what came of each stream."""

import h2.config
import h2.connection
import h2.events
from hpack import Encoder
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame

from harness import client
from harness.http1 import Message

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Reset(Exception):
    """lb reset the stream; `code` is that of RST_STREAM."""

    def __init__(self, code):
        super().__init__(f"reset with {code}")
        self.code = code


class Connection:
    """python3-h2 keeps the connection and reads; what it would not send goes around it, with a table of its own that adds
    nothing to the peer's."""

    def __init__(self, sock):
        self.sock = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False))
        self.answers, self.resets, self.ended, self.goaway, self.next = {}, {}, set(), None, 1
        self.h2.initiate_connection()
        self._flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def _flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def open(self, fields, end=True):
        """Sends a head, well-formed or not; the number of its stream."""
        stream = self.next
        self.next += 2
        self.h2.send_headers(stream, [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")], end)
        self.h2.data_to_send()  # the library knows the stream now; what goes out is this:
        self.head(stream, fields, end)
        return stream

    def head(self, stream, fields, end=True):
        block = Encoder()
        frame = HeadersFrame(stream)
        frame.data = block.encode([(as_bytes(name), as_bytes(value), True) for name, value in fields])
        frame.flags.add("END_HEADERS")
        if end:
            frame.flags.add("END_STREAM")
        rest = frame.data[16000:]
        frame.data = frame.data[:16000]
        if rest:
            frame.flags.discard("END_HEADERS")
        self.sock.sendall(frame.serialize())
        while rest:
            more = ContinuationFrame(stream)
            more.data, rest = rest[:16000], rest[16000:]
            if not rest:
                more.flags.add("END_HEADERS")
            self.sock.sendall(more.serialize())

    def data(self, stream, bytes_, end=True):
        frame = DataFrame(stream)
        frame.data = bytes_
        if end:
            frame.flags.add("END_STREAM")
        self.sock.sendall(frame.serialize())

    def _receive(self):
        data = self.sock.recv(1 << 16)
        assert data, f"lb ended the connection ({self.goaway})"
        for event in self.h2.receive_data(data):
            self._take(event)
        self._flush()

    def _take(self, event):
        if isinstance(event, h2.events.ResponseReceived):
            answer = self.answers[event.stream_id] = Message()
            answer.fields = [tuple(pair) for pair in event.headers]
            answer.status = int(dict(event.headers)[b":status"])
        elif isinstance(event, h2.events.DataReceived):
            self.answers[event.stream_id].body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.resets[event.stream_id] = int(event.error_code)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = int(event.error_code)

    def answer(self, stream):
        """The whole answer; Reset if there is none."""
        while stream not in self.ended:
            if stream in self.resets:
                raise Reset(self.resets[stream])
            self._receive()
        return self.answers[stream]

    def ask(self, fields, body=None):
        stream = self.open(fields, body is None)
        if body is not None:
            self.data(stream, body)
        return self.answer(stream)


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def head(path="/", *fields, method="GET", scheme="https", authority="a.test"):
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *fields]


def open_tls(pki, port, identity=None, **keys):
    sock = client.tls(pki, port, identity, alpn=["h2"], **keys)
    assert sock.selected_alpn_protocol() == "h2"
    return Connection(sock)


def open_h2c(port):
    """Prior knowledge."""
    return Connection(client.connect(port))


