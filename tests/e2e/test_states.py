"""A connection may end, or stand still, in every state: it is closed with its reason and nothing stays behind."""
import socket
import threading
import time

import pytest

from harness import client, config
from harness.origin import echo, read_all, refuse, reset
from harness.ports import free_port
from harness.waiting import until

LUA = """
function on_authorize(conn)
  if conn.server_name == "slow.test" then lb.sleep(60) end
  return lb.allow{ backend = conn.server_name == "nowhere.test" and "nowhere" or nil }
end
"""


class Blackhole:
    """An address that neither accepts nor refuses: its queue is full."""

    def __init__(self):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.listening = socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind(("127.0.0.1", self.port))
        self.listening.listen(0)
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)

    def close(self):
        for sock in [*self.fillers, self.listening]:
            sock.close()


@pytest.fixture
def blackhole():
    made = Blackhole()
    yield made
    made.close()


@pytest.fixture
def stage(lb, pki, origin, blackhole):
    """lb with a TLS listener, a script that can wait and a backend that never accepts."""
    class Stage:
        behind = origin(echo)

        def start(self, **keys):
            self.port, connect = free_port(), keys.pop("connect", "100s")
            keys = {"script": lb.file("policy.lua", LUA), "script_timeout": "100s", **keys}
            lb.start(config.mutual(pki, self.port, self.behind, **keys) + config.backend(
                "nowhere", blackhole, timeout_connect=connect, retries=0))
            assert client.echoes(pki, self.port, "good", name="warm.test")
            self.settle()
            self.idle = lb.descriptors()
            return self

        def settle(self):
            until(lambda: lb.metric("lb_connections_active", listener="main") == 0, "no active connection")
            self.behind.wait_idle()

        def steps(self, name="fine.test"):
            return client.Steps(pki, self.port, "good", name=name)

        def over(self, close):
            """Every trace of the connection is gone, the reason is right, and service goes on."""
            self.settle()
            lb.wait_descriptors(self.idle)
            line = lb.wait_connections(2, listener="main")[1]
            assert line["close"] in close, line
            assert client.echoes(pki, self.port, "good", name="fine.test")
            return line
    return Stage()


# --- the client leaves ------------------------------------------------------------------------------------------------

LEAVE = {"reset": reset, "end": lambda sock: sock.close()}
leaving = pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE)
LEFT_EARLY = ("tls-aborted", "client-closed", "client-reset", "client-truncated")


@leaving
def test_a_client_leaves_before_its_hello(stage, leave):
    stage.start()
    sock = client.connect(stage.port)
    leave(sock)
    stage.over(LEFT_EARLY)


@leaving
def test_a_client_leaves_in_its_hello(stage, leave):
    stage.start()
    steps = stage.steps()
    steps.sock.sendall(steps.step()[:100])
    leave(steps.sock)
    stage.over(LEFT_EARLY)


@leaving
def test_a_client_leaves_in_the_handshake(stage, leave):
    stage.start()
    steps = stage.steps()
    steps.sock.sendall(steps.step())
    assert steps.take()
    leave(steps.sock)
    assert stage.over(LEFT_EARLY)["sni"] == "fine.test"


@leaving
def test_a_client_leaves_while_the_script_decides(lb, stage, leave):
    stage.start()
    steps = stage.steps("slow.test").finish()
    until(lambda: lb.metric("lb_connections_active", listener="main") == 1, "the connection")
    leave(steps.sock)
    stage.over(LEFT_EARLY)
    assert stage.behind.accepted == 2  # the warm one and the last one


@leaving
def test_a_client_leaves_while_the_server_is_connected(stage, leave):
    stage.start()
    steps = stage.steps("nowhere.test").finish()
    steps.write(b"x")
    leave(steps.sock)
    stage.over(LEFT_EARLY)


@leaving
def test_a_client_leaves_while_relaying(stage, leave):
    stage.start()
    steps = stage.steps().finish()
    steps.write(b"ping")
    assert steps.read(4) == b"ping"
    leave(steps.sock)
    stage.over(("client-reset", "client-truncated", "finished"))


def test_a_client_resets_after_the_server_has_ended(lb, pki, origin):
    def end_first(sock, _):
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    port, behind = free_port(), origin(end_first)
    lb.start(config.plain(port, behind))
    idle = lb.descriptors()
    sock = client.connect(port)
    assert sock.recv(1) == b""
    reset(sock)
    behind.wait_idle()
    assert lb.wait_connection(listener="main")["close"] == "client-reset"
    lb.wait_descriptors(idle)


def test_a_client_resets_after_its_own_end(lb, origin):
    port, behind = free_port(), origin(lambda sock, _: (read_all(sock), hold_open(sock)))
    lb.start(config.plain(port, behind))
    sock = client.connect(port)
    sock.sendall(b"x")
    sock.shutdown(socket.SHUT_WR)
    behind.wait_accepted(1)
    reset(sock)
    lb.wait_connection(listener="main")
    until(lambda: lb.metric("lb_connections_active", listener="main") == 0, "no active connection")


def hold_open(sock):
    """Stays until the peer resets: writing tells."""
    try:
        while True:
            sock.sendall(b"x")
            time.sleep(0.01)
    except OSError:
        pass


# --- the server leaves ------------------------------------------------------------------------------------------------

def test_a_server_resets_right_after_accepting(lb, pki, origin):
    port = free_port()
    lb.start(config.mutual(pki, port, origin(refuse)))
    with client.tls(pki, port, "good") as sock:
        with pytest.raises(client.Refused):
            client.ask(sock)
    # When the reset is as fast as the accept, the kernel reports it as a connect that failed.
    assert lb.wait_connection(listener="main")["close"] in ("server-reset", "connect-failed")


def test_a_server_resets_while_relaying(lb, pki, origin):
    port, behind = free_port(), origin(echo)
    lb.start(config.mutual(pki, port, behind))
    idle = lb.descriptors()
    with client.tls(pki, port, "good") as sock:
        assert client.ask(sock) == b"ping"
        behind.kill()
        with pytest.raises(OSError):
            if sock.recv(1) == b"":
                pytest.fail("a reset of the server reached the client as an orderly end")
    assert lb.wait_connection(listener="main")["close"] == "server-reset"
    lb.wait_descriptors(idle)


def test_a_server_resets_after_the_client_has_ended(lb, origin):
    def reset_at_the_end(sock, _):
        read_all(sock)
        reset(sock)
    port = free_port()
    lb.start(config.plain(port, origin(reset_at_the_end)))
    with client.connect(port) as sock:
        sock.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionError):
            if sock.recv(1) == b"":
                raise AssertionError("a reset of the server reached the client as an orderly end")
    assert lb.wait_connection(listener="main")["close"] == "server-reset"


# --- standing still ---------------------------------------------------------------------------------------------------

def until_closed(sock):
    """Reads to the end, however lb ends it."""
    try:
        return read_all(sock)
    except OSError:
        return None


def test_a_client_that_sends_nothing_meets_timeout_handshake(stage):
    stage.start(timeout_handshake="300ms")
    with client.connect(stage.port) as sock:
        until_closed(sock)
    stage.over(["timeout-handshake"])


def test_half_a_hello_meets_timeout_handshake(stage):
    stage.start(timeout_handshake="300ms")
    with stage.steps() as steps:
        steps.sock.sendall(steps.step()[:50])
        until_closed(steps.sock)
    stage.over(["timeout-handshake"])


def test_an_unfinished_handshake_meets_timeout_handshake(stage):
    stage.start(timeout_handshake="300ms")
    with stage.steps() as steps:
        steps.sock.sendall(steps.step())
        until_closed(steps.sock)
    assert stage.over(["timeout-handshake"])["sni"] == "fine.test"


def test_a_hello_that_trickles_does_not_extend_timeout_handshake(stage):
    stage.start(timeout_handshake="500ms")
    with stage.steps() as steps:
        hello = steps.step()
        with pytest.raises(OSError):
            for number in range(200):
                steps.sock.sendall(hello[number:number + 1])
                time.sleep(0.02)  # 4 s in all, and never silent for 500 ms
    stage.over(["timeout-handshake"])


def test_a_script_that_waits_meets_its_own_limit_not_that_of_the_handshake(stage):
    stage.start(timeout_handshake="200ms", script_timeout="600ms")
    with stage.steps("slow.test") as steps:
        steps.finish()
        until_closed(steps.sock)
    stage.over(["script-time"])


def test_a_server_that_does_not_accept_meets_timeout_connect(stage):
    stage.start(connect="300ms")
    with stage.steps("nowhere.test") as steps:
        steps.finish()
        until_closed(steps.sock)
    line = stage.over(["timeout-connect"])
    assert line["backend"] == "nowhere"


def test_a_silent_connection_meets_timeout_idle(stage):
    stage.start(timeout_idle="300ms")
    with stage.steps() as steps:
        steps.finish().write(b"ping")
        assert steps.read(4) == b"ping"
        until_closed(steps.sock)
    stage.over(["timeout-idle"])


@pytest.mark.parametrize("talker", ["client", "server"])
def test_bytes_in_either_direction_keep_a_connection_from_timeout_idle(lb, origin, talker):
    def talk(sock):
        for _ in range(12):
            sock.sendall(b"x")
            time.sleep(0.1)
        sock.shutdown(socket.SHUT_WR)
    port = free_port()
    behind = origin(lambda sock, made: made.received.append(read_all(sock)) if talker == "client" else talk(sock))
    lb.start(config.plain(port, behind, timeout_idle="600ms", timeout_half_closed="5s"))
    with client.connect(port) as sock:
        if talker == "client":
            talk(sock)
        assert len(read_all(sock) if talker == "server" else behind.wait_received()[0]) == 12


def test_a_half_closed_connection_without_bytes_meets_timeout_half_closed(lb, origin):
    port, behind = free_port(), origin(lambda sock, made: (read_all(sock), made.go.wait(30)))
    behind.go = threading.Event()
    lb.start(config.plain(port, behind, timeout_half_closed="300ms", timeout_idle="60s"))
    with client.connect(port) as sock:
        sock.shutdown(socket.SHUT_WR)
        until_closed(sock)
    assert lb.wait_connection(listener="main")["close"] == "timeout-half-closed"
    behind.go.set()


def test_bytes_keep_a_half_closed_connection(lb, origin):
    def slow_answer(sock, _):
        read_all(sock)
        for _ in range(12):
            sock.sendall(b"x")
            time.sleep(0.1)
        sock.shutdown(socket.SHUT_WR)
    port = free_port()
    lb.start(config.plain(port, origin(slow_answer), timeout_half_closed="600ms", timeout_idle="60s"))
    with client.connect(port) as sock:
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"x" * 12
    assert lb.wait_connection(listener="main")["close"] == "finished"
