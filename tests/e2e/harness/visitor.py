"""A TLS client that comes back with the session that it was given."""
import ssl

from harness import client
from harness.client import V12, V13, refusal

KINDS = {"ticket-1.3": (V13, 0), "ticket-1.2": (V12, 0), "id-1.2": (V12, ssl.OP_NO_TICKET)}


class Visitor:
    """A client that keeps the session it was given last."""

    def __init__(self, pki, kind, identity="good", **keys):
        version, options = KINDS[kind]
        self.pki, self.session = pki, None
        self.context = client.context(pki, identity, version=version, **keys)
        self.context.options |= options

    def visit(self, port, name="localhost", keep=True):
        """True if the session was resumed; Refused if lb lets nobody in."""
        with client.tls(self.pki, port, using=self.context, session=self.session, name=name) as sock:
            assert client.ask(sock) == b"ping"
            reused = sock.session_reused
            self.cipher = sock.cipher()[0]
            if keep:
                self.session = sock.session
            client.end(sock)
            return reused

    def refused(self, port, name="localhost"):
        return refusal(self.pki, port, using=self.context, session=self.session, name=name)


def came_back(pki, port, kind, name="localhost", **keys):
    """A visitor that has a session, tried once."""
    visitor = Visitor(pki, kind, **keys)
    assert not visitor.visit(port, name)
    assert visitor.visit(port, name)
    return visitor
