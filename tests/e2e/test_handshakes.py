"""How many handshakes are let in, and what the ones cost that never end."""
import pytest

from harness import client, config
from harness.client import V12, V13, Refused, Steps
from harness.hello import SERVER_NAME, Hello, entry, names, records
from harness.origin import echo
from harness.ports import free_port
from harness.waiting import scaled, until


@pytest.fixture
def serve(serve_one_way):
    return serve_one_way


# ---- handshake-rate ----

def begins(pki, port, source):
    """Whether the client at that address gets its handshake."""
    try:
        return client.echoes(pki, port, source=source)
    except Refused:
        return False


def test_a_network_that_begins_too_many_handshakes_is_disconnected_and_others_are_not(lb, pki, serve, behind):
    port = serve(handshake_rate="3/h")
    assert [begins(pki, port, f"127.0.2.{host}") for host in (1, 2, 3, 4, 1)] == [True] * 3 + [False] * 2
    assert begins(pki, port, "127.0.3.1")
    assert lb.metric("lb_connections_ended_total", listener="main", reason="handshake-rate") == 2
    line = lb.wait_connection(reason="handshake-rate")
    assert "handshake-rate" in line["text"] and line["client"].startswith("127.0.2.4:")
    assert behind.accepted == 4


def test_the_bits_of_an_address_that_make_a_network_can_be_set(pki, serve):
    port = serve(handshake_rate="1/h ipv4=32")
    assert [begins(pki, port, f"127.0.2.{host}") for host in (1, 2, 1, 2)] == [True, True, False, False]


def test_a_network_of_an_odd_number_of_bits_ends_within_a_byte(pki, serve):
    port = serve(handshake_rate="1/h ipv4=30")
    assert [begins(pki, port, f"127.0.2.{host}") for host in (4, 7, 8, 3)] == [True, False, True, True]


def test_a_flood_gets_one_line_of_the_log_in_a_second_and_each_is_counted(lb, pki, serve):
    port = serve(handshake_rate="1/h")
    assert begins(pki, port, "127.0.2.1")
    hello = records(Hello.of_openssl().message())
    for _ in range(50):
        with client.connect(port, source="127.0.2.1") as sock:
            sock.sendall(hello)
            assert sock.recv(1) == b""
    lb.wait_metric(50, "lb_connections_ended_total", listener="main", reason="handshake-rate")
    assert begins(pki, port, "127.0.3.1")
    lb.wait_connections(2, reason="-")
    assert 1 <= len(lb.connections(reason="handshake-rate")) < 25


def test_handshakes_of_a_unix_socket_have_no_rate(lb, pki, behind):
    path = str(lb.folder / "tls.sock")
    lb.start(config.one_way(pki, f"unix:{path}", behind, handshake_rate="1/h"))
    assert all(client.echoes(pki, path) for _ in range(3))


# ---- max-handshakes ----

def test_beyond_max_handshakes_clients_wait_until_one_is_over(lb, pki, serve):
    port = serve(max_handshakes=2)
    silent = [client.connect(port) for _ in range(2)]
    lb.wait_metric(2, "lb_handshakes_active", listener="main")
    with Steps(pki, port) as waiting:
        waiting.sock.sendall(waiting.step())
        waiting.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            waiting.take()
        assert lb.metric("lb_connections_active", listener="main") == 2
        silent[0].close()
        waiting.sock.settimeout(10)
        assert waiting.take()
        waiting.sock.sendall(waiting.step())
        waiting.write(b"ping")
        assert waiting.read(4) == b"ping"
    silent[1].close()


def test_connections_whose_handshake_is_over_do_not_count_for_max_handshakes(lb, pki, serve):
    port = serve(max_handshakes=1)
    held = [client.tls(pki, port) for _ in range(5)]
    assert all(client.ask(sock) == b"ping" for sock in held)
    assert lb.metric("lb_handshakes_active", listener="main") == 0
    for sock in held:
        sock.close()


def test_each_way_to_end_a_handshake_makes_room(lb, pki, serve):
    port = serve(max_handshakes=1, timeout_handshake="300ms", max_connections=50)
    for data in (b"GET / HTTP/1.1\r\n\r\n", records(b"\x01\0\0\x02\x03\x03"), b"\x16"):
        with client.connect(port) as sock:
            sock.sendall(data)
            sock.recv(100)
    with client.connect(port):
        pass
    with Steps(pki, port) as steps:
        steps.sock.sendall(steps.step())
        assert steps.take()
    assert client.echoes(pki, port)
    lb.wait_metric(0, "lb_handshakes_active", listener="main")


def test_handshakes_in_progress_are_a_matter_of_tls_listeners(lb, origin):
    port = free_port()
    lb.start(config.plain(port, origin(echo)))
    with client.connect(port) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        assert lb.metric("lb_handshakes_active", listener="main") == 0


# ---- metrics ----

def test_handshakes_are_counted_by_version_and_group(lb, pki, serve):
    port = serve()
    assert client.echoes(pki, port, version=V12, groups="prime256v1")
    assert client.echoes(pki, port, version=V13)
    assert client.echoes(pki, port, version=V13)
    assert lb.metric("lb_tls_handshakes_total", listener="main", version="TLSv1.2", group="SECP256R1") == 1
    assert lb.metric("lb_tls_handshakes_total", listener="main", version="TLSv1.3", group="X25519") == 2
    assert lb.metric("lb_handshakes_total", listener="main") == 3


# ---- memory ----

COST = 20 * 1024


def half_a_hello(_pki, port):
    """8 KB of a longer hello."""
    sock = client.connect(port)
    sock.sendall(records(Hello.of_openssl().padded().message())[:8192])
    return sock


def nearly_a_hello(_pki, port):
    """All but the last byte of the longest one."""
    sock = client.connect(port)
    sock.sendall(records(Hello.of_openssl().padded().message())[:-1])
    return sock


def hello_in_tiny_records(_pki, port):
    sock = client.connect(port)
    whole = Hello.of_openssl().without(SERVER_NAME).last(SERVER_NAME, names(entry(b"localhost"))).padded().message()
    sock.sendall(records(whole, 6)[:30000])
    return sock


def stopped_after_the_servers_flight(version, then=b""):
    def start(pki, port):
        steps = Steps(pki, port, version=version)
        steps.sock.sendall(steps.step())
        assert steps.take()
        steps.sock.sendall(then)
        return steps.sock
    return start


NEARLY_A_RECORD = b"\x40\0" + bytes(16383)
TOO_MUCH = {V12: b"\x16\x03\x03" + NEARLY_A_RECORD, V13: b"\x17\x03\x03" + NEARLY_A_RECORD}


HALF_OPEN = {
    "silent": lambda _pki, port: client.connect(port),
    "half a hello": half_a_hello,
    "nearly a hello": nearly_a_hello,
    "a hello in tiny records": hello_in_tiny_records,
    "TLS 1.2 after the server's flight": stopped_after_the_servers_flight(V12),
    "TLS 1.3 after the server's flight": stopped_after_the_servers_flight(V13),
}


@pytest.mark.plain_only
@pytest.mark.heavy
@pytest.mark.parametrize("mode", ["one-way", "mutual"])
@pytest.mark.parametrize("what", HALF_OPEN)
def test_a_half_open_handshake_costs_less_than_20_kb(lb, pki, behind, what, mode):
    port, count = free_port(), scaled(2000, 200)
    made = config.mutual if mode == "mutual" else config.one_way
    lb.start(made(pki, port, behind, timeout_handshake="10m", log="no"))
    warm = [HALF_OPEN[what](pki, port) for _ in range(50)]
    before = lb.rss()
    held = [HALF_OPEN[what](pki, port) for _ in range(count)]
    until(lambda: lb.metric("lb_handshakes_active", listener="main") == count + 50, "all of them")
    cost = (lb.rss() - before) / count
    assert cost < COST, f"{cost / 1024:.1f} KB"
    for sock in warm + held:
        sock.close()


versions = pytest.mark.parametrize("version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])


@versions
def test_a_client_that_sends_more_than_a_handshake_needs_is_refused(lb, pki, serve, version):
    port = serve()
    with Steps(pki, port, version=version) as steps:
        steps.sock.sendall(steps.step())
        assert steps.take()
        steps.sock.sendall(TOO_MUCH[version][:100])
        line = lb.wait_connection(listener="main")
    assert line["reason"] == "tls-failed" and "4 KB" in line["text"], line


@versions
def test_a_client_may_send_its_first_data_with_the_end_of_its_handshake(pki, serve, version):
    with Steps(pki, serve(), version=version) as steps:
        data = steps.step()
        while not steps.done:
            steps.sock.sendall(data)
            assert steps.take()
            data = steps.step()
        steps.tls.write(b"x" * 60000)
        steps.sock.sendall(data + steps.outgoing.read())
        got = 0
        while got < 60000:
            got += len(steps.read(65536))


@pytest.mark.plain_only
@pytest.mark.heavy
@versions
def test_a_client_with_certificates_costs_less_than_32_kb_while_they_arrive(lb, pki, behind, version):
    """The longest record, but for its last byte: nothing can be told from that yet."""
    port, count = free_port(), scaled(500, 100)
    lb.start(config.mutual(pki, port, behind, timeout_handshake="10m", log="no"))
    start = stopped_after_the_servers_flight(version, TOO_MUCH[version])
    warm = [start(pki, port) for _ in range(50)]
    before = lb.rss()
    held = [start(pki, port) for _ in range(count)]
    until(lambda: lb.metric("lb_handshakes_active", listener="main") == count + 50, "all of them")
    cost = (lb.rss() - before) / count
    assert cost < 32 * 1024, f"{cost / 1024:.1f} KB"
    for sock in warm + held:
        sock.close()
