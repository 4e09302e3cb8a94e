"""TLS from lb to the servers: who is believed, what a server that is not believed gets to see, and what is passed on."""
import hashlib
import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import threading

import pytest
from cryptography import x509

from harness import client, config, secure, web
from harness.origin import CHUNK, Origin, reset
from harness.pki import CLIENT, SERVER, days
from harness.ports import free_port
from harness.waiting import SECONDS, until

LONG = "60s"  # far longer than any test waits: what comes earlier did not wait for it
MEGABYTES = 20


def localhost():
    return [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


@pytest.fixture(scope="module")
def servers(pki):
    """servers["expired"] is an Identity of a server with that fault."""
    root, made = pki["server-root"], {}

    def add(name, issuer=root, **keys):
        made[name] = pki.issue(f"behind-{name}", issuer, **{"usage": (SERVER,), "san": localhost(), **keys})

    add("good")
    add("named", san=[x509.DNSName("app.test"), x509.DNSName("*.wild.test")])
    add("between", pki.authority("behind-authority", root), between=[pki["behind-authority"]])
    add("other-ca", pki["other-root"])
    add("self-signed", None)
    add("expired", start=days(-10), end=days(-1))
    add("not-yet-valid", start=days(1))
    add("wrong-host", san=[x509.DNSName("other.test")])
    add("only-common-name", san=(), subject=[("CN", "127.0.0.1")])
    add("wrong-address", san=[x509.IPAddress(ipaddress.ip_address("127.0.0.2"))])
    add("nul-in-name", san=[x509.DNSName("localhost\0.evil.test"), x509.DNSName("127.0.0.1\0.evil.test")])
    add("for-clients", usage=(CLIENT,))
    add("weak-key", key="rsa1024")
    add("missing-intermediate", pki["behind-authority"])
    return made


FAULTS = {
    "other-ca": "is neither in ca nor among the 1 certificate sent",
    "self-signed": "is self-signed",
    "expired": "has expired",
    "not-yet-valid": "is not valid before",
    "wrong-host": "is not for 127.0.0.1",
    "only-common-name": "a common name does not count",
    "wrong-address": "is not for 127.0.0.1",
    "nul-in-name": "is there a NUL in a name",
    "for-clients": "lacks serverAuth",
    "weak-key": "",
    "missing-intermediate": "is an intermediate missing",
}


@pytest.fixture
def front(lb, pki):
    """front(*servers, http=, **backend keys) starts lb with one worker, so that connections meet again."""
    class Front:
        def text(self, *behind, http=True, listener_keys=None, **keys):
            keys = {"tls": "yes", "ca": pki.server_ca, "timeout_connect": LONG, **keys}
            write = web.plain if http else config.plain
            extra = {"h2c": "yes"} if http else {}
            return write(self.port, *behind, backend_keys=keys, **extra, **(listener_keys or {}))

        def __call__(self, *behind, **keys):
            self.port = free_port()
            lb.write(self.text(*behind, **keys), workers=1)
            lb.start()
            return self

        def ask(self, method="GET", target="/", *fields, **keys):
            with web.open_wire(self.port) as wire:
                return wire.ask(method, target, *fields, **keys)

        def line(self, count=1):
            return lb.wait_connections(count, listener="main")[count - 1]

        def handshakes(self, result, server="s0"):
            return lb.metric("lb_server_handshakes_total", backend="main", server=server, result=result)
    return Front()


@pytest.fixture
def behind(origin):
    """behind(identity, behaviour, **context keys) is an origin that speaks TLS; `seen` tells of its handshakes."""
    def start(identity, behaviour, **keys):
        secured = secure.over_tls(secure.context(identity, **keys), behaviour)
        made = origin(secured)
        made.seen = secured.seen
        return made
    return start


def ended(sock):
    """Whether the peer has ended, without a byte, in whatever way."""
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


def is_ended_at_once(port):
    """Whether lb ends the connection without a byte; it may do so before connect() has returned."""
    try:
        with client.connect(port) as sock:
            return ended(sock)
    except ConnectionError:
        return True


# --- who is not believed ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_never_sees_a_byte_of_a_request(front, behind, lb, servers, fault):
    one = behind(servers[fault], secure.record)
    front(one, retries=0)
    answer = front.ask("POST", "/secret", ("x-secret", "value"), body=b"secret")
    line = front.line()
    assert answer.status == 503 and line["reason"] == "server-certificate" and line["status"] == 503
    assert FAULTS[fault] in line["text"] and line["text"].startswith("server s0: ")
    assert answer.body == b"503 Service Unavailable\n"
    one.wait_idle()
    assert one.received == [] and one.accepted == 1
    assert front.handshakes("failed") == 1 and front.handshakes("full") == 0
    assert lb.metric("lb_server_connect_errors_total", backend="main", server="s0") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_never_sees_a_byte_of_a_connection(front, behind, servers, fault):
    one = behind(servers[fault], secure.record)
    front(one, http=False, retries=0)
    with client.connect(front.port) as sock:
        sock.sendall(b"secret")
        assert ended(sock)
    line = front.line()
    assert line["close"] == "server-certificate" and FAULTS[fault] in line["text"]
    assert line["backend"] == "main"
    one.wait_idle()
    assert one.received == [] and one.accepted == 1
    assert front.handshakes("failed") == 1


@pytest.mark.parametrize("version", [secure.V12, secure.V13], ids=["TLSv1.2", "TLSv1.3"])
def test_the_verdict_is_the_same_in_each_version(front, behind, servers, version):
    one = behind(servers["wrong-host"], secure.record, version=version)
    front(one, retries=0)
    assert front.ask().status == 503
    assert front.line()["reason"] == "server-certificate"
    one.wait_idle()
    assert one.received == []


@pytest.mark.parametrize("http", [True, False], ids=["http", "tcp"])
def test_a_server_without_tls_sees_a_client_hello_only(front, origin, http):
    """It takes what comes for a request of its own and answers in plain text, which reaches nobody."""
    def answer(sock, one):
        one.received.append(sock.recv(CHUNK))
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nowned")
        while data := sock.recv(CHUNK):
            one.received.append(data)
    one = origin(answer)
    front(one, http=http, retries=0)
    with client.connect(front.port) as sock:
        sock.sendall(web.request("GET", "/secret"))
        sock.settimeout(SECONDS)
        got = b""
        try:
            while data := sock.recv(CHUNK):
                got += data
                if b"\r\n\r\n" in got:
                    break
        except ConnectionError:
            pass
    line = front.line()
    assert line["reason" if http else "close"] == "server-tls-failed"
    assert b"owned" not in got and b"200 OK" not in got
    assert got.startswith(b"HTTP/1.1 503 ") if http else got == b""
    one.wait_idle()
    came = b"".join(one.received)
    assert came[:1] == b"\x16" and came[5:6] == b"\x01" and b"secret" not in came and b"GET" not in came


@pytest.mark.parametrize("http", [True, False], ids=["http", "tcp"])
def test_plain_text_ahead_of_the_handshake_is_no_answer(front, origin, servers, http):
    """Somebody on the way puts an answer in front of what the real server says."""
    using = secure.context(servers["good"])

    def inject(sock, one):
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nowned")
        try:
            with using.wrap_socket(sock, server_side=True) as tls:
                one.received.append(tls.recv(CHUNK))
        except OSError:
            pass
    one = origin(inject)
    front(one, http=http, retries=0)
    with client.connect(front.port) as sock:
        sock.sendall(web.request("GET", "/secret"))
        got = b""
        try:
            while (data := sock.recv(CHUNK)):
                got += data
                if b"\r\n\r\n" in got:
                    break
        except ConnectionError:
            pass
    assert b"owned" not in got and b"200 OK" not in got
    assert front.line()["reason" if http else "close"] == "server-tls-failed"
    one.wait_idle()
    assert one.received == []


@pytest.mark.parametrize("http", [True, False], ids=["http", "tcp"])
def test_a_server_that_leaves_during_the_handshake_is_refused_at_once(front, origin, http):
    one = origin(lambda sock, _: sock.recv(CHUNK))
    front(one, http=http, retries=0)
    if http:
        assert front.ask().status == 503
    else:
        assert is_ended_at_once(front.port)
    line = front.line()
    assert line["reason" if http else "close"] == "server-tls-failed"
    assert "ended the connection during the TLS handshake" in line["text"]


def test_a_server_that_never_answers_the_handshake_is_a_timeout(front, origin):
    one = origin(lambda sock, _: sock.recv(CHUNK) and sock.recv(CHUNK))
    front(one, retries=0, timeout_connect="200ms")
    assert front.ask().status == 504
    assert front.line()["reason"] == "timeout-connect"


@pytest.mark.parametrize("http", [True, False], ids=["http", "tcp"])
def test_the_next_server_is_tried(front, behind, servers, http):
    bad = behind(servers["expired"], secure.record)
    good = behind(servers["good"], web.serve(web.named("good")) if http else secure.named("good"))
    front(f"bad {bad.address}", f"good {good.address}", http=http)
    for _ in range(4):
        if http:
            answer = front.ask("POST", "/", body=b"x")
            assert answer.status == 200 and answer.body == b"good"
        else:
            assert client.line(front.port) == "good"
    assert bad.received == [] and bad.accepted > 0
    assert front.handshakes("failed", "bad") == bad.accepted


def test_a_client_over_tls_is_told_by_an_alert(lb, pki, behind, servers):
    port, one = free_port(), behind(servers["expired"], secure.record)
    lb.start(config.one_way(pki, port, one, backend_keys={"tls": "yes", "ca": pki.server_ca, "timeout_connect": LONG,
                                                          "retries": 0}))
    with pytest.raises(ssl.SSLError) as error, client.tls(pki, port) as sock:
        sock.recv(1)
    assert client.alert_of(error.value) == 80
    assert lb.wait_connection(listener="main")["close"] == "server-certificate"


def test_without_ca_the_system_s_are_meant(front, behind, servers):
    one = behind(servers["good"], secure.record)
    front(one, retries=0, ca=None)
    assert front.ask().status == 503
    assert front.line()["reason"] == "server-certificate"
    one.wait_idle()
    assert one.received == []


# --- who is believed --------------------------------------------------------------------------------------------------

TELL = web.serve(web.telling)


@pytest.mark.parametrize("version", [secure.V12, secure.V13], ids=["TLSv1.2", "TLSv1.3"])
def test_a_request_goes_out_over_tls(front, behind, servers, version):
    one = behind(servers["good"], TELL, version=version)
    front(one)
    answer = front.ask("POST", "/here", body=b"body")
    assert answer.status == 200 and answer.body == b"POST /here body"
    word = "TLSv1.2" if version == secure.V12 else "TLSv1.3"
    assert one.seen.versions == [word] and front.line()["server_tls"] == word
    assert set(one.seen.names) <= {None} and front.handshakes("full") == 1


@pytest.mark.parametrize("name", ["app.test", "APP.TEST", "a.wild.test"])
def test_verify_host_is_looked_for_and_sent(front, behind, servers, name):
    one = behind(servers["named"], TELL)
    front(one, verify_host=name)
    assert front.ask().status == 200
    assert set(one.seen.names) == {name}  # twice, where the server asks for another group first


def test_a_server_may_have_a_name_of_its_own(front, behind, servers):
    good, other = behind(servers["good"], web.serve(web.named("a"))), behind(servers["named"], web.serve(web.named("b")))
    front(f"a {good.address}", f"b {other.address} verify-host=app.test", retries=0)
    assert {front.ask().body for _ in range(4)} == {b"a", b"b"}


def test_a_server_may_be_plain_among_others(front, behind, origin, servers):
    over, without = behind(servers["good"], web.serve(web.named("tls"))), origin(web.serve(web.named("plain")))
    front(f"a {over.address} tls=yes", f"b {without.address} tls=no", retries=0, tls=None)
    assert {front.ask().body for _ in range(4)} == {b"tls", b"plain"}


def test_a_host_name_in_the_address_is_the_name(front, behind, servers):
    one = behind(servers["good"], TELL)
    front(f"a localhost:{one.port}")
    assert front.ask().status == 200
    assert set(one.seen.names) == {"localhost"}


def test_a_chain_is_followed(front, behind, servers):
    front(behind(servers["between"], TELL))
    assert front.ask().status == 200


@pytest.mark.parametrize("fault", ["self-signed", "expired", "wrong-host"])
def test_verify_none_believes_anybody(front, behind, servers, fault):
    front(behind(servers[fault], TELL), verify="none", ca=None)
    assert front.ask().status == 200


# --- lb's own certificate ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", [secure.V12, secure.V13], ids=["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("http", [True, False], ids=["http", "tcp"])
def test_a_server_that_demands_a_certificate_gets_it(front, behind, pki, servers, http, version):
    own = pki["good"]
    one = behind(servers["good"], TELL if http else secure.named("hello"), version=version, clients=pki.client_ca)
    front(one, http=http, certificate=f"{own.chain} {own.key}")
    if http:
        assert front.ask().status == 200
    else:
        assert client.line(front.port) == "hello"
    assert hashlib.sha256(one.seen.peers[0]).hexdigest() == own.sha256


@pytest.mark.parametrize("version", [secure.V12, secure.V13], ids=["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("http", [True, False], ids=["http", "tcp"])
def test_a_server_that_demands_a_certificate_in_vain_is_told_of(front, behind, pki, servers, http, version):
    one = behind(servers["good"], secure.record, version=version, clients=pki.client_ca)
    front(one, http=http, retries=0)
    if http:
        assert front.ask().status == 503
    else:
        assert is_ended_at_once(front.port)
    line = front.line()
    assert line["reason" if http else "close"] == "server-tls-failed"
    assert "the server sent alert" in line["text"]
    assert one.received == [] and front.handshakes("failed") == 1


# --- resumption -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", [secure.V12, secure.V13], ids=["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("http", [True, False], ids=["http", "tcp"])
def test_sessions_are_resumed_and_counted(front, behind, servers, http, version):
    one = behind(servers["good"], TELL if http else secure.named("hello"), version=version)
    front(one, http=http, pool_connections=0)
    for _ in range(5):
        if http:
            assert front.ask().status == 200
        else:
            assert client.line(front.port) == "hello"
    until(lambda: front.handshakes("full") + front.handshakes("resumed") == 5, "five handshakes")
    assert one.seen.resumed == front.handshakes("resumed") == 4


def test_a_kept_connection_needs_no_handshake(front, behind, servers):
    one = behind(servers["good"], TELL)
    front(one)
    for _ in range(5):
        assert front.ask().status == 200
    assert one.accepted == 1 and front.handshakes("full") == 1 and front.handshakes("resumed") == 0
    assert front.line(5)["reused"] is True and front.line(5)["server_tls"] == "TLSv1.3"


def test_a_kept_session_helps_no_other_server(front, behind, lb, servers):
    """The server's place is taken by another one, with a certificate that is not believed."""
    port = free_port()
    first = Origin(secure.over_tls(secure.context(servers["good"]), TELL), port)
    front(port, pool_connections=0, retries=0)
    assert front.ask().status == 200
    first.wait_idle()
    first.close()
    other = Origin(secure.over_tls(secure.context(servers["other-ca"]), secure.record), port)
    try:
        assert front.ask().status == 503
        assert front.line(2)["reason"] == "server-certificate"
        assert other.received == []
    finally:
        other.close()


def test_after_a_reload_with_another_ca_nothing_old_is_used(front, behind, lb, pki, servers):
    """Neither the connection that was kept nor the session."""
    one = behind(servers["good"], TELL)
    front(one, retries=0)
    assert front.ask().status == 200
    lb.reload(front.text(one, retries=0, ca=pki.client_ca))
    assert front.ask().status == 503
    assert front.line(2)["reason"] == "server-certificate"
    lb.reload(front.text(one, retries=0))
    assert front.ask().status == 200


def test_a_reload_that_changes_nothing_keeps_the_connection(front, behind, lb, servers):
    one = behind(servers["good"], TELL)
    front(one)
    assert front.ask().status == 200
    lb.reload()
    assert front.ask().status == 200
    assert one.accepted == 1


class Slow:
    """A server that begins with TLS when it is told to."""

    def __init__(self, identity, behaviour):
        self.go, self.came = threading.Event(), threading.Event()
        self.behaviour = secure.over_tls(secure.context(identity), behaviour)

    def __call__(self, sock, origin):
        self.came.set()
        self.go.wait(SECONDS)
        self.behaviour(sock, origin)


@pytest.mark.parametrize("http", [True, False], ids=["http", "tcp"])
def test_a_reload_during_a_handshake_changes_nothing_for_it(front, origin, lb, servers, http):
    slow = Slow(servers["good"], TELL if http else secure.named("hello"))
    front(origin(slow), http=http)
    with client.connect(front.port) as sock:
        sock.sendall(web.request("GET", "/here"))
        assert slow.came.wait(SECONDS)
        lb.reload(front.text(free_port(), http=http, verify_host="other.test"))
        lb.reload(front.text(free_port(), http=http, tls="no", ca=None))
        slow.go.set()
        if http:
            assert web.Wire(sock).answer().body == b"GET /here "
        else:
            assert client.read_all(sock) == b"hello\n"
    lb.wait_metric(1, "lb_generations")


@pytest.mark.parametrize("http", [True, False], ids=["http", "tcp"])
def test_a_client_that_leaves_during_a_handshake_takes_it_along(front, origin, servers, http):
    slow = Slow(servers["good"], secure.record)
    one = origin(slow)
    front(one, http=http)
    sock = client.connect(front.port)
    sock.sendall(web.request("GET", "/here"))
    assert slow.came.wait(SECONDS)
    reset(sock)
    line = front.line()
    assert line["end" if http else "close"] == "client-reset"
    slow.go.set()
    one.wait_idle()
    assert one.received == [] and slow.behaviour.seen.errors
    assert front.handshakes("failed") == 0


@pytest.mark.parametrize("http", [True, False], ids=["http", "tcp"])
def test_lb_stops_in_order_while_a_handshake_is_under_way(front, origin, lb, servers, http):
    slow = Slow(servers["good"], secure.record)
    one = origin(slow)
    front(one, http=http)
    with client.connect(front.port) as sock:
        sock.sendall(web.request("GET", "/here"))
        assert slow.came.wait(SECONDS)
        lb.stop()
    slow.go.set()
    one.wait_idle()
    assert one.received == []


@pytest.mark.parametrize("ends_well", [True, False])
def test_a_kept_connection_that_the_server_ends_is_replaced(front, behind, servers, ends_well):
    def once(sock, one):
        wire = web.Wire(sock)
        one.received.append(wire.request())
        wire.send(web.reply("answer"))
        (secure.end if ends_well else secure.cut)(sock)
    one = behind(servers["good"], once)
    front(one, retries=0)
    for count in range(1, 4):
        assert front.ask("POST", "/", body=b"x").body == b"answer"
        one.wait_idle()
        assert one.accepted == count
    assert front.handshakes("full") == 1 and front.handshakes("resumed") == 2


def test_backends_with_the_same_ca_keep_their_names_apart(lb, pki, behind, servers):
    port, one = free_port(), behind(servers["named"], TELL)
    keys = {"tls": "yes", "ca": pki.server_ca, "timeout_connect": LONG, "retries": 0}
    lb.start(config.listener("main", port, protocol="http", route=["path=/right -> right", "path=/wrong -> wrong"]) +
             config.backend("right", one, verify_host="app.test", **keys) +
             config.backend("wrong", one, verify_host="another.test", **keys), )
    for _ in range(3):
        with web.open_wire(port) as wire:
            assert wire.ask("GET", "/right").status == 200
        with web.open_wire(port) as wire:
            assert wire.ask("GET", "/wrong").status == 503
    assert all(message.target == "/right" for message in one.received)


# --- what passes ------------------------------------------------------------------------------------------------------

def test_the_half_that_is_open_is_used(front, behind, servers):
    """The client ends its direction; the server's answer still comes, over TLS."""
    front(behind(servers["good"], secure.sum_up), http=False)
    with client.connect(front.port) as sock:
        sock.sendall(b"x" * 100000)
        sock.shutdown(socket.SHUT_WR)
        assert client.read_all(sock) == b"100000\n"
    assert front.line()["close"] == "finished"


def test_what_a_client_sends_at_once_waits_for_the_handshake(front, behind, servers):
    front(behind(servers["good"], secure.sum_up), http=False)
    with client.connect(front.port) as sock:
        sock.sendall(b"early")
        sock.shutdown(socket.SHUT_WR)
        assert client.read_all(sock) == b"5\n"


def test_tcp_connections_offer_the_alpn_that_is_set(front, behind, servers):
    one = behind(servers["good"], secure.named("hello"), alpn=["two", "one"])
    front(one, http=False, alpn="one, two")
    assert client.line(front.port) == "hello"
    assert one.seen.alpn == ["two"]


def test_large_bodies_pass_both_ways(front, behind, servers):
    front(behind(servers["good"], TELL))
    body = os.urandom(1 << 20) * MEGABYTES
    answer = front.ask("POST", "/", body=body)
    assert answer.status == 200
    assert hashlib.sha256(answer.body[len(b"POST / "):]).digest() == hashlib.sha256(body).digest()


def test_much_is_relayed_both_ways_at_the_same_time(front, behind, servers):
    def give_back(sock, _):
        try:
            while data := sock.recv(CHUNK):
                sock.sendall(data)
        except ssl.SSLZeroReturnError:
            pass
        secure.end(sock)
    front(behind(servers["good"], give_back), http=False)
    data = os.urandom(1 << 20) * MEGABYTES
    with client.connect(front.port) as sock:
        def send():
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        got = client.read_all(sock)
        thread.join(SECONDS)
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()


def test_tls_on_both_sides(lb, pki, behind, servers):
    port, one = free_port(), behind(servers["good"], secure.sum_up)
    lb.start(config.one_way(pki, port, one, backend_keys={"tls": "yes", "ca": pki.server_ca}))
    with client.Steps(pki, port) as steps:
        steps.finish()
        steps.write(b"hello")
        steps.close_notify()
        assert steps.read_to_end() == b"5\n"


@pytest.mark.parametrize("http", [True, False], ids=["http", "tcp"])
def test_a_proxy_header_goes_ahead_of_the_handshake(front, origin, servers, http):
    using = secure.context(servers["good"])
    behaviour = secure.over_tls(using, TELL if http else secure.named("hello"))

    def header_first(sock, one):
        header = b""
        while not header.endswith(b"\r\n"):
            header += sock.recv(1)
        one.received.append(header)
        behaviour(sock, one)
    one = origin(header_first)
    front(one, http=http, send_proxy="v1")
    if http:
        assert front.ask().status == 200
    else:
        assert client.line(front.port) == "hello"
    assert one.received[0].startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")


# --- truncation -------------------------------------------------------------------------------------------------------

UNTIL_END = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf of it"


@pytest.mark.parametrize("ends_well", [True, False])
def test_an_answer_that_ends_without_close_notify_is_cut(front, behind, servers, ends_well):
    def answer(sock, _):
        sock.recv(CHUNK)
        sock.sendall(UNTIL_END)
        (secure.end if ends_well else secure.cut)(sock)
    front(behind(servers["good"], answer), retries=0)
    if ends_well:
        got = front.ask()
        assert got.status == 200 and got.body == b"half of it"
        assert front.line()["end"] == "finished"
    else:
        with pytest.raises((web.Cut, ConnectionError)):
            front.ask()
        assert front.line()["end"] == "answer-cut"


def test_a_relay_that_ends_without_close_notify_is_cut(front, behind, servers):
    def answer(sock, _):
        sock.recv(CHUNK)
        sock.sendall(b"half of it")
        secure.cut(sock)
    front(behind(servers["good"], answer), http=False)
    with client.connect(front.port) as sock:
        sock.sendall(b"go")
        with pytest.raises(ConnectionResetError):
            while sock.recv(CHUNK):
                pass
    assert front.line()["close"] == "server-truncated"


@pytest.mark.parametrize("keys", [{"pool_connections": 0}, {"timeout_pool": "100ms"}], ids=["not kept", "kept for a time"])
@pytest.mark.parametrize("version", [secure.V12, secure.V13], ids=["TLSv1.2", "TLSv1.3"])
def test_a_connection_of_no_further_use_ends_with_close_notify(front, behind, servers, version, keys):
    one = behind(servers["good"], TELL, version=version)
    front(one, **keys)
    assert front.ask("POST", "/", body=b"x").status == 200
    one.wait_idle()
    assert one.seen.errors == [] and one.failures == []


def test_a_request_that_is_cut_ends_without_close_notify(front, behind, servers):
    """The server must not take a part for the whole."""
    one = behind(servers["good"], secure.record)
    front(one)
    with web.open_wire(front.port) as wire:
        wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        until(lambda: b"half" in b"".join(one.received), "the first half")
    one.wait_idle()
    until(lambda: any("EOF" in error or "reset" in error.lower() for error in one.seen.errors + [str(one.failures)]),
          lambda: f"the server to see a cut: {one.seen.errors} {one.failures}")


# --- HTTP/2 -----------------------------------------------------------------------------------------------------------

def test_http_2_over_tls_with_trailers(front, node, servers):
    good = servers["good"]
    one = node("h2_origin.js", good.chain, good.key)
    front(one, server_protocol="h2")
    with web.open_two(front.port) as two:
        answer = two.ask("POST", "/", ("content-type", "application/grpc"), ("te", "trailers"), body=b"message")
        assert answer.status == 200 and answer.body == b"message"
        assert ("grpc-status", "0") in answer.trailers
        numbers = [two.begin("GET", f"/bytes/{1 << 20}") for _ in range(5)]
        assert all(len(two.answer(number).body) == 1 << 20 for number in numbers)
    assert front.handshakes("full") + front.handshakes("resumed") >= 1


def test_a_server_that_does_not_agree_on_h2_is_refused(front, behind, servers):
    one = behind(servers["good"], secure.record, alpn=["http/1.1"])
    front(one, server_protocol="h2", retries=0)
    assert front.ask().status == 503
    line = front.line()
    assert line["reason"] == "server-tls-failed" and "does not agree on h2" in line["text"]
    one.wait_idle()
    assert one.received == []


def test_an_impostor_never_sees_a_request_over_h2(front, behind, servers):
    one = behind(servers["other-ca"], secure.record, alpn=["h2"])
    front(one, server_protocol="h2", retries=0)
    with web.open_two(front.port) as two:
        numbers = [two.begin("GET", "/secret") for _ in range(3)]
        assert [two.answer(number).status for number in numbers] == [503, 503, 503]
    assert {front.line(number)["reason"] for number in (1, 2, 3)} == {"server-certificate"}
    one.wait_idle()
    assert one.received == []


# --- real servers -----------------------------------------------------------------------------------------------------

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; {user}
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {one.chain}; ssl_certificate_key {one.key};
    add_header x-protocol $server_protocol; add_header x-reused $ssl_session_reused; add_header x-name "$ssl_server_name";
    location / {{ return 200 "from nginx\\n"; }}
  }}
}}
"""


@pytest.fixture
def nginx_tls(folder, servers):
    """The port of an nginx that speaks HTTP/1.1 and HTTP/2 over TLS."""
    port = free_port()
    with open(f"{folder}/nginx.conf", "w", encoding="utf-8") as file:
        file.write(NGINX.format(folder=folder, port=port, one=servers["good"],
                                user="user root;" if os.geteuid() == 0 else ""))
    process = subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"],
                               stderr=subprocess.DEVNULL)
    until(lambda: os.path.exists(f"{folder}/nginx.pid"), "nginx to start")
    yield port
    process.send_signal(signal.SIGTERM)
    process.wait(10)


@pytest.mark.parametrize("protocol,word", [("http/1.1", "HTTP/1.1"), ("h2", "HTTP/2.0")])
def test_nginx_is_spoken_to(front, nginx_tls, protocol, word):
    front(f"a localhost:{nginx_tls}", server_protocol=protocol, pool_connections=0)
    answers = [front.ask() for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert {answer["x-protocol"] for answer in answers} == {word}
    assert {answer["x-name"] for answer in answers} == {"localhost"}
    assert [answer["x-reused"] for answer in answers] == [".", "r", "r"]
    until(lambda: front.handshakes("resumed", "a") == 2, "two resumed handshakes")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_is_spoken_to(front, servers, version):
    port, good = free_port(), servers["good"]
    with subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", good.chain, "-key", good.key,
                           version, "-www"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert any(b"ACCEPT" in line for line in server.stdout)
            front(port, pool_connections=0)
            answers = [front.ask() for _ in range(2)]
            assert [answer.status for answer in answers] == [200, 200]
            assert b"TLSv1." + version[-1].encode() in answers[0].body
        finally:
            server.kill()
