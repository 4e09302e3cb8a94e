"""Start, end and everything a signal does."""
import resource
import signal
import socket
import time

import pytest

from harness import client, config
from harness.ports import free_port
from harness.product import run_lb
from harness.waiting import until


def refuses(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


def test_a_taken_port_ends_with_3_and_is_named(lb, behind):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        lb.write(config.plain(port, behind))
        done = run_lb("run", "-f", lb.ini)
    assert done.returncode == 3
    said = done.stderr + lb.log_text()
    assert f"127.0.0.1:{port}" in said and "in use" in said


def test_every_taken_port_is_named(lb, behind):
    with socket.socket() as one, socket.socket() as two:
        ports = []
        for sock in (one, two):
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            ports.append(sock.getsockname()[1])
        lb.write(config.plain(ports[0], behind) + config.plain(ports[1], behind, name="second"))
        done = run_lb("run", "-f", lb.ini)
    assert done.returncode == 3
    assert all(str(port) in done.stderr + lb.log_text() for port in ports)


def test_a_second_lb_does_not_share_the_ports_of_the_first(lb, make_lb, behind):
    port = free_port()
    lb.start(config.plain(port, behind))
    second = make_lb()
    second.write(config.plain(port, behind))
    done = run_lb("run", "-f", second.ini)
    assert done.returncode == 3, "two processes share the port: half of the clients meet the wrong one"
    for _ in range(10):
        with client.connect(port) as sock:
            assert client.ask(sock) == b"ping"


def test_a_foreign_address_ends_with_3_and_is_named(lb, behind):
    lb.write(config.plain(f"192.0.2.1:{free_port()}", behind))
    done = run_lb("run", "-f", lb.ini)
    assert done.returncode == 3 and "192.0.2.1" in done.stderr + lb.log_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_lb_ends_at_once_with_0(lb, behind, number):
    lb.start(config.plain(free_port(), behind))
    lb.signal(number)
    assert lb.wait_exit() == 0
    assert not lb.admin.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_connection_may_finish_while_lb_drains(lb, behind, number):
    port = free_port()
    lb.write(config.plain(port, behind), shutdown_timeout="60s")
    lb.start()
    with client.connect(port) as held:
        assert client.ask(held) == b"ping"
        lb.signal(number)
        until(lambda: refuses(port), "the port to be closed")
        for _ in range(20):
            assert client.ask(held) == b"ping"
        assert lb.is_running()
    assert lb.wait_exit() == 0
    assert lb.connections(bytes_in=84)[0]["close"] == "finished"


def test_a_second_signal_ends_at_once(lb, behind):
    port = free_port()
    lb.write(config.plain(port, behind), shutdown_timeout="10m")
    lb.start()
    with client.connect(port) as held:
        assert client.ask(held) == b"ping"
        lb.signal(signal.SIGTERM)
        until(lambda: refuses(port), "the port to be closed")
        assert lb.is_running()
        lb.signal(signal.SIGTERM)
        assert lb.wait_exit() == 0
        with pytest.raises((OSError, client.Refused)):
            client.ask(held)
    assert lb.connections(bytes_in=4)[0]["close"] == "shutdown"


def test_shutdown_timeout_ends_what_lasts_longer(lb, behind):
    port = free_port()
    lb.write(config.plain(port, behind), shutdown_timeout="500ms")
    lb.start()
    with client.connect(port) as held:
        assert client.ask(held) == b"ping"
        lb.signal(signal.SIGTERM)
        started = time.monotonic()
        assert lb.wait_exit() == 0
        assert time.monotonic() - started >= 0.4
    assert lb.connections()[0]["close"] == "shutdown"


def test_connections_that_wait_when_lb_is_told_to_end_are_served(lb, behind):
    """Those the kernel had accepted before the signal."""
    port = free_port()
    lb.write(config.plain(port, behind), shutdown_timeout="60s")
    lb.start()
    held = [client.connect(port) for _ in range(50)]
    lb.signal(signal.SIGTERM)
    for sock in held:
        assert client.ask(sock) == b"ping"
        sock.close()
    assert lb.wait_exit() == 0


def test_a_reload_while_it_drains_does_not_open_the_ports_again(lb, behind):
    port = free_port()
    lb.write(config.plain(port, behind), shutdown_timeout="60s")
    lb.start()
    with client.connect(port) as held:
        client.ask(held)
        lb.signal(signal.SIGTERM)
        until(lambda: refuses(port), "the port to be closed")
        lb.signal(signal.SIGHUP)
        for _ in range(20):
            assert client.ask(held) == b"ping"
        assert refuses(port)
    assert lb.wait_exit() == 0


def test_a_stale_admin_socket_is_taken_over(lb, behind):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(lb.admin))
    lb.start(config.plain(free_port(), behind))
    assert "main" in lb.ctl("status")


def test_ctl_without_a_running_lb_says_so(lb):
    done = run_lb("ctl", "-s", f"unix:{lb.admin}", "status")
    assert done.returncode == 3 or done.returncode == 2
    assert str(lb.admin) in done.stderr


def test_ctl_with_an_unknown_command_is_an_error(lb, behind):
    lb.start(config.plain(free_port(), behind))
    done = run_lb("ctl", "-s", f"unix:{lb.admin}", "dance")
    assert done.returncode != 0 and "unknown command" in done.stderr
    assert lb.is_running()


def test_the_admin_socket_is_for_its_owner_only(lb, behind):
    lb.start(config.plain(free_port(), behind))
    assert lb.admin.stat().st_mode & 0o007 == 0


def test_ctl_reload_is_the_same_as_the_signal(lb, behind):
    port = free_port()
    text = config.plain(port, behind)
    lb.start(text)
    lb.write(text.replace("main", "renamed"))
    lb.ctl("reload")
    lb.wait_event("reload done")
    with client.connect(port) as sock:
        assert client.ask(sock) == b"ping"
    assert lb.wait_connections(1, listener="renamed")


def test_a_low_limit_of_descriptors_is_raised_as_far_as_allowed(lb, behind):
    lb.write(config.plain(free_port(), behind))
    lb.start()
    soft, hard = resource.prlimit(lb.process.pid, resource.RLIMIT_NOFILE)
    assert soft == hard
