"""Extensions and what a key may be used for (RFC 5280, section 4.2)."""
from certificate_table.world import ADMITTED, BROKEN, MALFORMED, PURPOSE, Row
from harness import der
from harness.der import explicit, implicit, integer, octets, oid, sequence
from harness.handmade import (AGREE, ANY, CERT_SIGN, CLIENT, CODE, CRL_SIGN, ENCIPHER, SERVER, SIGN, authority, authority_key,
                              basic, client, common, constraints, directory, dns, extension, names, policies, policy_limits, purpose,
                              subject_key, unknown, uri, usage)


def leaf(*more, **changes):
    return lambda world: [client(world.root, more=list(more), **changes)]


def below(*more, **changes):
    """A good leaf below an intermediate with these extensions."""
    def build(world):
        middle = authority("Odd middle", world.root, more=list(more), **changes)
        return [client(middle), middle]
    return build


def raw(dotted, value, critical=False):
    return extension(dotted, value, critical)


POLICY = "1.3.6.1.4.1.99999.5"
AIA, CRL_POINTS, FRESHEST, SCT, OCSP_NOCHECK, TLS_FEATURE = (
    "1.3.6.1.5.5.7.1.1", "2.5.29.31", "2.5.29.46", "1.3.6.1.4.1.11129.2.4.2", "1.3.6.1.5.5.7.48.1.5", "1.3.6.1.5.5.7.1.24")
POINT = sequence(sequence(explicit(0, explicit(0, uri("http://crl.test/a.crl")))))

ROWS = [
    Row("purpose-client", leaf(purposes=(CLIENT,)), ADMITTED, "4.2.1.12"),
    Row("purpose-client-and-server", leaf(purposes=(SERVER, CLIENT)), ADMITTED, "4.2.1.12"),
    Row("purpose-any", leaf(purposes=(ANY,)), ADMITTED, "4.2.1.12"),
    Row("purpose-absent", leaf(purposes=None), ADMITTED, "4.2.1.12"),
    Row("purpose-critical", leaf(purpose(CLIENT, critical=True), purposes=None), ADMITTED, "4.2.1.12"),
    Row("purpose-server", leaf(purposes=(SERVER,)), PURPOSE, "4.2.1.12"),
    Row("purpose-code", leaf(purposes=(CODE,)), PURPOSE, "4.2.1.12"),
    Row("purpose-unknown", leaf(purposes=("1.3.6.1.4.1.99999.3",)), PURPOSE, "4.2.1.12"),
    Row("purpose-none", leaf(raw("2.5.29.37", sequence()), purposes=None), PURPOSE, "4.2.1.12"),
    Row("purpose-broken", leaf(raw("2.5.29.37", octets(b"x")), purposes=None), MALFORMED, "4.2.1.12"),
    Row("purpose-broken-behind-client", leaf(raw("2.5.29.37", sequence(oid(CLIENT), integer(1))), purposes=None), MALFORMED, "4.2.1.12"),
    Row("purpose-of-middle-server", below(purpose(SERVER)), PURPOSE, "README"),
    Row("purpose-of-middle-client", below(purpose(CLIENT)), ADMITTED, "4.2.1.12"),

    Row("usage-absent", leaf(flags=None), ADMITTED, "4.2.1.3"),
    Row("usage-signature-and-more", leaf(flags=(SIGN, ENCIPHER, AGREE)), ADMITTED, "4.2.1.3"),
    Row("usage-not-critical", leaf(usage(SIGN, critical=False), flags=None), ADMITTED, "4.2.1.3"),
    Row("usage-encipherment", leaf(flags=(ENCIPHER,)), PURPOSE, "RFC 8446, 4.4.2.4"),
    Row("usage-agreement", leaf(flags=(AGREE,)), PURPOSE, "RFC 8446, 4.4.2.4"),
    Row("usage-nothing", leaf(flags=()), PURPOSE, "4.2.1.3"),
    Row("usage-broken", leaf(raw("2.5.29.15", octets(b"\x80"), True), flags=None), MALFORMED, "4.2.1.3"),
    Row("usage-cert-sign-of-a-leaf", leaf(flags=(SIGN, CERT_SIGN)), BROKEN, "4.2.1.9"),
    Row("usage-of-middle-absent", below(flags=None), ADMITTED, "6.1.4 (n)"),
    Row("usage-of-middle-without-cert-sign", below(flags=(SIGN, CRL_SIGN)), BROKEN, "6.1.4 (n)"),

    Row("basic-leaf-says-no-ca", leaf(basic(False)), ADMITTED, "4.2.1.9"),
    Row("basic-leaf-is-a-ca", leaf(basic(True), flags=(SIGN, CERT_SIGN)), ADMITTED, "6.1.3"),
    Row("basic-broken", leaf(raw("2.5.29.19", octets(b"x"), True)), MALFORMED, "4.2.1.9"),
    Row("basic-pathlen-of-no-ca", leaf(basic(False, 3)), ADMITTED, "6.1.4 (m)"),
    Row("basic-middle-no-ca", below(limits=basic(False), flags=(CERT_SIGN,)), BROKEN, "6.1.4 (k)"),
    Row("basic-middle-no-ca-no-usage", below(limits=basic(False), flags=None), BROKEN, "6.1.4 (k)"),
    Row("basic-middle-absent", below(limits=None), BROKEN, "6.1.4 (k)"),
    Row("basic-middle-not-critical", below(limits=basic(critical=False)), ADMITTED, "6.1.4 (k)"),
    Row("basic-middle-negative-pathlen", below(limits=basic(pathlen=-1)), MALFORMED, "4.2.1.9"),
    Row("basic-middle-huge-pathlen", below(limits=basic(pathlen=1 << 40)), MALFORMED, "README"),

    Row("unknown-extension", leaf(unknown()), ADMITTED, "4.2"),
    Row("unknown-critical", leaf(unknown(critical=True)), MALFORMED, "4.2"),
    Row("unknown-critical-in-middle", below(unknown(critical=True)), MALFORMED, "4.2"),
    Row("unknown-of-garbage", leaf(raw("1.3.6.1.4.1.99999.1", b"\xff\xff\xff")), ADMITTED, "4.2"),
    Row("unknown-40", leaf(*(unknown(arc=number) for number in range(1, 41))), ADMITTED, "4.2"),
    Row("unknown-70", leaf(*(unknown(arc=number) for number in range(1, 71))), MALFORMED, "README"),
    Row("twice-the-same-unknown", leaf(unknown(), unknown()), MALFORMED, "4.2"),
    Row("twice-subject-names", leaf(names(dns("a.test")), names(dns("b.test"))), MALFORMED, "4.2"),
    Row("twice-purpose", leaf(purpose(CLIENT), purposes=(SERVER,)), MALFORMED, "4.2"),
    Row("twice-basic-in-middle", below(basic()), MALFORMED, "4.2"),
    Row("no-extensions", lambda world: [client(world.root, extensions=())], ADMITTED, "4.1.2.9"),
    Row("empty-extensions", lambda world: [client(world.root, extensions=(), tail=explicit(3, sequence()))], MALFORMED, "4.1"),
    Row("extension-of-two-values", leaf(sequence(oid("1.3.6.1.4.1.99999.1"), octets(b"a"), octets(b"b"))), MALFORMED, "4.1"),
    Row("extension-no-octets", leaf(sequence(oid("1.3.6.1.4.1.99999.1"), der.text("a"))), MALFORMED, "4.1"),
    Row("extension-empty-oid", leaf(sequence(der.tlv(der.OID), octets(b"a"))), MALFORMED, "X.690, 8.19"),

    Row("usual-others", leaf(raw(AIA, sequence(sequence(oid("1.3.6.1.5.5.7.48.1"), uri("http://ocsp.test/")))), raw(CRL_POINTS, POINT),
                             raw(FRESHEST, POINT), raw(SCT, octets(b"\0\0")), raw(OCSP_NOCHECK, der.null()),
                             raw(TLS_FEATURE, sequence(integer(5))), policies(POLICY)), ADMITTED, "4.2"),
    Row("critical-crl-points", leaf(raw(CRL_POINTS, POINT, True)), ADMITTED, "4.2.1.13"),
    Row("critical-policies", leaf(policies(POLICY, critical=True)), ADMITTED, "6.1.3 (d)"),
    Row("critical-private-key-period", leaf(raw("2.5.29.16", sequence(implicit(0, b"20200101000000Z")), True)), MALFORMED, "4.2"),
    Row("critical-issuer-names", leaf(raw("2.5.29.18", sequence(dns("ca.test")), True)), MALFORMED, "README"),
    Row("constraints-of-a-leaf", leaf(constraints(permitted=[dns("a.test")])), BROKEN, "4.2.1.10"),

    Row("key-id-of-another-issuer", leaf(subject_key(b"a" * 20), authority_key(b"x" * 20), ids=False), "certificate-unknown-ca", "4.2.1.1"),
    Row("key-id-by-name-and-serial", lambda world: [client(world.root, ids=False, more=[extension("2.5.29.35", sequence(
        explicit(1, directory(world.root.subject)), implicit(2, world.root.serial[2:])))])], ADMITTED, "4.2.1.1"),
    Row("key-id-none", leaf(ids=False), ADMITTED, "4.2.1.1"),
    Row("key-id-empty", leaf(subject_key(b""), authority_key(b""), ids=False), ADMITTED, "4.2.1.1"),
    Row("key-id-broken", leaf(raw("2.5.29.14", b"\xff"), ids=False), MALFORMED, "4.2.1.2"),

    Row("policy-explicit", below(policy_limits(explicit_policy=0)), BROKEN, "README"),
    Row("policy-explicit-later", below(policy_limits(explicit_policy=5)), BROKEN, "README"),
    Row("policy-explicit-and-there", lambda world: [client(one := authority("Policy", world.root, more=[
        policies(POLICY), policy_limits(explicit_policy=0)]), more=[policies(POLICY)]), one], BROKEN, "README"),
    Row("policy-no-mapping", below(policy_limits(mapping=0)), ADMITTED, "6.1.4 (i)"),
    Row("policy-inhibit-any", below(raw("2.5.29.54", integer(0), True)), ADMITTED, "6.1.4 (j)"),
    Row("policy-mappings", below(raw("2.5.29.33", sequence(sequence(oid(POLICY), oid(POLICY + ".1"))), True)), MALFORMED, "README"),
    Row("policy-mapping-of-any", below(raw("2.5.29.33", sequence(sequence(oid("2.5.29.32.0"), oid(POLICY))), True)), MALFORMED, "6.1.4 (a)"),
    Row("subject-directory-attributes", leaf(raw("2.5.29.9", sequence(sequence(oid("2.5.4.3"), der.set_of(der.text("x")))))), ADMITTED, "4.2.1.8"),
]
