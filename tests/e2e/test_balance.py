"""Which server gets a connection."""
from collections import Counter

import pytest

from harness import client, config
from harness.origin import echo, hold, named, reset_after_a_byte
from harness.ports import free_port
from harness.waiting import scaled, until


def names(port, count):
    """How often each server answered."""
    return Counter(client.line(port) for _ in range(count))


def refused(port):
    with client.connect(port) as sock:
        try:
            return sock.recv(1) == b""
        except ConnectionError:
            return True


HEALTH = {"health": "tcp interval=100ms fall=2 rise=2"}


def test_no_server_that_accepts_is_connect_failed(lb):
    port = free_port()
    lb.start(config.plain(port, free_port(), free_port()))
    assert refused(port)
    line = lb.wait_connection(listener="main")
    assert line["close"] == "connect-failed"
    assert line["text"]
    assert lb.metric("lb_connections_ended_total", listener="main", reason="connect-failed") == 1


def test_all_servers_down_is_no_server(lb):
    port = free_port()
    lb.start(config.plain(port, free_port(), backend_keys=HEALTH))
    lb.wait_metric(0, "lb_server_up", backend="main", server="s0")
    assert refused(port)
    assert lb.wait_connection(listener="main")["close"] == "no-server"


def test_a_server_with_weight_0_gets_nothing(lb, origin):
    port, a, b = free_port(), origin(named("a")), origin(named("b"))
    lb.start(config.plain(port, f"a {a.address} weight=0", f"b {b.address}"))
    assert names(port, 10) == {"b": 10}
    assert a.accepted == 0


def test_a_full_server_gets_nothing_and_all_full_is_no_server(lb, origin):
    port, a, b = free_port(), origin(hold), origin(hold)
    lb.start(config.plain(port, f"a {a.address} max-connections=1", f"b {b.address} max-connections=2"))
    held = [client.connect(port) for _ in range(3)]
    until(lambda: a.accepted + b.accepted == 3, "three connections at the servers")
    assert (a.accepted, b.accepted) == (1, 2)
    assert refused(port)
    assert lb.wait_connection(listener="main")["close"] == "no-server"
    for sock in held:
        sock.close()
    b.wait_idle()
    with client.connect(port):
        until(lambda: a.accepted + b.accepted == 4, "a connection after room was made")


def test_round_robin_follows_the_weights_exactly(lb, origin):
    port = free_port()
    servers = [f"{name} {origin(named(name)).address} weight={weight}" for name, weight in
               (("a", 5), ("b", 3), ("c", 1))]
    lb.global_keys["workers"] = 1
    lb.start(config.plain(port, *servers, backend_keys={"balance": "round-robin"}))
    assert names(port, 36) == {"a": 20, "b": 12, "c": 4}


def test_round_robin_over_two_workers_stays_near_the_weights(lb, origin):
    port, count = free_port(), scaled(200, 80)
    servers = [f"{name} {origin(named(name)).address} weight={weight}" for name, weight in (("a", 3), ("b", 1))]
    lb.start(config.plain(port, *servers))
    found = names(port, count)
    assert abs(found["a"] - count * 3 / 4) <= 4, found


def test_round_robin_mixes_instead_of_serving_in_blocks(lb, origin):
    port = free_port()
    servers = [f"{name} {origin(named(name)).address} weight=2" for name in "ab"]
    lb.global_keys["workers"] = 1
    lb.start(config.plain(port, *servers))
    order = "".join(client.line(port) for _ in range(8))
    assert order in ("abababab", "babababa")


def test_least_connections_prefers_the_idle_server(lb, origin):
    port, a, b = free_port(), origin(hold), origin(hold)
    lb.start(config.plain(port, f"a {a.address}", f"b {b.address}", backend_keys={"balance": "least-connections"}))
    held = []
    for count in range(1, 13):
        held.append(client.connect(port))
        until(lambda: a.accepted + b.accepted == count, f"connection {count}")
        assert abs(a.active - b.active) <= 1
    a.wait_accepted(6)
    for sock in held:
        sock.close()


def test_least_connections_follows_weights(lb, origin):
    port, a, b = free_port(), origin(hold), origin(hold)
    lb.start(config.plain(port, f"a {a.address} weight=3", f"b {b.address} weight=1",
                          backend_keys={"balance": "least-connections"}))
    held = []
    for count in range(1, 13):
        held.append(client.connect(port))
        until(lambda: a.accepted + b.accepted == count, f"connection {count}")
    assert (a.active, b.active) == (9, 3)
    for sock in held:
        sock.close()


def test_a_dead_server_costs_a_retry_and_no_connection(lb, origin):
    port, alive = free_port(), origin(named("alive"))
    lb.start(config.plain(port, f"dead 127.0.0.1:{free_port()}", f"alive {alive.address}"))
    assert names(port, 20) == {"alive": 20}
    lines = lb.wait_connections(20, listener="main")
    assert {line["server"] for line in lines} == {"alive"}


def test_retries_0_tries_one_server(lb, origin):
    port, alive = free_port(), origin(named("alive"))
    lb.global_keys["workers"] = 1
    lb.start(config.plain(port, f"dead 127.0.0.1:{free_port()}", f"alive {alive.address}",
                          backend_keys={"retries": 0}))
    results = [refused(port) if number % 2 == 0 else client.line(port) for number in range(4)]
    lines = lb.wait_connections(4, listener="main")
    assert sorted(line["close"] == "connect-failed" for line in lines) == [False, False, True, True], results


def test_a_server_that_resets_after_it_got_bytes_is_not_retried(lb, origin):
    """The client's bytes have arrived there: sending them twice is worse than an error."""
    port, bad, good = free_port(), origin(reset_after_a_byte), origin(echo)
    lb.global_keys["workers"] = 1
    lb.start(config.plain(port, f"bad {bad.address}", f"good {good.address}"))
    outcomes = []
    for _ in range(4):
        with client.connect(port) as sock:
            try:
                outcomes.append(client.ask(sock))
            except client.Refused:
                outcomes.append(None)
    assert outcomes.count(b"ping") == 2 and good.accepted == 2


def test_health_takes_a_server_out_and_brings_it_back(lb, origin):
    port, a, b = free_port(), origin(named("a")), origin(named("b"))
    lb.start(config.plain(port, f"a {a.address}", f"b {b.address}", backend_keys={**HEALTH, "retries": 0}))
    a.stop()
    lb.wait_metric(0, "lb_server_up", backend="main", server="a")
    assert names(port, 10) == {"b": 10}
    lb.wait_event("a", level=None)
    a.start()
    lb.wait_metric(1, "lb_server_up", backend="main", server="a")
    found = names(port, 20)
    assert found["a"] >= 8 and found["b"] >= 8, found


def test_one_failed_check_is_not_enough_for_down(lb, origin):
    """fall=3: the third failed check in a row takes the server out, and the log says when."""
    port, a = free_port(), origin(named("a"))
    lb.start(config.plain(port, f"a {a.address}", backend_keys={"health": "tcp interval=200ms fall=3 rise=1"}))
    until(lambda: a.accepted >= 2, "health checks")
    assert lb.metric("lb_server_up", backend="main", server="a") == 1
    assert not [event for event in lb.events() if "down" in event["event"]]
    a.stop()
    lb.wait_event("down")


def test_health_and_counters_survive_a_reload(lb, origin):
    port, a, b = free_port(), origin(named("a")), origin(named("b"))
    text = config.plain(port, f"a {a.address}", f"b {b.address}",
                        backend_keys={"health": "tcp interval=100ms fall=2 rise=1000"})
    lb.start(text)
    names(port, 10)
    a.stop()
    lb.wait_metric(0, "lb_server_up", backend="main", server="a")
    a.start()  # answers again, but a thousand good checks are asked for
    before = lb.metrics()
    for _ in range(5):
        lb.reload(text)
        assert lb.metric("lb_server_up", backend="main", server="a") == 0
        assert lb.metric("lb_server_up", backend="main", server="b") == 1
    after = lb.metrics()
    key = ("lb_server_connections_total", frozenset({("backend", "main"), ("server", "b")}))
    assert after[key] >= before[key] >= 3
    total = ("lb_connections_total", frozenset({("listener", "main")}))
    assert after[total] >= before[total] >= 10
    assert names(port, 6) == {"b": 6}


def test_held_connections_count_after_a_reload(lb, origin):
    """least-connections still knows who is busy."""
    port, a, b = free_port(), origin(hold), origin(hold)
    keys = {"balance": "least-connections"}
    lb.start(config.plain(port, f"a {a.address}", backend_keys=keys))
    held = [client.connect(port) for _ in range(6)]
    a.wait_accepted(6)
    lb.reload(config.plain(port, f"a {a.address}", f"b {b.address}", backend_keys=keys))
    held += [client.connect(port) for _ in range(6)]
    b.wait_accepted(6)
    assert a.accepted == 6
    for sock in held:
        sock.close()


@pytest.mark.parametrize("command", ["status", "metrics"])
def test_the_admin_socket_shows_servers(lb, origin, command):
    port, a = free_port(), origin(named("a"))
    lb.start(config.plain(port, f"first {a.address}"))
    assert client.line(port) == "a"
    text = lb.ctl(command)
    assert "first" in text and "main" in text
