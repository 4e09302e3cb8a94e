"""An echoing origin for very many connections, in a process of its own: it has its own limit of descriptors."""
import selectors
import socket
import subprocess
import sys
from pathlib import Path

from harness.ports import free_port
from harness.waiting import until


def serve(port):
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(4096)
    chooser = selectors.DefaultSelector()
    chooser.register(listening, selectors.EVENT_READ)
    while True:
        for key, _ in chooser.select():
            if key.fileobj is listening:
                sock, _ = listening.accept()
                chooser.register(sock, selectors.EVENT_READ)
            elif not echo(key.fileobj):
                chooser.unregister(key.fileobj)
                key.fileobj.close()


def echo(sock):
    try:
        data = sock.recv(65536)
        if data:
            sock.sendall(data)
        return bool(data)
    except OSError:
        return False


class Crowd:
    """address, like an Origin."""

    def __init__(self):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen([sys.executable, "-m", "harness.crowd", str(self.port)],
                                        cwd=Path(__file__).resolve().parents[1])
        until(self._accepts, "the crowd's origin")

    def _accepts(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
