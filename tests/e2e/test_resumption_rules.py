"""Who comes back with a session meets today's settings: ciphers, kinds of key, names and their rules, OCSP, ticket keys."""
import itertools
import os
import time

import pytest
from cryptography import x509

from harness import client, config
from harness import proxy_header as header
from harness.ocsp import REVOKED, Responder, access, response
from harness.origin import echo
from harness.pki import SERVER
from harness.ports import free_port
from harness.visitor import KINDS, Visitor, came_back
from harness.waiting import PATIENCE, until

NUMBERS = itertools.count(1)
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def behind(origin):
    return origin(echo)


# --- settings of TLS --------------------------------------------------------------------------------------------------

@each_kind
def test_a_cipher_that_was_taken_away_does_not_come_back_with_a_session(lb, pki, behind, kind):
    weak, strong = ("TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256",
                    "TLS_AES_256_GCM_SHA384:ECDHE-ECDSA-AES256-GCM-SHA384")
    port = free_port()
    lb.start(config.mutual(pki, port, behind, ciphers=weak))
    visitor = came_back(pki, port, kind)
    assert "128" in visitor.cipher
    lb.reload(config.mutual(pki, port, behind, ciphers=strong))
    assert not visitor.visit(port)
    assert "256" in visitor.cipher
    assert visitor.visit(port) and "256" in visitor.cipher


@each_kind
@pytest.mark.parametrize("before, after", [("server-rsa", "server-ecdsa"), ("server-ecdsa", "server-rsa")])
def test_a_session_of_before_is_no_hindrance_when_the_kind_of_key_changes(lb, pki, behind, kind, before, after):
    port = free_port()
    lb.start(config.mutual(pki, port, behind, server=before))
    visitor = came_back(pki, port, kind)
    lb.reload(config.mutual(pki, port, behind, server=after))
    visitor.visit(port)
    assert visitor.visit(port)


# --- names and their rules ----------------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def site_b(pki):
    return pki.issue("resumed-b", pki["server-root"], usage=(SERVER,), san=[x509.DNSName("b.test")])


@pytest.fixture
def named(lb, pki, behind, site_b):
    """named(tls of b.test, or None) is the text of a one-way listener; named.port its port."""
    class Named:
        port = free_port()

        def __call__(self, rules=None, **keys):
            text = config.one_way(pki, self.port, behind, **keys)
            text = text.replace("backend = main", f"certificate = {site_b.chain} {site_b.key}\nbackend = main")
            if rules == "mutual":
                text += config.section("certificate b.test", tls="mutual", client_ca=pki.client_ca, client_crl=pki.crl)
            elif rules:
                text += config.section("certificate b.test", tls=rules, client_ca=pki.client_ca)
            return text
    return Named()


@each_kind
def test_rules_that_a_name_gets_and_loses_each_ask_anew(lb, pki, named, kind):
    lb.start(named())
    nobody, good = Visitor(pki, kind, identity=None), Visitor(pki, kind)
    assert not nobody.visit(named.port, "b.test") and not good.visit(named.port, "b.test")
    assert nobody.visit(named.port, "b.test") and good.visit(named.port, "b.test")
    lb.reload(named("mutual"))
    assert nobody.refused(named.port, "b.test").alert in (40, 116)
    assert not good.visit(named.port, "b.test", keep=False)
    assert lb.wait_connection(decision="allow", resumed=False, subject=pki["good"].subject)
    lb.reload(named())
    assert nobody.visit(named.port, "b.test")  # its own session again
    lb.reload(named("mutual"))
    assert nobody.refused(named.port, "b.test").alert in (40, 116)


@each_kind
def test_a_session_of_a_name_with_rules_counts_neither_for_another_nor_for_none(lb, pki, named, kind):
    lb.start(named("mutual"))
    visitor = Visitor(pki, kind)
    assert not visitor.visit(named.port, "b.test") and visitor.visit(named.port, "b.test")
    for name in ("localhost", None, "x.b.test"):
        assert not visitor.visit(named.port, name, keep=False)
    other = Visitor(pki, kind, identity=None)
    for name in ("localhost", None):
        assert not other.visit(named.port, name)
        assert other.refused(named.port, "b.test").alert in (40, 116)
    lb.reload(named("mutual-optional"))
    assert not visitor.visit(named.port, "b.test", keep=False)
    lb.reload(named("mutual"))
    assert visitor.visit(named.port, "b.test")


@each_kind
def test_a_resumed_connection_is_misdirected_as_the_first_one_was(lb, pki, named, kind):
    lb.start(named("mutual", protocol="http", alpn="http/1.1", route="-> respond=200:hello").replace("protocol = tcp\n", ""))
    nobody, good = Visitor(pki, kind, identity=None), Visitor(pki, kind)

    def status(visitor, name, host):
        with client.tls(pki, named.port, using=visitor.context, session=visitor.session, name=name) as sock:
            sock.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = client.read_all(sock)
            visitor.session = sock.session
            return int(answer.split()[1]), sock.session_reused
    for resumed in (False, True, True):
        assert status(nobody, "localhost", "b.test") == (421, resumed)
        assert status(good, "b.test", "localhost") == (421, resumed)
    assert status(good, "b.test", "b.test") == (200, True)
    lb.reload(named(protocol="http", alpn="http/1.1", route="-> respond=200:hello"))
    assert status(nobody, "localhost", "b.test") == (200, True)
    lb.reload(named("mutual", protocol="http", alpn="http/1.1", route="-> respond=200:hello"))
    assert status(nobody, "localhost", "b.test") == (421, True)


# --- OCSP ---------------------------------------------------------------------------------------------------------------

@pytest.fixture
def responder():
    made = Responder()
    yield made
    made.close()


@each_kind
@pytest.mark.parametrize("issuer", ["root", "intermediate"])
def test_a_resumed_client_is_asked_about_too(lb, pki, behind, responder, kind, issuer):
    """The question names the issuer, which a session brings back as well: the responder signs for no other."""
    name, port = f"ocsp-resumed-{next(NUMBERS)}", free_port()
    pki.issue(name, pki[issuer], between=[] if issuer == "root" else [pki[issuer]], more=[access(responder.url)])
    lb.start(config.mutual(pki, port, behind, client_crl=None))
    visitor = came_back(pki, port, kind, identity=name)
    lb.reload(config.mutual(pki, port, behind, client_crl=None, ocsp="hard"))
    responder.answer = lambda request: response(pki[name], pki[issuer])
    assert visitor.visit(port)
    assert responder.asked == [pki[name].certificate.serial_number]
    last = lb.wait_connections(3, listener="main")[-1]
    assert last["resumed"] and last["subject"] == pki[name].subject
    assert lb.metric("lb_ocsp_total", listener="main", result="good") == 1


@each_kind
def test_a_resumed_client_that_ocsp_calls_revoked_is_refused(lb, pki, behind, responder, kind):
    name, port = f"ocsp-resumed-{next(NUMBERS)}", free_port()
    pki.issue(name, pki.root, more=[access(responder.url)])
    lb.start(config.mutual(pki, port, behind))
    visitor = came_back(pki, port, kind, identity=name)
    accepted = behind.accepted
    lb.reload(config.mutual(pki, port, behind, ocsp="soft"))
    responder.answer = lambda request: response(pki[name], pki.root, REVOKED)
    assert visitor.refused(port).alert == 44
    last = lb.wait_connection(reason="certificate-revoked")
    assert last["resumed"] and "OCSP" in last["text"]
    assert behind.accepted == accepted


@each_kind
def test_a_resumed_client_without_an_answer_is_refused_where_one_is_demanded(lb, pki, behind, responder, kind):
    name, port = f"ocsp-resumed-{next(NUMBERS)}", free_port()
    pki.issue(name, pki.root, more=[access(responder.url)])
    lb.start(config.mutual(pki, port, behind))
    visitor = came_back(pki, port, kind, identity=name)
    lb.reload(config.mutual(pki, port, behind, ocsp="hard"))
    responder.answer = lambda request: (500, b"")
    assert visitor.refused(port).alert == 46
    assert lb.wait_connection(reason="ocsp-unavailable")["resumed"]


# --- ticket keys ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["ticket-1.3", "ticket-1.2"])
def test_a_new_file_of_ticket_keys_is_in_force_without_a_reload(lb, pki, behind, kind):
    path, port, keys = lb.folder / "tickets.key", free_port(), [os.urandom(80) for _ in range(2)]

    def replace(content, count):
        new = lb.folder / "tickets.key.new"
        new.touch(0o600)
        new.write_bytes(content)
        os.rename(new, path)
        until(lambda: lb.metric("lb_rotations_total", result="done") == count, "the new keys", seconds=5 * PATIENCE)
    path.touch(0o600)
    path.write_bytes(keys[0])
    lb.start(config.mutual(pki, port, behind, ticket_keys=path))
    visitor = came_back(pki, port, kind)
    old = visitor.session
    replace(keys[1] + keys[0], 1)
    assert visitor.visit(port)  # the old one opens, the new one seals
    replace(keys[1], 2)
    assert visitor.visit(port)
    visitor.session = old
    assert not visitor.visit(port)
    lb.wait_metric(1, "lb_resumptions_refused_total", listener="main", cause="key")


def test_a_broken_file_of_ticket_keys_changes_nothing(lb, pki, behind):
    path, port = lb.folder / "tickets.key", free_port()
    path.touch(0o600)
    path.write_bytes(os.urandom(80))
    lb.start(config.mutual(pki, port, behind, ticket_keys=path))
    visitor = came_back(pki, port, "ticket-1.3")
    path.write_bytes(bytes(79))
    until(lambda: lb.metric("lb_rotations_total", result="refused") == 1, "the refusal", seconds=5 * PATIENCE)
    assert visitor.visit(port)


# --- how long -------------------------------------------------------------------------------------------------------------

@each_kind
def test_certificates_that_lb_keeps_do_not_outlive_the_lifetime(lb, pki, behind, kind):
    """They are too long for a ticket: what is kept has no time of its own, the session has."""
    port = free_port()
    lb.start(config.mutual(pki, port, behind, session_lifetime="4s"))
    visitor, started = Visitor(pki, kind, identity="good-two-between"), time.time()
    assert not visitor.visit(port)
    while visitor.visit(port):
        assert time.time() - started < 6, "it goes on for ever"
        time.sleep(0.15)  # time itself is tested
    assert time.time() - started > 2.9
    lb.wait_metric(1, "lb_resumptions_refused_total", listener="main", cause="age")


@each_kind
def test_a_shorter_lifetime_holds_for_sessions_of_before(lb, pki, behind, kind):
    port = free_port()
    lb.start(config.mutual(pki, port, behind))
    visitor = came_back(pki, port, kind)
    lb.reload(config.mutual(pki, port, behind, session_lifetime="1s"))
    time.sleep(1.1)  # time itself is tested
    assert not visitor.visit(port)
    lb.wait_metric(1, "lb_resumptions_refused_total", listener="main", cause="age")


# --- what servers are told ------------------------------------------------------------------------------------------------

@each_kind
@pytest.mark.parametrize("identity", ["good", "good-two-between", None])
def test_a_server_is_told_that_the_certificate_was_shown_in_an_earlier_connection(lb, pki, origin, kind, identity):
    behind, port = origin(header.behind(echo)), free_port()
    lb.start(config.mutual(pki, port, behind, tls="mutual-optional",
                           backend_keys={"send_proxy": "v2", "send_proxy_certificate": "yes"}))
    came_back(pki, port, kind, identity=identity)
    first, again = behind.headers
    if identity is None:
        assert (first.flags, again.flags) == (header.CLIENT_TLS, header.CLIENT_TLS)
        assert first.verify != 0 and again.verify != 0 and header.COMMON_NAME not in again.tls
        return
    assert first.flags == header.CLIENT_TLS | header.CLIENT_CERTIFICATE | header.SESSION_CERTIFICATE
    assert again.flags == header.CLIENT_TLS | header.SESSION_CERTIFICATE
    assert (first.verify, again.verify) == (0, 0)
    for fact in (header.COMMON_NAME, header.CERTIFICATE, header.VERSION, header.CIPHER, header.KEY_ALGORITHM):
        assert first.tls[fact] == again.tls[fact]
    assert first.tls[header.COMMON_NAME] == identity.encode()
