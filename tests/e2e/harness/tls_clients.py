"""TLS clients of many makes, each asking the same thing: ask(server, version, mutual, count) makes `count` connections, each
after the first with what the one before left it to resume, and gives a Seen for each."""
import functools
import re
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness import node
from harness.origin import read_all
from harness.product import ROOT
from harness.waiting import SECONDS

REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass
class Seen:
    """What the client says of one connection. reused: None where it does not say."""
    version: str
    reused: bool
    answer: str


@dataclass
class Server:
    """Where to ask, whom to trust and what to show. tickets: whether it is worth waiting for one."""
    port: int
    tickets: bool
    authority: str
    leaf: str
    chain: str
    key: str


def run(*command, data=REQUEST):
    done = subprocess.run([*map(str, command)], input=data, capture_output=True, text=True, errors="replace", check=False,
                          timeout=30 + SECONDS)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def openssl(server, version, mutual, count):
    seen, file = [], Path(f"{server.key}.{server.port}.session")
    file.unlink(missing_ok=True)
    for _ in range(count):
        shown = ["-cert", server.leaf, "-key", server.key, "-cert_chain", server.chain] if mutual else []
        text = run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername", "localhost", "-verify_hostname",
                   "localhost", "-CAfile", server.authority, "-verify_return_error", "-ign_eof",
                   "-" + version.lower().replace("v", "").replace(".", "_"), *shown, "-sess_out", file,
                   *(["-sess_in", file] if file.exists() else []))
        word, spoken = re.search(r"^(New|Reused), (TLSv1\.\d)", text, re.M).groups()
        seen.append(Seen(spoken, word == "Reused", text))
    return seen


def gnutls(server, version, mutual, count):
    """Asks on the last of its connections only."""
    shown = ["--x509certfile", server.chain, "--x509keyfile", server.key] if mutual else []
    again = (["--resume", "--waitresumption"] if server.tickets else ["--resume"]) if count > 1 else []
    text = run("gnutls-cli", "--port", server.port, "--sni-hostname", "localhost", "--verify-hostname", "localhost", "--x509cafile",
               server.authority, "--priority", f"NORMAL:-VERS-ALL:+VERS-{version.replace('v', '')}", *shown,
               *again, "127.0.0.1")
    spoken = [f"TLSv{number}" for number in re.findall(r"^- Description: \(TLS(1\.\d)", text, re.M)]
    reused = "*** This is a resumed session" in text
    return [Seen(one, reused if number else False, text) for number, one in enumerate(spoken)]


def nodejs(server, version, mutual, count):
    shown = [server.chain, server.key] if mutual else []
    return [Seen(**one) for one in node.run("tls_client.js", server.port, version, server.authority, count, REQUEST, *shown)]


def python(server, version, mutual, count):
    context = ssl.create_default_context(cafile=server.authority)
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version.replace(".", "_"))
    if mutual:
        context.load_cert_chain(server.chain, server.key)
    seen, session = [], None
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as plain, \
                context.wrap_socket(plain, server_hostname="localhost", session=session) as sock:
            sock.sendall(REQUEST.encode())
            seen.append(Seen(sock.version(), sock.session_reused, read_all(sock).decode()))
            session = sock.session
    return seen


def curl(server, version, mutual, count):
    number = version.removeprefix("TLSv")
    shown = ["--cert", server.chain, "--key", server.key] if mutual else []
    text = run("curl", "-sv", "--http1.1", "--max-time", int(SECONDS), "--cacert", server.authority, "-H", "Connection: close",
               f"--tlsv{number}", "--tls-max", number, *shown, *[f"https://localhost:{server.port}/{at}" for at in range(count)])
    spoken = re.findall(r"SSL connection using (TLSv1\.\d)", text)
    return [Seen(one, None, text) for one in spoken]


@functools.lru_cache(maxsize=None)
def wolfssl_client():
    subprocess.run(["make", "-s", "-C", ROOT, "build/tools/wolfssl_client"], check=True, stdout=subprocess.DEVNULL)
    return ROOT / "build/tools/wolfssl_client"


def wolfssl(server, version, mutual, count):
    shown = [server.chain, server.key] if mutual else []
    text = run(wolfssl_client(), server.port, version.removeprefix("TLSv"), server.authority, count, *shown)
    return [Seen(spoken, reused == "1", answer)
            for spoken, reused, answer in (line.split(" ", 2) for line in text.splitlines())]


CLIENTS = {"openssl": openssl, "gnutls": gnutls, "node": nodejs, "python": python, "curl": curl, "wolfssl": wolfssl}
