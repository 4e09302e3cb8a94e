"""What a review suspected: each was seen to fail once."""
import signal
import socket
import time

import pytest

from harness import client, config
from harness.origin import read_all
from harness.ports import free_port
from harness.waiting import until

WAIT = "function on_authorize(conn) lb.sleep(1) return true end"
DEAD = "224.0.0.1:9"  # connect fails at once: TCP has no multicast


# --- reload -----------------------------------------------------------------------------------------------------------

def test_a_plain_connection_that_waits_is_denied_when_a_reload_demands_certificates(lb, pki, behind):
    port = free_port()
    lb.start(config.plain(port, behind, script=lb.file("policy.lua", WAIT)))
    with client.connect(port) as sock:
        until(lambda: lb.metric("lb_connections_active", listener="main") == 1, "the connection")
        lb.reload(config.mutual(pki, port, behind))
        with pytest.raises(client.Refused):
            client.ask(sock)
    assert behind.accepted == 0
    line = lb.wait_connection(listener="main")
    assert (line["decision"], line["reason"]) == ("deny", "denied"), line
    assert "TLS" in line["text"]


def test_a_client_without_certificate_that_waits_is_denied_when_a_reload_demands_one(lb, pki, behind):
    port = free_port()
    lb.start(config.one_way(pki, port, behind, script=lb.file("policy.lua", WAIT)))
    with client.tls(pki, port) as sock:
        until(lambda: lb.metric("lb_connections_active", listener="main") == 1, "the connection")
        lb.reload(config.mutual(pki, port, behind))
        with pytest.raises(client.Refused):
            client.ask(sock)
    assert behind.accepted == 0
    assert lb.wait_connection(listener="main")["reason"] == "certificate-missing"


@pytest.mark.parametrize("binds", [("127.0.0.1:{0}", "*:{0}"), ("*:{0}", "127.0.0.1:{0}"),
                                   ("127.0.0.1:{0}", "127.0.0.1:{0}, *:{0}")], ids=["wider", "narrower", "both"])
def test_an_address_can_become_wider_or_narrower_by_a_reload(lb, behind, binds):
    port = free_port()
    lb.start(config.plain(binds[0].format(port), behind))
    lb.reload(config.plain(binds[1].format(port), behind))
    with client.connect(port) as sock:
        assert client.ask(sock) == b"ping"


def test_a_second_lb_does_not_share_overlapping_ports_of_the_first(lb, make_lb, behind):
    port, second = free_port(), make_lb()
    text = config.plain(f"127.0.0.1:{port}, *:{port}", behind)
    lb.start(text)
    second.start(text, wait=False)
    second.expected_exit = 3
    assert second.wait_exit() == 3
    assert second.stderr().count("another process listens there") == 2


def test_a_reload_while_lb_drains_says_why_it_is_refused(lb, behind):
    port = free_port()
    lb.write("", shutdown_timeout="60s")
    lb.start(config.plain(port, behind))
    with client.connect(port) as held:
        assert client.ask(held) == b"ping"
        lb.signal(signal.SIGTERM)
        lb.wait_event("draining")
        assert any("shutting down" in event for event in lb.reload(expect="refused"))
    assert lb.wait_exit() == 0


# --- the end ----------------------------------------------------------------------------------------------------------

def test_stopping_while_an_answer_of_the_admin_socket_waits_to_be_read_is_harmless(lb, behind):
    lb.start("".join(config.plain(free_port(), behind, name=f"listener-number-{i}") for i in range(120)))
    with client.connect(str(lb.admin)) as sock:
        sock.sendall(b"metrics\n")
        time.sleep(0.5)
        lb.signal(signal.SIGTERM)
        assert lb.wait_exit() == 0


def test_a_unix_socket_of_a_successor_stays_when_the_drained_process_ends(lb, make_lb, folder, behind):
    path, successor = f"{folder}/bound", make_lb()
    lb.write("", shutdown_timeout="60s")
    lb.start(config.plain(f"unix:{path}", behind))
    with client.connect(path) as held:
        assert client.ask(held) == b"ping"
        lb.signal(signal.SIGTERM)
        lb.wait_event("draining")
        successor.start(config.plain(f"unix:{path}", behind))
        assert client.ask(held) == b"ping"
    assert lb.wait_exit() == 0
    with client.connect(path) as sock:
        assert client.ask(sock) == b"ping"


# --- connections ------------------------------------------------------------------------------------------------------

def test_a_transfer_that_is_cut_by_a_timeout_does_not_look_complete(lb, origin):
    def pour(sock, _):
        sock.sendall(b"x" * (32 << 20))
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    port = free_port()
    lb.start(config.plain(port, origin(pour), timeout_idle="1s"))
    with client.connect(port, receive_buffer=65536) as sock:
        assert sock.recv(1)
        assert lb.wait_connection(listener="main")["close"] == "timeout-idle"
        with pytest.raises(ConnectionResetError):
            read_all(sock)


def test_a_client_that_reads_slowly_but_steadily_is_not_idle(lb, origin):
    def pour(sock, _):
        sock.sendall(b"x" * (2 << 20))
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    port, got = free_port(), 0
    lb.start(config.plain(port, origin(pour), timeout_idle="1s", timeout_half_closed="1s"))
    with client.connect(port, receive_buffer=32768) as sock:
        while part := sock.recv(20000):
            got += len(part)
            time.sleep(0.04)
    assert got == 2 << 20


def test_the_path_of_a_clients_unix_socket_cannot_forge_a_line_of_the_log(make_lb, folder, behind):
    lb, path = make_lb(log_format="text"), f"{folder}/bound"
    lb.start(config.plain(f"unix:{path}", behind))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{folder}/a decision=allow\nlistener=forged")
        sock.connect(path)
        sock.settimeout(10)
        assert client.ask(sock) == b"ping"
    until(lambda: "close=" in lb.log_text(), "the line of the connection")
    assert "listener=forged" not in [line.split(" ")[0] for line in lb.log_text().splitlines()]
    line = next(line for line in lb.log_text().splitlines() if "close=" in line)
    assert 'client="unix:' in line and "\\x0A" in line


# --- servers ----------------------------------------------------------------------------------------------------------

def test_a_server_that_cannot_be_routed_to_is_found_down(lb, behind):
    port = free_port()
    lb.start(config.plain(port, f"dead {DEAD}", behind, backend_keys={
        "health": "tcp interval=100ms timeout=100ms fall=2 rise=1"}))
    lb.wait_metric(0, "lb_server_up", backend="main", server="dead")
    assert lb.events("main/dead")[0]["level"] == "warning"
