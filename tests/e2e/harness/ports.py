"""Free TCP ports, outside the range that the kernel gives to clients."""
import os
import socket

FIRST, LAST = 20000, 31999

_next = FIRST + (os.getpid() * 97) % (LAST - FIRST)


def _is_free(port):
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


def free_port():
    global _next
    for _ in range(LAST - FIRST):
        _next = _next + 1 if _next < LAST else FIRST
        if _is_free(_next):
            return _next
    raise AssertionError("no free port")


def free_ports(count):
    return [free_port() for _ in range(count)]
