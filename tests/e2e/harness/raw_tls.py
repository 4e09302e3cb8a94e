"""A TLS client that sends any bytes as its certificates: no library of a client would load the odd ones of them.

One suite of each version (RFC 5246 with RFC 5289, RFC 8446), X25519. It does not verify the server."""
import hashlib
import hmac
import os
import socket
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.client import connect

CHANGE, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, SERVER_KEY, CERTIFICATE_REQUEST, SERVER_DONE, VERIFY, CLIENT_KEY, FINISHED = \
    1, 2, 11, 12, 13, 14, 15, 16, 20
TLS12, TLS13 = 0x0303, 0x0304
RECORD_MAX, KEY, TAG = 16384, 16, 16
SCHEMES = [0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0401, 0x0501,
           0x0601, 0x0402, 0x0203, 0x0201]
GROUPS = [0x001D, 0x0017, 0x0018, 0x0019]
X25519 = 0x001D


class Ended(Exception):
    """lb has ended the connection; `alert` is the number of the TLS alert, None if there was none."""

    def __init__(self, alert):
        super().__init__(f"alert {alert}")
        self.alert = alert


def vector(width, *parts):
    content = b"".join(parts)
    return len(content).to_bytes(width, "big") + content


def message(kind, *parts):
    return bytes([kind]) + vector(3, *parts)


def shorts(*numbers):
    return vector(2, *(number.to_bytes(2, "big") for number in numbers))


def sha256(data):
    return hashlib.sha256(data).digest()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand(secret, seed, count):
    """P_hash of RFC 5246, section 5."""
    out, link = b"", seed
    while len(out) < count:
        link = mac(secret, link)
        out += mac(secret, link + seed)
    return out[:count]


def expand_label(secret, label, context, count):
    """HKDF-Expand-Label of RFC 8446, section 7.1, for one block."""
    info = struct.pack(">H", count) + vector(1, b"tls13 " + label) + vector(1, context)
    return mac(secret, info + b"\1")[:count]


class Keys:
    """One direction's protection."""

    def __init__(self, version, key, iv):
        self.version, self.aead, self.iv, self.number = version, AESGCM(key), iv, 0

    @classmethod
    def of_secret(cls, secret):
        return cls(TLS13, expand_label(secret, b"key", b"", KEY), expand_label(secret, b"iv", b"", 12))

    def _next_nonce(self):
        number, self.number = self.number, self.number + 1
        return bytes(a ^ b for a, b in zip(self.iv, number.to_bytes(12, "big")))

    def seal(self, kind, data):
        if self.version == TLS13:
            head = struct.pack(">BHH", DATA, TLS12, len(data) + 1 + TAG)
            return head + self.aead.encrypt(self._next_nonce(), data + bytes([kind]), head)
        number, self.number = self.number, self.number + 1
        explicit, about = struct.pack(">Q", number), struct.pack(">QBHH", number, kind, TLS12, len(data))
        sealed = explicit + self.aead.encrypt(self.iv + explicit, data, about)
        return struct.pack(">BHH", kind, TLS12, len(sealed)) + sealed

    def open(self, kind, data):
        """(kind, plain text)"""
        if self.version == TLS13:
            head = struct.pack(">BHH", kind, TLS12, len(data))
            plain = self.aead.decrypt(self._next_nonce(), data, head).rstrip(b"\0")
            return plain[-1], plain[:-1]
        about = struct.pack(">QBHH", self.number, kind, TLS12, len(data) - 8 - TAG)
        self.number += 1
        return kind, self.aead.decrypt(self.iv + data[:8], data[8:], about)


class RawClient:
    """One connection. sign(version, data) -> (scheme, signature) proves the key of chain[0]; chain: DER, in this order."""

    def __init__(self, port, version, chain, sign):
        self.version, self.chain, self.sign = version, chain, sign
        self.sock = connect(port)
        self.port = self.sock.getsockname()[1]
        self.private = X25519PrivateKey.generate()
        self.random = os.urandom(32)
        self.transcript, self.records, self.messages = b"", b"", b""
        self.sending = self.receiving = self.fallback = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # --- records -----------------------------------------------------------------------------------------------

    def _pack(self, kind, data):
        parts = [data[at:at + RECORD_MAX] for at in range(0, len(data), RECORD_MAX)]
        if self.sending:
            return b"".join(self.sending.seal(kind, part) for part in parts)
        return b"".join(struct.pack(">BH", kind, TLS12) + vector(2, part) for part in parts)

    def _handshake(self, *parts):
        data = message(*parts)
        self.transcript += data
        return self._pack(HANDSHAKE, data)

    def _send(self, data):
        """What lb does not want to read any more is not an error here: its answer tells."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _take(self, count):
        while len(self.records) < count:
            try:
                more = self.sock.recv(1 << 16)
            except ConnectionResetError:
                more = b""
            if not more:
                raise Ended(None)
            self.records += more
        data, self.records = self.records[:count], self.records[count:]
        return data

    def _open(self, kind, data):
        if self.version == TLS13 and kind != DATA or not self.receiving:
            return kind, data
        try:
            return self.receiving.open(kind, data)
        except InvalidTag:
            if not self.fallback:
                raise
            return self.fallback.open(kind, data)

    def _record(self):
        """(kind, plain text) of the next one; raises Ended at an alert."""
        kind, _, count = struct.unpack(">BHH", self._take(5))
        kind, data = self._open(kind, self._take(count))
        if kind == ALERT:
            raise Ended(data[1])
        return kind, data

    def _message(self, wanted):
        """The body of the next handshake message, which must be of this kind."""
        while len(self.messages) < 4 or len(self.messages) < 4 + int.from_bytes(self.messages[1:4], "big"):
            kind, data = self._record()
            if kind == HANDSHAKE:
                self.messages += data
            elif kind != CHANGE:
                raise AssertionError(f"a record of kind {kind} in the handshake")
            elif self.version == TLS12:
                self.receiving = self.next_receiving
        count = 4 + int.from_bytes(self.messages[1:4], "big")
        whole, self.messages = self.messages[:count], self.messages[count:]
        self.transcript += whole
        assert whole[0] == wanted, f"handshake message {whole[0]}, not {wanted}"
        return whole[4:]

    # --- the handshake -----------------------------------------------------------------------------------------

    def _hello(self):
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        extensions = {
            0: vector(2, b"\0" + vector(2, b"localhost")), 10: shorts(*GROUPS), 11: vector(1, b"\0"), 13: shorts(*SCHEMES),
            23: b""}
        if self.version == TLS13:
            extensions[43] = vector(1, struct.pack(">H", TLS13))
            extensions[51] = vector(2, struct.pack(">H", X25519), vector(2, public))
        suite = 0x1301 if self.version == TLS13 else 0xC02B
        return [CLIENT_HELLO, struct.pack(">H", TLS12), self.random, vector(1), shorts(suite), vector(1, b"\0"), vector(
            2, *(struct.pack(">H", kind) + vector(2, body) for kind, body in extensions.items()))]

    def _server_hello(self):
        """(random, extensions)"""
        body = self._message(SERVER_HELLO)
        at = 35 + body[34] + 3
        extensions, at = {}, at + 2
        while at < len(body):
            kind, count = struct.unpack(">HH", body[at:at + 4])
            extensions[kind] = body[at + 4:at + 4 + count]
            at += 4 + count
        return body[2:34], extensions

    def exchange(self, data):
        """The handshake, and `data` right behind it; what comes back. Raises Ended."""
        self._send(self._handshake(*self._hello()))
        random, extensions = self._server_hello()
        if self.version == TLS13:
            flight = self._prove13(extensions)
        else:
            flight = self._prove12(random)
        self._send(flight + (self._pack(DATA, data) if self.version == TLS13 else b""))
        if self.version == TLS12:
            self._message(FINISHED)
            self._send(self._pack(DATA, data))
        return self._answer(len(data))

    def _answer(self, count):
        parts = b""
        while len(parts) < count:
            kind, data = self._record()
            parts += data if kind == DATA else b""
        return parts

    def close(self):
        """In order, so that lb knows that this is the end."""
        self._send(self._pack(ALERT, b"\1\0"))
        try:
            while True:
                self._record()
        except Ended:
            pass

    def _prove12(self, server_random):
        for kind in (CERTIFICATE, SERVER_KEY):
            body = self._message(kind)
        peer = body[4:4 + body[3]]
        self._message(CERTIFICATE_REQUEST)
        self._message(SERVER_DONE)
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        out = self._handshake(CERTIFICATE, vector(3, *(vector(3, one) for one in self.chain)))
        out += self._handshake(CLIENT_KEY, vector(1, public))
        secret = self.private.exchange(X25519PublicKey.from_public_bytes(peer))
        master = expand(secret, b"extended master secret" + sha256(self.transcript), 48)
        if self.chain:
            scheme, signature = self.sign(TLS12, self.transcript)
            out += self._handshake(VERIFY, struct.pack(">H", scheme), vector(2, signature))
        out += self._pack(CHANGE, b"\1")
        block = expand(master, b"key expansion" + server_random + self.random, 2 * KEY + 8)
        self.sending = Keys(TLS12, block[:KEY], block[2 * KEY:2 * KEY + 4])
        self.next_receiving = Keys(TLS12, block[KEY:2 * KEY], block[2 * KEY + 4:])
        return out + self._handshake(FINISHED, expand(master, b"client finished" + sha256(self.transcript), 12))

    def _secrets(self, key, label):
        """(client's, server's) traffic secret."""
        digest = sha256(self.transcript)
        return [expand_label(key, side + label, digest, 32) for side in (b"c ", b"s ")]

    def _prove13(self, extensions):
        empty, share = sha256(b""), extensions[51][4:]
        derived = expand_label(mac(b"", bytes(32)), b"derived", empty, 32)
        key = mac(derived, self.private.exchange(X25519PublicKey.from_public_bytes(share)))
        mine, theirs = self._secrets(key, b"hs traffic")
        self.sending, self.receiving = Keys.of_secret(mine), Keys.of_secret(theirs)
        for kind in (8, CERTIFICATE_REQUEST, CERTIFICATE, VERIFY, FINISHED):
            self._message(kind)
        key = mac(expand_label(key, b"derived", empty, 32), bytes(32))
        later, theirs = self._secrets(key, b"ap traffic")
        self.fallback, self.receiving = self.receiving, Keys.of_secret(theirs)
        out = struct.pack(">BHH", CHANGE, TLS12, 1) + b"\1"
        out += self._handshake(CERTIFICATE, vector(1), vector(3, *(vector(3, one) + vector(2) for one in self.chain)))
        if self.chain:
            signed = b" " * 64 + b"TLS 1.3, client CertificateVerify\0" + sha256(self.transcript)
            scheme, signature = self.sign(TLS13, signed)
            out += self._handshake(VERIFY, struct.pack(">H", scheme), vector(2, signature))
        finished = expand_label(mine, b"finished", b"", 32)
        out += self._handshake(FINISHED, mac(finished, sha256(self.transcript)))
        self.sending = Keys.of_secret(later)
        return out
