"""Certificates and CRLs (RFC 5280) put together from DER, so that each part of them can be wrong."""
import base64
import functools
import hashlib
import itertools
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness import der
from harness.der import bits, boolean, explicit, implicit, integer, octets, oid, sequence, set_of, tlv
from harness.pki import rsa_key

CURVES = {"p192": ec.SECP192R1, "p224": ec.SECP224R1, "p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1,
          "k256": ec.SECP256K1, "brainpool256": ec.BrainpoolP256R1}
HASHES = {"sha1": hashes.SHA1, "sha224": hashes.SHA224, "sha256": hashes.SHA256, "sha384": hashes.SHA384,
          "sha512": hashes.SHA512, "md5": hashes.MD5}
HASH_OIDS = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2",
             "sha512": "2.16.840.1.101.3.4.2.3"}
PSS_KEY = "1.2.840.113549.1.1.10"
SIGNATURES = {  # RFC 3279, 4055, 5758, 8410
    "rsa-md5": "1.2.840.113549.1.1.4", "rsa-sha1": "1.2.840.113549.1.1.5", "rsa-sha224": "1.2.840.113549.1.1.14",
    "rsa-sha256": "1.2.840.113549.1.1.11", "rsa-sha384": "1.2.840.113549.1.1.12",
    "rsa-sha512": "1.2.840.113549.1.1.13", "ecdsa-sha1": "1.2.840.10045.4.1", "ecdsa-sha224": "1.2.840.10045.4.3.1",
    "ecdsa-sha256": "1.2.840.10045.4.3.2", "ecdsa-sha384": "1.2.840.10045.4.3.3", "ecdsa-sha512": "1.2.840.10045.4.3.4",
    "dsa-sha256": "2.16.840.1.101.3.4.3.2", "ed25519": "1.3.101.112", "ed448": "1.3.101.113"}
TYPES = {"CN": "2.5.4.3", "C": "2.5.4.6", "L": "2.5.4.7", "O": "2.5.4.10", "OU": "2.5.4.11",
         "email": "1.2.840.113549.1.9.1", "DC": "0.9.2342.19200300.100.1.25", "UID": "0.9.2342.19200300.100.1.1",
         "serialNumber": "2.5.4.5"}

# --- keys and signatures ---------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def key(kind, number=0):
    """A private key; the same one for the same arguments."""
    if kind.startswith("rsa"):
        size, _, exponent = kind.removeprefix("rsa").partition("e")
        return rsa.generate_private_key(int(exponent), int(size)) if exponent else rsa_key(int(size), number)
    if kind == "dsa":
        return dsa.generate_private_key(2048)
    if kind in ("ed25519", "ed448"):
        return (ed25519.Ed25519PrivateKey if kind == "ed25519" else ed448.Ed448PrivateKey).generate()
    return ec.generate_private_key(CURVES[kind]())


def spki(private):
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_of(algorithm, public):
    return sequence(sequence(algorithm), bits(public))


def key_id(public_info):
    return hashlib.sha1(public_info).digest()


def pss_identifier(digest, salt):
    """RFC 4055, section 3.1."""
    named = sequence(oid(HASH_OIDS[digest]), der.null())
    return sequence(oid(PSS_KEY), sequence(
        explicit(0, named), explicit(1, sequence(oid("1.2.840.113549.1.1.8"), named)), explicit(2, integer(salt))))


def identifier(algorithm):
    """AlgorithmIdentifier; "pss-sha256" and the names of SIGNATURES."""
    if algorithm.startswith("pss-"):
        digest = algorithm.removeprefix("pss-")
        return pss_identifier(digest, HASHES[digest].digest_size)
    return sequence(oid(SIGNATURES[algorithm]), der.null() if algorithm.startswith("rsa") else b"")


def default_algorithm(private):
    if isinstance(private, rsa.RSAPrivateKey):
        return "rsa-sha256"
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return {384: "ecdsa-sha384", 521: "ecdsa-sha512"}.get(private.curve.key_size, "ecdsa-sha256")
    if isinstance(private, dsa.DSAPrivateKey):
        return "dsa-sha256"
    return "ed25519" if isinstance(private, ed25519.Ed25519PrivateKey) else "ed448"


def sign(private, algorithm, data):
    kind, _, digest = algorithm.partition("-")
    if kind == "rsa":
        return private.sign(data, padding.PKCS1v15(), HASHES[digest]())
    if kind == "pss":
        chosen = HASHES[digest]()
        return private.sign(data, padding.PSS(padding.MGF1(chosen), chosen.digest_size), chosen)
    if kind == "ecdsa":
        return private.sign(data, ec.ECDSA(HASHES[digest]()))
    return private.sign(data, HASHES[digest]()) if kind == "dsa" else private.sign(data)


def prove(private, pss_key=False):
    """What RawClient wants to prove this key: as the key's type allows in the version (RFC 5246, 8446 and 8422)."""
    def make(version, data):
        if isinstance(private, rsa.RSAPrivateKey):
            if version == 0x0304 or pss_key:
                return (0x0809 if pss_key else 0x0804), sign(private, "pss-sha256", data)
            return 0x0401, sign(private, "rsa-sha256", data)
        if isinstance(private, ec.EllipticCurvePrivateKey):
            scheme = {384: 0x0503, 521: 0x0603}.get(private.curve.key_size, 0x0403)
            return scheme, sign(private, default_algorithm(private), data)
        if isinstance(private, dsa.DSAPrivateKey):
            return 0x0402, sign(private, "dsa-sha256", data)
        return (0x0807 if isinstance(private, ed25519.Ed25519PrivateKey) else 0x0808), private.sign(data)
    return make


def prove_with_exponent_one(private):
    """Anybody can: the padded hash is its own signature."""
    def make(version, data):
        if version == 0x0304:
            return 0x0804, bytes(private.key_size // 8)
        digest = sequence(sequence(oid(HASH_OIDS["sha256"]), der.null()), octets(hashlib.sha256(data).digest()))
        room = private.key_size // 8 - len(digest) - 3
        return 0x0401, b"\0\1" + b"\xff" * room + b"\0" + digest
    return make


# --- names -------------------------------------------------------------------------------------------------------------

def attribute(kind, value, tag=der.UTF8):
    """kind: of TYPES, or a dotted OID; value: text, or bytes as they are to be."""
    return sequence(oid(TYPES.get(kind, kind)), der.text(value, tag))


def name(*attributes):
    """A Name of one attribute an RDN."""
    return sequence(*(set_of(one) for one in attributes))


def common(cn, tag=der.UTF8, organization="Test"):
    return name(attribute("O", organization), attribute("CN", cn, tag))


def dns(value):
    return implicit(2, value if isinstance(value, bytes) else value.encode())


def email(value):
    return implicit(1, value if isinstance(value, bytes) else value.encode())


def uri(value):
    return implicit(6, value if isinstance(value, bytes) else value.encode())


def ip(*numbers):
    return implicit(7, bytes(numbers))


def directory(whole_name):
    return explicit(4, whole_name)


# --- extensions ----------------------------------------------------------------------------------------------------------

def extension(dotted, value, critical=False, true=0xFF):
    return sequence(oid(dotted), boolean(True, true) if critical else b"", octets(value))


def basic(is_ca=True, pathlen=None, critical=True, true=0xFF):
    return extension("2.5.29.19", sequence(boolean(True, true) if is_ca else b"",
                                           integer(pathlen) if pathlen is not None else b""), critical)


SIGN, ENCIPHER, AGREE, CERT_SIGN, CRL_SIGN = 0, 2, 4, 5, 6


def usage(*flags, critical=True):
    return extension("2.5.29.15", der.named_bits(*flags), critical)


CLIENT, SERVER, CODE, ANY = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.3", "2.5.29.37.0"


def purpose(*purposes, critical=False):
    return extension("2.5.29.37", sequence(*map(oid, purposes)), critical)


def names(*general, critical=False):
    return extension("2.5.29.17", sequence(*general), critical)


def subject_key(value):
    return extension("2.5.29.14", octets(value))


def authority_key(value):
    return extension("2.5.29.35", sequence(implicit(0, value)))


def constraints(permitted=(), excluded=(), critical=True):
    def subtrees(number, bases):
        return explicit(number, *(sequence(base) for base in bases)) if bases else b""
    return extension("2.5.29.30", sequence(subtrees(0, permitted), subtrees(1, excluded)), critical)


def policies(*dotted, critical=False):
    return extension("2.5.29.32", sequence(*(sequence(oid(one)) for one in dotted)), critical)


def policy_limits(explicit_policy=None, mapping=None, critical=True):
    return extension("2.5.29.36", sequence(*(
        implicit(number, integer(value)[2:]) for number, value in ((0, explicit_policy), (1, mapping))
        if value is not None)), critical)


def unknown(critical=False, arc=1):
    return extension(f"1.3.6.1.4.1.99999.{arc}", der.null(), critical)


# --- certificates ----------------------------------------------------------------------------------------------------------

SERIALS = itertools.count(0x1000)


@dataclass
class Made:
    """One certificate and its key. `public` is its SubjectPublicKeyInfo."""
    der: bytes
    key: object
    subject: bytes
    public: bytes
    serial: bytes


def issue(issuer=None, *, subject=None, private=None, public=None, signer=None, algorithm=None, named=None, serial=None,
          start=None, end=None, extensions=(), version=2, inner=None, outer=None, tail=b"", change=None, wrap=None):
    """A certificate of `issuer` (None: its own). extensions: DER of each, None in the place of a field: leave it out.

    private, public: its key, if its SubjectPublicKeyInfo is not what the key says; signer: key that signs in place of the
    issuer's; named: issuer's name in place of the issuer's; serial: number or DER; start, end: datetime or DER; version:
    the number in it, or None, or DER; inner, outer: AlgorithmIdentifiers; tail: what follows the extensions in
    TBSCertificate; change(signature) -> signature; wrap(tbs, algorithm, signature) -> the whole."""
    private = private or key("p256", next(SERIALS))
    public = public or spki(private)
    subject = common("client") if subject is None else subject
    signer = signer or (issuer.key if issuer else private)
    algorithm = algorithm or default_algorithm(signer)
    serial = next(SERIALS) if serial is None else serial
    serial = serial if isinstance(serial, bytes) else integer(serial)
    shown = b"" if version is None else version if isinstance(version, bytes) else explicit(0, integer(version))
    tbs = sequence(
        shown, serial, inner or identifier(algorithm), named or (issuer.subject if issuer else subject),
        sequence(der.time(start or der.in_days(-1)), der.time(end or der.in_days(90))), subject, public,
        explicit(3, sequence(*extensions)) if extensions else b"", tail)
    signature = sign(signer, algorithm, tbs)
    signature = change(signature) if change else signature
    parts = tbs, outer or inner or identifier(algorithm), bits(signature)
    return Made(wrap(*parts) if wrap else sequence(*parts), private, subject, public, serial)


def key_ids(public, issuer=None):
    return [subject_key(key_id(public))] + ([authority_key(key_id(issuer.public))] if issuer else [])


def authority(cn, issuer=None, *, private=None, more=(), flags=(CERT_SIGN, CRL_SIGN), constraint=None, limits=True, ids=True,
              **changes):
    """A CA. limits: basicConstraints' DER in place of the usual one, None or False: without."""
    private = private or key("p256", next(SERIALS))
    public = changes.pop("public", None) or spki(private)
    first = basic() if limits is True else limits
    extensions = [one for one in (first, usage(*flags) if flags else None, constraint) if one]
    extensions += key_ids(public, issuer) if ids else []
    return issue(issuer, private=private, public=public, subject=changes.pop("subject", None) or common(cn),
                 extensions=changes.pop("extensions", extensions + list(more)), end=changes.pop("end", der.in_days(365)),
                 **changes)


def client(issuer, *, private=None, more=(), flags=(SIGN,), purposes=(CLIENT,), ids=True, **changes):
    """A client's certificate as it should be, but for `changes`; `more` extensions come last."""
    private = private or key("p256", next(SERIALS))
    public = changes.pop("public", None) or spki(private)
    extensions = [one for one in (usage(*flags) if flags is not None else None,
                                  purpose(*purposes) if purposes is not None else None) if one]
    extensions += key_ids(public, issuer) if ids else []
    return issue(issuer, private=private, public=public, extensions=changes.pop("extensions", extensions + list(more)),
                 **changes)


def revocation_list(issuer, revoked=(), *, start=None, end=None, signer=None, algorithm=None, number=1):
    """A CRL (RFC 5280, section 5) with the serials of `revoked`."""
    signer = signer or issuer.key
    algorithm = algorithm or default_algorithm(signer)
    entries = [sequence(one.serial, der.time(der.in_days(-2))) for one in revoked]
    tbs = sequence(
        integer(1), identifier(algorithm), issuer.subject, der.time(start or der.in_days(-1)),
        der.time(end or der.in_days(30)), sequence(*entries) if entries else b"",
        explicit(0, sequence(authority_key(key_id(issuer.public)), extension("2.5.29.20", integer(number)))))
    return sequence(tbs, identifier(algorithm), bits(sign(signer, algorithm, tbs)))


def pem(whole, label="CERTIFICATE"):
    return f"-----BEGIN {label}-----\n{base64.encodebytes(whole).decode()}-----END {label}-----\n"
