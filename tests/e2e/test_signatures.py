"""The signature schemes that a listener uses and asks for."""
import re

import pytest

from harness import client, config
from harness.ports import free_port
from harness.product import run_lb

versions = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])


@pytest.fixture
def serve(lb, pki, behind):
    def start(made=config.one_way, **keys):
        port = free_port()
        lb.start(made(pki, port, behind, **keys))
        return port
    return start


@versions
@pytest.mark.parametrize("bits", ["256", "384", "512"])
def test_the_listener_signs_by_what_it_is_told_and_not_by_what_clients_prefer(serve, version, bits):
    port = serve(server="server-rsa", signatures=f"rsa_pss_rsae_sha{bits}")
    text = client.s_client(port, version, "-sigalgs", "RSA-PSS+SHA256:RSA-PSS+SHA512:RSA-PSS+SHA384:RSA+SHA256")
    assert f"Peer signing digest: SHA{bits}\n" in text and "Peer signature type: RSA-PSS\n" in text, text[-1500:]


def test_a_client_that_offers_another_scheme_only_is_refused(lb, serve):
    port = serve(server="server-rsa", signatures="rsa_pss_rsae_sha384")
    for version in ("-tls1_2", "-tls1_3"):
        text = client.s_client(port, version, "-sigalgs", "RSA-PSS+SHA256")
        assert client.s_client_alert(text) == 40, text
    for line in lb.wait_connections(2):
        assert line["reason"] == "tls-cipher" and "rsa_pss_rsae_sha256" in line["text"], line


@versions
def test_clients_with_certificates_are_asked_for_the_same(serve, version):
    port = serve(config.mutual, signatures="ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256")
    text = client.s_client(port, version)
    asked = re.search(r"Requested Signature Algorithms: (\S+)", text)
    assert asked and asked[1] == "ECDSA+SHA256:RSA-PSS+SHA256", text[-1500:]


def test_a_client_whose_key_signs_otherwise_does_not_get_in(lb, pki, serve, behind):
    """In TLS 1.3: in TLS 1.2 wolfSSL asks for some scheme of each kind of key, whatever the list has."""
    port = serve(config.mutual, signatures="ecdsa_secp256r1_sha256")
    for name in ("good-p384", "good-rsa"):
        one = pki[name]
        client.s_client(port, "-tls1_3", "-cert", one.leaf, "-key", one.key, wait=0.5)
    lines = lb.wait_connections(2)
    assert all(line["decision"] == "deny" for line in lines), lines
    assert behind.accepted == 0
    assert client.echoes(pki, port, "good", version=client.V13)


def test_the_log_tells_the_scheme(lb, pki, serve):
    assert client.echoes(pki, serve(), version=client.V13)
    assert lb.wait_connection()["signature"] == "ecdsa_secp256r1_sha256"


@pytest.mark.parametrize("keys,words", [
    ({"server": "server-rsa", "signatures": "ecdsa_secp256r1_sha256"}, "add rsa_pss_rsae_sha256"),
    ({"server": "server-rsa", "signatures": "rsa_pkcs1_sha256"}, "TLSv1.3"),
    ({"signatures": "ecdsa_secp384r1_sha384", "tls_min": "1.3"}, "add ecdsa_secp256r1_sha256"),
    ({"signatures": "ed25519"}, "add ecdsa_secp256r1_sha256"),
    ({"signatures": "ecdsa_secp256r1_sha256:ecdsa_secp256r1_sha256"}, "twice"),
    ({"signatures": "ecdsa_secp256r1_sha265"}, "did you mean ecdsa_secp256r1_sha256"),
])
def test_a_list_that_does_not_serve_is_refused_at_load(lb, pki, behind, keys, words):
    lb.write(config.one_way(pki, free_port(), behind, **keys))
    done = run_lb("check", "-f", str(lb.ini))
    assert done.returncode == 1 and words in done.stderr + done.stdout, done
