"""PROXY headers that lb reads: from trusted proxies, and from nobody else."""
import socket
import time

import pytest

from harness import client, config, proxies, web
from harness import proxy_header as header
from harness.client import Steps
from harness.origin import read_all
from harness.ports import free_port
from harness.waiting import until

PROXY, STRANGER = "127.0.0.2", "127.0.0.3"
KEYS = {"proxy_protocol": "yes", "trusted_proxies": PROXY}
HEADERS = {"v1": header.v1, "v2": header.v2}
versions = pytest.mark.parametrize("version", HEADERS)
kinds = pytest.mark.parametrize("kind", ["plain", "mutual"])


@pytest.fixture
def start(lb, pki, behind):
    """start(kind, **keys of the listener) gives the port."""
    def run(kind="plain", **keys):
        port = free_port()
        keys = {**KEYS, **keys}
        lb.start(config.plain(port, behind, **keys) if kind == "plain" else config.mutual(pki, port, behind, **keys))
        return port
    return run


def speak(pki, port, kind, first, source=PROXY, piece=None):
    """Sends a header, in pieces of that size, and asks the echo behind it."""
    sock = client.connect(port, source)
    for at in range(0, len(first), piece or 1 << 20):
        sock.sendall(first[at:at + (piece or 1 << 20)])
    if kind != "plain":
        sock = client.context(pki, "good").wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)
    with sock:
        return client.ask(sock)


@kinds
@versions
@pytest.mark.parametrize("piece", [None, 1], ids=["whole", "byte-by-byte"])
@pytest.mark.parametrize("source", ["203.0.113.9", "2001:db8::9"], ids=["ipv4", "ipv6"])
def test_the_client_is_the_one_that_a_trusted_proxy_names(lb, pki, start, kind, version, piece, source):
    destination = "192.0.2.80" if "." in source else "2001:db8::80"
    port = start(kind)
    assert speak(pki, port, kind, HEADERS[version](source, 4711, destination), piece=piece) == b"ping"
    line = lb.wait_connection(listener="main")
    assert line["client"] == (f"{source}:4711" if "." in source else f"[{source}]:4711")
    assert line["via"].startswith(PROXY + ":") and line["decision"] == "allow"


@kinds
@versions
def test_what_comes_in_one_piece_with_the_header_belongs_to_the_client(lb, pki, start, kind, version):
    port, first = start(kind), HEADERS[version]("203.0.113.9", 4711)
    if kind == "plain":
        with client.connect(port, PROXY) as sock:
            sock.sendall(first + b"together")
            assert client.receive(sock, 8) == b"together"
    else:
        with Steps(pki, port, "good", source=PROXY) as steps:
            steps.sock.sendall(first + steps.step())
            assert steps.take()
            steps.finish().write(b"together")
            assert steps.read(8) == b"together"
    assert lb.wait_connection(listener="main")["client"] == "203.0.113.9:4711"


def test_a_client_that_ends_right_behind_the_header_gets_its_answer(start):
    with client.connect(start(), PROXY) as sock:
        sock.sendall(header.v1("203.0.113.9", 1) + b"last words")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"last words"


@versions
def test_a_header_of_a_stranger_is_data(lb, start, version):
    port, first = start(), HEADERS[version]("203.0.113.9", 4711)
    with client.connect(port, STRANGER) as sock:
        assert client.ask(sock, first) == first
    line = lb.wait_connection(listener="main")
    assert line["client"].startswith(STRANGER + ":") and line["via"] is None


@versions
def test_a_header_of_a_stranger_is_no_hello(lb, pki, start, behind, version):
    port = start("mutual")
    with client.connect(port, STRANGER) as sock:
        sock.sendall(HEADERS[version]("203.0.113.9", 4711))
        assert read_all(sock) == b""
    line = lb.wait_connection(listener="main")
    assert line["reason"] == "hello-invalid" and line["client"].startswith(STRANGER + ":")
    assert client.echoes(pki, port, "good", source=STRANGER) and behind.accepted == 1


def test_a_listener_without_proxy_protocol_reads_no_header(start):
    port, first = start(proxy_protocol=None, trusted_proxies=None), header.v1("203.0.113.9", 4711)
    with client.connect(port, PROXY) as sock:
        assert client.ask(sock, first) == first


OWN = {
    "v1 UNKNOWN": b"PROXY UNKNOWN\r\n", "v1 UNKNOWN with more": b"PROXY UNKNOWN 203.0.113.9 192.0.2.1 1 2\r\n",
    "v2 LOCAL": header.raw(header.LOCAL, 0), "v2 LOCAL with addresses": header.raw(header.LOCAL, 0x11, bytes(12)),
    "v2 UNSPEC": header.raw(header.PROXY, 0), "v2 unix": header.raw(header.PROXY, 0x31, b"/x".ljust(216, b"\0")),
    "v2 UDP": header.raw(header.PROXY, 0x12, header.addresses("203.0.113.9", 1)),
}


@kinds
@pytest.mark.parametrize("first", OWN.values(), ids=OWN)
def test_a_header_without_addresses_keeps_those_of_the_connection(lb, pki, start, kind, first):
    port = start(kind)
    assert speak(pki, port, kind, first) == b"ping"
    assert lb.wait_connection(listener="main")["client"].startswith(PROXY + ":")


def test_a_header_with_some_kb_of_tlvs_is_read(lb, pki, start):
    first = header.v2("203.0.113.9", 4711, tlvs=header.tlv(header.TLS, bytes(6000)) + header.tlv(0xee, bytes(2000)))
    assert speak(pki, start(), "plain", first, piece=1000) == b"ping"
    assert lb.wait_connection(listener="main")["client"] == "203.0.113.9:4711"


def test_a_header_with_a_right_crc32c_is_read(lb, pki, start):
    assert speak(pki, start(), "plain", header.v2_summed("203.0.113.9", 4711)) == b"ping"
    assert lb.wait_connection(listener="main")["client"] == "203.0.113.9:4711"


# --- refused --------------------------------------------------------------------------------------------------------

V4 = header.addresses("203.0.113.9", 1)
LIES = {
    "no header": (b"GET / HTTP/1.1\r\n\r\n", "no PROXY header"),
    "a ClientHello": (b"\x16\x03\x01\x00\x30", "no PROXY header"),
    "a port with a leading zero": (b"PROXY TCP4 203.0.113.9 192.0.2.1 01 2\r\n", "leading zero"),
    "a port over 65535": (b"PROXY TCP4 203.0.113.9 192.0.2.1 1 65536\r\n", "0 to 65535"),
    "an octet with a leading zero": (b"PROXY TCP4 203.0.113.09 192.0.2.1 1 2\r\n", "no address"),
    "a missing address": (b"PROXY TCP4 203.0.113.9 1 2\r\n", "two addresses"),
    "a surplus part": (b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2 3\r\n", "ends the line"),
    "the other family": (b"PROXY TCP4 ::1 ::1 1 2\r\n", "no address"),
    "LF alone": (b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2\n", "CR and LF"),
    "a line without end": (b"PROXY UNKNOWN " + b"x" * 200, "longer than 107"),
    "a version that is none": (header.raw(0x31, 0x11, V4), "version or command"),
    "a family that is none": (header.raw(header.PROXY, 0x51, V4), "family or transport"),
    "addresses cut by the length": (header.raw(header.PROXY, 0x11, V4, length=11), "no room"),
    "a TLV longer than the header": (header.raw(header.PROXY, 0x11, V4 + b"\x04\xff\xff"), "TLV is longer"),
    "a wrong CRC32c": (header.v2_summed("203.0.113.9", 1, wrong=1), "CRC32c is wrong"),
    "a header over the limit": (header.raw(header.PROXY, 0x11, V4, length=8193), "8208"),
}


@kinds
@pytest.mark.parametrize("first,why", LIES.values(), ids=LIES)
def test_a_lie_is_refused_with_one_line(lb, start, behind, kind, first, why):
    port = start(kind)
    with client.connect(port, PROXY) as sock:
        peer = sock.getsockname()
        sock.sendall(first)
        assert read_all(sock) == b""
    line = lb.wait_connection(listener="main")
    assert line["reason"] == "proxy-header-invalid" and line["decision"] == "deny" and why in line["text"]
    assert line["client"] == f"{peer[0]}:{peer[1]}" and line["via"] is None
    lb.wait_metric(1, "lb_connections_ended_total", listener="main", reason="proxy-header-invalid")
    assert behind.accepted == 0 and len(lb.connections()) == 1


@kinds
@versions
def test_a_header_that_is_cut_is_refused_with_one_line(lb, start, behind, kind, version):
    with client.connect(start(kind), PROXY) as sock:
        sock.sendall(HEADERS[version]("203.0.113.9", 4711)[:-1])
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""
    line = lb.wait_connection(listener="main")
    assert line["reason"] == "proxy-header-invalid" and "ended within" in line["text"] and behind.accepted == 0


def test_a_proxy_that_only_connects_has_done_nothing_wrong(lb, start, behind):
    client.connect(start(), PROXY).close()
    line = lb.wait_connection(listener="main")
    assert line["close"] == "client-closed" and line["decision"] == "-" and behind.accepted == 0


def test_an_invalid_header_over_http_is_refused_with_one_line(lb, behind):
    port = free_port()
    lb.start(web.plain(port, behind, **KEYS))
    with client.connect(port, PROXY) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_all(sock) == b""
    assert lb.wait_connection(listener="main")["reason"] == "proxy-header-invalid"


@kinds
@pytest.mark.parametrize("first", [b"", b"PROXY TCP4 "], ids=["nothing", "a beginning"])
def test_a_header_has_as_long_as_a_handshake(lb, start, kind, first):
    port = start(kind, timeout_handshake="300ms")
    with client.connect(port, PROXY) as sock:
        sock.sendall(first)
        assert sock.recv(1) == b""
    line = lb.wait_connection(listener="main")
    assert line["reason"] == "timeout-handshake" and line["total_us"] >= 300000


def test_header_and_handshake_together_have_as_long_as_a_handshake(lb, start):
    port, first = start("mutual", timeout_handshake="1s"), header.v1("203.0.113.9", 4711)
    with client.connect(port, PROXY) as sock:
        for byte in first:
            sock.sendall(bytes([byte]))
            time.sleep(0.8 / len(first))
        assert sock.recv(1) == b""
    line = lb.wait_connection(listener="main")
    assert line["reason"] == "timeout-handshake" and line["client"] == "203.0.113.9:4711"
    assert 1000000 <= line["total_us"] < 1700000


# --- what the address is good for -------------------------------------------------------------------------------------

def test_a_script_sees_the_client_that_the_header_names(lb, start):
    script = lb.file("by_address.lua", "function on_authorize(conn)\n"
                                       "  return conn.address == '203.0.113.9' and conn.port == 4711, conn.address\nend\n")
    port = start(script=script)
    with client.connect(port, PROXY) as sock:
        sock.sendall(header.v1("203.0.113.9", 4711))
        assert client.ask(sock) == b"ping"
    with client.connect(port, PROXY) as sock:
        sock.sendall(header.v1("203.0.113.10", 4711))
        assert read_all(sock) == b""
    assert {(line["client"], line["text"]) for line in lb.wait_connections(2)} == {
        ("203.0.113.9:4711", None), ("203.0.113.10:4711", "203.0.113.10")}


def test_a_proxy_over_a_unix_socket_is_trusted_by_that_word(lb, behind, folder):
    path = f"{folder}/in"
    lb.start(config.plain(f"unix:{path}", behind, proxy_protocol="yes", trusted_proxies="unix"))
    with client.connect(path) as sock:
        sock.sendall(header.v2("203.0.113.9", 4711))
        assert client.ask(sock) == b"ping"
    line = lb.wait_connection(listener="main")
    assert line["client"] == "203.0.113.9:4711" and line["via"].startswith("unix:")


def test_a_stranger_over_a_unix_socket_is_not_asked(lb, behind, folder):
    path, first = f"{folder}/in", header.v1("203.0.113.9", 4711)
    lb.start(config.plain(f"unix:{path}", behind, **KEYS))
    with client.connect(path) as sock:
        assert client.ask(sock, first) == first


@pytest.fixture
def told(lb, origin):
    """told(header, *fields) asks over http with a header in front; gives the request as the server saw it."""
    behind = origin(web.serve(web.telling))
    port = free_port()
    lb.start(web.plain(port, behind, **KEYS, forwarded="append"))

    def ask(first, *fields):
        with web.open_wire(port, source=PROXY) as wire:
            wire.send(first)
            assert wire.ask("GET", "/", *fields).status == 200
        return behind.received[-1]
    return ask


FORGED = ("X-Forwarded-For", "198.51.100.1")


def test_servers_are_told_of_the_client_that_the_header_names(told):
    request = told(header.v2("203.0.113.9", 4711, port=8443))
    assert request["x-forwarded-for"] == "203.0.113.9" and request["x-forwarded-port"] == "8443"


def test_what_a_client_behind_a_trusted_proxy_says_of_itself_is_not_believed(told):
    assert told(header.v1("203.0.113.9", 4711), FORGED)["x-forwarded-for"] == "203.0.113.9"


@pytest.mark.parametrize("first", [b"PROXY UNKNOWN\r\n", header.raw(header.PROXY, 0)], ids=["UNKNOWN", "UNSPEC"])
def test_what_a_client_without_a_name_says_of_itself_is_not_believed(told, first):
    assert told(first, FORGED)["x-forwarded-for"] == PROXY


def test_what_a_trusted_client_behind_a_trusted_proxy_says_is_believed(told):
    assert told(header.v1(PROXY, 4711), FORGED)["x-forwarded-for"] == f"198.51.100.1, {PROXY}"


def test_what_the_trusted_proxy_says_in_its_own_name_is_believed(told):
    assert told(header.raw(header.LOCAL, 0), FORGED)["x-forwarded-for"] == f"198.51.100.1, {PROXY}"


def test_each_request_of_a_kept_connection_has_the_named_client_in_its_line(lb, origin):
    port = free_port()
    lb.start(web.plain(port, origin(web.serve(web.telling)), **KEYS))
    with web.open_wire(port, source=PROXY) as wire:
        wire.send(header.v1("203.0.113.9", 4711))
        assert wire.ask().status == wire.ask().status == 200
    for line in lb.wait_connections(2):
        assert line["client"] == "203.0.113.9:4711" and line["via"].startswith(PROXY + ":")


def test_a_reload_decides_about_new_connections(lb, start, behind):
    port, first = start(), header.v1("203.0.113.9", 4711)
    lb.reload(config.plain(port, behind))
    with client.connect(port, PROXY) as sock:
        assert client.ask(sock, first) == first
    lb.reload(config.plain(port, behind, **KEYS))
    with client.connect(port, PROXY) as sock:
        sock.sendall(first)
        assert client.ask(sock) == b"ping"


# --- real proxies -----------------------------------------------------------------------------------------------------

@pytest.fixture
def proxy(folder):
    """proxy(maker, text with {port}) runs a real proxy."""
    running = []

    def run(maker, text):
        port = free_port()
        running.append(maker(folder, port, text.replace("{port}", str(port))))
        return running[-1].port
    yield run
    for one in running:
        one.close()


def named(lb, address):
    """The line of the one client with that address, whom the proxy spoke for; others have looked whether the proxy is there."""
    lines = until(lambda: [line for line in lb.connections() if line["client"].startswith(address + ":")],
                  lambda: f"a connection of {address} in\n{lb.log_text()}")
    assert len(lines) == 1 and lines[0]["via"].startswith(PROXY + ":"), lines


HAPROXY = "listen in\n  mode tcp\n  bind 127.0.0.1:{port}\n  server lb 127.0.0.1:%d source 127.0.0.2 %s\n"


@pytest.mark.skipif(not proxies.has_haproxy(), reason="needs haproxy")
@kinds
@pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"])
def test_haproxy_names_its_clients_to_lb(lb, pki, start, proxy, kind, options):
    port = proxy(proxies.haproxy, HAPROXY % (start(kind), options))
    assert speak(pki, port, kind, b"", source=STRANGER) == b"ping"
    named(lb, STRANGER)


@pytest.mark.skipif(not proxies.has_nginx_stream(), reason="needs nginx with its stream module")
@kinds
def test_nginx_names_its_clients_to_lb(lb, pki, start, proxy, kind):
    port = proxy(proxies.nginx, "stream { server { listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:%d; proxy_bind 127.0.0.2; "
                                "proxy_protocol on; } }" % start(kind))
    assert speak(pki, port, kind, b"", source=STRANGER) == b"ping"
    named(lb, STRANGER)
