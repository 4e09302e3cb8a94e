"""Keys and signatures: kinds, sizes, algorithms (RFC 3279, 4055, 5480, 5758, 8017, 8410)."""
import hashlib

from certificate_table.world import ADMITTED, BROKEN, MALFORMED, WEAK, Row
from harness import der
from harness.der import bits, integer, oid, sequence
from harness.handmade import (HASH_OIDS, PSS_KEY, SIGNATURES, authority, client, identifier, key, prove,
                              prove_with_exponent_one, spki, spki_of)

RSA, EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
P256, P521 = "1.2.840.10045.3.1.7", "1.3.132.0.35"


def leaf(kind, issuer="root", **changes):
    """A client's certificate with a key of this kind."""
    def build(world):
        above = world.roots.get(issuer) or getattr(world, issuer)
        return [client(above, private=key(kind), **changes)]
    return build


def with_public(make, kind="p256", **changes):
    """make(SubjectPublicKeyInfo of the key) -> what stands in its place."""
    def build(world):
        private = key(kind)
        return [client(world.root, private=private, public=make(private), **changes)]
    return build


def rsa_public(modulus, exponent):
    return spki_of(oid(RSA) + der.null(), sequence(integer(modulus), integer(exponent)))


def rsa_with(change_modulus=lambda n: n, exponent=65537):
    def make(private):
        return rsa_public(change_modulus(private.public_key().public_numbers().n), exponent)
    return make


def point(change, curve=P256, algorithm=EC):
    def make(private):
        return spki_of(oid(algorithm) + oid(curve), change(private.public_key().public_numbers()))
    return make


def coordinates(numbers):
    return numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")


def explicit_curve(private):
    """The domain parameters of P-256 written out, which RFC 5480, section 2.1.1 forbids."""
    field = 2**256 - 2**224 + 2**192 + 2**96 - 1
    generator = bytes.fromhex("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c"
                              "0f9e162bce33576b315ececbb6406837bf51f5")
    coefficient = bytes.fromhex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")
    order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
    x, y = coordinates(private.public_key().public_numbers())
    return spki_of(oid(EC) + sequence(
        integer(1), sequence(oid("1.2.840.10045.1.1"), integer(field)),
        sequence(der.octets((field - 3).to_bytes(32, "big")), der.octets(coefficient)), der.octets(generator),
        integer(order), integer(1)), b"\4" + x + y)


def pss_key(private):
    numbers = private.public_key().public_numbers()
    return spki_of(oid(PSS_KEY), sequence(integer(numbers.n), integer(numbers.e)))


def prove_pss(private):
    return prove(private, pss_key=True)


def forged_with_cube_root(world):
    """Exponent 3: a number whose cube begins like a padded hash (RFC 8017, section 8.2.2 demands that nothing follows)."""
    size = world.small_exponent.key.key_size // 8

    def change(_):
        made = client(world.small_exponent, private=key("p256"), serial=77, ids=False, start=start, end=end)
        body = made.der[4:]
        tbs = body[:4 + int.from_bytes(body[2:4], "big")]
        digest = sequence(sequence(oid(HASH_OIDS["sha256"]), der.null()), der.octets(hashlib.sha256(tbs).digest()))
        wanted = int.from_bytes((b"\0\1" + b"\xff" * 8 + b"\0" + digest).ljust(size, b"\xff"), "big")
        return cube_root(wanted).to_bytes(size, "big")
    start, end = der.in_days(-1), der.in_days(30)
    return [client(world.small_exponent, private=key("p256"), serial=77, ids=False, start=start, end=end, change=change)]


def cube_root(number):
    """The largest whose cube is not above it."""
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle - 1)
    return low


def below(algorithm="ecdsa-sha256", **changes):
    """A good leaf below an intermediate that was made with changes."""
    def build(world):
        middle = authority("Odd middle", world.roots.get(changes.pop("above", None)) or world.root, algorithm=algorithm,
                           **changes)
        return [client(middle), middle]
    return build


def signature_with_unused_bits(world):
    """The last bits are zeros, so that nothing else is wrong about them."""
    while True:
        made = client(world.root, wrap=lambda tbs, algorithm, signature: sequence(tbs, algorithm, bits(signature[3:], 3)))
        if made.der[-1] & 7 == 0:
            return [made]


def key_with_unused_bits(world):
    number = next(number for number in range(1000) if key("p256", number).public_key().public_numbers().y & 7 == 0)
    private = key("p256", number)
    x, y = coordinates(private.public_key().public_numbers())
    return [client(world.root, private=private, public=sequence(sequence(oid(EC), oid(P256)), bits(b"\4" + x + y, 3)))]


def flipped(signature):
    return signature[:-1] + bytes([signature[-1] ^ 1])


def zeros(_):
    return sequence(integer(0), integer(0))


def plain_digest(dotted):
    return sequence(oid(dotted), der.null())


MD2, GOST = "1.2.840.113549.1.1.2", "1.2.643.7.1.1.3.2"

ROWS = [
    Row("key-p256", leaf("p256"), ADMITTED, "RFC 5480, 2.1"),
    Row("key-p384", leaf("p384"), ADMITTED, "RFC 5480, 2.1"),
    Row("key-p521", leaf("p521"), ADMITTED, "RFC 5480, 2.1"),
    Row("key-rsa2048", leaf("rsa2048"), ADMITTED, "RFC 3279, 2.3.1"),
    Row("key-rsa3072", leaf("rsa3072"), ADMITTED, "RFC 3279, 2.3.1"),
    Row("key-rsa4096", leaf("rsa4096"), ADMITTED, "RFC 3279, 2.3.1"),
    Row("key-rsa2048-exponent-3", leaf("rsa2048e3"), ADMITTED, "RFC 8017, 3.1"),
    Row("key-ed25519", leaf("ed25519"), ADMITTED, "RFC 8410, 3"),
    Row("key-rsa-pss", with_public(pss_key, "rsa2048"), ADMITTED, "RFC 4055, 1.2", proof=prove_pss, versions=("TLSv1.3",)),
    Row("key-rsa-pss-in-1.2", with_public(pss_key, "rsa2048"), "tls-cipher", "README", proof=prove_pss, versions=("TLSv1.2",),
        asked=False),
    Row("key-rsa1024", leaf("rsa1024"), WEAK, "README"),
    Row("key-rsa-modulus-even", with_public(rsa_with(lambda n: n - 1), "rsa2048"), WEAK, "RFC 8017, 3.1"),
    Row("key-rsa-exponent-1", with_public(rsa_with(exponent=1), "rsa2048"), WEAK, "RFC 8017, 3.1",
        proof=prove_with_exponent_one),
    Row("key-rsa-exponent-even", with_public(rsa_with(exponent=65536), "rsa2048"), WEAK, "RFC 8017, 3.1"),
    Row("key-rsa-modulus-negative", with_public(rsa_with(lambda n: n - (1 << 2048)), "rsa2048"), WEAK, "RFC 3279, 2.3.1"),
    Row("key-rsa-bytes-behind", with_public(lambda one: spki_of(oid(RSA) + der.null(), sequence(
        integer(one.public_key().public_numbers().n), integer(65537)) + b"\5\0"), "rsa2048"), MALFORMED, "RFC 3279, 2.3.1"),
    Row("key-rsa-no-parameters", with_public(lambda one: spki_of(oid(RSA), sequence(
        integer(one.public_key().public_numbers().n), integer(65537))), "rsa2048"), WEAK, "RFC 3279, 2.3.1"),
    Row("key-p192", leaf("p192"), WEAK, "README"),
    Row("key-p224", leaf("p224"), WEAK, "README"),
    Row("key-secp256k1", leaf("k256"), MALFORMED, "README"),
    Row("key-brainpool-p256", leaf("brainpool256"), MALFORMED, "README"),
    Row("key-dsa", leaf("dsa"), MALFORMED, "README"),
    Row("key-ed448", leaf("ed448"), MALFORMED, "README"),
    Row("key-x25519", with_public(lambda one: spki_of(oid("1.3.101.110"), bytes(32))), MALFORMED, "RFC 8410, 3"),
    Row("key-unknown-algorithm", with_public(lambda one: spki_of(oid("1.3.6.1.4.1.99999.9"), bytes(32))), MALFORMED, "6.1.4"),
    Row("key-unknown-curve", with_public(point(lambda n: b"\4" + b"".join(coordinates(n)), "1.3.6.1.4.1.99999.9")),
        WEAK, "RFC 5480, 2.1.1"),
    Row("key-of-another-curve", with_public(point(lambda n: b"\4" + b"".join(coordinates(n)), P521)), MALFORMED, "RFC 5480, 2.2"),
    Row("key-explicit-curve", with_public(explicit_curve), MALFORMED, "RFC 5480, 2.1.1"),
    Row("key-point-not-on-curve", with_public(point(lambda n: b"\4" + coordinates(n)[0] + bytes(32))), MALFORMED, "RFC 5480, 2.2"),
    Row("key-point-at-infinity", with_public(point(lambda n: b"\0")), MALFORMED, "RFC 5480, 2.2"),
    Row("key-point-compressed", with_public(point(lambda n: bytes([2 + (n.y & 1)]) + coordinates(n)[0])), MALFORMED, "README"),
    Row("key-unused-bits", key_with_unused_bits, WEAK, "RFC 5480, 2.2"),
    Row("key-empty", with_public(lambda one: spki_of(oid(EC) + oid(P256), b"")), MALFORMED, "RFC 5480, 2.2"),

    Row("signed-rsa-sha256", leaf("p256", "rsa2048"), ADMITTED, "RFC 4055, 5"),
    Row("signed-rsa-sha384", leaf("p256", "rsa2048", algorithm="rsa-sha384"), ADMITTED, "RFC 4055, 5"),
    Row("signed-rsa-sha512", leaf("p256", "rsa2048", algorithm="rsa-sha512"), ADMITTED, "RFC 4055, 5"),
    Row("signed-rsa-sha224", leaf("p256", "rsa2048", algorithm="rsa-sha224"), ADMITTED, "RFC 4055, 5"),
    Row("signed-by-rsa3072", leaf("p256", "rsa3072"), ADMITTED, "RFC 4055, 5"),
    Row("signed-by-rsa4096", leaf("p256", "rsa4096"), ADMITTED, "RFC 4055, 5"),
    Row("signed-by-exponent-3", leaf("p256", "small_exponent"), ADMITTED, "RFC 8017, 3.1"),
    Row("signed-pss-sha256", leaf("p256", "rsa2048", algorithm="pss-sha256"), ADMITTED, "RFC 4055, 3"),
    Row("signed-pss-sha384", leaf("p256", "rsa2048", algorithm="pss-sha384"), ADMITTED, "RFC 4055, 3"),
    Row("signed-pss-sha512", leaf("p256", "rsa2048", algorithm="pss-sha512"), ADMITTED, "RFC 4055, 3"),
    Row("signed-ecdsa-sha384", leaf("rsa2048", "p384"), ADMITTED, "RFC 5758, 3.2"),
    Row("signed-ecdsa-sha512", leaf("p256", "p521"), ADMITTED, "RFC 5758, 3.2"),
    Row("signed-ecdsa-sha512-by-p256", leaf("p256", algorithm="ecdsa-sha512"), ADMITTED, "RFC 5758, 3.2"),
    Row("signed-ecdsa-sha224", leaf("p256", algorithm="ecdsa-sha224"), ADMITTED, "RFC 5758, 3.2"),
    Row("signed-ed25519", leaf("p256", "ed25519"), ADMITTED, "RFC 8410, 3"),
    Row("signed-rsa-md5", leaf("p256", "rsa2048", algorithm="rsa-md5"), WEAK, "README"),
    Row("signed-rsa-sha1", leaf("p256", "rsa2048", algorithm="rsa-sha1"), WEAK, "README"),
    Row("signed-ecdsa-sha1", leaf("p256", algorithm="ecdsa-sha1"), WEAK, "README"),
    Row("signed-pss-sha1", leaf("p256", "rsa2048", algorithm="pss-sha1"), MALFORMED, "README"),
    Row("signed-rsa-md2", leaf("p256", "rsa2048", outer=plain_digest(MD2), inner=plain_digest(MD2)), WEAK, "README"),
    Row("signed-gost", leaf("p256", outer=sequence(oid(GOST)), inner=sequence(oid(GOST))), MALFORMED, "6.1.3 (a)(1)"),
    Row("signed-by-one-algorithm-said-another", leaf("p256", "rsa2048", outer=identifier("rsa-sha384")), MALFORMED, "4.1.1.2"),
    Row("signed-algorithm-of-another-key", leaf("p256", inner=identifier("rsa-sha256")), MALFORMED, "6.1.3 (a)(1)"),
    Row("signed-hash-of-another-name", leaf("p256", inner=identifier("ecdsa-sha384")), BROKEN, "6.1.3 (a)(1)"),
    Row("signed-rsa-no-parameters", leaf("p256", "rsa2048", inner=sequence(oid(SIGNATURES["rsa-sha256"]))), ADMITTED,
        "RFC 4055, 5"),
    Row("signed-ecdsa-with-null", leaf("p256", inner=sequence(oid(SIGNATURES["ecdsa-sha256"]), der.null())), MALFORMED,
        "RFC 5758, 3.2"),
    Row("signature-flipped", leaf("p256", change=flipped), BROKEN, "6.1.3 (a)(1)"),
    Row("signature-flipped-rsa", leaf("p256", "rsa2048", change=flipped), BROKEN, "6.1.3 (a)(1)"),
    Row("signature-flipped-pss", leaf("p256", "rsa2048", algorithm="pss-sha256", change=flipped), BROKEN, "6.1.3 (a)(1)"),
    Row("signature-flipped-ed25519", leaf("p256", "ed25519", change=flipped), BROKEN, "6.1.3 (a)(1)"),
    Row("signature-of-zeros", leaf("p256", change=zeros), BROKEN, "6.1.3 (a)(1)"),
    Row("signature-rsa-of-zeros", leaf("p256", "rsa2048", change=lambda s: bytes(len(s))), BROKEN, "6.1.3 (a)(1)"),
    Row("signature-ed25519-of-zeros", leaf("p256", "ed25519", change=lambda s: bytes(len(s))), BROKEN, "6.1.3 (a)(1)"),
    Row("signature-cut", leaf("p256", change=lambda s: s[:-8]), BROKEN, "6.1.3 (a)(1)"),
    Row("signature-longer", leaf("p256", "rsa2048", change=lambda s: s + b"\0"), BROKEN, "6.1.3 (a)(1)"),
    Row("signature-empty", leaf("p256", change=lambda s: b""), MALFORMED, "6.1.3 (a)(1)"),
    Row("signature-unused-bits", signature_with_unused_bits, MALFORMED, "4.1.1.3"),
    Row("signature-forged-exponent-3", forged_with_cube_root, BROKEN, "RFC 8017, 8.2.2"),
    Row("signature-by-own-key", lambda world: [client(world.root, private=key("p256"), signer=key("p256"))], BROKEN, "6.1.3 (a)(1)"),
    Row("middle-signed-sha1", below("rsa-sha1", above="rsa2048"), WEAK, "README"),
    Row("middle-signed-md5", below("rsa-md5", above="rsa2048"), WEAK, "README"),
    Row("middle-rsa1024", lambda world: [client(one := authority("Small", world.root, private=key("rsa1024"))), one], WEAK, "README"),
    Row("middle-p384", lambda world: [client(one := authority("P-384", world.root, private=key("p384"))), one], ADMITTED, "6.1.3 (a)(1)"),
    Row("middle-signature-flipped", below(change=flipped), BROKEN, "6.1.3 (a)(1)"),
]
