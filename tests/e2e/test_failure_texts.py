"""Each way to fail a handshake has one line in the log, and the line says what to do."""
import subprocess

import pytest

from harness import client
from harness.client import V12, V13, Steps
from harness.hello import SIGNATURES, SUPPORTED_GROUPS, Hello, answer, records, vector


@pytest.fixture
def serve(serve_one_way):
    return serve_one_way


def old(version):
    """A hello of a version that OpenSSL no longer speaks."""
    made = Hello.of_openssl().without(43)
    made.fixed = version + made.fixed[2:]
    return records(made.message(), version=version)


def hello(version=V12, **changed):
    made = Hello.of_openssl(version=version)
    for kind, body in changed.items():
        number = {"groups": SUPPORTED_GROUPS, "signatures": SIGNATURES}[kind]
        made.without(number).last(number, vector(2, body))
    return made


def suites(version, *numbers):
    made = Hello.of_openssl(version=version)
    at = 34 + 1 + made.fixed[34]
    rest = made.fixed[at + 2 + int.from_bytes(made.fixed[at:at + 2], "big"):]
    made.fixed = made.fixed[:at] + vector(2, b"".join(numbers)) + rest
    return made


HELLOS = {  # what is sent, keys of the listener, reason, words of the text
    "SSLv3": (lambda: old(b"\x03\x00"), {}, "tls-version", ["offers only SSLv3", "update the client"]),
    "TLS 1.0": (lambda: old(b"\x03\x01"), {}, "tls-version", ["offers only TLSv1.0", "update the client"]),
    "TLS 1.1": (lambda: old(b"\x03\x02"), {}, "tls-version", ["offers only TLSv1.1", "update the client"]),
    "SSLv2": (lambda: b"\x80\x2e\x01\x03\x01" + bytes(43), {}, "hello-invalid", ["SSLv2", "update the client"]),
    "TLS 1.2 where 1.3 is demanded": (lambda: records(hello().message()), {"tls_min": "1.3"}, "tls-version",
                                      ["offers at most TLSv1.2", "tls-min = 1.2"]),
    "TLS 1.3 where 1.2 is the newest": (lambda: records(hello(V13).message()), {"tls_max": "1.2"}, "tls-version",
                                        ["demands TLSv1.3", "tls-max = 1.3"]),
    "no suite, 1.2": (lambda: records(suites(V12, b"\x00\x2f", b"\xc0\x2b").message()),
                      {"ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384:TLS13-AES128-GCM-SHA256"}, "tls-cipher",
                      ["none of this listener's cipher suites", "0x002f, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ciphers"]),
    "no suite, 1.3": (lambda: records(suites(V13, b"\x13\x04").message()), {}, "tls-cipher", ["0x1304", "ciphers"]),
    "suites for RSA only": (lambda: records(suites(V12, b"\xc0\x2f", b"\xc0\x30").message()), {}, "tls-cipher",
                            ["RSA keys", "add a second certificate"]),
    "suites for EC only": (lambda: records(suites(V12, b"\xc0\x2b").message()), {"server": "server-rsa"}, "tls-cipher",
                           ["EC keys", "add a second certificate"]),
    "no group": (lambda: records(hello(V13, groups=b"\x00\x1e\x0a\x0a\x01\x00").message()), {}, "tls-cipher",
                 ["none of this listener's groups", "0x001e, 0x0100:", "groups"]),
    "no group, 1.2": (lambda: records(hello(V12, groups=b"\x00\x17").message()), {"groups": "X25519"}, "tls-cipher",
                      ["none of this listener's groups", "SECP256R1", "groups"]),
    "no signature scheme, 1.3": (lambda: records(hello(V13, signatures=b"\x05\x03\x08\x04").message()), {}, "tls-cipher",
                                 ["no signature", "ecdsa_secp384r1_sha384, rsa_pss_rsae_sha256", "add a certificate"]),
    "no signature scheme, 1.2": (lambda: records(hello(V12, signatures=b"\x04\x01").message()), {}, "tls-cipher",
                                 ["no signature", "rsa_pkcs1_sha256", "add a certificate"]),
    "HTTP": (lambda: b"GET / HTTP/1.1\r\n\r\n", {}, "hello-invalid", ["plain HTTP", "https://"]),
    "SSH": (lambda: b"SSH-2.0-OpenSSH_9.2\r\n", {}, "hello-invalid", ["SSH", "another"]),
    "another protocol": (lambda: bytes(64), {}, "hello-invalid", ["no TLS record", "another protocol"]),
    "an alert": (lambda: b"\x15\x03\x01\x00\x02\x02\x28", {}, "hello-invalid", ["an alert", "see what the client says"]),
    "a share that is no point": (
        lambda: records(Hello.of_openssl(version=V13).without(51).last(
            51, vector(2, b"\0\x17" + vector(2, b"\x04" + bytes(64)))).message()),
        {"groups": "SECP256R1"}, "tls-", ["group", "share"]),
    "too long": (lambda: records(hello().padded(16385).message()), {}, "hello-too-long", ["16 KB", "fewer"]),
}


@pytest.mark.parametrize("what", HELLOS)
def test_what_is_wrong_with_a_hello_is_told_with_its_remedy(lb, serve, what):
    data, keys, reason, words = HELLOS[what]
    answer(serve(**keys), data())
    line = lb.wait_connection(listener="main")
    assert line["reason"].startswith(reason), line
    assert all(word in line["text"] for word in words), line["text"]


ALERTS = {40: "does not take", 42: "does not accept", 43: "cannot use", 44: "revoked: replace", 45: "renew it",
          46: "name that it asks for", 48: "give the client the CA", 49: "does not want", 50: "update it", 51: "changes? bytes",
          70: "tls-min", 71: "ciphers", 80: "failed by itself", 86: "older version", 112: "another name", 120: "alpn", 99: "what the client"}


@pytest.mark.parametrize("code", ALERTS)
def test_an_alert_of_the_client_is_told_with_its_remedy(lb, pki, serve, code):
    port = serve()
    with Steps(pki, port, version=V12) as steps:
        steps.sock.sendall(steps.step())
        assert steps.take()
        steps.sock.sendall(b"\x15\x03\x03\x00\x02\x02" + bytes([code]))
        line = lb.wait_connection(listener="main")
    assert line["reason"] == "tls-client-alert"
    assert f"alert {code} (" in line["text"]
    assert ALERTS[code].replace("s? ", " ") in line["text"].replace("changes bytes", "change bytes"), line["text"]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_client_that_does_not_trust_the_certificate_is_told_as_such(lb, pki, serve, version):
    client.s_client(serve(), version, "-CAfile", pki.client_ca, "-verify_return_error")
    line = lb.wait_connection(listener="main")
    assert line["reason"] == "tls-client-alert" and "give the client the CA" in line["text"], line


def test_a_curl_that_does_not_trust_the_certificate_is_told_as_such(lb, pki, serve):
    done = client.curl(pki, f"https://localhost:{serve()}/", None, cacert=pki.client_ca)
    assert done.returncode == 60
    line = lb.wait_connection(listener="main")
    assert line["reason"] == "tls-client-alert" and "give the client the CA" in line["text"], line


LEAVING = {
    "nothing": (lambda _steps: b"", "left without a byte"),
    "half a hello": (lambda steps: steps.step()[:100], "within its ClientHello"),
}


@pytest.mark.parametrize("what", LEAVING)
def test_a_client_that_leaves_before_its_hello_is_told_as_such(lb, pki, serve, what):
    data, words = LEAVING[what]
    with Steps(pki, serve()) as steps:
        steps.sock.sendall(data(steps))
    line = lb.wait_connection(listener="main")
    assert line["reason"] == "tls-aborted" and words in line["text"], line


@pytest.mark.parametrize("version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])
def test_a_client_that_leaves_within_the_handshake_is_told_as_such(lb, pki, serve, version):
    with Steps(pki, serve(), version=version) as steps:
        steps.sock.sendall(steps.step())
        assert steps.take()
    line = lb.wait_connection(listener="main")
    assert line["reason"] == "tls-aborted" and "does it trust" in line["text"], line


WAITING = {"nothing": (lambda _steps: b"", "sent nothing"), "half a hello": (lambda steps: steps.step()[:100], "ClientHello"),
           "a hello": (lambda steps: steps.step(), "go on with the handshake")}


@pytest.mark.parametrize("what", WAITING)
def test_a_client_that_stops_is_told_where(lb, pki, serve, what):
    data, words = WAITING[what]
    with Steps(pki, serve(timeout_handshake="200ms")) as steps:
        steps.sock.sendall(data(steps))
        line = lb.wait_connection(listener="main")
    assert line["reason"] == "timeout-handshake" and words in line["text"], line


def test_a_renegotiation_ends_the_connection_and_the_log_says_so(lb, serve):
    """RFC 5746: none is ever begun or answered."""
    port = serve()
    text = client.s_client(port, "-tls1_2", data=b"R\n", wait=2)
    assert "RENEGOTIATING" in text
    line = lb.wait_connection(listener="main")
    assert line["close"] == "tls-failed" and "renegotiat" in line["text"], line


def test_a_client_cannot_make_lb_renegotiate_before_its_first_data(lb, pki, serve):
    port = serve()
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-legacy_renegotiation"],
                          input=b"R\nR\nR\n", capture_output=True, check=False, timeout=30)
    assert b"RENEGOTIATING" in done.stdout + done.stderr
    assert lb.wait_connection(listener="main")["bytes_in"] == 0
    assert client.echoes(pki, port)
