"""The load generator counts what goes wrong: a benchmark whose errors go unseen measures nothing."""
import json
import pathlib
import socket
import ssl
import subprocess
import threading

import pytest

import fixtures
from processes import Process, free_ports

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parents[1] / "build" / "bench"


@pytest.fixture(scope="module", autouse=True)
def built():
    subprocess.run(["make", "-s", "-C", HERE], check=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    fixtures.make(folder)
    return folder


@pytest.fixture
def origin(tmp_path):
    port = free_ports(1)[0]
    process = Process([OUT / "origin", port], 0, tmp_path / "origin.err")
    assert process.line(10) == "ready"
    yield port
    process.end()


def right_answer(origin_port, size=64):
    with socket.create_connection(("127.0.0.1", origin_port), 5) as sock:
        sock.sendall(f"GET /{size} HTTP/1.1\r\n\r\n".encode())
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


class Server:
    """TLS on one connection after the other; answers a request with `answer`, the next ones with `later`, or closes."""

    def __init__(self, keys, answer, later=None, close=False, version=ssl.TLSVersion.TLSv1_3):
        self.answer, self.later, self.close = answer, later or answer, close
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(keys / "server.pem")
        self.context.maximum_version = version
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            sock, _ = self.listener.accept()
            try:
                self.talk(sock)
            except OSError:
                sock.close()

    def talk(self, sock):
        with self.context.wrap_socket(sock, server_side=True) as tls:
            answer = self.answer
            while tls.recv(4096):
                tls.sendall(answer)
                answer = self.later
                if self.close:
                    return


def load(keys, port, mode="handshake", count=5, certificate="server", timeout=5, size=1):
    command = [OUT / "load", mode, "--port", port, "--count", count, "--connections", 1, "--bytes", size,
               "--timeout", timeout, "--server-cert", keys / f"{certificate}.crt"]
    done = subprocess.run([str(part) for part in command], input="go\n", capture_output=True, text=True, check=True,
                          timeout=20)
    ready, result = done.stdout.splitlines()
    assert ready == "ready"
    return json.loads(result)


def errors(result):
    return {name: count for name, count in result["errors"].items() if count}


def test_a_refused_connection_is_counted(keys):
    result = load(keys, free_ports(1)[0])
    assert errors(result)["connect"] == 1
    assert result["operations"] == 0 and result["failed"] == 5


def test_one_wrong_byte_is_counted(keys, origin):
    answer = right_answer(origin)
    result = load(keys, Server(keys, answer[:-1] + bytes([answer[-1] ^ 1])).port)
    assert errors(result)["wrong"] == 1
    assert result["operations"] == 0


def test_a_byte_too_many_is_counted(keys, origin):
    assert errors(load(keys, Server(keys, right_answer(origin) + b"x").port))["wrong"] == 1


def test_an_answer_cut_short_is_counted(keys, origin):
    assert errors(load(keys, Server(keys, right_answer(origin)[:-1], close=True).port))["short"] == 1


def test_an_answer_that_never_ends_is_counted(keys, origin):
    assert errors(load(keys, Server(keys, right_answer(origin)[:-1]).port, timeout=1))["timeout"] == 1


def test_another_certificate_is_counted(keys, origin):
    assert errors(load(keys, Server(keys, right_answer(origin)).port, certificate="rsa"))["tls"] == 1


def test_an_older_version_is_counted(keys, origin):
    server = Server(keys, right_answer(origin), version=ssl.TLSVersion.TLSv1_2)
    assert errors(load(keys, server.port))["tls"] == 1


def test_a_handshake_that_is_never_answered_is_counted(keys, origin):
    assert errors(load(keys, origin, timeout=1))["timeout"] == 1


def test_swapped_blocks_in_a_download_are_counted(keys, origin):
    small, big = right_answer(origin), right_answer(origin, 200000)
    swapped = big[:16384] + big[32768:49152] + big[16384:32768] + big[49152:]
    for answer, expected in ((big, {}), (swapped, {"wrong": 1})):
        result = load(keys, Server(keys, small, later=answer).port, mode="bulk", size=200000)
        assert errors(result) == expected


def test_a_kept_connection_that_ended_is_counted(keys, origin):
    result = load(keys, Server(keys, right_answer(origin), close=True).port, mode="request")
    assert errors(result)["short"] == 1
    assert result["operations"] == 0


def test_right_answers_are_counted_as_operations(keys, origin):
    for mode in ("handshake", "request"):
        result = load(keys, Server(keys, right_answer(origin)).port, mode=mode)
        assert not errors(result)
        assert result["operations"] == 5 and result["failed"] == 0
