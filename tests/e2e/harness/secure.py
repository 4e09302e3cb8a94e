"""Servers behind lb that speak TLS, and what they saw of it."""
import socket
import ssl

from harness.origin import CHUNK

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def context(identity, version=None, clients=None, alpn=None):
    """identity: of the pki. clients: the file of a CA whose certificates are demanded."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("DEFAULT:@SECLEVEL=0")
    made.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # a cut is an error
    made.load_cert_chain(str(identity.chain), str(identity.key))
    made.minimum_version, made.maximum_version = version or V12, version or V13
    if clients:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(str(clients))
    if alpn:
        made.set_alpn_protocols(alpn)
    return made


class Seen:
    """What one connection was like: handshake errors, and the facts of those that came about."""

    def __init__(self):
        self.names, self.versions, self.peers, self.alpn, self.errors = [], [], [], [], []
        self.resumed = 0


def over_tls(using, behaviour, seen=None):
    """A behaviour for Origin: the handshake, then behaviour(tls socket, origin)."""
    seen = seen if seen is not None else Seen()
    using.sni_callback = lambda _, name, __: seen.names.append(name)

    def secured(sock, origin):
        try:
            tls = using.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
        except (OSError, ssl.SSLError) as error:
            seen.errors.append(str(error))
            return
        with tls:
            seen.versions.append(tls.version())
            seen.alpn.append(tls.selected_alpn_protocol())
            seen.peers.append(tls.getpeercert(True))
            seen.resumed += bool(tls.session_reused)
            try:
                behaviour(tls, origin)
            except ssl.SSLError as error:
                seen.errors.append(str(error))
    secured.seen = seen
    return secured


def record(sock, origin):
    """Every byte that comes, until the end."""
    while True:
        data = sock.recv(CHUNK)
        if not data:
            return
        origin.received.append(data)


def end(sock):
    """close_notify, and the end."""
    try:
        sock.unwrap()
    except (OSError, ssl.SSLError):
        pass


def named(name):
    """Says its name and ends."""
    def behaviour(sock, _):
        sock.sendall(name.encode() + b"\n")
        end(sock)
    return behaviour


def sum_up(sock, origin):
    """Reads until the client's end, then says how much it was, then ends: the half that is open is used."""
    total = 0
    try:
        while True:
            data = sock.recv(CHUNK)
            if not data:
                break
            total += len(data)
    except ssl.SSLZeroReturnError:
        pass
    sock.sendall(b"%d\n" % total)
    end(sock)


def cut(sock):
    """FIN without close_notify."""
    sock.shutdown(socket.SHUT_WR)
