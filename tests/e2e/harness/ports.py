"""Free TCP ports, outside the range that the kernel gives to clients; runs of the tests side by side get ports of their own."""
import fcntl
import functools
import os
import socket
import tempfile

FIRST, BLOCK, BLOCKS = 20000, 1500, 8


class Block:
    """A range of ports that belongs to this process while it holds the lock."""

    def __init__(self):
        for number in range(BLOCKS):
            self.lock = open(os.path.join(tempfile.gettempdir(), f"lb-e2e-ports-{number}"), "a", encoding="ascii")
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self.lock.close()
                continue
            self.first = self.next = FIRST + number * BLOCK
            return
        raise AssertionError(f"{BLOCKS} runs of the tests are going on already")

    def take(self):
        for _ in range(BLOCK):
            self.next = self.next + 1 if self.next < self.first + BLOCK - 1 else self.first
            if is_free(self.next):
                return self.next
        raise AssertionError("no free port")


def is_free(port):
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family) as probe:
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno == 97:  # no IPv6 here
                continue
            return False
    return True


@functools.lru_cache(maxsize=None)
def block():
    return Block()


def free_port():
    return block().take()


def free_ports(count):
    return [free_port() for _ in range(count)]
