"""PROXY headers (HAProxy's doc/proxy-protocol.txt): made for what lb reads, and taken apart where lb has sent one."""
import ipaddress
import socket
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, TLS = 0x01, 0x02, 0x03, 0x04, 0x05, 0x20
VERSION, COMMON_NAME, CIPHER, SIGNATURE_ALGORITHM, KEY_ALGORITHM, GROUP, SCHEME, CERTIFICATE = range(0x21, 0x29)
CLIENT_TLS, CLIENT_CERTIFICATE, SESSION_CERTIFICATE = 1, 2, 4


def v1(source, source_port, destination="192.0.2.80", port=443):
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {destination} {source_port} {port}\r\n".encode()


def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def raw(command=PROXY, family=0x11, block=b"", length=None):
    """A header of version 2 whose length may lie."""
    return SIGNATURE + struct.pack(">BBH", command, family, len(block) if length is None else length) + block


def addresses(source, source_port, destination="192.0.2.80", port=443):
    return ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed + struct.pack(">HH", source_port, port)


def v2(source, source_port, destination="192.0.2.80", port=443, tlvs=b""):
    return raw(PROXY, 0x21 if ":" in source else 0x11, addresses(source, source_port, destination, port) + tlvs)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def v2_summed(source, source_port, wrong=0):
    whole = v2(source, source_port, tlvs=tlv(NOOP, b"xyz") + tlv(CRC32C, bytes(4)))
    return whole[:-4] + struct.pack(">I", crc32c(whole) ^ wrong)


def tlvs_of(data):
    """{type: value}; each stands there once."""
    found = {}
    while data:
        kind, length = struct.unpack(">BH", data[:3])
        assert len(data) >= 3 + length and kind not in found, data
        found[kind] = data[3:3 + length]
        data = data[3 + length:]
    return found


class Header:
    """What lb has said: version, local, source and destination as (address, port), tlvs, and tls: flags, verify, its TLVs."""

    def __init__(self, wire):
        self.wire, self.source, self.destination, self.tlvs = wire, None, None, {}
        if wire.startswith(b"PROXY "):
            self.version, self.local = 1, False
            self._line(wire)
        else:
            self.version = 2
            self._binary(wire)
        tls = self.tlvs.get(TLS)
        if tls is not None:
            self.flags, self.verify = struct.unpack(">BI", tls[:5])
            self.tls = tlvs_of(tls[5:])

    def _line(self, wire):
        assert wire.endswith(b"\r\n") and len(wire) <= 107
        words = wire[:-2].decode().split(" ")
        if words[1] != "UNKNOWN":
            assert words[1] in ("TCP4", "TCP6") and len(words) == 6, words
            self.source, self.destination = (words[2], int(words[4])), (words[3], int(words[5]))

    def _binary(self, wire):
        assert wire[:12] == SIGNATURE
        command, family, length = struct.unpack(">BBH", wire[12:16])
        assert command in (LOCAL, PROXY) and len(wire) == 16 + length
        self.local = command == LOCAL
        size = {0x11: 4, 0x21: 16, 0: 0}[family]
        block, rest = wire[16:16 + 2 * size + (4 if size else 0)], wire[16 + 2 * size + (4 if size else 0):]
        if size:
            ports = struct.unpack(">HH", block[-4:])
            self.source = str(ipaddress.ip_address(block[:size])), ports[0]
            self.destination = str(ipaddress.ip_address(block[size:2 * size])), ports[1]
        self.tlvs = tlvs_of(rest)


def exactly(sock, count):
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            raise ConnectionError(f"the end within a header: {data!r}")
        data += part
    return data


def take(sock):
    """The header that a connection begins with, and not a byte more."""
    wire = exactly(sock, 12)
    if wire == SIGNATURE:
        wire += exactly(sock, 4)
        return Header(wire + exactly(sock, struct.unpack(">H", wire[14:])[0]))
    while not wire.endswith(b"\r\n"):
        wire += exactly(sock, 1)
    return Header(wire)


def behind(behaviour):
    """A behaviour for Origin that takes a header first; origin.headers has them all."""
    def with_header(sock, origin):
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        header = take(sock)
        with origin.lock:
            origin.__dict__.setdefault("headers", []).append(header)
        behaviour(sock, origin)
    return with_header
