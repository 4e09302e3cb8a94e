"""What a listener's TLS settings do on the wire, and the parts of TLS that clients seldom use."""
import pytest

from harness import client, config
from harness.client import V12, V13, refusal
from harness.ports import free_port


@pytest.fixture
def serve(serve_one_way):
    return serve_one_way


def test_a_client_with_none_of_the_ciphers_is_refused(lb, pki, serve):
    port = serve(ciphers="TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:TLS_AES_256_GCM_SHA384")
    assert refusal(pki, port, version=V12, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256").alert == 40
    assert lb.wait_connection(listener="main")["reason"] == "tls-cipher"


def test_only_the_configured_ciphers_are_used_and_ours_come_first(lb, pki, serve):
    port = serve(ciphers="TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:"
                         "TLS_AES_256_GCM_SHA384")
    assert client.echoes(pki, port, version=V12, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    assert client.echoes(pki, port, version=V13)
    used = {line["tls"]: line["cipher"] for line in lb.wait_connections(2)}  # two workers write in either order
    assert used == {"TLSv1.2": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLSv1.3": "TLS_AES_256_GCM_SHA384"}


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_client_with_none_of_the_groups_is_refused(lb, pki, serve, version):
    text = client.s_client(serve(groups="X25519"), version, "-groups", "P-384")
    assert client.s_client_alert(text) in (40, 47), text
    assert lb.wait_connection(listener="main")["reason"] == "tls-cipher"


def test_a_key_share_of_another_group_is_asked_for(lb, pki, serve):
    """HelloRetryRequest: the client's first guess is a group that the listener does not have."""
    port = serve(groups="SECP256R1", script=lb.file("all.lua", "function on_authorize(c) return true end"))
    text = client.s_client(port, "-tls1_3", "-groups", "X25519:P-256", "-servername", "retry.test", "-msg")
    assert text.count("ClientHello") >= 2, text[-2000:]
    line = lb.wait_connection(listener="main")
    assert line["group"] == "SECP256R1" and line["sni"] == "retry.test"


def test_a_second_hello_needs_its_certificate_too(lb, pki, behind):
    port = free_port()
    lb.start(config.mutual(pki, port, behind, groups="SECP256R1"))
    text = client.s_client(port, "-tls1_3", "-groups", "X25519:P-256", wait=2)
    assert client.s_client_alert(text) == 116
    assert behind.accepted == 0


def test_the_first_protocol_of_ours_that_the_client_offers_is_chosen(lb, pki, serve):
    port = serve(alpn="h2, http/1.1", script=lb.file(
        "alpn.lua", "function on_authorize(conn) return conn.alpn == conn.server_name:match('^(%w+)'), 'other' end"))
    for offered, chosen in ((["http/1.1", "h2"], "h2"), (["h2"], "h2")):
        with client.tls(pki, port, alpn=offered, name=f"{chosen}.test") as sock:
            assert sock.selected_alpn_protocol() == chosen
            assert client.ask(sock) == b"ping"


def test_without_alpn_none_is_negotiated(pki, serve):
    with client.tls(pki, serve(), alpn=["h2", "http/1.1"]) as sock:
        assert sock.selected_alpn_protocol() is None
        assert client.ask(sock) == b"ping"


def test_renegotiation_is_refused_and_ends_that_connection_only(lb, pki, serve):
    port = serve()
    with client.tls(pki, port) as held:
        client.ask(held)
        text = client.s_client(port, "-tls1_2", data=b"R\n", wait=2)
        assert "RENEGOTIATING" in text
        assert client.ask(held) == b"ping"
    assert len(lb.wait_connections(1, bytes_in=0)) == 1


def test_a_key_update_goes_unnoticed_by_the_application(serve):
    with client.Interactive(serve(), "-tls1_3") as openssl:
        openssl.say("K", "KEYUPDATE")  # s_client's word for: update my keys, and update yours
        openssl.say("after the update", "after the update")
        openssl.say("k", "KEYUPDATE")
        openssl.say("after the second", "after the second")


def test_early_data_is_not_offered(pki, serve):
    text = client.s_client(serve(), "-tls1_3", data=b"x\n", wait=0.3)
    assert "Max Early Data: 0" in text or "Max Early Data" not in text


@pytest.mark.parametrize("version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])
def test_compression_is_never_used(pki, serve, version):
    with client.tls(pki, serve(), version=version) as sock:
        assert sock.compression() is None


def test_the_name_of_the_certificate_is_verified_by_curl(pki, serve):
    """The tests' own clients do not look at names: here somebody does."""
    port = serve(protocol="tcp")
    done = client.curl(pki, f"https://localhost:{port}/", None)
    assert "SSL" not in done.stderr, done.stderr
