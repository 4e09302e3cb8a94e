"""Everything at once: clients of every kind, servers that die, reloads. Afterwards nothing is left behind."""
import random
import socket
import threading

import pytest

from harness import client, config
from harness.client import Steps, refusal
from harness.origin import echo, read_all, refuse, reset, reset_after_a_byte
from harness.ports import free_port
from harness.transfer import send_pattern
from harness.waiting import scaled, until

LUA = """
local turns = 0
function on_authorize(conn)
  turns = turns + 1
  local name = conn.server_name or ""
  if name == "slow.test" then lb.sleep(0.05) end
  if name == "loop.test" then while true do end end
  if name == "error.test" then error(name) end
  if name == "no.test" then return lb.deny("no") end
  if name == "dying.test" then return lb.allow{ backend = "dying" } end
  return true
end
"""


class Chaos:
    def __init__(self, pki, tls_port, plain_port, seed):
        self.pki, self.tls_port, self.plain_port = pki, tls_port, plain_port
        self.random = random.Random(seed)
        self.served = 0
        self.contexts = {name: client.context(pki, name) for name in (None, "good", "revoked", "expired", "wrong-ca")}

    def good(self):
        assert client.echoes(self.pki, self.tls_port, using=self.contexts["good"])
        self.served += 1

    def slow(self):
        assert client.echoes(self.pki, self.tls_port, using=self.contexts["good"], name="slow.test")
        self.served += 1

    def bulk(self):
        with client.connect(self.plain_port, timeout=30) as sock:
            sender = threading.Thread(target=send_pattern, args=(sock, 300000))
            sender.start()
            client.receive(sock, 300000)
            sender.join()
        self.served += 1

    def bad_certificate(self):
        assert refusal(self.pki, self.tls_port, using=self.contexts[self.random.choice([None, "revoked", "expired",
                                                                                     "wrong-ca"])])

    def denied(self):
        name = self.random.choice(["no.test", "error.test", "loop.test"])
        assert refusal(self.pki, self.tls_port, using=self.contexts["good"], name=name).alert == 49

    def garbage(self):
        with client.connect(self.tls_port) as sock:
            sock.sendall(self.random.randbytes(self.random.randrange(1, 2000)))
            if self.random.random() < 0.5:
                reset(sock)

    def cut_handshake(self):
        steps = Steps(self.pki, self.tls_port, "good", name=self.random.choice(["fine.test", "slow.test", "dying.test"]))
        data = steps.step()
        steps.sock.sendall(data[:self.random.randrange(1, len(data) + 1)])
        if self.random.random() < 0.3:
            steps.sock.settimeout(0.05)
            try:
                steps.take()
                steps.sock.sendall(steps.step()[:self.random.randrange(1, 500)])
            except OSError:
                pass
        self.leave(steps.sock)

    def cut_transfer(self):
        sock = client.connect(self.plain_port)
        sock.sendall(b"x" * self.random.randrange(1, 200000))
        if self.random.random() < 0.5:
            sock.shutdown(socket.SHUT_WR)
        self.leave(sock)

    def dying_server(self):
        with client.tls(self.pki, self.tls_port, using=self.contexts["good"], name="dying.test") as sock:
            try:
                sock.sendall(b"x" * 1000)
                read_all(sock)
            except OSError:
                pass

    def leave(self, sock):
        (reset if self.random.random() < 0.5 else socket.socket.close)(sock)

    def one(self):
        """One client. What it does may fail only because lb ended it for a reason of its own."""
        kind = self.random.choice([self.good, self.good, self.slow, self.bulk, self.bad_certificate, self.denied,
                                   self.garbage, self.cut_handshake, self.cut_transfer, self.dying_server])
        self.last = kind.__name__
        try:
            kind()
        except (ConnectionError, BrokenPipeError):
            if kind in (self.good, self.slow, self.bulk):
                raise


@pytest.mark.heavy
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_left_behind_after_chaos(lb, pki, origin, seed):
    tls_port, plain_port, behind = free_port(), free_port(), origin(echo)
    script = lb.file("policy.lua", LUA)
    keys = {"timeout_handshake": "20s", "timeout_half_closed": "3s"}
    text = config.mutual(pki, tls_port, behind, script=script, script_cpu="20ms", **keys) + \
        config.plain(plain_port, behind, name="plain", **keys) + \
        config.backend("dying", origin(refuse), origin(reset_after_a_byte), free_port(), retries=1)
    lb.start(text)
    idle, at_start = lb.descriptors(), lb.metric("lb_generations")
    failures, chaos = [], [Chaos(pki, tls_port, plain_port, seed * 100 + number) for number in range(8)]

    def run(one):
        for _ in range(scaled(60, 20)):
            try:
                one.one()
            except Exception as error:  # pylint: disable=broad-except
                failures.append(f"{one.last}: {error!r}")
    threads = [threading.Thread(target=run, args=(one,)) for one in chaos]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        before = sum(one.served for one in chaos)
        lb.reload(text)
        # Scripts that wait are asked again after a reload: leave them the time to decide.
        until(lambda: sum(one.served for one in chaos) > before + 4 or not any(map(threading.Thread.is_alive, threads)),
              "clients to be served")
    for thread in threads:
        thread.join()
    assert not failures, failures[:5]
    assert sum(one.served for one in chaos) >= 20
    for name in ("main", "plain"):
        lb.wait_metric(0, "lb_connections_active", listener=name)
    behind.wait_idle()
    lb.wait_descriptors(idle)
    until(lambda: lb.metric("lb_generations") == at_start, "old generations to be freed")
    numbers = lb.metrics()
    for name in ("main", "plain"):
        total = numbers["lb_connections_total", frozenset({("listener", name)})]
        ended = sum(number for (metric, labels), number in numbers.items()
                    if metric == "lb_connections_ended_total" and ("listener", name) in labels)
        assert total == ended, "every connection has exactly one end"
        assert len(lb.wait_connections(int(total), listener=name)) == total
    assert client.echoes(pki, tls_port, "good")
