"""Many clients that do nothing: one descriptor each on a listener that answers by itself, so that 10,000 fit."""
import socket

import pytest

from harness import client, config
from harness.ports import free_port
from harness.waiting import scaled

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def answer(sock):
    sock.sendall(REQUEST)
    data = b""
    while not data.endswith(b"still here"):
        piece = sock.recv(4096)
        assert piece, data
        data += piece
    return data


@pytest.mark.heavy
def test_10000_idle_clients_are_held_at_once_and_each_is_answered(lb):
    port, count = free_port(), scaled(10000)
    lb.write(config.listener("main", port, protocol="http", route="-> respond=200:still here",
                             timeout_first_byte="10m", timeout_keep_alive="10m", log="no"),
             max_connections=count + 1)
    lb.start()
    held = [client.connect(port, source=f"127.0.2.{number % 4 + 1}", timeout=30) for number in range(count)]
    for sock in held:
        assert b" 200 OK" in answer(sock)
    assert lb.metric("lb_connections_active", listener="main") == count
    for sock in held:
        sock.close()
    lb.wait_metric(0, "lb_connections_active", listener="main")
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        answer(sock)
