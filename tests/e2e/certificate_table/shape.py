"""Dates, versions, serial numbers and encodings (RFC 5280, section 4.1; X.690)."""
from certificate_table.world import ADMITTED, BROKEN, EXPIRED, MALFORMED, NOT_YET_VALID, Row
from harness import der
from harness.der import explicit, generalized_time, indefinite, integer, octets, sequence, tlv, utc_time
from harness.handmade import (CLIENT, SIGN, authority, client, common, dns, extension, key, names, purpose, unknown,
                              usage)


def leaf(**changes):
    return lambda world: [client(world.root, **changes)]


def start(value):
    return leaf(start=value)


def end(value):
    return leaf(end=value)


def wrapped(wrap):
    return leaf(wrap=wrap)


def whole(change):
    """change(DER of a good certificate) -> what is sent."""
    def build(world):
        made = client(world.root)
        made.der = change(made.der)
        return [made]
    return build


def below(**changes):
    def build(world):
        middle = authority("Odd middle", world.root, **changes)
        return [client(middle), middle]
    return build


def long_form(content, count):
    """A SEQUENCE whose length has more octets than it needs."""
    return tlv(der.SEQUENCE, content[4:], octets=count)


YEAR = f"{der.in_days(400):%y}"
GOOD = [usage(SIGN), purpose(CLIENT)]

ROWS = [
    Row("dates-one-second-left", end(der.in_days(1 / 24)), ADMITTED, "4.1.2.5"),
    Row("dates-expired", end(der.in_days(-1)), EXPIRED, "6.1.3 (a)(2)"),
    Row("dates-expired-a-second-ago", end(der.in_days(-1 / 86400)), EXPIRED, "6.1.3 (a)(2)"),
    Row("dates-not-yet-valid", start(der.in_days(1)), NOT_YET_VALID, "6.1.3 (a)(2)"),
    Row("dates-end-before-start", leaf(start=der.in_days(-5), end=der.in_days(-9)), EXPIRED, "6.1.3 (a)(2)"),
    Row("dates-end-2049", end(utc_time("491231235959Z")), ADMITTED, "4.1.2.5.1"),
    Row("dates-end-2050", end(generalized_time("20500101000000Z")), ADMITTED, "4.1.2.5.2"),
    Row("dates-end-9999", end(generalized_time("99991231235959Z")), ADMITTED, "4.1.2.5"),
    Row("dates-utc-year-50-is-1950", end(utc_time("500101000000Z")), EXPIRED, "4.1.2.5.1"),
    Row("dates-start-1950", start(utc_time("500101000000Z")), ADMITTED, "4.1.2.5.1"),
    Row("dates-start-before-1950", start(generalized_time("19491231235959Z")), ADMITTED, "4.1.2.5.2"),
    Row("dates-generalized-before-2050", end(generalized_time(f"20{YEAR}0101000000Z")), ADMITTED, "4.1.2.5"),
    Row("dates-utc-without-seconds", end(utc_time(f"{YEAR}01010000Z")), MALFORMED, "4.1.2.5.1"),
    Row("dates-utc-with-offset", end(utc_time(f"{YEAR}0101000000+0100")), MALFORMED, "4.1.2.5.1"),
    Row("dates-utc-local", end(utc_time(f"{YEAR}0101000000")), MALFORMED, "4.1.2.5.1"),
    Row("dates-generalized-fraction", end(generalized_time("20510101000000.5Z")), MALFORMED, "4.1.2.5.2"),
    Row("dates-month-13", end(utc_time(f"{YEAR}1301000000Z")), MALFORMED, "4.1.2.5.1"),
    Row("dates-february-30", end(utc_time(f"{YEAR}0230000000Z")), MALFORMED, "4.1.2.5.1"),
    Row("dates-hour-24", end(utc_time(f"{YEAR}0101240000Z")), MALFORMED, "4.1.2.5.1"),
    Row("dates-letters", end(utc_time("ninetynine99Z")), MALFORMED, "4.1.2.5.1"),
    Row("dates-empty", end(utc_time("")), MALFORMED, "4.1.2.5.1"),
    Row("dates-a-string", end(der.text(f"{YEAR}0101000000Z")), MALFORMED, "4.1.2.5"),
    Row("dates-three", end(utc_time(f"{YEAR}0101000000Z") * 2), MALFORMED, "4.1.2.5"),

    Row("version-1-without-extensions", leaf(version=None, extensions=()), MALFORMED, "README"),
    Row("version-1-with-extensions", leaf(version=None), MALFORMED, "4.1.2.1"),
    Row("version-1-said", leaf(version=0, extensions=()), MALFORMED, "X.690, 11.5"),
    Row("version-2-with-extensions", leaf(version=1), MALFORMED, "4.1.2.1"),
    Row("version-4", leaf(version=3), MALFORMED, "4.1.2.1"),
    Row("version-256", leaf(version=258), MALFORMED, "4.1.2.1"),
    Row("version-of-two-numbers", leaf(version=explicit(0, integer(2), integer(2))), MALFORMED, "4.1"),
    Row("middle-of-version-1", below(version=None, extensions=()), BROKEN, "6.1.4 (k)"),

    Row("serial-of-20-bytes", leaf(serial=(1 << 158) + 1), ADMITTED, "4.1.2.2"),
    Row("serial-of-21-bytes", leaf(serial=(1 << 160) + 1), MALFORMED, "4.1.2.2"),
    Row("serial-of-64-bytes", leaf(serial=1 << 510), MALFORMED, "4.1.2.2"),
    Row("serial-zero", leaf(serial=0), MALFORMED, "4.1.2.2"),
    Row("serial-negative", leaf(serial=-5), MALFORMED, "4.1.2.2"),
    Row("serial-with-needless-zeros", leaf(serial=tlv(der.INTEGER, b"\0\0\5")), MALFORMED, "X.690, 8.3.2"),
    Row("serial-empty", leaf(serial=tlv(der.INTEGER)), MALFORMED, "X.690, 8.3.1"),
    Row("serial-no-integer", leaf(serial=octets(b"\5")), MALFORMED, "4.1"),

    Row("unique-ids", leaf(extensions=(), tail=tlv(0x81, b"\0\1") + tlv(0x82, b"\0\2") + explicit(3, sequence(*GOOD))),
        ADMITTED, "4.1.2.8"),
    Row("unique-ids-in-version-1", leaf(version=None, extensions=(), tail=tlv(0x81, b"\0\1")), MALFORMED, "4.1.2.8"),

    Row("bytes-behind", whole(lambda one: one + b"\0"), MALFORMED, "4.1"),
    Row("certificate-behind", whole(lambda one: one + one), MALFORMED, "4.1"),
    Row("bytes-behind-signature", wrapped(lambda *parts: sequence(*parts, der.null())), MALFORMED, "4.1"),
    Row("bytes-behind-extensions", leaf(tail=der.null()), MALFORMED, "4.1"),
    Row("cut", whole(lambda one: one[:-20]), MALFORMED, "4.1"),
    Row("empty-certificate", whole(lambda one: b""), MALFORMED, "RFC 8446, 4.4.2", asked=False),
    Row("garbage", whole(lambda one: b"garbage, and some more of it"), MALFORMED, "4.1"),
    Row("empty-sequence", whole(lambda one: sequence()), MALFORMED, "4.1"),
    Row("nested-deeply", whole(lambda one: b"\x30\x80" * 2000), MALFORMED, "4.1"),
    Row("length-beyond-the-end", whole(lambda one: b"\x30\x84\x7f\xff\xff\xff" + one[4:]), MALFORMED, "X.690, 8.1.3"),
    Row("length-indefinite", wrapped(lambda *parts: indefinite(der.SEQUENCE, *parts)), MALFORMED, "X.690, 10.1"),
    Row("length-of-three-octets", wrapped(lambda *parts: tlv(der.SEQUENCE, *parts, octets=3)), MALFORMED, "X.690, 10.1"),
    Row("length-inside-not-minimal", leaf(subject=long_form(common("a" * 200), 3)), MALFORMED, "X.690, 10.1"),
    Row("length-of-serial-not-minimal", leaf(serial=tlv(der.INTEGER, b"\5", octets=1)), MALFORMED, "X.690, 10.1"),
    Row("critical-is-1", leaf(more=[extension("2.5.29.17", sequence(dns("a.test")), True, true=1)]), MALFORMED, "X.690, 11.1"),
    Row("critical-false-said", leaf(more=[sequence(der.oid("2.5.29.17"), der.boolean(False), octets(
        sequence(dns("a.test"))))]), ADMITTED, "README"),
    Row("ca-true-is-1", below(limits=extension("2.5.29.19", sequence(der.boolean(True, 1)), True)), BROKEN, "X.690, 11.1"),
    Row("signature-is-no-bit-string", wrapped(lambda tbs, algorithm, signature: sequence(
        tbs, algorithm, octets(signature[3:]))), MALFORMED, "4.1"),
    Row("tbs-is-a-set", wrapped(lambda tbs, algorithm, signature: sequence(b"\x31" + tbs[1:], algorithm, signature)),
        MALFORMED, "4.1"),
    Row("large-of-15-kb", leaf(more=[unknown(), extension("1.3.6.1.4.1.99999.2", octets(bytes(15000)))]), ADMITTED, "4.2"),
    Row("large-of-19-kb", leaf(more=[extension("1.3.6.1.4.1.99999.2", octets(bytes(19 * 1024)))]), MALFORMED, "README"),
    Row("large-of-64-kb", leaf(more=[extension("1.3.6.1.4.1.99999.2", octets(bytes(64 * 1024)))]), MALFORMED, "README"),
    Row("many-names", leaf(more=[names(*(dns(f"n{number}.test") for number in range(500)))]), ADMITTED, "4.2.1.6"),
]
