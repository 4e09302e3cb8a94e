"""PROXY headers that lb sends: what a server is told about the client, and that it is told of one client only."""
import socket

import pytest
from cryptography.hazmat.primitives import serialization

from harness import client, config, proxies, web
from harness import proxy_header as header
from harness.client import V12, V13
from harness.origin import echo, named, read_all
from harness.ports import free_port
from harness.waiting import until

CLIENT, OTHER = "127.0.0.5", "127.0.0.6"
versions = pytest.mark.parametrize("version", ["v1", "v2"])


@pytest.fixture
def behind(origin):
    return origin(header.behind(echo))


@pytest.fixture
def start(lb, pki, behind):
    """start(kind, version, **keys of the listener) gives the port."""
    def run(kind="plain", version="v2", certificate=None, **keys):
        port = free_port()
        backend = {"send_proxy": version, "send_proxy_certificate": certificate}
        make = {"plain": config.plain, "one-way": config.one_way, "mutual": config.mutual}[kind]
        lb.start(make(*([] if kind == "plain" else [pki]), port, behind, backend_keys=backend, **keys))
        return port
    return run


def sole(behind):
    assert len(behind.headers) == 1
    return behind.headers[0]


def announced(pki, port, behind, identity=None, **keys):
    """The header of a TLS connection, and the socket's facts: cipher, version."""
    with client.tls(pki, port, identity, **keys) as sock:
        assert client.ask(sock) == b"ping"
        return sole(behind), sock.cipher()[0], sock.version()


# --- tcp --------------------------------------------------------------------------------------------------------------

@versions
def test_a_server_is_told_of_both_ends_before_anything_else(start, behind, version):
    port = start(version=version)
    with client.connect(port, CLIENT) as sock:
        assert client.ask(sock) == b"ping"
        assert sole(behind).source == (CLIENT, sock.getsockname()[1])
    assert sole(behind).destination == ("127.0.0.1", port) and not sole(behind).local
    assert sole(behind).version == int(version[1])


def test_nothing_is_announced_unless_asked_for(lb, origin):
    behind, port = origin(echo), free_port()
    lb.start(config.plain(port, behind))
    with client.connect(port) as sock:
        assert client.ask(sock, b"first") == b"first"


@versions
def test_a_server_that_speaks_first_is_told_before_the_client_has_said_a_word(lb, origin, version):
    behind, port = origin(header.behind(named("hello"))), free_port()
    lb.start(config.plain(port, behind, backend_keys={"send_proxy": version}))
    assert client.line(port) == "hello" and sole(behind).destination == ("127.0.0.1", port)


@versions
def test_what_the_client_had_sent_early_follows_the_header(start, behind, version):
    data = b"early" * 20000
    with client.connect(start(version=version), CLIENT) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == data
    assert sole(behind).source[0] == CLIENT


@versions
def test_the_server_that_answers_after_another_has_failed_is_told(lb, origin, version):
    behind, port = origin(header.behind(echo)), free_port()
    lb.start(config.plain(port, free_port(), behind, backend_keys={"send_proxy": version}))
    for _ in range(2):
        with client.connect(port, CLIENT) as sock:
            assert client.ask(sock) == b"ping"
    assert [one.source[0] for one in behind.headers] == [CLIENT, CLIENT]


@pytest.mark.parametrize("version,kind", [("v1", "UNKNOWN"), ("v2", "UNSPEC")])
def test_a_client_of_a_unix_socket_has_no_address(lb, behind, folder, version, kind):
    path = f"{folder}/in"
    lb.start(config.plain(f"unix:{path}", behind, backend_keys={"send_proxy": version}))
    with client.connect(path) as sock:
        assert client.ask(sock) == b"ping"
    assert sole(behind).source is None and not sole(behind).local
    assert kind != "UNKNOWN" or sole(behind).wire == b"PROXY UNKNOWN\r\n"


@versions
@pytest.mark.parametrize("source,destination", [("203.0.113.9", "192.0.2.80"), ("2001:db8::9", "2001:db8::80")])
def test_what_a_header_has_told_lb_is_passed_on(start, behind, version, source, destination):
    port = start(version=version, proxy_protocol="yes", trusted_proxies=CLIENT)
    with client.connect(port, CLIENT) as sock:
        sock.sendall(header.v2(source, 4711, destination, 8443))
        assert client.ask(sock) == b"ping"
    assert sole(behind).source == (source, 4711) and sole(behind).destination == (destination, 8443)


def test_each_connection_has_an_id_of_its_own_which_the_log_has_too(lb, start, behind):
    port = start()
    for _ in range(3):
        with client.connect(port) as sock:
            assert client.ask(sock) == b"ping"
    ids = {one.tlvs[header.UNIQUE_ID].decode() for one in behind.headers}
    assert len(ids) == 3 and {line["id"] for line in lb.wait_connections(3)} == ids


def test_a_plain_connection_is_not_told_as_one_with_tls(start, behind):
    with client.connect(start()) as sock:
        assert client.ask(sock) == b"ping"
    assert set(sole(behind).tlvs) == {header.UNIQUE_ID}


# --- TLS --------------------------------------------------------------------------------------------------------------

KEYS = {"server-ecdsa": b"EC256", "server-rsa": b"RSA2048"}
tls_versions = pytest.mark.parametrize("tls_version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])


@tls_versions
@pytest.mark.parametrize("server", KEYS)
def test_a_server_is_told_about_the_tls_of_the_client(pki, start, behind, tls_version, server):
    told, cipher, name = announced(pki, start("one-way", server=server), behind, version=tls_version, groups="prime256v1")
    assert told.flags == header.CLIENT_TLS and told.verify != 0
    expected = {header.VERSION: name.encode(), header.CIPHER: cipher.encode(), header.SIGNATURE_ALGORITHM: b"ecdsa-with-SHA256",
                header.KEY_ALGORITHM: KEYS[server], header.GROUP: b"secp256r1"}
    if tls_version == V13 and server == "server-ecdsa":
        expected[header.SCHEME] = b"ecdsa_secp256r1_sha256"
    assert told.tls == expected


def test_groups_have_the_names_of_the_registry(pki, start, behind):
    told, _, _ = announced(pki, start("one-way"), behind, version=V13)
    assert told.tls[header.GROUP] == b"x25519"


def test_a_server_is_told_the_name_and_the_protocol_that_the_client_asked_for(pki, start, behind):
    told, _, _ = announced(pki, start("one-way", alpn="imap, h2"), behind, name="Mail.Test", alpn=["h2", "imap"])
    assert told.tlvs[header.AUTHORITY] == b"mail.test" and told.tlvs[header.ALPN] == b"imap"


def test_version_1_says_the_same_of_tls_as_of_none(pki, start, behind):
    told, _, _ = announced(pki, start("mutual", "v1"), behind, "good", source=CLIENT)
    assert told.source[0] == CLIENT and told.tlvs == {}


@tls_versions
def test_a_server_is_told_whose_certificate_was_verified(pki, start, behind, tls_version):
    told, _, _ = announced(pki, start("mutual"), behind, "good", version=tls_version)
    assert told.flags == header.CLIENT_TLS | header.CLIENT_CERTIFICATE | header.SESSION_CERTIFICATE and told.verify == 0
    assert told.tls[header.COMMON_NAME] == b"good" and header.CERTIFICATE not in told.tls


def test_the_common_name_is_utf_8(pki, start, behind):
    told, _, _ = announced(pki, start("mutual"), behind, "good-odd-name")
    assert told.tls[header.COMMON_NAME].decode() == "Zoë #1 ☃"


def test_a_client_without_certificate_is_told_as_not_verified(pki, start, behind):
    told, _, _ = announced(pki, start("mutual", tls="mutual-optional"), behind)
    assert told.flags == header.CLIENT_TLS and told.verify != 0 and header.COMMON_NAME not in told.tls


@pytest.mark.parametrize("identity", ["good", "good-chained", "good-long-name"])
def test_the_certificate_goes_along_where_that_is_asked_for(pki, start, behind, identity):
    told, _, _ = announced(pki, start("mutual", certificate="yes"), behind, identity)
    assert told.tls[header.CERTIFICATE] == pki[identity].certificate.public_bytes(serialization.Encoding.DER)
    assert told.verify == 0


def test_no_server_hears_of_a_client_that_was_not_let_in(lb, pki, start, behind):
    script = lb.file("no.lua", "function on_authorize() return false, 'no' end\n")
    port = start("mutual", script=script)
    assert client.refusal(pki, port, "good").alert == 49
    assert behind.accepted == 0


def test_lb_reads_what_lb_sends_with_a_certificate_of_some_kb(make_lb, pki, behind):
    inner, outer, ports = make_lb(), make_lb(), [free_port(), free_port()]
    inner.start(config.plain(ports[0], behind, proxy_protocol="yes", trusted_proxies="127.0.0.1",
                             backend_keys={"send_proxy": "v1"}))
    outer.start(config.mutual(pki, ports[1], ports[0], backend_keys={"send_proxy": "v2", "send_proxy_certificate": "yes"}))
    told, _, _ = announced(pki, ports[1], behind, "good-long-name", source=CLIENT)
    assert told.source[0] == CLIENT and told.destination == ("127.0.0.1", ports[1])
    assert len(pki["good-long-name"].certificate.public_bytes(serialization.Encoding.DER)) > 1500
    assert inner.wait_connection(listener="main")["client"].startswith(CLIENT + ":")


# --- http -------------------------------------------------------------------------------------------------------------

@pytest.fixture
def front(lb, pki, origin):
    """front(version, kind) starts lb with an http listener; front.behind is the server."""
    class Front:
        behind = origin(header.behind(web.serve(web.telling)))
        port = free_port()

        def __call__(self, version="v2", kind="plain", **keys):
            backend = {"send_proxy": version, **keys}
            make = {"plain": web.plain, "mutual": web.mutual}[kind]
            lb.start(make(*([] if kind == "plain" else [pki]), self.port, self.behind, backend_keys=backend,
                          **({"h2c": "yes"} if kind == "plain" else {})))
            return self
    return Front()


@versions
def test_over_http_each_request_has_a_connection_that_names_its_client(front, version):
    front(version)
    with web.open_wire(front.port, source=CLIENT) as one, web.open_wire(front.port, source=OTHER) as two:
        for _ in range(3):
            assert one.ask("GET", "/one").status == 200 and two.ask("GET", "/two").status == 200
        ports = {CLIENT: one.sock.getsockname()[1], OTHER: two.sock.getsockname()[1]}
    sources = [told.source for told in front.behind.headers]
    assert sources == [(address, ports[address]) for _ in range(3) for address in (CLIENT, OTHER)]
    assert len({request.connection for request in front.behind.received}) == 6
    for told, request in zip(front.behind.headers, front.behind.received):
        assert request["x-forwarded-for"] == told.source[0]


def test_over_http2_each_request_has_a_connection_of_its_own(front):
    front()
    with web.open_two(front.port) as two:
        numbers = [two.begin("POST", f"/{number}", end=False) for number in range(10)]
        for number in numbers:
            two.data(number, b"body", end=True)
        assert all(two.answer(number).body.endswith(b"body") for number in numbers)
    assert len({request.connection for request in front.behind.received}) == 10
    assert {told.source for told in front.behind.headers} == {front.behind.headers[0].source}


def test_the_id_of_a_request_is_that_of_its_connection(front, lb):
    front()
    with web.open_wire(front.port) as wire:
        assert wire.ask().status == wire.ask().status == 200
    ids = [told.tlvs[header.UNIQUE_ID].decode() for told in front.behind.headers]
    assert ids == [request["x-request-id"] for request in front.behind.received] and ids[0] != ids[1]
    assert sorted(line["id"] for line in lb.wait_connections(2)) == sorted(ids)


def test_over_http_a_server_is_told_about_the_certificate(front, pki):
    front(kind="mutual", send_proxy_certificate="yes")
    with web.open_two_tls(pki, front.port, "good") as two:
        assert two.ask().status == 200
    told = sole(front.behind)
    assert told.tlvs[header.ALPN] == b"h2" and told.tls[header.COMMON_NAME] == b"good" and told.verify == 0
    assert told.tls[header.CERTIFICATE] == pki["good"].certificate.public_bytes(serialization.Encoding.DER)


def test_connections_that_were_kept_without_a_header_serve_no_request_that_wants_one(lb, origin):
    plain, announcing, port = origin(web.serve(web.telling)), {"send_proxy": "v2"}, free_port()
    seen = []

    def either(sock, one):
        if sock.recv(12, socket.MSG_PEEK) == header.SIGNATURE:
            seen.append(header.take(sock).source)
        web.serve(web.telling)(sock, one)
    plain.behaviour = either
    lb.write(web.plain(port, plain), workers=1)
    lb.start()
    with web.open_wire(port, source=CLIENT) as wire:
        assert wire.ask().status == 200
        lb.reload(web.plain(port, plain, backend_keys=announcing))
        assert wire.ask().status == 200
        assert seen == [(CLIENT, wire.sock.getsockname()[1])]
    lb.reload(web.plain(port, plain))
    with web.open_wire(port) as wire:
        assert wire.ask().status == wire.ask().status == 200
    assert len({request.connection for request in plain.received[2:]}) == 1 and len(seen) == 1


# --- health -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version,first", [("v1", b"PROXY UNKNOWN\r\n"), ("v2", header.raw(header.LOCAL, 0))])
def test_health_checks_say_that_they_are_lbs_own(lb, origin, version, first):
    def record(sock, one):
        one.received.append(read_all(sock))
    behind = origin(record)
    lb.start(config.plain(free_port(), behind, backend_keys={"send_proxy": version, "health": "tcp interval=20ms"}))
    assert behind.wait_received(2)[:2] == [first, first]


def test_a_reload_changes_what_health_checks_say(lb, origin):
    def record(sock, one):
        one.received.append(read_all(sock))
    behind, port = origin(record), free_port()
    health = {"health": "tcp interval=20ms"}
    lb.start(config.plain(port, behind, backend_keys=health))
    assert behind.wait_received(1)[0] == b""
    lb.reload(config.plain(port, behind, backend_keys={**health, "send_proxy": "v1"}))
    until(lambda: b"PROXY UNKNOWN\r\n" in behind.received, "a check with a header")


# --- real servers -----------------------------------------------------------------------------------------------------

@pytest.fixture
def server(folder):
    """server(maker, text with {port}) runs a real server."""
    running = []

    def run(maker, text):
        port = free_port()
        running.append(maker(folder, port, text.replace("{port}", str(port))))
        return port
    yield run
    for one in running:
        one.close()


def fetched(port, source=CLIENT):
    with web.open_wire(port, source=source) as wire:
        wire.send(web.request())
        return wire.answer().body.decode(), wire.sock.getsockname()[1]


@versions
def test_nginx_takes_the_client_from_the_header(lb, folder, server, version):
    text = proxies.http_block(folder, "listen 127.0.0.1:{port} proxy_protocol; set_real_ip_from 127.0.0.1; "
                                      "real_ip_header proxy_protocol; location / { return 200 "
                                      '"$remote_addr $proxy_protocol_port $proxy_protocol_server_port"; }')
    behind, ports = server(proxies.nginx, text), [free_port(), free_port()]
    keys = {"send_proxy": version}
    lb.start(config.plain(ports[0], behind, backend_keys=keys) +
             web.plain(ports[1], behind, name="web", backend_keys=keys))
    for port in ports:
        body, own = fetched(port)
        assert body == f"{CLIENT} {own} {port}"


HAPROXY = ("frontend in\n  mode http\n  bind 127.0.0.1:{port} accept-proxy\n  http-request return status 200 content-type "
           'text/plain lf-string "%[src] %[src_port] %[dst_port] %[fc_pp_authority] %[fc_pp_unique_id]"\n')


@pytest.mark.skipif(not proxies.has_haproxy(), reason="needs haproxy")
def test_haproxy_takes_the_client_from_the_header(lb, pki, server):
    behind, port = server(proxies.haproxy, HAPROXY), free_port()
    lb.start(config.mutual(pki, port, behind, backend_keys={"send_proxy": "v2", "send_proxy_certificate": "yes"}))
    with client.tls(pki, port, "good", name="who.test", source=CLIENT) as sock:
        own = sock.getsockname()[1]
        wire = web.Wire(sock)
        wire.send(web.request())
        words = wire.answer().body.decode().split(" ")
        client.end(sock)
    assert words[:4] == [CLIENT, str(own), str(port), "who.test"]
    assert words[4] == lb.wait_connection(listener="main")["id"]


@pytest.mark.skipif(not proxies.has_haproxy(), reason="needs haproxy")
def test_haproxy_is_up_for_health_checks_that_are_lbs_own(lb, server):
    behind, port = server(proxies.haproxy, HAPROXY), free_port()
    lb.start(config.plain(port, behind, backend_keys={"send_proxy": "v1", "health": "tcp interval=20ms fall=1"}))
    assert fetched(port)[0].startswith(CLIENT)
    assert not lb.events("is down")
