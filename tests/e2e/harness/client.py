"""Clients: plain and TLS sockets, curl, openssl s_client."""
import os
import re
import socket
import ssl
import subprocess
import time

from harness.origin import read_all
from harness.waiting import SECONDS, until

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = {"TLSv1.2": V12, "TLSv1.3": V13}
ALERTS = {  # RFC 8446 section 6, as OpenSSL words them
    "handshake failure": 40, "bad certificate": 42, "unsupported certificate": 43, "certificate revoked": 44,
    "certificate expired": 45, "certificate unknown": 46, "illegal parameter": 47, "unknown ca": 48,
    "access denied": 49, "decode error": 50, "decrypt error": 51, "protocol version": 70, "insufficient security": 71,
    "internal error": 80, "unrecognized name": 112, "certificate required": 116, "unexpected message": 10,
    "no application protocol": 120, "record overflow": 22, "bad record mac": 20}


class Refused(Exception):
    """lb ended the connection; `alert` is the number of the TLS alert, None if there was none."""

    def __init__(self, alert, text):
        super().__init__(f"alert {alert}: {text}")
        self.alert, self.text = alert, text


def alert_of(error):
    words = str(error).lower().replace("_", " ")
    match = re.search(r"(?:alert|tlsv1|sslv3) (?:alert )?([a-z ]+?)(?: \(|:|$|\])", words)
    for name, number in ALERTS.items():
        if "alert " + name in words or (match and match[1].strip() == name):
            return number
    return None


def connect(port, source=None, timeout=SECONDS, receive_buffer=None):
    """A plain connection to lb; `port` may be the path of a unix socket."""
    if isinstance(port, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(port)  # waits for room in the queue, as it does without a timeout only
        sock.settimeout(timeout)
        return sock
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(timeout)
    if source:
        sock.bind((source, 0))
    sock.connect(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def context(pki, identity=None, version=None, low=None, high=None, ciphers=None, alpn=None, groups=None, chain=True):
    """identity: a name of the pki. The server's chain is verified; its name is not, because tests ask for any name."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.load_verify_locations(str(pki.server_ca))
    made.minimum_version, made.maximum_version = (version or low or V12), (version or high or V13)
    made.set_ciphers((ciphers or "DEFAULT") + ":@SECLEVEL=0")
    if alpn:
        made.set_alpn_protocols(alpn)
    if groups:
        made.set_ecdh_curve(groups)
    if identity:
        one = pki[identity]
        made.load_cert_chain(str(one.chain if chain else one.leaf), str(one.key))
    return made


def tls(pki, port, identity=None, *, name="localhost", source=None, session=None, using=None, timeout=SECONDS, **keys):
    """A connection after the client's part of the handshake. In TLS 1.3 lb's verdict on the certificate is not known then."""
    sock = connect(port, source, timeout)
    made = using or context(pki, identity, **keys)
    try:
        return made.wrap_socket(sock, server_hostname=name, session=session, suppress_ragged_eofs=False)
    except ssl.SSLError as error:
        sock.close()
        raise Refused(alert_of(error), str(error)) from None
    except OSError as error:
        sock.close()
        raise Refused(None, str(error)) from None


def ask(sock, data=b"ping"):
    """Sends and reads back as much; Refused if lb ends the connection instead."""
    try:
        sock.sendall(data)
        return receive(sock, len(data))
    except ssl.SSLError as error:
        raise Refused(alert_of(error), str(error)) from None
    except OSError as error:
        raise Refused(None, str(error)) from None


def receive(sock, count):
    parts, left = [], count
    while left:
        part = sock.recv(min(left, 1 << 16))
        if not part:
            raise Refused(None, f"the connection ended {left} bytes early")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def end(sock):
    """Closes a TLS connection in order: close_notify, and waits for that of lb."""
    sock.unwrap().close()


def echoes(pki, port, identity=None, **keys):
    """True once a byte went to the origin and back."""
    with tls(pki, port, identity, **keys) as sock:
        answer = ask(sock)
        end(sock)
        return answer == b"ping"


def refusal(pki, port, identity=None, **keys):
    """How lb refuses this client. Nothing is sent after the handshake, so that nothing can hide the alert."""
    try:
        with tls(pki, port, identity, **keys) as sock:
            got = sock.recv(1)
            raise AssertionError(f"not refused: read {got!r}")
    except Refused as refused:
        return refused
    except ssl.SSLError as error:
        return Refused(alert_of(error), str(error))
    except ConnectionError as error:
        return Refused(None, str(error))


def line(port):
    """The first line that a plain origin says."""
    with connect(port) as sock:
        return read_all(sock).decode().strip()


def s_client(port, *arguments, data=b"", wait=0.0, timeout=30 + SECONDS):
    """openssl s_client; everything it printed. `wait` keeps its input open that long, for what comes after the handshake."""
    process = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if wait:
        process.stdin.write(data)
        process.stdin.flush()
        data = b""
        deadline = time.monotonic() + wait
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    out, _ = process.communicate(data, timeout=timeout)
    return out.decode(errors="replace")


class Interactive:
    """openssl s_client that is talked to line by line."""

    def __init__(self, port, *arguments):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text = ""
        self._until("---\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()

    def _until(self, word):
        os.set_blocking(self.process.stdout.fileno(), False)

        def there():
            self.text += (self.process.stdout.read() or b"").decode(errors="replace")
            return word in self.text
        until(there, lambda: f"{word!r} from s_client in {self.text[-500:]!r}")

    def say(self, line, answer):
        """Sends a line and waits for the answer, which may be the line itself."""
        self.text = ""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        self._until(answer)


def s_client_alert(text):
    found = re.search(r"SSL alert number (\d+)", text)
    return int(found[1]) if found else None


def curl(pki, url, identity=None, *arguments, cacert=None):
    command = ["curl", "-sS", "--max-time", str(int(SECONDS)), "--cacert", str(cacert or pki.server_ca)]
    if identity:
        command += ["--cert", str(pki[identity].chain), "--key", str(pki[identity].key)]
    return subprocess.run([*command, *arguments, url], capture_output=True, text=True, errors="replace", check=False,
                          timeout=SECONDS + 10)


class Steps:
    """A TLS client whose bytes the test carries itself: stop, cut and delay wherever it likes."""

    def __init__(self, pki, port, identity=None, name="localhost", source=None, **keys):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context(pki, identity, **keys).wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.sock = connect(port, source)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def step(self):
        """One move of the handshake; the bytes to send. True in self.done when it is complete."""
        try:
            self.tls.do_handshake()
            self.done = True
        except ssl.SSLWantReadError:
            self.done = False
        return self.outgoing.read()

    def take(self):
        """Waits for bytes of lb and gives them to TLS; False at the end."""
        data = self.sock.recv(1 << 16)
        self.incoming.write(data) if data else self.incoming.write_eof()
        return bool(data)

    def finish(self):
        """The rest of the handshake."""
        data = self.step()
        self.sock.sendall(data)
        while not self.done:
            assert self.take(), "lb ended the connection"
            self.sock.sendall(self.step())
        return self

    def write(self, data):
        self.tls.write(data)
        self.sock.sendall(self.outgoing.read())

    def read(self, count):
        """Up to `count` bytes; b"" after close_notify."""
        while True:
            try:
                return self.tls.read(count)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                assert self.take(), "TCP ended without close_notify"

    def read_to_end(self):
        parts = []
        while True:
            part = self.read(1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)

    def close_notify(self):
        """Half-close: says that nothing more is sent, and can still read."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.sock.sendall(self.outgoing.read())
