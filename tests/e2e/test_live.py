"""Live connections when the rules change: who is closed, who is not, and how it is told."""
import datetime
import select
import shutil
import time

import pytest

from harness import client, config
from harness.client import ask, refusal, tls
from harness.origin import echo
from harness.pki import now
from harness.ports import free_port
from harness.visitor import KINDS, came_back
from harness.waiting import scaled, until

CROWD = scaled(1000)


def is_open(sock):
    """A byte still goes to the origin and back. To be asked of open ones first: some versions of OpenSSL under Python take
    the error of one connection for that of the next."""
    try:
        return ask(sock, b"x") == b"x"
    except client.Refused:
        return False


def ended(socks):
    """Those that lb has closed; the others have had nothing to read."""
    poll = select.poll()
    for number, sock in enumerate(socks):
        poll.register(sock.fileno(), select.POLLIN)
    ready = {fd for fd, _ in poll.poll(0)}
    return [number for number, sock in enumerate(socks) if sock.fileno() in ready]


@pytest.fixture
def held(lb, pki, origin):
    """held(**keys) is a mutual listener with reauthorize = yes whose CRL and CA are files of lb's own folder."""
    state = {"port": free_port(), "origin": origin(echo)}

    def start(**keys):
        shutil.copy(pki.crl, lb.folder / "crl.pem")
        shutil.copy(pki.client_ca, lb.folder / "ca.pem")
        state["keys"] = {"client_ca": lb.folder / "ca.pem", "client_crl": lb.folder / "crl.pem", "reauthorize": "yes",
                         "timeout_idle": "10m", **keys}
        lb.start(text())
        return state["port"]

    def text(extra="", **more):
        return config.mutual(pki, state["port"], state["origin"], **{**state["keys"], **more}) + extra

    start.text = text
    start.certificate = config.mutual_keys(pki)["certificate"]
    return start


def revoke(lb, pki, *names):
    shutil.copy(pki.make_crl("live.crl", {"root": [pki["revoked"], *[pki[name] for name in names]]}),
                lb.folder / "crl.pem")


def test_of_a_crowd_exactly_the_revoked_are_closed(held, lb, pki):
    port = held()
    crowd = [f"crowd-{number}" for number in range(20)]
    for name in crowd:
        if name not in pki.known:
            pki.issue(name, pki["root"])
    socks = [tls(pki, port, crowd[number % 20]) for number in range(CROWD - 3)]
    socks += [tls(pki, port, pki.issue(f"gone-{number}", pki["root"]).name) for number in range(3)]
    for sock in socks:
        assert ask(sock) == b"ping"
    revoke(lb, pki, "gone-0", "gone-1", "gone-2")
    lb.reload()
    until(lambda: len(ended(socks)) >= 3, lambda: "three connections end")
    until(lambda: lb.metric("lb_reauthorized_total", listener="main") == CROWD - 3, lambda: "the others are judged")
    assert ended(socks) == [CROWD - 3, CROWD - 2, CROWD - 1]
    assert len(lb.wait_connections(3, reason="reauthorization")) == 3
    assert 0 < lb.metric("lb_reauthorize_lag_seconds", listener="main") < 1
    for sock in socks[:CROWD - 3]:
        assert is_open(sock)
        sock.close()


def test_a_revoked_intermediate_takes_all_below_it(held, lb, pki):
    port = held()
    below, beside = tls(pki, port, "good-chained"), tls(pki, port, "good")
    assert ask(below) == ask(beside) == b"ping"
    revoke(lb, pki, "intermediate")
    lb.reload()
    line = lb.wait_connection(reason="reauthorization")
    assert "revoked" in line["text"]
    assert is_open(beside) and not is_open(below)


def test_a_ca_that_is_taken_away_takes_its_clients(held, lb, pki):
    port = held()
    sock = tls(pki, port, "good")
    assert ask(sock) == b"ping"
    shutil.copy(pki["other-root"].leaf, lb.folder / "ca.pem")
    (lb.folder / "crl.pem").write_bytes(pki.make_crl("live-other.crl", {"other-root": []}).read_bytes())
    lb.reload()
    lb.wait_connection(reason="reauthorization")
    assert not is_open(sock)


SCRIPT = "function on_authorize(conn) if conn.certificate.subject.CN == '%s' then return false, 'out' end return true end"


def test_a_new_script_closes_whom_it_denies(held, lb, pki):
    script = lb.file("policy.lua", SCRIPT % "nobody")
    port = held(script=script)
    out, stays = tls(pki, port, "good"), tls(pki, port, "good-rsa")
    assert ask(out) == ask(stays) == b"ping"
    lb.file("policy.lua", SCRIPT % "good")
    lb.reload()
    assert lb.wait_connection(reason="reauthorization")["text"] == "out"
    assert is_open(stays) and not is_open(out)


def test_a_new_script_that_waits_closes_whom_it_denies_in_the_end(held, lb, pki):
    script = lb.file("policy.lua", SCRIPT % "nobody")
    port = held(script=script)
    out, stays = tls(pki, port, "good"), tls(pki, port, "good-rsa")
    assert ask(out) == ask(stays) == b"ping"
    lb.file("policy.lua", (SCRIPT % "good").replace("(conn) ", "(conn) lb.sleep(0.05) "))
    lb.reload()
    lb.wait_connection(reason="reauthorization")
    lb.reload()  # while the other one waits, or after
    assert is_open(stays)


def test_a_script_that_fails_closes(held, lb, pki):
    port = held(script=lb.file("policy.lua", SCRIPT % "nobody"))
    sock = tls(pki, port, "good")
    assert ask(sock) == b"ping"
    lb.file("policy.lua", "function on_authorize(conn) return conn.no.such end")
    lb.reload()
    lb.wait_connection(reason="reauthorization")
    assert not is_open(sock)


def test_a_reload_that_changes_no_rule_judges_nobody(held, lb, pki):
    port = held(script=lb.file("policy.lua", SCRIPT % "nobody"))
    sock = tls(pki, port, "good")
    assert ask(sock) == b"ping"
    lb.reload(held.text(timeout_idle="9m"))
    assert is_open(sock)
    assert lb.metric("lb_reauthorized_total", listener="main") == 0


def test_without_reauthorize_a_connection_goes_on(held, lb, pki):
    port = held(reauthorize="no")
    sock = tls(pki, port, "good")
    assert ask(sock) == b"ping"
    revoke(lb, pki, "good")
    lb.reload()
    assert refusal(pki, port, "good")
    assert is_open(sock)


def test_what_has_shown_no_certificate_is_counted(held, lb, pki):
    port = held(tls="mutual-optional")
    sock = tls(pki, port)
    assert ask(sock) == b"ping"
    revoke(lb, pki)
    lb.reload()
    until(lambda: lb.metric("lb_reauthorize_unchecked_total", listener="main") == 1, lambda: "it is counted")
    assert is_open(sock)


def test_one_without_a_certificate_is_closed_when_certificates_become_a_demand(held, lb, pki):
    port = held(tls="mutual-optional")
    sock = tls(pki, port)
    assert ask(sock) == b"ping"
    lb.reload(held.text(tls="mutual"))
    lb.wait_connection(reason="reauthorization")
    assert not is_open(sock)


@pytest.mark.parametrize("before", ["one-way", "off"])
def test_one_that_nobody_asked_for_a_certificate_is_closed_when_certificates_become_a_demand(held, lb, pki, before):
    port, mutual = held(), held.text()
    certificate = None if before == "off" else held.certificate
    lb.reload(held.text(tls=before, certificate=certificate, client_ca=None, client_crl=None, reauthorize=None))
    sock = client.connect(port) if before == "off" else tls(pki, port)
    assert ask(sock) == b"ping"
    lb.reload(mutual)
    lb.wait_connection(reason="reauthorization")
    assert not is_open(sock)


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_was_resumed_is_judged_like_any_other(held, lb, pki, kind):
    port = held()
    socks = []
    for identity in ("good", "good-two-between", "good-rsa"):
        visitor = came_back(pki, port, kind, identity=identity)
        socks.append(tls(pki, port, using=visitor.context, session=visitor.session))
        assert ask(socks[-1]) == b"ping" and socks[-1].session_reused
    revoke(lb, pki, "good", "intermediate")
    lb.reload()
    for line in lb.wait_connections(2, reason="reauthorization"):
        assert line["resumed"] and "revoked" in line["text"]
    assert is_open(socks[2]) and not is_open(socks[0]) and not is_open(socks[1])


def test_a_kept_http_connection_is_closed_without_waiting_for_a_request(held, lb, pki):
    port = held(protocol="http", alpn="http/1.1", route="-> respond=200:hi")
    sock = tls(pki, port, "good")
    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert sock.recv(100).startswith(b"HTTP/1.1 200")
    revoke(lb, pki, "good")
    lb.reload()
    until(lambda: ended([sock]), lambda: "the connection is closed")


# ---- the end that a connection has from its beginning


def test_a_connection_ends_with_its_certificate(lb, pki, origin):
    port = free_port()
    pki.issue("short", pki["root"], end=now() + datetime.timedelta(seconds=4))
    lb.start(config.mutual(pki, port, origin(echo), close_on_expiry="yes"))
    short, stays = tls(pki, port, "short"), tls(pki, port, "good")
    assert ask(short) == ask(stays) == b"ping"
    assert lb.wait_connection(close="close-on-expiry")
    assert is_open(stays) and not is_open(short)


def test_a_kept_connection_that_is_let_in_by_newer_rules_ends_with_its_certificate_too(lb, pki):
    port = free_port()
    pki.issue("short-kept", pki["root"], end=now() + datetime.timedelta(seconds=4))

    def text(**keys):
        return config.listener("main", port, protocol="http", alpn="http/1.1", route="-> respond=200:hi",
                               max_connection_age="10m", timeout_keep_alive="10m", **config.mutual_keys(pki), **keys)
    lb.start(text())
    with tls(pki, port, "short-kept") as sock:
        for rules in (text(), text(close_on_expiry="yes")):
            lb.reload(rules)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
        until(lambda: ended([sock]), lambda: "the connection is closed")


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_connection_ends_with_its_certificate(lb, pki, origin, kind):
    port = free_port()
    pki.issue(f"brief-{kind}", pki["root"], end=now() + datetime.timedelta(seconds=4))
    lb.start(config.mutual(pki, port, origin(echo), close_on_expiry="yes"))
    visitor = came_back(pki, port, kind, identity=f"brief-{kind}")
    sock = tls(pki, port, using=visitor.context, session=visitor.session)
    assert ask(sock) == b"ping" and sock.session_reused
    assert lb.wait_connection(close="close-on-expiry")["resumed"]
    assert not is_open(sock)


def test_a_connection_ends_at_its_age(lb, pki, origin):
    port = free_port()
    lb.start(config.mutual(pki, port, origin(echo), max_connection_age="300ms"))
    sock = tls(pki, port, "good")
    lb.wait_connection(close="max-connection-age")
    assert not is_open(sock)


def test_over_http_the_request_that_runs_at_that_age_is_finished(lb, pki, origin):
    port = free_port()
    lb.start(config.listener("main", port, protocol="http", max_connection_age="200ms", backend="app",
                             timeout_keep_alive="10m") +
             config.backend("app", origin(slow)))
    sock = client.connect(port)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    got = b""
    while part := sock.recv(1000):
        got += part
    assert got.endswith(b"late") and b"200 OK" in got
    lb.wait_connections(1)


def slow(sock, _):
    sock.recv(1000)
    time.sleep(0.6)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
    sock.recv(1)
