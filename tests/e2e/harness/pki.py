"""Certificates of every kind that a client may show, made for one run of the tests."""
import datetime
import functools
import ipaddress
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
ATTRIBUTES = {"CN": NameOID.COMMON_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "O": NameOID.ORGANIZATION_NAME,
              "C": NameOID.COUNTRY_NAME}
TOO_DEEP = 6  # intermediates


def now():
    return datetime.datetime.utcnow().replace(microsecond=0)


def days(count):
    return now() + datetime.timedelta(days=count)


@functools.lru_cache(maxsize=None)
def rsa_key(bits, number=0):
    """Slow to make, so the certificates of one size share it."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def new_key(kind):
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "ec384":
        return ec.generate_private_key(ec.SECP384R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa_key(int(kind.removeprefix("rsa")))


def distinguished_name(attributes, one_rdn=False):
    pairs = [x509.NameAttribute(ATTRIBUTES[key], value) for key, value in attributes]
    if one_rdn:
        return x509.Name([x509.RelativeDistinguishedName(pairs)])
    return x509.Name(pairs)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def extensions(builder, public_key, issuer_key, is_ca, usage, san):
    builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    builder = builder.add_extension(x509.KeyUsage(
        digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False), critical=True)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usage)), critical=False)
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(san)), critical=False)
    return builder


class Identity:
    """A certificate with its key, and the intermediates that are sent with it; the files that hold them."""

    def __init__(self, folder, name, certificate, key, intermediates=()):
        self.name, self.certificate, self.private_key, self.intermediates = name, certificate, key, list(intermediates)
        self.leaf, self.chain = folder / f"{name}.pem", folder / f"{name}.chain.pem"
        self.key, self.between = folder / f"{name}.key", folder / f"{name}.between.pem"
        self.write()

    def write(self):
        self.leaf.write_bytes(pem(self.certificate))
        self.between.write_bytes(b"".join(pem(one) for one in self.intermediates))
        self.chain.write_bytes(self.leaf.read_bytes() + self.between.read_bytes())
        self.key.write_bytes(self.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    @property
    def subject(self):
        return self.certificate.subject.rfc4514_string()

    @property
    def sha256(self):
        return self.certificate.fingerprint(hashes.SHA256()).hex()


class Pki:
    """pki["good"] is an Identity; client_ca, server_ca and crl are files."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.known = {}
        self._authorities()
        self._servers()
        self._good_clients()
        self._bad_clients()
        self.client_ca = self.root.leaf
        self.server_ca = self["server-root"].leaf
        self.crl = self.make_crl("client.crl", {
            "root": [self["revoked"], self["revoked-authority"]], "intermediate": [self["revoked-chained"]]})

    def __getitem__(self, name):
        return self.known[name]

    def issue(self, name, issuer=None, *, subject=None, key="ec", is_ca=False, usage=(CLIENT,), san=(), start=None,
              end=None, between=(), one_rdn=False, more=()):
        """Makes and keeps a certificate; without issuer it signs itself. `more`: further extensions."""
        private = new_key(key)
        signer = issuer.private_key if issuer else private
        subject = distinguished_name(subject or [("O", "Test"), ("OU", "payments"), ("CN", name)], one_rdn)
        builder = x509.CertificateBuilder().subject_name(subject)
        builder = builder.issuer_name(issuer.certificate.subject if issuer else subject)
        builder = builder.public_key(private.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(start or days(-1)).not_valid_after(end or days(90))
        builder = extensions(builder, private.public_key(), signer, is_ca, usage, san)
        for extension in more:
            builder = builder.add_extension(extension, critical=False)
        digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        return self.keep(name, builder.sign(signer, digest), private, between)

    def issue_sha1(self, name, issuer):
        """By openssl: newer versions of cryptography do not sign with SHA-1."""
        self.issue(name, issuer)
        extensions_file = self.folder / "sha1.ext"
        extensions_file.write_text("extendedKeyUsage = clientAuth\n")
        request = subprocess.run(["openssl", "req", "-new", "-sha256", "-key", self[name].key, "-subj",
                                  f"/O=Test/OU=payments/CN={name}"], check=True, capture_output=True).stdout
        signed = subprocess.run(["openssl", "x509", "-req", "-sha1", "-days", "30", "-CA", issuer.leaf, "-CAkey", issuer.key,
                                 "-set_serial", "4711", "-extfile", extensions_file], input=request, check=True,
                                capture_output=True).stdout
        return self.keep(name, x509.load_pem_x509_certificate(signed), self[name].private_key)

    def keep(self, name, certificate, key, between=()):
        self.known[name] = Identity(self.folder, name, certificate, key, [one.certificate for one in between])
        return self.known[name]

    def authority(self, name, issuer=None, **keys):
        return self.issue(name, issuer, is_ca=True, usage=(), subject=[("O", "Test"), ("CN", f"Test {name}")], **keys)

    def _authorities(self):
        self.root = self.authority("root", end=days(365))
        self.intermediate = self.authority("intermediate", self.root)
        self.authority("second", self.intermediate)
        self.authority("other-root")
        self.authority("other-intermediate", self["other-root"])
        self.authority("server-root")
        self.authority("expired-authority", self.root, start=days(-20), end=days(-10))
        self.authority("revoked-authority", self.root)
        self.authority("rsa-root", key="rsa2048")
        above = self.root
        for number in range(TOO_DEEP):
            above = self.authority(f"deep{number}", above)

    def _servers(self):
        names = [x509.DNSName("localhost"), x509.DNSName("*.test"),
                 x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        for kind, key in (("ecdsa", "ec"), ("rsa", "rsa2048"), ("ecdsa-new", "ec")):
            self.issue(f"server-{kind}", self["server-root"], key=key, usage=(SERVER,), san=names,
                       subject=[("CN", f"server-{kind}")])

    def _good_clients(self):
        self.issue("good", self.root, san=[
            x509.UniformResourceIdentifier("spiffe://lb.test/payments/good"), x509.DNSName("good.test"),
            x509.RFC822Name("good@lb.test")])
        for unit in ("treasury", "marketing"):
            self.issue(unit, self.root, subject=[("O", "Test"), ("OU", unit), ("CN", unit)], san=[
                x509.UniformResourceIdentifier(f"spiffe://lb.test/{unit}/x")])
        self.issue("good-rsa", self.root, key="rsa2048")
        self.issue("good-p384", self.root, key="ec384")
        self.issue("good-chained", self.intermediate, between=[self.intermediate])
        self.issue("good-two-between", self["second"], between=[self["second"], self.intermediate])
        self.issue("good-any-purpose", self.root, usage=())
        self.issue("good-odd-name", self.root, subject=[
            ("O", 'Quote " and \\ slash'), ("OU", "a, b = c + d; <e>"), ("CN", "Zoë #1 ☃")])
        self.issue("good-long-name", self.root, subject=[("OU", '"☃\\' * 20)] * 30 + [("CN", "long")])

    def _bad_clients(self):
        root, between = self.root, self.intermediate
        self.issue("self-signed")
        self.issue("wrong-ca", self["other-root"])
        self.issue("wrong-ca-chained", self["other-intermediate"], between=[self["other-intermediate"]])
        self.issue("expired", root, start=days(-10), end=days(-1))
        self.issue("not-yet-valid", root, start=days(1))
        self.issue("revoked", root)
        self.issue("revoked-chained", between, between=[between])
        self.issue("server-only", root, usage=(SERVER,))
        self.issue("missing-intermediate", between)
        self.issue("unlinked", between, between=[self["other-intermediate"]])
        self.issue("below-expired", self["expired-authority"], between=[self["expired-authority"]])
        self.issue("below-revoked", self["revoked-authority"], between=[self["revoked-authority"]])
        self.issue("too-deep", self[f"deep{TOO_DEEP - 1}"],
                   between=[self[f"deep{number}"] for number in reversed(range(TOO_DEEP))])
        self.issue("leaf-as-authority", self["good"], between=[self["good"]])
        self.issue("multi-valued", root, subject=[("CN", "multi"), ("OU", "payments")], one_rdn=True)
        impostor = self.issue("impostor", root, is_ca=True, usage=(), subject=[("O", "Test"), ("CN", "Test intermediate")])
        self.issue("below-impostor", between, between=[impostor])
        self.issue("weak-rsa", root, key="rsa1024")
        self.issue_sha1("weak-sha1", root)
        self.issue("newline-in-name", root, subject=[("OU", "payments"), ("CN", 'x\n{"level":"error"}')])
        self.issue("nul-in-name", root, subject=[("OU", "payments"), ("CN", "good\0.evil.test")])
        self._forged("bad-signature", self.issue("bad-signature", root))

    def _forged(self, name, identity):
        """The same certificate with the last byte of its signature changed."""
        der = bytearray(identity.certificate.public_bytes(serialization.Encoding.DER))
        der[-1] ^= 1
        self.keep(name, x509.load_der_x509_certificate(bytes(der)), identity.private_key)

    def make_crl(self, file_name, revoked, end=None, start=None):
        """One file with a CRL of each authority: {authority: [revoked identities]}."""
        text = b""
        for name, identities in revoked.items():
            issuer = self[name]
            builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
            builder = builder.last_update(start or days(-1)).next_update(end or days(30))
            builder = builder.add_extension(x509.CRLNumber(1), critical=False)
            builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                issuer.private_key.public_key()), critical=False)
            for identity in identities:
                builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(
                    identity.certificate.serial_number).revocation_date(days(-1)).build())
            text += builder.sign(issuer.private_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        path = self.folder / file_name
        path.write_bytes(text)
        return path
