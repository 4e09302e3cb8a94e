"""Names: subject, issuer, subjectAltName (RFC 5280, sections 4.1.2.4, 4.1.2.6, 4.2.1.6)."""
from certificate_table.world import ADMITTED, BROKEN, MALFORMED, UNKNOWN_CA, Row
from harness import der
from harness.der import explicit, implicit, octets, oid, sequence, set_of, tlv
from harness.handmade import (attribute, authority, client, common, directory, dns, email, extension, ip, name, names,
                              uri)


def subject(whole_name, **changes):
    return lambda world: [client(world.root, subject=whole_name, **changes)]


def cn(value, tag=der.UTF8):
    return subject(common(value, tag))


def san(*general, critical=False):
    return lambda world: [client(world.root, more=[names(*general, critical=critical)])]


def other_name(value):
    return explicit(0, oid("1.3.6.1.4.1.311.20.2.3"), explicit(0, value))


def issuer_as(whole_name):
    """Below an intermediate whose name the leaf writes in another way."""
    def build(world):
        middle = authority("Middle by name", world.root)
        return [client(middle, named=whole_name), middle]
    return build


def below(whole_name):
    """Below an intermediate of this name."""
    def build(world):
        middle = authority("", world.root, subject=whole_name)
        return [client(middle), middle]
    return build


ROWS = [
    Row("name-utf8", cn("Zoë ☃ 𝄞"), ADMITTED, "4.1.2.4"),
    Row("name-printable", cn("Zoe", der.PRINTABLE), ADMITTED, "4.1.2.4"),
    Row("name-bmp", cn("Zoë ☃", der.BMP), ADMITTED, "4.1.2.4"),
    Row("name-t61", cn("Zoë", der.T61), ADMITTED, "4.1.2.4"),
    Row("name-universal", cn("Zoë 𝄞", der.UNIVERSAL), ADMITTED, "4.1.2.4"),
    Row("name-ia5", cn("Zoe", der.IA5), ADMITTED, "4.1.2.4"),
    Row("name-odd-characters", cn('a,b+c"d\\e<f>g;h=i #/'), ADMITTED, "RFC 4514, 2.4"),
    Row("name-with-email", subject(name(attribute("email", "a@b.test", der.IA5))), ADMITTED, "4.1.2.6"),
    Row("name-with-unknown-type", subject(name(attribute("1.3.6.1.4.1.99999.7", "x"), attribute("CN", "c"))), ADMITTED, "4.1.2.4"),
    Row("name-of-domain-components", subject(name(attribute("DC", "test", der.IA5), attribute("UID", "u"))), ADMITTED, "4.1.2.4"),
    Row("name-twice-the-same-type", subject(name(attribute("OU", "a"), attribute("OU", "b"), attribute("CN", "c"))), ADMITTED, "4.1.2.4"),
    Row("name-empty-with-critical-names", subject(name(), more=[names(dns("a.test"), critical=True)]), ADMITTED, "4.1.2.6"),
    Row("name-empty-without-names", subject(name()), MALFORMED, "4.1.2.6"),
    Row("name-of-64-characters", cn("c" * 64), ADMITTED, "A.1"),
    Row("name-of-3000-characters", cn("c" * 3000), MALFORMED, "README"),
    Row("name-of-65-parts", subject(name(*(attribute("OU", f"u{number}") for number in range(65)))), MALFORMED, "README"),
    Row("name-multi-valued", subject(sequence(set_of(attribute("CN", "c"), attribute("OU", "o")))), MALFORMED, "README"),
    Row("name-empty-part", subject(sequence(set_of(), set_of(attribute("CN", "c")))), MALFORMED, "4.1.2.4"),
    Row("name-empty-value", cn(""), ADMITTED, "6.1.3"),
    Row("name-value-a-number", subject(name(sequence(oid("2.5.4.3"), der.integer(5)))), MALFORMED, "README"),
    Row("name-two-values", subject(name(sequence(oid("2.5.4.3"), der.text("a"), der.text("b")))), MALFORMED, "4.1.2.4"),
    Row("name-no-value", subject(name(sequence(oid("2.5.4.3")))), MALFORMED, "4.1.2.4"),
    Row("name-a-set", subject(set_of(set_of(attribute("CN", "c")))), MALFORMED, "4.1.2.4"),

    Row("name-nul-in-cn", cn("good.test\0.evil.test"), MALFORMED, "README"),
    Row("name-nul-in-o", subject(common("c", organization="Test\0")), MALFORMED, "README"),
    Row("name-nul-printable", cn("a\0b", der.PRINTABLE), MALFORMED, "X.680, 41.4"),
    Row("name-nul-bmp", cn("a\0b", der.BMP), MALFORMED, "README"),
    Row("name-newline", cn('x\n{"level":"error"}'), MALFORMED, "README"),
    Row("name-carriage-return", subject(common("c", organization="a\rb")), MALFORMED, "README"),
    Row("name-escape", cn("\x1b[31mred"), MALFORMED, "README"),
    Row("name-delete", cn("a\x7f"), MALFORMED, "README"),
    Row("name-control-of-latin-1", cn("a\x85b"), MALFORMED, "README"),
    Row("name-control-t61", cn("a\x9bb", der.T61), MALFORMED, "README"),
    Row("name-control-in-unknown-type", subject(name(attribute("1.3.6.1.4.1.99999.7", "a\nb"), attribute("CN", "c"))), MALFORMED, "README"),
    Row("name-direction-override", cn("a\u202eb"), ADMITTED, "7.1"),
    Row("name-line-separator", cn("a\u2028b"), MALFORMED, "README"),
    Row("name-utf8-overlong", cn(b"\xc0\xae"), MALFORMED, "RFC 3629, 3"),
    Row("name-utf8-surrogate", cn(b"\xed\xa0\x80"), MALFORMED, "RFC 3629, 3"),
    Row("name-utf8-cut", cn(b"abc\xe2\x98"), MALFORMED, "RFC 3629, 3"),
    Row("name-utf8-beyond", cn(b"\xf4\x90\x80\x80"), MALFORMED, "RFC 3629, 3"),
    Row("name-utf8-stray", cn(b"a\x80b"), MALFORMED, "RFC 3629, 3"),
    Row("name-printable-not-ascii", cn(b"Zo\xeb", der.PRINTABLE), MALFORMED, "X.680, 41.4"),
    Row("name-bmp-odd-length", cn(b"\0a\0", der.BMP), MALFORMED, "X.690, 8.23"),
    Row("name-bmp-surrogates", cn(b"\xd8\x34\xdd\x1e", der.BMP), MALFORMED, "X.690, 8.23"),
    Row("name-universal-odd-length", cn(b"\0\0\0a\0\0", der.UNIVERSAL), MALFORMED, "X.690, 8.23"),

    Row("issuer-in-other-case", issuer_as(common("MIDDLE BY NAME")), UNKNOWN_CA, "README"),
    Row("issuer-as-other-string", issuer_as(common("Middle by name", der.PRINTABLE)), UNKNOWN_CA, "README"),
    Row("issuer-empty", below(name()), MALFORMED, "4.1.2.4"),
    Row("issuer-with-newline", below(common("Middle\nby name")), MALFORMED, "README"),
    Row("issuer-multi-valued", below(sequence(set_of(attribute("CN", "c"), attribute("OU", "o")))), MALFORMED, "README"),

    Row("san-every-kind", san(dns("a.test"), email("a@b.test"), uri("spiffe://a.test/b"), ip(127, 0, 0, 1), ip(*range(16)),
                              directory(common("c")), implicit(8, b"\x2a\x03"), other_name(der.text("u@a.test"))),
        ADMITTED, "4.2.1.6"),
    Row("san-critical", san(dns("a.test"), critical=True), ADMITTED, "4.2.1.6"),
    Row("san-wildcard", san(dns("*.a.test")), ADMITTED, "4.2.1.6"),
    Row("san-none-in-it", san(), MALFORMED, "4.2.1.6"),
    Row("san-empty-dns", san(dns("")), MALFORMED, "4.2.1.6"),
    Row("san-dns-of-a-blank", san(dns(" ")), MALFORMED, "4.2.1.6"),
    Row("san-empty-email", san(email("")), MALFORMED, "4.2.1.6"),
    Row("san-empty-uri", san(uri("")), MALFORMED, "4.2.1.6"),
    Row("san-nul-in-dns", san(dns("good.test\0.evil.test")), MALFORMED, "4.2.1.6"),
    Row("san-newline-in-dns", san(dns("good.test\n")), MALFORMED, "4.2.1.6"),
    Row("san-nul-in-email", san(email("a@good.test\0.evil.test")), MALFORMED, "4.2.1.6"),
    Row("san-nul-in-uri", san(uri("spiffe://a.test/\0")), MALFORMED, "4.2.1.6"),
    Row("san-newline-in-uri", san(uri("spiffe://a.test/\r\nx")), MALFORMED, "4.2.1.6"),
    Row("san-dns-not-ascii", san(dns("zoë.test")), MALFORMED, "4.2.1.6"),
    Row("san-second-bad", san(dns("a.test"), dns("b\0.test")), MALFORMED, "4.2.1.6"),
    Row("san-ip-of-5-bytes", san(ip(1, 2, 3, 4, 5)), MALFORMED, "4.2.1.6"),
    Row("san-ip-of-8-bytes", san(ip(10, 0, 0, 0, 255, 0, 0, 0)), MALFORMED, "4.2.1.6"),
    Row("san-ip-empty", san(ip()), MALFORMED, "4.2.1.6"),
    Row("san-directory-with-nul", san(directory(common("a\0b"))), MALFORMED, "README"),
    Row("san-directory-broken", san(explicit(4, der.text("x"))), MALFORMED, "4.2.1.6"),
    Row("san-unknown-kind", san(implicit(9, b"x")), MALFORMED, "4.2.1.6"),
    Row("san-constructed-dns", san(tlv(0xA2, der.text("a.test", der.IA5))), MALFORMED, "4.2.1.6"),
    Row("san-universal-tag", san(der.text("a.test", der.IA5)), MALFORMED, "4.2.1.6"),
    Row("san-no-sequence", lambda world: [client(world.root, more=[extension("2.5.29.17", octets(b"a.test"))])], MALFORMED, "4.2.1.6"),
    Row("san-bytes-behind", lambda world: [client(world.root, more=[extension("2.5.29.17", sequence(
        dns("a.test")) + der.null())])], MALFORMED, "4.2.1.6"),
    Row("san-name-beyond-the-end", lambda world: [client(world.root, more=[extension("2.5.29.17", sequence(
        b"\x82\x20a.test"))])], MALFORMED, "4.2.1.6"),
]
