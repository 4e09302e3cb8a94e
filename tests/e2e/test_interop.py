"""The clients there are: OpenSSL, GnuTLS, Node.js, Python, curl and wolfSSL, in TLS 1.2 and 1.3, with an RSA and an ECDSA
certificate of the listener, one-way and mutual, in full and resumed."""
import shutil
import tempfile
from types import SimpleNamespace

import pytest

from harness import config
from harness.ports import free_port
from harness.product import Lb, run_lb
from harness.tls_clients import CLIENTS, Server

VERSIONS, KINDS, MODES = ("TLSv1.2", "TLSv1.3"), ("ecdsa", "rsa"), ("one-way", "mutual")
pytestmark = pytest.mark.plain_only  # about clients; what they make lb do, other tests do under a sanitizer, too


@pytest.fixture(scope="module")
def served(pki):
    """One lb with a listener for each kind of certificate and mode. resumes: it then has a setting for how long."""
    lb = Lb(tempfile.mkdtemp(prefix="lb-"))
    ports = {(kind, mode): free_port() for kind in KINDS for mode in MODES}
    lb.start("".join(config.listener(f"{kind}-{mode}", port, protocol="http", route="path=/ -> respond=200:fine\\n", **{
        **config.mutual_keys(pki, server=f"server-{kind}"), "tls": mode, **(
            {"client_ca": None, "client_crl": None} if mode == "one-way" else {})}) for (kind, mode), port in ports.items()))
    yield SimpleNamespace(lb=lb, ports=ports, resumes="session-lifetime" in run_lb("check", "--reference").stdout)
    lb.stop()
    shutil.rmtree(lb.folder)


def ask(served, pki, client, version, kind, mode, count):
    """Asks, and checks all but resumption."""
    one = pki["good-chained"]
    server = Server(served.ports[kind, mode], served.resumes, *map(str, (pki.server_ca, one.leaf, one.chain, one.key)))
    before = len(served.lb.connections(listener=f"{kind}-{mode}", status=200))
    answers = 1 if client == "gnutls" else count
    seen = CLIENTS[client](server, version, mode == "mutual", count)
    assert [one.version for one in seen] == [version] * count
    assert "fine" in seen[-1].answer
    line = served.lb.wait_connections(before + answers, listener=f"{kind}-{mode}", status=200)[-1]
    assert line["tls"] == version, line
    assert line.get("subject") == (one.subject if mode == "mutual" else None), line
    return seen, line


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_full_handshake(served, pki, client, version, kind, mode):
    seen, _ = ask(served, pki, client, version, kind, mode, 1)
    assert not seen[0].reused


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_second_connection_resumes_where_lb_does(served, pki, client, version, kind, mode):
    seen, line = ask(served, pki, client, version, kind, mode, 2)
    assert not seen[0].reused
    reused = line.get("resumed", False) if seen[1].reused is None else seen[1].reused  # curl does not say
    assert reused == served.resumes
