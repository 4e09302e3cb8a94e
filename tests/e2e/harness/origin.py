"""Servers behind lb, in the test's own process, with a behaviour each."""
import hashlib
import socket
import struct
import threading

from harness.ports import free_port
from harness.waiting import until

CHUNK = 65536


def reset(sock):
    """Closes so that the peer gets RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def read_all(sock):
    """Everything until the peer's end."""
    parts = []
    while True:
        part = sock.recv(CHUNK)
        if not part:
            return b"".join(parts)
        parts.append(part)


def hash_all(sock):
    """(length, hash) of everything until the peer's end."""
    length, digest = 0, hashlib.sha256()
    buffer = memoryview(bytearray(4 * CHUNK))
    while True:
        got = sock.recv_into(buffer)
        if not got:
            return length, digest.hexdigest()
        length += got
        digest.update(buffer[:got])


class Origin:
    """Accepts and runs behaviour(sock, origin) in a thread for each connection. `received` has what behaviours put there."""

    def __init__(self, behaviour, address=None, backlog=1024):
        self.behaviour, self.backlog = behaviour, backlog
        self.path = address if isinstance(address, str) else None
        self.port = None if self.path else (address or free_port())
        self.accepted, self.received, self.sockets, self.failures = 0, [], [], []
        self.lock, self.threads = threading.Lock(), []
        self.listening = None
        self.start()

    @property
    def address(self):
        return f"unix:{self.path}" if self.path else f"127.0.0.1:{self.port}"

    def start(self):
        if self.path:
            self.listening = socket.socket(socket.AF_UNIX)
            self.listening.bind(self.path)
        else:
            self.listening = socket.socket()
            self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listening.bind(("127.0.0.1", self.port))
        self.listening.listen(self.backlog)
        thread = threading.Thread(target=self._accept, args=(self.listening,), daemon=True)
        thread.start()
        return self

    def _accept(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            if listening is not self.listening:  # stopped meanwhile
                sock.close()
                return
            with self.lock:
                self.accepted += 1
                self.sockets.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, sock):
        try:
            self.behaviour(sock, self)
        except OSError as error:
            self.failures.append(error)
        finally:
            with self.lock:
                if sock in self.sockets:
                    self.sockets.remove(sock)
            sock.close()

    @property
    def active(self):
        return len(self.sockets)

    def wait_accepted(self, count):
        until(lambda: self.accepted >= count, lambda: f"{count} connections at the origin, {self.accepted} came")

    def wait_idle(self):
        until(lambda: self.active == 0, lambda: f"the origin still has {self.active} connections")

    def wait_received(self, count=1):
        until(lambda: len(self.received) >= count, lambda: f"the origin has {len(self.received)} results, not {count}")
        return self.received

    def stop(self):
        """No new connection; those there are stay."""
        listening, self.listening = self.listening, None
        if listening:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def kill(self, how=reset):
        """Ends the connections there are."""
        with self.lock:
            sockets, self.sockets = self.sockets, []
        for sock in sockets:
            if how is reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                abort(sock)
            else:
                how(sock)

    def close(self):
        self.stop()
        with self.lock:
            sockets, self.sockets = self.sockets, []
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def abort(sock):
    """RST although another thread is inside recv on the same socket: dissolves the association (AF_UNSPEC)."""
    try:
        libc_connect_unspec(sock.fileno())
    except OSError:
        pass


def libc_connect_unspec(descriptor):
    import ctypes
    address = struct.pack("=H14x", socket.AF_UNSPEC)
    ctypes.CDLL(None, use_errno=True).connect(descriptor, address, len(address))


# --- behaviours ----------------------------------------------------------------------------------------------------

def echo(sock, _):
    """Gives back what comes; ends when the client has ended."""
    while True:
        data = sock.recv(CHUNK)
        if not data:
            sock.shutdown(socket.SHUT_WR)
            return
        sock.sendall(data)


def named(name):
    """Says its name and ends."""
    def behaviour(sock, _):
        sock.sendall(name.encode() + b"\n")
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    return behaviour


def named_and_staying(name):
    """Says its name, then stays until the client ends."""
    def behaviour(sock, _):
        sock.sendall(name.encode() + b"\n")
        read_all(sock)
    return behaviour


def sink(sock, origin):
    """Takes everything; records length and hash."""
    origin.received.append(hash_all(sock))


def hold(sock, origin):
    """Reads one byte at most and keeps the connection until the client ends."""
    read_all(sock)


def never_read(sock, origin):
    """Takes nothing until origin.go is set, then everything."""
    origin.go.wait()
    origin.received.append(hash_all(sock))


def refuse(sock, _):
    """Resets at once."""
    reset(sock)


def reset_after_a_byte(sock, _):
    """Takes something, then resets."""
    sock.recv(1)
    reset(sock)


def source(total, pace=None):
    """Sends `total` bytes and ends; pace(sock) is called between the pieces."""
    def behaviour(sock, origin):
        length, digest = 0, hashlib.sha256()
        piece = bytes(range(256)) * 256
        while length < total:
            part = piece[:total - length]
            sock.sendall(part)
            digest.update(part)
            length += len(part)
            if pace:
                pace(sock)
        origin.sent = digest.hexdigest()
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    return behaviour
