"""Bytes from client to server and back: all of them, in order, at the pace of the slower side."""
import contextlib
import hashlib
import random
import resource
import socket
import threading

import pytest

from harness import client, config
from harness.client import V12, V13
from harness.crowd import Crowd
from harness.origin import echo, hash_all, never_read, read_all, reset, sink, source
from harness.ports import free_port
from harness.product import is_sanitized
from harness.transfer import duplex, pattern_hash, send_pattern
from harness.waiting import scaled, until

MB = 1 << 20
kinds = pytest.mark.parametrize("kind", ["plain", "TLSv1.2", "TLSv1.3"])


@pytest.fixture
def way(lb, pki):
    """way(kind, origin, **keys) starts lb; way.open() is a client's connection."""
    class Way:
        def __call__(self, kind, *servers, **keys):
            self.kind, self.port = kind, free_port()
            write = config.plain if kind == "plain" else (lambda *rest, **more: config.mutual(pki, *rest, **more))
            lb.start(write(self.port, *servers, **keys))
            return self

        def open(self, **keys):
            if self.kind == "plain":
                return client.connect(self.port, timeout=60, **keys)
            return client.tls(pki, self.port, "good", version=client.VERSIONS[self.kind], timeout=60, **keys)
    return Way()


# --- volume -----------------------------------------------------------------------------------------------------------

@pytest.mark.heavy
@kinds
def test_100_mb_arrive_at_the_server(lb, origin, way, kind):
    total, behind = scaled(100 * MB), origin(sink)
    with way(kind, behind).open() as sock:
        send_pattern(sock, total)
        if kind == "plain":
            sock.shutdown(socket.SHUT_WR)
        else:
            sock.unwrap()
        assert behind.wait_received()[0] == (total, pattern_hash(total))
    line = lb.wait_connection(listener="main")
    assert line["bytes_in"] == total and line["bytes_out"] == 0 and line["close"] == "finished"


@pytest.mark.heavy
@kinds
def test_100_mb_arrive_at_the_client(lb, origin, way, kind):
    total = scaled(100 * MB)
    behind = origin(source(total))
    with way(kind, behind).open() as sock:
        assert hash_all(sock) == (total, behind.sent)
    assert lb.wait_connection(listener="main")["bytes_out"] == total


@pytest.mark.heavy
@kinds
def test_both_directions_at_once_stay_whole(origin, way, kind):
    total = scaled(48 * MB)
    with way(kind, origin(echo)).open() as sock:
        assert duplex(sock, total) == pattern_hash(total)


@pytest.mark.heavy
def test_many_connections_at_once_do_not_mix(origin, way):
    total, failures = scaled(2 * MB, 100000), []
    way("TLSv1.3", origin(echo))

    def one(number):
        data = random.Random(number).randbytes(total)
        try:
            with way.open() as sock:
                back = b""
                for start in range(0, total, 65536):
                    part = data[start:start + 65536]
                    sock.sendall(part)
                    back += client.receive(sock, len(part))
                assert hashlib.sha256(back).digest() == hashlib.sha256(data).digest()
        except Exception as error:  # pylint: disable=broad-except
            failures.append((number, error))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# --- back-pressure ----------------------------------------------------------------------------------------------------

def stalled(progress):
    """True when progress() stands still."""
    last = [progress(), 0]

    def check():
        now = progress()
        last[1] = last[1] + 1 if now == last[0] and now else 0
        last[0] = now
        return last[1] > 50
    return check


@kinds
def test_a_client_that_does_not_read_stops_the_server(lb, origin, way, kind):
    moved = [0]
    total = 64 * MB

    def count(_):
        moved[0] += 65536
    behind = origin(source(total, pace=count))
    with way(kind, behind).open() as sock:
        before = lb.rss()
        until(stalled(lambda: moved[0]), "the server to be stopped")
        assert moved[0] < 40 * MB, f"{moved[0] / MB:.0f} MB went into somebody's memory"
        assert lb.rss() - before < 8 * MB
        assert hash_all(sock) == (total, behind.sent)


@kinds
def test_a_server_that_does_not_read_stops_the_client(lb, origin, way, kind):
    behind = origin(never_read)
    behind.go = threading.Event()
    moved, total = [0], 64 * MB
    with way(kind, behind).open() as sock:
        before = lb.rss()

        def push():
            while moved[0] < total:
                send_pattern(sock, 65536)
                moved[0] += 65536
            sock.shutdown(socket.SHUT_WR) if kind == "plain" else sock.unwrap()
        thread = threading.Thread(target=push, daemon=True)
        thread.start()
        until(stalled(lambda: moved[0]), "the client to be stopped")
        assert moved[0] < 40 * MB, f"{moved[0] / MB:.0f} MB went into somebody's memory"
        assert lb.rss() - before < 8 * MB
        behind.go.set()
        assert behind.wait_received()[0][0] == total
        thread.join()


@kinds
def test_single_bytes_arrive_without_waiting_for_more(origin, way, kind):
    with way(kind, origin(echo)).open() as sock:
        for number in range(200):
            assert client.ask(sock, bytes([number])) == bytes([number])


def test_one_stalled_connection_does_not_slow_another(origin, way, lb):
    total = 64 * MB
    way("plain", origin(source(total)))
    with way.open() as stuck:
        stuck.recv(1)
        with way.open() as sock:
            assert hash_all(sock)[0] == total
    assert len(lb.wait_connections(2, listener="main")) == 2


# --- half-close -------------------------------------------------------------------------------------------------------

def answer_at_the_end(sock, origin):
    """Answers with the length of everything, after the client's end."""
    got = read_all(sock)
    origin.received.append(got)
    sock.sendall(b"got %d" % len(got))
    sock.shutdown(socket.SHUT_WR)


def end_first(sock, origin):
    """Ends its direction at once, then takes what the client sends."""
    sock.sendall(b"bye")
    sock.shutdown(socket.SHUT_WR)
    origin.received.append(read_all(sock))


def test_the_end_of_a_plain_client_is_passed_on_and_the_answer_comes_back(lb, origin, way):
    with way("plain", origin(answer_at_the_end)).open() as sock:
        sock.sendall(b"x" * 100000)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"got 100000"
    assert lb.wait_connection(listener="main")["close"] == "finished"


@pytest.mark.parametrize("version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])
def test_the_end_of_a_tls_client_is_passed_on_and_the_answer_comes_back(lb, pki, origin, way, version):
    way("TLSv1.3", origin(answer_at_the_end))
    with client.Steps(pki, way.port, "good", version=version) as steps:
        steps.finish().write(b"x" * 1000)
        steps.close_notify()
        assert steps.read_to_end() == b"got 1000"
    assert lb.wait_connection(listener="main")["close"] == "finished"


@kinds
def test_the_end_of_the_server_is_passed_on_and_the_client_goes_on_sending(lb, origin, way, kind):
    behind = origin(end_first)
    with way(kind, behind).open() as sock:
        assert read_all(sock) == b"bye"  # for TLS: close_notify, else this raises
        sock.sendall(b"after the end")
        sock.shutdown(socket.SHUT_WR) if kind == "plain" else sock.unwrap()
        assert behind.wait_received() == [b"after the end"]
    assert lb.wait_connection(listener="main")["close"] == "finished"


# --- a server that dies -----------------------------------------------------------------------------------------------

@kinds
def test_a_server_killed_in_the_middle_of_a_transfer_resets_the_client(lb, origin, way, kind):
    behind = origin(source(256 * MB))
    with way(kind, behind).open() as sock:
        client.receive(sock, MB)
        behind.kill()
        with pytest.raises(OSError):  # a cut transfer must not look like a complete one
            hash_all(sock)
    assert lb.wait_connection(listener="main")["close"] == "server-reset"


@kinds
def test_a_client_that_resets_in_the_middle_of_a_transfer_frees_the_server(lb, origin, way, kind):
    behind = origin(source(256 * MB))
    way(kind, behind)
    idle = lb.descriptors()
    sock = way.open()
    client.receive(sock, MB)
    reset(sock)
    behind.wait_idle()
    assert lb.wait_connection(listener="main")["close"] == "client-reset"
    lb.wait_descriptors(idle)


@pytest.mark.parametrize("version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])
def test_a_tls_client_that_ends_without_close_notify_is_not_passed_on_as_an_orderly_end(lb, pki, origin, way, version):
    """Anybody on the way can forge a FIN: the server must not take a cut request for a whole one."""
    def tell_end(sock, made):
        try:
            made.received.append(read_all(sock))
        except ConnectionError as error:
            made.received.append(error)
    behind = origin(tell_end)
    way("TLSv1.3", behind)
    with client.tls(pki, way.port, "good", version=version) as sock:
        sock.sendall(b"half a request")
        behind.wait_accepted(1)
        sock.shutdown(socket.SHUT_RDWR)  # of TCP: no close_notify
    assert isinstance(behind.wait_received()[0], ConnectionError)
    assert lb.wait_connection(listener="main")["close"] in ("client-truncated", "client-reset")


# --- limits -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("where", ["global", "listener"])
def test_max_connections_is_never_exceeded_and_room_is_used_again(lb, origin, where):
    port, behind = free_port(), origin(echo)
    if where == "global":
        lb.global_keys["max-connections"] = 5
    lb.start(config.plain(port, behind, max_connections=None if where == "global" else 5))
    held = [client.connect(port) for _ in range(5)]
    for sock in held:
        assert client.ask(sock) == b"ping"
    more = [client.connect(port) for _ in range(5)]
    for sock in held:
        assert client.ask(sock) == b"ping"
    assert behind.accepted == 5
    for sock in held + more:
        sock.close()
    behind.wait_idle()
    until(lambda: lb.metric("lb_connections_active", listener="main") == 0, "no active connection")
    with client.connect(port) as sock:
        assert client.ask(sock) == b"ping"


def test_a_low_limit_of_descriptors_limits_connections_not_service(lb, origin):
    port, behind = free_port(), origin(echo)
    lb.write(config.plain(port, behind, timeout_idle="60s"))
    lb.start(nofile=160)
    check_service_at_its_limit(lb, port, behind)


def test_out_of_descriptors_it_goes_on_serving_and_recovers(lb, origin):
    """The limit shrinks while lb runs: accept fails with EMFILE, which no calculation at start can prevent."""
    port, behind = free_port(), origin(echo)
    lb.start(config.plain(port, behind, timeout_idle="60s"))
    with client.connect(port) as sock:
        client.ask(sock)
    hard = resource.prlimit(lb.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(lb.process.pid, resource.RLIMIT_NOFILE, (80, hard))
    check_service_at_its_limit(lb, port, behind)
    resource.prlimit(lb.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    assert lb.metric("lb_accept_starved_total") > 0 or lb.connections(close="connect-failed") or \
        lb.connections(close="no-descriptors")


def check_service_at_its_limit(lb, port, behind):
    """More clients than there is room for: those that got in are served on, and later ones too once there is room."""
    served, waiting = [], []
    for _ in range(60):
        sock = client.connect(port, timeout=0.1)
        try:
            assert client.ask(sock) == b"ping"
            served.append(sock)
        except client.Refused:
            waiting.append(sock)
    assert len(served) >= 10 and waiting, f"{len(served)} served, {len(waiting)} not"
    for sock in served:
        sock.settimeout(10)
        assert client.ask(sock) == b"ping"
    before = sum(lb_cpu(lb))
    until(stalled(lambda: 1), "half a second")
    assert sum(lb_cpu(lb)) - before < 30, "spins while it is out of descriptors"
    for sock in served + waiting:
        sock.close()
    behind.wait_idle()
    until(lambda: can_echo(port), "service to recover")
    assert lb.is_running()


def lb_cpu(lb):
    """User and system time, hundredths of a second."""
    with open(f"/proc/{lb.process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]), int(fields[12])


def can_echo(port):
    try:
        with client.connect(port, timeout=1) as sock:
            return client.ask(sock) == b"ping"
    except (client.Refused, OSError):
        return False


@pytest.fixture
def crowd():
    made = Crowd()
    yield made
    made.close()


@pytest.mark.heavy
def test_10000_idle_connections_are_held_and_all_answer(lb, crowd):
    port = free_port()
    lb.start(config.plain(port, crowd, timeout_idle="10m"))
    most = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200) // 2  # two descriptors each in lb
    count = min(scaled(10000), most)
    before = lb.rss()
    held = []
    for number in range(count):
        held.append(client.connect(port, source=f"127.0.1.{number % 4 + 1}", timeout=30))
    for sock in held:
        sock.sendall(b"x")
    for sock in held:
        assert sock.recv(1) == b"x"
    assert lb.metric("lb_connections_active", listener="main") == count
    assert (lb.rss() - before) / count < 16384 or is_sanitized()
    with client.connect(port) as sock:
        assert client.ask(sock) == b"ping"
    for sock in random.Random(1).sample(held, min(200, count)):
        assert client.ask(sock) == b"ping"
    for sock in held:
        reset(sock)
    lb.wait_metric(0, "lb_connections_active", listener="main")


@pytest.mark.heavy
def test_idle_tls_connections_cost_little_memory(lb, pki, crowd):
    port, count = free_port(), scaled(1000, 100)
    lb.start(config.mutual(pki, port, crowd, timeout_idle="10m"))
    using = client.context(pki, "good")
    held = [client.tls(pki, port, using=using) for _ in range(20)]
    before = lb.rss()
    held += [client.tls(pki, port, using=using) for _ in range(count)]
    for sock in held:
        assert client.ask(sock) == b"ping"
    assert (lb.rss() - before) / count < 16384 or is_sanitized()
    for sock in held:
        reset(sock)
    lb.wait_metric(0, "lb_connections_active", listener="main")


# --- unix sockets -----------------------------------------------------------------------------------------------------

def test_a_unix_socket_can_be_bound_and_be_a_server(lb, origin, folder):
    behind = origin(echo, address=f"{folder}/origin")
    path = f"{folder}/front"
    lb.start(config.plain(f"unix:{path}", behind))
    with client.connect(path) as sock:
        assert client.ask(sock, b"x" * 100000) == b"x" * 100000
    line = lb.wait_connection(listener="main")
    assert line["client"].startswith("unix") and line["bytes_in"] == 100000


def has_ipv6():
    with socket.socket(socket.AF_INET6) as sock:
        with contextlib.suppress(OSError):
            sock.bind(("::1", 0))
            return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_an_ipv6_address_can_be_bound(lb, origin):
    port = free_port()
    lb.start(config.plain(f"[::1]:{port}", origin(echo)))
    with socket.create_connection(("::1", port), timeout=10) as sock:
        assert client.ask(sock) == b"ping"
    assert lb.wait_connection(listener="main")["client"].startswith("[::1]:")


def test_nginx_behind_lb_serves_files_to_curl(lb, pki, nginx):
    port = free_port()
    lb.start(config.mutual(pki, port, nginx.port))
    body = (nginx.folder / "big").read_bytes()
    out = lb.folder / "out"
    done = client.curl(pki, f"https://localhost:{port}/big", "good", "-o", str(out))
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == body
    done = client.curl(pki, f"https://localhost:{port}/big", None)
    assert done.returncode != 0
