"""Who gets in by certificate: each way to fail with its alert, its reason in the log and its counter."""
import re
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from harness import client, config
from harness.client import V12, V13, refusal
from harness.pki import SERVER, days
from harness.ports import free_port
from harness.waiting import scaled

MISSING, UNKNOWN_CA, BROKEN, EXPIRED, REVOKED, PURPOSE = {V12: 40, V13: 116}, 48, 42, 45, 44, 43

FAILURES = [  # identity, reason, alert
    (None, "certificate-missing", MISSING),
    ("self-signed", "certificate-self-signed", UNKNOWN_CA),
    ("wrong-ca", "certificate-unknown-ca", UNKNOWN_CA),
    ("wrong-ca-chained", "certificate-unknown-ca", UNKNOWN_CA),
    ("missing-intermediate", "certificate-unknown-ca", UNKNOWN_CA),
    ("too-deep", "certificate-too-deep", UNKNOWN_CA),
    ("bad-signature", "certificate-chain-broken", BROKEN),
    ("unlinked", "certificate-unknown-ca", UNKNOWN_CA),
    ("below-impostor", "certificate-unknown-ca", UNKNOWN_CA),
    ("leaf-as-authority", "certificate-chain-broken", BROKEN),
    ("expired", "certificate-expired", EXPIRED),
    ("below-expired", "certificate-expired", EXPIRED),
    ("not-yet-valid", "certificate-not-yet-valid", EXPIRED),
    ("revoked", "certificate-revoked", REVOKED),
    ("revoked-chained", "certificate-revoked", REVOKED),
    ("below-revoked", "certificate-revoked", REVOKED),
    ("server-only", "certificate-purpose", PURPOSE),
    ("weak-rsa", "certificate-weak", None),
    ("weak-sha1", "certificate-weak", None),
    ("multi-valued", "certificate-malformed", BROKEN),  # a limit of wolfSSL: two attributes in one part of the name
    ("newline-in-name", "certificate-malformed", None),
    ("nul-in-name", "certificate-malformed", None),
]
GOOD = ["good", "good-rsa", "good-p384", "good-chained", "good-two-between", "good-any-purpose", "good-odd-name"]
both_versions = pytest.mark.parametrize("version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])


@pytest.fixture
def serve(serve_mutual):
    return serve_mutual


@both_versions
@pytest.mark.parametrize("identity,reason,alert", FAILURES, ids=[str(row[0]) for row in FAILURES])
def test_a_bad_certificate_gets_its_alert_its_reason_and_its_counter(lb, pki, serve, behind, identity, reason, alert,
                                                                      version):
    port = serve()
    refused = refusal(pki, port, identity, version=version)
    line = lb.wait_connection(listener="main")
    assert line["reason"] == reason, line
    assert line["close"] == reason
    assert line["decision"] != "allow"
    assert line["text"]
    if identity and reason != "certificate-malformed":
        assert line["subject"] == pki[identity].subject
    expected = alert[version] if isinstance(alert, dict) else alert
    assert refused.alert == expected if expected else refused.alert is not None, refused
    ended = {dict(labels)["reason"]: number for (name, labels), number in lb.metrics().items()
             if name == "lb_connections_ended_total" and number}
    assert ended == {reason: 1}
    assert behind.accepted == 0


@both_versions
def test_openssl_shows_the_alert_of_an_expired_certificate(pki, serve, version):
    identity, port = pki["expired"], serve()
    text = client.s_client(port, "-cert", identity.leaf, "-key", identity.key,
                           "-tls1_2" if version == V12 else "-tls1_3", wait=2)
    assert client.s_client_alert(text) == 45, text


@both_versions
def test_a_client_that_sends_at_once_still_sees_why_it_was_refused(pki, serve, version):
    port = serve()
    with pytest.raises(client.Refused) as refused:
        with client.tls(pki, port, "revoked", version=version) as sock:
            client.ask(sock, b"x" * 30000)
    assert refused.value.alert == 44


@both_versions
def test_an_intermediate_of_an_earlier_client_does_not_complete_a_later_chain(lb, pki, serve, version):
    port = serve(server="server-ecdsa")
    lb.reload(None)
    for _ in range(8):
        assert client.echoes(pki, port, "good-chained", version=version)
    for _ in range(8):
        assert refusal(pki, port, "missing-intermediate", version=version).alert == 48
    assert all(line["reason"] == "certificate-unknown-ca"
               for line in lb.wait_connections(8, listener="main", subject=pki["missing-intermediate"].subject))


@both_versions
def test_a_refused_client_does_not_disturb_the_next_one(pki, serve, version):
    port = serve()
    for identity in ("self-signed", "too-deep", "bad-signature", "revoked", None):
        refusal(pki, port, identity, version=version)
        assert client.echoes(pki, port, "good", version=version)


def test_the_chain_of_a_refused_certificate_is_limited_by_verify_depth(lb, pki, serve):
    port = serve(verify_depth=1)
    assert client.echoes(pki, port, "good-chained")
    assert refusal(pki, port, "good-two-between").alert == 48
    assert lb.wait_connection(subject=pki["good-two-between"].subject)["reason"] == "certificate-too-deep"


def test_without_a_crl_a_required_one_refuses(lb, pki, serve):
    port = serve(client_crl=pki.make_crl("other.crl", {"other-root": []}), crl_required="yes")
    refused = refusal(pki, port, "good")
    assert lb.wait_connection(listener="main")["reason"] == "crl-missing"
    assert refused.alert


def test_an_expired_crl_refuses_when_it_is_required(lb, pki, serve):
    crl = pki.make_crl("old.crl", {"root": []}, start=days(-20), end=days(-1))
    port = serve(client_crl=crl, crl_required="yes")
    refused = refusal(pki, port, "good")
    assert lb.wait_connection(listener="main")["reason"] == "crl-expired"
    assert refused.alert


def test_a_crl_in_der_is_read(lb, pki, serve):
    text = pki.make_crl("root.crl", {"root": [pki["good-rsa"]]}).read_bytes()
    der = pki.folder / "root.der.crl"
    der.write_bytes(x509.load_pem_x509_crl(text).public_bytes(Encoding.DER))
    port = serve(client_crl=der)
    assert refusal(pki, port, "good-rsa").alert == 44
    assert client.echoes(pki, port, "good")


def test_optional_mode_still_refuses_a_bad_certificate(lb, pki, serve, behind):
    port = serve(tls="mutual-optional")
    for identity, reason in (("wrong-ca", "certificate-unknown-ca"), ("revoked", "certificate-revoked"),
                             ("expired", "certificate-expired")):
        assert refusal(pki, port, identity).alert
        assert lb.wait_connection(subject=pki[identity].subject)["reason"] == reason
    assert behind.accepted == 0


@both_versions
def test_optional_mode_lets_a_client_without_certificate_pass(lb, pki, serve, version):
    port = serve(tls="mutual-optional")
    assert client.echoes(pki, port, None, version=version)
    line = lb.wait_connection(listener="main")
    assert line["decision"] == "allow"
    assert not line["subject"] or line["subject"] == "-"
    assert client.echoes(pki, port, "good", version=version)
    assert lb.wait_connection(subject=pki["good"].subject)["decision"] == "allow"


@both_versions
@pytest.mark.parametrize("server", ["server-ecdsa", "server-rsa"])
@pytest.mark.parametrize("identity", GOOD)
def test_a_good_certificate_passes(lb, pki, serve, behind, identity, server, version):
    port = serve(server=server)
    assert client.echoes(pki, port, identity, version=version)
    line = lb.wait_connection(listener="main")
    assert line["tls"] == version.name.replace("v1_", "v1.")
    assert line["decision"] == "allow" and line["close"] == "finished"
    assert line["subject"] == pki[identity].subject
    assert line["sha256"] == pki[identity].sha256
    assert int(line["serial"], 16) == pki[identity].certificate.serial_number
    assert line["sni"] == "localhost" and line["backend"] == "main" and line["server"] == "s0"
    assert line["bytes_in"] == 4 and line["bytes_out"] == 4
    assert behind.accepted == 1


@both_versions
@pytest.mark.parametrize("server", ["server-ecdsa", "server-rsa"])
def test_one_way_mode_asks_for_no_certificate(lb, pki, behind, server, version):
    port = free_port()
    lb.start(config.one_way(pki, port, behind, server=server))
    text = client.s_client(port, "-tls1_2" if version == V12 else "-tls1_3")
    assert "No client certificate CA names sent" in text and "Acceptable client certificate" not in text
    assert client.echoes(pki, port, None, version=version)
    assert client.echoes(pki, port, "good", version=version)


def test_mutual_mode_names_the_authorities_it_accepts_or_none(pki, serve):
    text = client.s_client(serve(), "-tls1_2")
    assert re.search(r"Client Certificate Types|Acceptable client certificate CA names|Requested Signature", text), text


def test_several_authorities_in_one_file_are_all_accepted(lb, pki, serve):
    both = pki.folder / "both-cas.pem"
    both.write_bytes(pki["other-root"].leaf.read_bytes() + pki["root"].leaf.read_bytes())
    port = serve(client_ca=both)
    assert client.echoes(pki, port, "good") and client.echoes(pki, port, "wrong-ca")
    assert refusal(pki, port, "self-signed").alert == 48


def test_a_certificate_for_one_listener_opens_no_other(lb, pki, behind):
    first, second = free_port(), free_port()
    lb.start(config.mutual(pki, first, behind, name="first") +
             config.mutual(pki, second, behind, name="second", client_ca=pki["other-root"].leaf, client_crl=None))
    for _ in range(3):
        assert client.echoes(pki, first, "good") and client.echoes(pki, second, "wrong-ca")
        assert refusal(pki, second, "good").alert == 48
        assert refusal(pki, first, "wrong-ca").alert == 48


@pytest.mark.heavy
def test_good_and_bad_clients_at_once_each_get_their_own_verdict(lb, pki, serve, behind):
    port, rounds, wrong = serve(), scaled(25, 5), []
    bad = {"expired": 45, "revoked": 44, "missing-intermediate": 48, "server-only": 43}

    def admitted(identity):
        if not client.echoes(pki, port, identity):
            wrong.append(identity)

    def refused(identity, alert):
        got = refusal(pki, port, identity)
        if got.alert != alert:
            wrong.append((identity, got.text))

    def run(check, *arguments):
        for _ in range(rounds):
            try:
                check(*arguments)
            except Exception as error:  # pylint: disable=broad-except
                wrong.append((arguments, repr(error)))
    threads = [threading.Thread(target=run, args=(admitted, name)) for name in ("good", "good-rsa", "good-chained")]
    threads += [threading.Thread(target=run, args=(refused, *row)) for row in bad.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:5]
    assert behind.accepted == 3 * rounds


# --- versions, suites, groups --------------------------------------------------------------------------------------

def test_tls_1_1_is_refused_with_protocol_version(lb, pki, serve):
    text = client.s_client(serve(), "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
    assert client.s_client_alert(text) == 70, text
    assert lb.wait_connection(listener="main")["reason"] == "tls-version"


def test_tls_min_refuses_an_older_version(lb, pki, serve):
    port = serve(tls_min="1.3")
    assert refusal(pki, port, "good", version=V12).alert == 70
    assert lb.wait_connection(listener="main")["reason"] == "tls-version"
    assert client.echoes(pki, port, "good", version=V13)


def test_tls_max_limits_the_version(lb, pki, serve):
    port = serve(tls_max="1.2")
    assert client.echoes(pki, port, "good", low=V12, high=V13)
    assert lb.wait_connection(listener="main")["tls"] == "TLSv1.2"
    assert refusal(pki, port, "good", version=V13).alert == 70


def test_no_common_cipher_is_refused_with_its_reason(lb, pki, serve):
    port = serve(server="server-ecdsa", tls_max="1.2")
    assert refusal(pki, port, "good", version=V12, ciphers="ECDHE-RSA-AES128-GCM-SHA256").alert == 40
    assert lb.wait_connection(listener="main")["reason"] == "tls-cipher"


def test_a_client_that_distrusts_the_server_is_logged_with_its_alert(lb, pki, serve):
    port = serve()
    text = client.s_client(port, "-verify_return_error", "-CAfile", pki["other-root"].leaf)
    assert "unable to get local issuer" in text
    line = lb.wait_connection(listener="main")
    assert line["reason"] == "tls-client-alert"
    assert re.search(r"unknown.ca|48", line["text"]), line["text"]


@pytest.mark.parametrize("group,shown", [("X25519", "X25519"), ("P-256", "256"), ("P-384", "384")])
@both_versions
def test_the_group_and_cipher_are_logged(lb, pki, serve, version, group, shown):
    one, port = pki["good"], serve()
    client.s_client(port, "-groups", group, "-cert", one.leaf, "-key", one.key,
                    "-tls1_2" if version == V12 else "-tls1_3", "-no_ign_eof")
    line = lb.wait_connection(listener="main")
    assert shown in line["group"], line
    assert line["cipher"].startswith("TLS_")


# --- resumption ------------------------------------------------------------------------------------------------------

@both_versions
def test_a_ticket_of_a_client_that_was_revoked_since_is_worth_nothing(lb, pki, serve, behind, version):
    crl = pki.make_crl("live.crl", {"root": []})
    port = serve(client_crl=crl)
    using = client.context(pki, "good", version=version)
    with client.tls(pki, port, using=using) as sock:
        client.ask(sock)
        session = sock.session
    pki.make_crl("live.crl", {"root": [pki["good"]]})
    lb.reload()
    behind.wait_idle()
    accepted = behind.accepted
    with pytest.raises(client.Refused) as refused:
        with client.tls(pki, port, using=using, session=session) as sock:
            client.ask(sock)
    assert refused.value.alert == 44
    assert behind.accepted == accepted


@both_versions
def test_a_resumed_connection_shows_the_same_facts(lb, pki, serve, version):
    port = serve()
    using = client.context(pki, "good", version=version)
    with client.tls(pki, port, using=using) as sock:
        client.ask(sock)
        session = sock.session
    with client.tls(pki, port, using=using, session=session) as sock:
        client.ask(sock)
    first, second = lb.wait_connections(2, listener="main")
    assert first["subject"] == second["subject"] == pki["good"].subject
    assert first["sha256"] == second["sha256"]


@both_versions
def test_a_ticket_of_a_client_without_certificate_opens_no_mutual_listener(lb, pki, behind, version):
    open_port, closed_port = free_port(), free_port()
    lb.start(config.mutual(pki, open_port, behind, name="open", tls="mutual-optional") +
             config.mutual(pki, closed_port, behind, name="closed"))
    using = client.context(pki, None, version=version)
    with client.tls(pki, open_port, using=using) as sock:
        client.ask(sock)
        session = sock.session
    refused = refusal(pki, closed_port, using=using, session=session)
    assert refused.alert in (40, 116)
    assert lb.wait_connection(listener="closed")["reason"] == "certificate-missing"


def test_the_certificate_of_the_server_comes_with_its_chain(lb, pki, behind):
    """A leaf and its intermediate in one file, and the key in the same file."""
    middle = pki.authority("server-middle", pki["server-root"])
    one = pki.issue("server-chained", middle, usage=(SERVER,), between=[middle], san=[x509.DNSName("localhost")],
                    subject=[("CN", "localhost")])
    bundle = pki.folder / "server-bundle.pem"
    bundle.write_bytes(one.chain.read_bytes() + one.key.read_bytes())
    port = free_port()
    lb.start(config.listener("main", port, tls="one-way", certificate=f"{bundle} {bundle}", backend="main") +
             config.backend("main", behind))
    assert client.echoes(pki, port)
