"""A ClientHello of OpenSSL's, taken apart so that tests can write it as no client would, and what a server answers to it."""
import ssl
import struct

from harness import client
from harness.origin import read_all

SERVER_NAME, PADDING, KEY_SHARE, SUPPORTED_GROUPS, SIGNATURES = 0, 21, 51, 10, 13
HELLO_MAX = 16384
ALERT, HANDSHAKE = 21, 22
SERVER_HELLO, CERTIFICATE_REQUEST, SERVER_HELLO_DONE = 2, 13, 14
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def vector(width, body):
    return len(body).to_bytes(width, "big") + body


def entry(name, kind=0):
    """One name of a server_name list."""
    return bytes([kind]) + vector(2, name)


def names(*entries):
    """The body of a server_name extension."""
    return vector(2, b"".join(entries))


def records(message, size=16384, version=b"\x03\x01"):
    """A handshake message in records of at most `size` bytes."""
    return b"".join(b"\x16" + version + vector(2, message[at:at + size]) for at in range(0, len(message), size))


class Hello:
    """fixed: all before the extensions; extensions: a list of [type, body]."""

    def __init__(self, wire):
        assert wire[0] == HANDSHAKE and wire[5] == 1
        body = wire[9:]
        at = 34 + 1 + body[34]
        at += 2 + int.from_bytes(body[at:at + 2], "big")
        at += 1 + body[at]
        self.fixed, rest, self.extensions = body[:at], body[at + 2:], []
        while rest:
            kind, size = struct.unpack(">HH", rest[:4])
            self.extensions.append([kind, rest[4:4 + size]])
            rest = rest[4 + size:]

    @classmethod
    def of_openssl(cls, name="localhost", version=client.V12, **keys):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
        made.minimum_version = made.maximum_version = version
        if keys.get("groups"):
            made.set_ecdh_curve(keys["groups"])
        outgoing = ssl.MemoryBIO()
        try:
            made.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
        except ssl.SSLWantReadError:
            pass
        return cls(outgoing.read())

    def without(self, kind):
        self.extensions = [one for one in self.extensions if one[0] != kind]
        return self

    def first(self, kind, body):
        self.extensions.insert(0, [kind, body])
        return self

    def last(self, kind, body):
        self.extensions.append([kind, body])
        return self

    def body_of(self, kind):
        return next(body for one, body in self.extensions if one == kind)

    def message(self):
        listed = b"".join(struct.pack(">HH", kind, len(body)) + body for kind, body in self.extensions)
        return b"\x01" + vector(3, self.fixed + vector(2, listed))

    def padded(self, size=HELLO_MAX):
        """Exactly `size` bytes long."""
        room = size - len(self.message()) - 4
        self.extensions.insert(0, [PADDING, bytes(room)])
        assert len(self.message()) == size
        return self


def messages(flight):
    """The types of the handshake messages in a flight in the clear; None if it begins with anything else."""
    types, body = [], b""
    while flight and flight[0] == HANDSHAKE:
        size = int.from_bytes(flight[3:5], "big")
        body, flight = body + flight[5:5 + size], flight[5 + size:]
    while len(body) >= 4:
        types.append(body[0])
        body = body[4 + int.from_bytes(body[1:4], "big"):]
    return types


def flight_of(sock):
    """What comes until the server waits for the client, or ends."""
    flight = b""
    while SERVER_HELLO_DONE not in messages(flight):
        part = sock.recv(65536)
        if not part:
            break
        flight += part
    return flight


def met(port, *pieces):
    """How a TLS 1.2 client with this hello is met: "mutual", "one-way", or None if it is refused. Each piece is sent for
    itself."""
    with client.connect(port) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
            types = messages(flight_of(sock))
        except ConnectionError:
            return None
        if SERVER_HELLO_DONE not in types:
            assert SERVER_HELLO not in types, types
            return None
        return "mutual" if CERTIFICATE_REQUEST in types else "one-way"


def answer(port, data):
    """All that lb answers to these bytes until it ends the connection."""
    with client.connect(port) as sock:
        try:
            sock.sendall(data)
            return read_all(sock)
        except ConnectionError:
            return b""
