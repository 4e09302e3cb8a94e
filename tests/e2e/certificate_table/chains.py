"""Chains, name constraints and revocation (RFC 5280, sections 4.2.1.10, 6.1 and 6.3)."""
from certificate_table.world import (ADMITTED, BROKEN, CRL_EXPIRED, CRL_MISSING, EXPIRED, MALFORMED, MISSING, NOT_YET_VALID,
                                     PURPOSE, REVOKED, SELF_SIGNED, TOO_DEEP, UNKNOWN_CA, Row)
from harness import der
from harness.der import explicit, implicit, integer, oid, sequence
from harness.handmade import (CERT_SIGN, CLIENT, CRL_SIGN, SIGN, Made, attribute, authority, basic, client, common, constraints,
                              directory, dns, email, extension, ip, key, name, names, purpose, revocation_list, uri, usage)


def step(number):
    """Without a common name, which DNS constraints would look at."""
    return name(attribute("O", "Test"), attribute("OU", f"Step {number}"))


def ladder(world, count, **changes):
    """`count` intermediates below the root, the lowest first; the changes are those of the highest."""
    above, out = world.root, []
    for number in range(count):
        above = authority("", above, subject=step(number), **(changes if number == 0 else {}))
        out.insert(0, above)
    return out


def deep(count, **changes):
    def build(world):
        steps = ladder(world, count, **changes)
        return [client(steps[0]), *steps]
    return build


def twins(world):
    """Two intermediates of one name and key: below a root that nobody trusts, and below ours."""
    private = key("p256", "crossed")
    return [authority("Crossed", issuer, private=private) for issuer in (world.other, world.root)]


def crossed(first, *more):
    """A leaf below the crossed intermediate; which of the twins are sent, in this order."""
    def build(world):
        pair = twins(world)
        return [client(pair[0]), *(pair[number] for number in (first, *more))]
    return build


def by_twin(ids):
    """Issued by a CA that has the name of our root and another key."""
    return lambda world: [client(world.twin, ids=ids)]


def self_issued(world):
    """A CA with pathlen 0 gives itself a new key: that counts for nothing in the length of the path."""
    one = authority("Renewed", world.root, limits=basic(pathlen=0))
    new = authority("Renewed", one)
    return [client(new), new, one]


def ring(world):
    """Two CAs that have issued each other."""
    a = authority("Ring A", private=key("p256", "ring a"))
    b = authority("Ring B", a, private=key("p256", "ring b"))
    a = authority("Ring A", b, private=key("p256", "ring a"))
    return [client(b), b, a]


def anchor_as_client(world):
    return [world.unlimited]


def held(permitted=(), excluded=(), san=(), subject=None, level=1, **changes):
    """A leaf with these names; name constraints stand in the intermediate right above it, or `level` higher."""
    def build(world):
        constraint = constraints(permitted, excluded, **changes)
        steps = ladder(world, level, constraint=constraint)
        more = [names(*san)] if san else []
        return [client(steps[0], subject=subject or common("c"), more=more), *steps]
    return build


def held_raw(value, san=(), subject=None):
    """nameConstraints of this DER."""
    def build(world):
        middle = authority("Odd constraints", world.root, constraint=extension("2.5.29.30", value, True))
        return [client(middle, subject=subject or common("c"), more=[names(*san)] if san else []), middle]
    return build


def twice_held(first, second, *san):
    """Two intermediates permit one subtree each."""
    def build(world):
        upper = authority("", world.root, subject=step(0), constraint=constraints(permitted=[first]))
        lower = authority("", upper, subject=step(1), constraint=constraints(permitted=[second]))
        return [client(lower, subject=common("c"), more=[names(*san)]), lower, upper]
    return build


def leaf_of(name_of_ca, **changes):
    return lambda world: [client(getattr(world, name_of_ca), **changes)]


ORGANIZATION = name(attribute("O", "Good"))
NET10 = ip(10, 0, 0, 0, 255, 0, 0, 0)
UPN = explicit(0, oid("1.3.6.1.4.1.311.20.2.3"), explicit(0, der.text("u@good.test")))

ROWS = [
    Row("chain-none", lambda world: [], MISSING, "RFC 8446, 4.4.2.4"),
    Row("chain-direct", leaf_of("root"), ADMITTED, "6.1"),
    Row("chain-of-1", deep(1), ADMITTED, "6.1"),
    Row("chain-of-2", deep(2), ADMITTED, "6.1"),
    Row("chain-of-4", deep(4), ADMITTED, "6.1"),
    Row("chain-of-5", deep(5), TOO_DEEP, "README"),
    Row("chain-of-9-certificates", deep(8), TOO_DEEP, "README"),
    Row("chain-of-10-certificates", deep(9), TOO_DEEP, "README"),
    Row("chain-of-17-certificates", deep(16), TOO_DEEP, "README"),
    Row("chain-of-1-at-depth-1", deep(1), ADMITTED, "6.1", "depth1"),
    Row("chain-of-2-at-depth-1", deep(2), TOO_DEEP, "README", "depth1"),
    Row("chain-with-root", lambda world: [client(world.middle), world.middle, world.root], ADMITTED, "RFC 8446, 4.4.2"),
    Row("chain-without-middle", leaf_of("middle"), UNKNOWN_CA, "6.1"),
    Row("chain-with-gap", lambda world: [client(world.second), world.second], UNKNOWN_CA, "6.1"),
    Row("chain-in-wrong-order", lambda world: [client(world.second), world.middle, world.second], BROKEN, "README"),
    Row("chain-leaf-last", lambda world: [Made(world.middle.der, key("p256", "last"), b"", b"", b""),
                                          client(world.middle, private=key("p256", "last"))], PURPOSE, "RFC 8446, 4.4.2"),
    Row("chain-with-a-stranger", lambda world: [client(world.middle), world.middle, world.other], BROKEN, "README"),
    Row("chain-with-garbage", lambda world: [client(world.middle), world.middle, b"garbage"], MALFORMED, "4.1"),
    Row("chain-with-empty", lambda world: [client(world.middle), world.middle, b""], MALFORMED, "RFC 8446, 4.4.2",
        asked=False),
    Row("chain-with-middle-twice", lambda world: [client(world.middle), world.middle, world.middle], ADMITTED, "README"),
    Row("chain-to-anchored-middle", leaf_of("elsewhere_middle"), ADMITTED, "6.1.1 (d)"),
    Row("chain-beyond-anchored-middle", lambda world: [client(world.elsewhere_middle), world.elsewhere_middle], ADMITTED, "6.1.1 (d)"),
    Row("chain-crossed-ours", crossed(1), ADMITTED, "6.1"),
    Row("chain-crossed-theirs", crossed(0), UNKNOWN_CA, "6.1"),
    Row("chain-crossed-both", crossed(1, 0), BROKEN, "README"),
    Row("chain-ring", ring, UNKNOWN_CA, "6.1"),
    Row("chain-self-signed", lambda world: [client(None, subject=common("self"), ids=False)], SELF_SIGNED, "6.1"),
    Row("chain-self-signed-in-root's-name", lambda world: [client(None, subject=world.root.subject, ids=False)], BROKEN, "6.1"),
    Row("chain-unknown-ca", leaf_of("other"), UNKNOWN_CA, "6.1"),
    Row("chain-unknown-ca-sent", lambda world: [client(world.other), world.other], UNKNOWN_CA, "6.1"),
    Row("chain-twin-of-ca", by_twin(True), UNKNOWN_CA, "6.1.3 (a)(1)"),
    Row("chain-twin-of-ca-without-ids", by_twin(False), BROKEN, "6.1.3 (a)(1)"),
    Row("chain-twin-of-ca-sent", lambda world: [client(world.twin), world.twin], BROKEN, "6.1.3 (a)(1)"),
    Row("chain-twin-of-middle", lambda world: [client(authority("Middle", world.other)), world.middle], UNKNOWN_CA, "6.1.3 (a)(1)"),
    Row("chain-leaf-as-ca", lambda world: [client(one := client(world.root, subject=common("no CA"))), one], BROKEN, "6.1.4 (k)"),
    Row("chain-middle-expired", deep(1, start=der.in_days(-9), end=der.in_days(-1)), EXPIRED, "6.1.3 (a)(2)"),
    Row("chain-middle-not-yet-valid", deep(2, start=der.in_days(1)), NOT_YET_VALID, "6.1.3 (a)(2)"),
    Row("chain-anchor-expired", leaf_of("old"), EXPIRED, "README"),
    Row("chain-anchor-not-yet-valid", leaf_of("unborn"), NOT_YET_VALID, "README"),
    Row("chain-anchor-of-version-1", leaf_of("first_version", ids=False), ADMITTED, "6.1.1 (d)"),
    Row("chain-anchor-without-usage", leaf_of("unlimited"), ADMITTED, "6.1.1 (d)"),
    Row("chain-anchor-itself", anchor_as_client, ADMITTED, "6.1"),
    Row("pathlen-0-enough", deep(1, limits=basic(pathlen=0)), ADMITTED, "6.1.4 (l)"),
    Row("pathlen-0-exceeded", deep(2, limits=basic(pathlen=0)), BROKEN, "6.1.4 (l)"),
    Row("pathlen-1-enough", deep(2, limits=basic(pathlen=1)), ADMITTED, "6.1.4 (l)"),
    Row("pathlen-1-exceeded", deep(3, limits=basic(pathlen=1)), BROKEN, "6.1.4 (l)"),
    Row("pathlen-0-self-issued", self_issued, UNKNOWN_CA, "README"),
    Row("pathlen-of-anchor-enough", leaf_of("short"), ADMITTED, "4.2.1.9"),
    Row("pathlen-of-anchor-exceeded", lambda world: [client(one := authority("Below short", world.short)), one], BROKEN, "4.2.1.9"),

    Row("held-dns", held(permitted=[dns("good.test")], san=[dns("a.good.test"), dns("good.test")]), ADMITTED, "4.2.1.10"),
    Row("held-dns-outside", held(permitted=[dns("good.test")], san=[dns("a.bad.test")]), BROKEN, "4.2.1.10"),
    Row("held-dns-one-of-two-outside", held(permitted=[dns("good.test")], san=[dns("good.test"), dns("bad.test")]), BROKEN, "4.2.1.10"),
    Row("held-dns-longer-label", held(permitted=[dns("good.test")], san=[dns("notgood.test")]), BROKEN, "4.2.1.10"),
    Row("held-dns-wildcard-outside", held(permitted=[dns("a.good.test")], san=[dns("*.good.test")]), BROKEN, "4.2.1.10"),
    Row("held-dns-excluded", held(excluded=[dns("bad.test")], san=[dns("x.BAD.test")]), BROKEN, "4.2.1.10"),
    Row("held-dns-not-excluded", held(excluded=[dns("bad.test")], san=[dns("good.test")]), ADMITTED, "4.2.1.10"),
    Row("held-dns-permitted-but-excluded", held([dns("good.test")], [dns("x.good.test")], san=[dns("a.x.good.test")]), BROKEN, "6.1.3 (c)"),
    Row("held-dns-everything-excluded", held(excluded=[dns("")], san=[dns("a.test")]), BROKEN, "4.2.1.10"),
    Row("held-dns-two-levels-up", held(permitted=[dns("good.test")], san=[dns("a.bad.test")], level=2), BROKEN, "6.1.4 (g)"),
    Row("held-dns-three-levels-up", held(excluded=[dns("bad.test")], san=[dns("a.bad.test")], level=3), BROKEN, "6.1.4 (g)"),
    Row("held-dns-not-critical", held(permitted=[dns("good.test")], san=[dns("a.bad.test")], critical=False), BROKEN, "6.1.4 (g)"),
    Row("held-dns-of-common-name", held(permitted=[dns("good.test")], subject=common("bad.test")), BROKEN, "RFC 6125, 6.4.4"),
    Row("held-dns-of-common-name-good", held(permitted=[dns("good.test")], subject=common("a.good.test")), ADMITTED, "4.2.1.10"),
    Row("held-dns-no-such-names", held(permitted=[dns("good.test")], san=[email("a@b.test")], subject=name(attribute("O", "x"))), ADMITTED, "4.2.1.10"),
    Row("held-twice-inside-both", twice_held(dns("good.test"), dns("a.good.test"), dns("x.a.good.test")), ADMITTED, "6.1.4 (g)"),
    Row("held-twice-inside-one", twice_held(dns("good.test"), dns("bad.test"), dns("x.bad.test")), BROKEN, "6.1.4 (g)"),
    Row("held-ip", held(permitted=[NET10], san=[ip(10, 9, 8, 7)]), ADMITTED, "4.2.1.10"),
    Row("held-ip-outside", held(permitted=[NET10], san=[ip(11, 0, 0, 1)]), BROKEN, "4.2.1.10"),
    Row("held-ip-excluded", held(excluded=[NET10], san=[ip(10, 0, 0, 1)]), BROKEN, "4.2.1.10"),
    Row("held-ip-other-family", held(permitted=[NET10], san=[ip(*range(16))]), BROKEN, "4.2.1.10"),
    Row("held-ip-odd-constraint", held(permitted=[ip(10, 0, 0, 0, 255)], san=[ip(10, 0, 0, 1)]), BROKEN, "4.2.1.10"),
    Row("held-ip6", held(permitted=[ip(*[0xfd] + [0] * 15 + [0xff] + [0] * 15)], san=[ip(*[0xfd] + [1] * 15)]), ADMITTED, "4.2.1.10"),
    Row("held-email", held(permitted=[email("good.test")], san=[email("a@good.test")]), ADMITTED, "4.2.1.10"),
    Row("held-email-outside", held(permitted=[email("good.test")], san=[email("a@bad.test")]), BROKEN, "4.2.1.10"),
    Row("held-email-host-below", held(permitted=[email("good.test")], san=[email("a@x.good.test")]), BROKEN, "4.2.1.10"),
    Row("held-email-domain", held(permitted=[email(".good.test")], san=[email("a@x.good.test")]), ADMITTED, "4.2.1.10"),
    Row("held-email-mailbox", held(permitted=[email("a@good.test")], san=[email("b@good.test")]), BROKEN, "4.2.1.10"),
    Row("held-email-of-subject", held(permitted=[email("good.test")], subject=name(attribute("email", "a@bad.test", der.IA5))), BROKEN, "4.2.1.10"),
    Row("held-uri", held(permitted=[uri("good.test")], san=[uri("spiffe://good.test/a")]), ADMITTED, "4.2.1.10"),
    Row("held-uri-outside", held(permitted=[uri("good.test")], san=[uri("spiffe://bad.test/a")]), BROKEN, "4.2.1.10"),
    Row("held-uri-excluded", held(excluded=[uri(".bad.test")], san=[uri("https://x.bad.test:443/a")]), BROKEN, "4.2.1.10"),
    Row("held-uri-user-in-front", held(permitted=[uri("good.test")], san=[uri("spiffe://good.test@bad.test/")]), BROKEN, "4.2.1.10"),
    Row("held-uri-without-host", held(permitted=[uri("good.test")], san=[uri("urn:good.test")]), BROKEN, "4.2.1.10"),
    Row("held-directory", held(permitted=[directory(ORGANIZATION)], subject=common("c", organization="Good")), ADMITTED, "4.2.1.10"),
    Row("held-directory-outside", held(permitted=[directory(ORGANIZATION)], subject=common("c")), BROKEN, "4.2.1.10"),
    Row("held-directory-in-other-case", held(permitted=[directory(ORGANIZATION)], subject=common("c", organization="GOOD")), BROKEN, "README"),
    Row("held-directory-excluded", held(excluded=[directory(name(attribute("O", "TEST", der.PRINTABLE)))], subject=common("c")), BROKEN, "7.1"),
    Row("held-directory-of-names", held(permitted=[directory(ORGANIZATION)], subject=common("c", organization="Good"),
                                        san=[directory(common("c", organization="Bad"))]), BROKEN, "4.2.1.10"),
    Row("held-other-name", held(permitted=[UPN], san=[explicit(0, oid("1.3.6.1.4.1.311.20.2.3"), explicit(0, der.text("u@bad.test")))]), BROKEN, "4.2.1.10"),
    Row("held-registered-id", held(excluded=[implicit(8, b"\x2a\x03")], san=[implicit(8, b"\x2a\x03")]), BROKEN, "4.2.1.10"),
    Row("held-minimum-of-1", held_raw(sequence(explicit(0, sequence(dns("good.test"), implicit(0, b"\1")))), [dns("good.test")]), BROKEN, "4.2.1.10"),
    Row("held-by-nothing", held_raw(sequence(), [dns("a.test")]), BROKEN, "4.2.1.10"),
    Row("held-by-empty-list", held_raw(sequence(explicit(0)), [dns("a.test")]), BROKEN, "4.2.1.10"),
    Row("held-by-garbage", held_raw(b"\xff\xff", [dns("a.test")]), MALFORMED, "4.2.1.10"),
    Row("held-by-bytes-behind", held_raw(sequence(explicit(0, sequence(dns("good.test"))), der.null()), [dns("good.test")]), MALFORMED, "4.2.1.10"),

    Row("crl-good", leaf_of("root"), ADMITTED, "6.3.3"),
    Row("crl-revoked-leaf", lambda world: [world.revoked_leaf], REVOKED, "6.3.3"),
    Row("crl-revoked-below-middle", lambda world: [world.revoked_below, world.middle], REVOKED, "6.3.3"),
    Row("crl-revoked-middle", lambda world: [client(world.revoked_middle), world.revoked_middle], REVOKED, "6.3.3"),
    Row("crl-same-serial-of-another-ca", lambda world: [client(world.unlimited, serial=world.revoked_leaf.serial)], ADMITTED, "6.3.3"),
    Row("crl-required-good", leaf_of("root"), ADMITTED, "6.3.3", "crl"),
    Row("crl-required-good-chain", lambda world: [client(world.middle), world.middle], ADMITTED, "6.3.3", "crl"),
    Row("crl-required-missing", leaf_of("without_crl"), CRL_MISSING, "6.3.3", "crl"),
    Row("crl-required-missing-for-middle", deep(1), CRL_MISSING, "6.3.3", "crl"),
    Row("crl-required-expired", leaf_of("stale"), CRL_EXPIRED, "6.3.3", "crl"),
    Row("crl-expired-not-required", leaf_of("stale"), ADMITTED, "README"),
    Row("crl-of-a-ca-that-may-sign-none", lambda world: [client(world.mute), world.mute], CRL_MISSING, "6.3.3 (f)", "crl"),
    Row("crl-required-revoked", lambda world: [world.revoked_leaf], REVOKED, "6.3.3", "crl"),
]
