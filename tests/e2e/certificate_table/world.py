"""The CAs that the rows are issued by, and what the listeners trust."""
from dataclasses import dataclass
from functools import cached_property
from typing import Callable, Optional

from harness import der
from harness.handmade import CERT_SIGN, authority, basic, client, key, prove, revocation_list

ADMITTED = None
MALFORMED, BROKEN, WEAK, PURPOSE = \
    "certificate-malformed", "certificate-chain-broken", "certificate-weak", "certificate-purpose"
UNKNOWN_CA, SELF_SIGNED, TOO_DEEP = "certificate-unknown-ca", "certificate-self-signed", "certificate-too-deep"
EXPIRED, NOT_YET_VALID, REVOKED, MISSING = \
    "certificate-expired", "certificate-not-yet-valid", "certificate-revoked", "certificate-missing"
CRL_EXPIRED, CRL_MISSING = "crl-expired", "crl-missing"


@dataclass
class Row:
    """One certificate chain and its verdict: ADMITTED, or the reason that the log shows. rule: a section of RFC 5280 or of
    another RFC, or "README" for what lb refuses although the RFC does not. build(world) gives what the client sends, leaf
    first; its key is proven by `proof`. asked: whether `lb authorize` can be asked, too: not if a certificate has no bytes
    for a PEM file, or if the key's proof is what fails."""
    name: str
    build: Callable
    verdict: Optional[str]
    rule: str
    listener: str = "main"
    proof: Callable = prove
    versions: tuple = ("TLSv1.2", "TLSv1.3")
    asked: bool = True

    @property
    def admitted(self):
        return self.verdict is ADMITTED

    def chain(self, world):
        return [one if isinstance(one, bytes) else one.der for one in self._made(world)]

    def sign(self, world):
        made = self._made(world)
        return self.proof(made[0].key if made else None)

    def _made(self, world):
        if self.name not in world.built:
            world.built[self.name] = self.build(world)
        return world.built[self.name]


class World:
    """CAs by name. Those of `anchors` are in client-ca."""

    def __init__(self):
        self.built = {}
        self.root, self.other = authority("Root"), authority("Other root")
        self.middle = authority("Middle", self.root)
        self.second = authority("Second", self.middle)
        self.revoked_middle = authority("Revoked middle", self.root)
        self.revoked_leaf, self.revoked_below = client(self.root), client(self.middle)
        self.without_crl = authority("Without CRL")
        self.stale = authority("Stale CRL")
        self.mute = authority("Mute middle", self.root, flags=(CERT_SIGN,))
        self.elsewhere = authority("Elsewhere")
        self.elsewhere_middle = authority("Anchored middle", self.elsewhere)
        self.twin = authority("Root", private=key("p256", "twin"))
        self.old = authority("Old root", start=der.in_days(-400), end=der.in_days(-1))
        self.unborn = authority("Unborn root", start=der.in_days(1))
        self.first_version = authority("Version 1 root", extensions=(), version=None)
        self.short = authority("Short root", limits=basic(pathlen=0))
        self.small_exponent = authority("Root with exponent 3", private=key("rsa2048e3"))
        self.unlimited = authority("Root for any use", flags=None)

    @cached_property
    def roots(self):
        return {kind: authority(f"Root {kind}", private=key(kind, "root"))
                for kind in ("rsa2048", "rsa3072", "rsa4096", "p384", "p521", "ed25519")}

    @property
    def anchors(self):
        return [self.root, self.without_crl, self.stale, self.elsewhere_middle, self.old, self.unborn, self.first_version,
                self.short, self.small_exponent, self.unlimited, *self.roots.values()]

    @property
    def crls(self):
        return [revocation_list(self.root, [self.revoked_leaf, self.revoked_middle]),
                revocation_list(self.middle, [self.revoked_below]),
                revocation_list(self.stale, [], start=der.in_days(-20), end=der.in_days(-1)),
                revocation_list(self.mute)]
