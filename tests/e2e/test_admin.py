"""The admin socket, used well and badly."""
import os
import re
import socket

import pytest

from harness import client, config
from harness.client import refusal
from harness.ports import free_port
from harness.product import run_lb
from harness.waiting import until


@pytest.fixture
def port(lb, behind):
    made = free_port()
    lb.text = config.plain(made, behind)
    lb.start(lb.text)
    return made


def admin(lb):
    return client.connect(str(lb.admin))


def serves(lb, port):
    assert lb.metric("lb_connections_active", listener="main") == 0
    with client.connect(port) as sock:
        assert client.ask(sock) == b"ping"


HOSTILE = {
    "garbage": os.urandom(3000), "a megabyte without an end of line": b"x" * (1 << 20), "empty lines": b"\n" * 5000,
    "zeros": bytes(5000), "commands in a row": b"status\n" * 2000, "http": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    "a word too many": b"status please\n", "format characters": b"%n%s%x%p\n"}


@pytest.mark.parametrize("what", HOSTILE)
def test_nonsense_at_the_admin_socket_harms_nobody(lb, port, what):
    with admin(lb) as sock:
        try:
            sock.sendall(HOSTILE[what])
            sock.settimeout(0.3)
            sock.recv(100)
        except OSError:
            pass
    serves(lb, port)


def test_silent_clients_of_the_admin_socket_do_not_lock_others_out(lb, port):
    silent = [admin(lb) for _ in range(100)]
    serves(lb, port)
    lb.reload(lb.text)
    for sock in silent:
        sock.close()
    serves(lb, port)


def test_a_client_that_does_not_read_its_answer_holds_up_nobody(lb, port):
    with admin(lb) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        sock.sendall(b"metrics\n")
        serves(lb, port)


def test_a_refused_reload_tells_every_problem_and_ends_with_1(lb, port):
    lb.write(lb.text.replace("protocol = tcp", "protocol = tpc") + "[backend x]\nserver = oops\n")
    done = run_lb("ctl", "-s", f"unix:{lb.admin}", "reload")
    assert done.returncode == 1
    assert len(re.findall(r"lb\.ini:\d+: (?!warning)", done.stderr)) == 2, done.stderr
    serves(lb, port)


def test_a_good_reload_is_confirmed_and_ends_with_0(lb, port):
    done = run_lb("ctl", "-s", f"unix:{lb.admin}", "reload")
    assert done.returncode == 0, done.stderr


def test_the_socket_is_found_through_the_configuration(lb, port):
    done = run_lb("ctl", "-f", lb.ini, "status")
    assert done.returncode == 0, done.stderr
    assert "main" in done.stdout


def test_status_names_who_was_refused_and_why(lb, pki, behind):
    port = free_port()
    lb.start(config.mutual(pki, port, behind))
    refusal(pki, port, "expired")
    refusal(pki, port, "revoked")
    lb.wait_connections(2)
    text = lb.ctl("status")
    assert "certificate-expired" in text and "certificate-revoked" in text


def test_metrics_have_help_type_and_each_series_once(lb, port):
    serves(lb, port)
    seen, types = set(), {}
    for line in lb.ctl("metrics").splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types
            types[name] = kind
        elif not line.startswith("#") and line:
            series = line.rsplit(" ", 1)[0]
            assert series not in seen
            seen.add(series)
            name = series.split("{")[0]
            assert name in types
            assert types[name] != "counter" or name.endswith("_total")


def test_counters_add_up(lb, pki, behind):
    port = free_port()
    lb.start(config.mutual(pki, port, behind))
    for identity in ("good", "expired", "good", None, "self-signed"):
        try:
            client.echoes(pki, port, identity)
        except client.Refused:
            pass
    lb.wait_connections(5)
    until(lambda: lb.metric("lb_connections_active", listener="main") == 0, "no active connection")
    numbers = lb.metrics()
    label = frozenset({("listener", "main")})
    assert numbers["lb_connections_total", label] == 5
    assert numbers["lb_handshakes_total", label] == 2 and numbers["lb_allowed_total", label] == 2
    assert numbers["lb_bytes_in_total", label] == numbers["lb_bytes_out_total", label] == 8
    assert sum(number for (name, labels), number in numbers.items() if name == "lb_connections_ended_total") == 5
    assert numbers["lb_server_connections_total", frozenset({("backend", "main"), ("server", "s0")})] == 2
