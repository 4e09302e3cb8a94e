"""DER by hand (X.690): well formed unless a test asks for something else, for no library makes wrong ones."""
import datetime

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, ENUMERATED = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A
UTF8, NUMERIC, PRINTABLE, T61, IA5, UTC_TIME, GENERALIZED_TIME, VISIBLE, UNIVERSAL, BMP = \
    0x0C, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1A, 0x1C, 0x1E
SEQUENCE, SET = 0x30, 0x31


def size(count, octets=0):
    """A length; octets > 0: in the long form with that many bytes, needed or not."""
    if count < 0x80 and not octets:
        return bytes([count])
    octets = octets or (count.bit_length() + 7) // 8
    return bytes([0x80 | octets]) + count.to_bytes(octets, "big")


def tlv(tag, *contents, octets=0):
    content = b"".join(contents)
    return bytes([tag]) + size(len(content), octets) + content


def indefinite(tag, *contents):
    """BER's length that is not told before: forbidden in DER."""
    return bytes([tag, 0x80]) + b"".join(contents) + b"\0\0"


def sequence(*contents):
    return tlv(SEQUENCE, *contents)


def set_of(*contents):
    return tlv(SET, *contents)


def explicit(number, *contents):
    return tlv(0xA0 | number, *contents)


def implicit(number, content):
    return tlv(0x80 | number, content)


def integer(number):
    """The shortest two's complement."""
    return tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def boolean(value, true=0xFF):
    return tlv(BOOLEAN, bytes([true if value else 0]))


def null():
    return tlv(NULL)


def octets(content):
    return tlv(OCTET_STRING, content)


def bits(content, unused=0):
    return tlv(BIT_STRING, bytes([unused]), content)


def named_bits(*numbers):
    """A BIT STRING of flags (X.690, 11.2.2): trailing zeros are left out. Bit 0 is the first."""
    if not numbers:
        return bits(b"")
    count = max(numbers) + 1
    octet_count = (count + 7) // 8
    value = sum(1 << (octet_count * 8 - 1 - number) for number in numbers)
    return bits(value.to_bytes(octet_count, "big"), octet_count * 8 - count)


def oid(dotted):
    first, second, *rest = map(int, dotted.split("."))
    out = bytearray()
    for arc in (first * 40 + second, *rest):
        part = [arc & 0x7F]
        while arc := arc >> 7:
            part.append(0x80 | arc & 0x7F)
        out += bytes(reversed(part))
    return tlv(OID, bytes(out))


def text(value, tag=UTF8):
    """A string; bytes are taken as they are."""
    if isinstance(value, bytes):
        return tlv(tag, value)
    encoding = {BMP: "utf-16-be", UNIVERSAL: "utf-32-be", UTF8: "utf-8"}.get(tag, "latin-1")
    return tlv(tag, value.encode(encoding))


def utc_time(value):
    """A datetime, or the text itself."""
    return tlv(UTC_TIME, (value if isinstance(value, str) else f"{value:%y%m%d%H%M%SZ}").encode())


def generalized_time(value):
    return tlv(GENERALIZED_TIME, (value if isinstance(value, str) else f"{value:%Y%m%d%H%M%SZ}").encode())


def time(value):
    """As RFC 5280, section 4.1.2.5 demands: UTCTime up to 2049. Takes a whole TLV as it is."""
    if isinstance(value, bytes):
        return value
    return utc_time(value) if 1950 <= value.year < 2050 else generalized_time(value)


def in_days(count):
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=count)
