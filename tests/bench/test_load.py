"""The load generator counts what goes wrong: a benchmark whose errors go unseen measures nothing."""
import json
import pathlib
import socket
import ssl
import subprocess
import threading

import h2.config
import h2.connection
import h2.events
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


def right_answer(origin_port, size=64, prefix=""):
    with socket.create_connection(("127.0.0.1", origin_port), 5) as sock:
        sock.sendall(f"GET {prefix}/{size} HTTP/1.1\r\n\r\n".encode())
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


class Server:
    """TLS on one connection after the other; answers a request with `answer`, the next ones with `later`, or closes."""

    def __init__(self, keys, answer, later=None, close=False, version=ssl.TLSVersion.TLSv1_3, alpn=None, mutual=False,
                 tickets=1):
        self.answer, self.later, self.close = answer, later or answer, close
        self.requests, self.resumed = [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.num_tickets = tickets
        self.context.load_cert_chain(keys / "server.pem")
        self.context.maximum_version = version
        if alpn:
            self.context.set_alpn_protocols(alpn)
        if mutual:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(keys / "client-ca.crt")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            sock, _ = self.listener.accept()
            try:
                self.talk(self.secure(sock))
            except OSError:
                sock.close()

    def secure(self, sock):
        return self.context.wrap_socket(sock, server_side=True)

    def talk(self, sock):
        with sock:
            self.resumed.append(sock.session_reused if isinstance(sock, ssl.SSLSocket) else False)
            answer = self.answer
            while request := sock.recv(4096):
                self.requests.append(request)
                sock.sendall(answer)
                answer = self.later
                if self.close:
                    return


class PlainServer(Server):
    """The same without TLS."""

    def secure(self, sock):
        return sock


CLOSE = b"close"
GOAWAY = bytes([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])  # no error, all streams are served


class Http2Server(Server):
    """`act(connection, stream)` answers each request but the first one of the connection, which is answered right. What
    it returns is sent as it is, before what the connection has to send; CLOSE closes."""

    def __init__(self, keys, body, act=None, alpn=("h2",)):
        self.act = act or (lambda connection, stream: respond(connection, stream, body))
        super().__init__(keys, body, alpn=list(alpn))

    def talk(self, sock):
        with sock:
            config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
            connection = h2.connection.H2Connection(config)
            connection.initiate_connection()
            sock.sendall(connection.data_to_send())
            while data := sock.recv(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        self.requests.append(dict(event.headers))
                        raw = self.reply(connection, event.stream_id)
                        if raw == CLOSE:
                            return
                        sock.sendall(raw or b"")
                sock.sendall(connection.data_to_send())

    def reply(self, connection, stream):
        return respond(connection, stream, self.answer) if stream == 1 else self.act(connection, stream)


def respond(connection, stream, body, status="200", more=(), end=True):
    connection.send_headers(stream, [(":status", status), *more])
    connection.send_data(stream, body, end_stream=end)


def load(keys, port, mode="handshake", count=5, certificate="server", timeout=5, size=1, more=()):
    command = [OUT / "load", mode, "--port", port, "--count", count, "--connections", 1, "--bytes", size,
               "--timeout", timeout, "--server-cert", keys / f"{certificate}.crt", *more]
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


# --- resumption: a full handshake among resumed ones would be measured as one of them ---


VERSIONS = pytest.mark.parametrize("version, more", [
    (ssl.TLSVersion.TLSv1_3, ()), (ssl.TLSVersion.TLSv1_2, ("--tls12",))])


def test_a_server_that_sends_no_tickets_is_counted(keys, origin):
    server = Server(keys, right_answer(origin), tickets=0)
    result = load(keys, server.port, more=["--resume"])
    assert errors(result) == {"full": 1}
    assert result["operations"] == 0 and result["failed"] == 5 and result["resumed"] == 0


def test_a_session_id_is_no_ticket(keys, origin):
    server = Server(keys, right_answer(origin), version=ssl.TLSVersion.TLSv1_2)
    server.context.options |= ssl.OP_NO_TICKET
    assert errors(load(keys, server.port, more=["--resume", "--tls12"])) == {"full": 1}


def test_one_full_handshake_among_resumed_ones_is_counted(keys, origin):
    server = Server(keys, right_answer(origin))
    other = Server(keys, right_answer(origin))
    contexts = [server.context] * 4 + [other.context]
    server.secure = lambda sock: contexts.pop(0).wrap_socket(sock, server_side=True)
    result = load(keys, server.port, more=["--resume"])
    assert errors(result) == {"full": 1}
    assert result["operations"] == 3 and result["resumed"] == 3


def test_resumption_by_a_server_that_was_lost_before_it_began_is_counted(keys):
    result = load(keys, free_ports(1)[0], more=["--resume"])
    assert errors(result) == {"connect": 1}
    assert result["operations"] == 0 and result["failed"] == 5


@VERSIONS
def test_each_counted_handshake_is_a_resumed_one(keys, origin, version, more):
    server = Server(keys, right_answer(origin), version=version)
    result = load(keys, server.port, more=["--resume", *more])
    assert not errors(result)
    assert result["operations"] == result["resumed"] == 5
    assert server.resumed == [False] + 5 * [True]


def test_mutual_handshakes_are_resumed(keys, origin):
    server = Server(keys, right_answer(origin), mutual=True)
    result = load(keys, server.port, more=["--resume", "--client-cert", keys / "client.pem"])
    assert not errors(result) and result["resumed"] == 5


@VERSIONS
def test_nothing_is_resumed_unless_asked_for(keys, origin, version, more):
    server = Server(keys, right_answer(origin), version=version)
    result = load(keys, server.port, more=more)
    assert not errors(result)
    assert result["operations"] == 5 and result["resumed"] == 0
    assert server.resumed == 5 * [False]


def test_another_version_than_tls_1_2_is_counted(keys, origin):
    server = Server(keys, right_answer(origin))
    server.context.minimum_version = ssl.TLSVersion.TLSv1_3
    assert errors(load(keys, server.port, more=["--tls12"]))["tls"] == 1


@pytest.mark.parametrize("tickets", [0, 1, 2])
def test_tickets_are_counted(keys, origin, tickets):
    assert load(keys, Server(keys, right_answer(origin), tickets=tickets).port)["tickets"] == 5 * tickets


@pytest.mark.parametrize("arguments", [
    ["http1", "--resume"], ["idle", "--tls12"], ["request", "--names", 2], ["http2", "--http"],
    ["handshake", "--resume", "--names", 2], ["handshake", "--names", 10001],
])
def test_what_only_full_or_resumed_handshakes_can_do_is_refused_elsewhere(keys, arguments):
    command = [OUT / "load", *arguments, "--port", 1, "--server-cert", keys / "server.crt"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2 and "usage" in done.stderr


# --- many names ---


NAMES = 4


@pytest.fixture(scope="module")
def names(keys):
    fixtures.make_names(keys, NAMES)
    return keys


class NamedServer(Server):
    """Has a certificate for each name, but shows for `wrong` that of the first."""

    def __init__(self, keys, answer, wrong=None):
        super().__init__(keys, answer)
        self.asked = []
        contexts = {}
        for number in range(NAMES):
            name = f"n{number}.bench.test"
            contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            contexts[name].load_cert_chain(keys / "names" / f"n{0 if number == wrong else number}.pem")

        def choose(sock, name, _):
            self.asked.append(name)
            sock.context = contexts[name]

        self.context.sni_callback = choose


def test_the_certificate_of_another_name_is_counted(names, origin):
    server = NamedServer(names, right_answer(origin), wrong=2)
    result = load(names, server.port, count=200, certificate="names", more=["--names", NAMES])
    assert errors(result) == {"tls": 1}
    assert server.asked[-1] == "n2.bench.test" and result["operations"] == len(server.asked) - 1


def test_one_certificate_for_all_names_is_counted(names, origin):
    server = Server(names, right_answer(origin))
    assert errors(load(names, server.port, certificate="names", more=["--names", NAMES])) == {"tls": 1}


def test_every_name_is_asked_for_in_no_order(names, origin):
    server = NamedServer(names, right_answer(origin))
    result = load(names, server.port, count=200, certificate="names", more=["--names", NAMES])
    assert not errors(result) and result["operations"] == 200
    assert set(server.asked) == {f"n{number}.bench.test" for number in range(NAMES)}
    following = {pair for pair in zip(server.asked, server.asked[1:])}
    assert len(following) == NAMES * NAMES
    hosts = [request.decode().split("\r\n")[1] for request in server.requests]
    assert hosts == [f"Host: {name}" for name in server.asked]


# --- HTTP/1.1: what a proxy may change, and what it may not ---


@pytest.fixture
def body(origin):
    return right_answer(origin).split(b"\r\n\r\n", 1)[1]


def http1_answer(body, status="200 OK", fields=("Content-Length: 64",)):
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode() + body


@pytest.mark.parametrize("expected, answer", [
    ("status", lambda body: http1_answer(body, "403 Forbidden")),
    ("status", lambda body: http1_answer(body, "206 Partial Content")),
    ("wrong", lambda body: http1_answer(body).replace(b"HTTP/1.1", b"HTTP/1.0")),
    ("wrong", lambda body: http1_answer(body[:-1] + bytes([body[-1] ^ 1]))),
    ("wrong", lambda body: http1_answer(body + b"x")),
    ("wrong", lambda body: http1_answer(body[:-1], fields=["Content-Length: 63"])),
    ("wrong", lambda body: http1_answer(body + b"x", fields=["Content-Length: 65"])),
    ("wrong", lambda body: http1_answer(body, fields=["Content-Length: 64", "Content-Length: 64"])),
    ("wrong", lambda body: http1_answer(body, fields=["Content-Length: 64x"])),
    ("wrong", lambda body: http1_answer(body, fields=["X: y"])),
    ("wrong", lambda body: http1_answer(b"40\r\n" + body + b"\r\n0\r\n\r\n", fields=["Transfer-Encoding: chunked"])),
    ("wrong", lambda body: http1_answer(body, fields=["Content-Length: 64", "Connection: close"])),
    ("wrong", lambda body: http1_answer(body, fields=["Content-Length: 64", "X: " + 2000 * "y"])),
    ("wrong", lambda body: b"\0" + http1_answer(body)),
])
def test_an_http1_answer_that_is_not_the_right_one_is_counted(keys, body, expected, answer):
    server = Server(keys, http1_answer(body), later=answer(body))
    result = load(keys, server.port, mode="http1")
    assert errors(result) == {expected: 1}
    assert result["operations"] == 0 and result["failed"] == 5


def test_an_http1_body_cut_short_is_counted(keys, body):
    server = Server(keys, http1_answer(body[:-1]), close=True)
    assert errors(load(keys, server.port, mode="http1")) == {"short": 1}


def test_an_http1_connection_that_ends_after_an_answer_is_counted(keys, body):
    for server, more in ((Server(keys, http1_answer(body), close=True), ()),
                         (PlainServer(keys, http1_answer(body), close=True), ("--plain",))):
        result = load(keys, server.port, mode="http1", more=more)
        assert errors(result) == {"short": 1}
        assert result["operations"] == 0


def test_an_http1_body_that_never_ends_is_counted(keys, body):
    server = Server(keys, http1_answer(body), later=http1_answer(body[:-1]))
    assert errors(load(keys, server.port, mode="http1", timeout=1)) == {"timeout": 1}


def test_another_status_without_tls_is_counted(keys, body):
    server = PlainServer(keys, http1_answer(body), later=http1_answer(body, "502 Bad Gateway"))
    assert errors(load(keys, server.port, mode="http1", more=["--plain"])) == {"status": 1}


def test_http1_answers_with_fields_of_the_proxy_are_right(keys, body):
    server = Server(keys, http1_answer(body, fields=["via: 1.1 lb", "content-length: 64", "Connection: keep-alive"]))
    result = load(keys, server.port, mode="http1")
    assert not errors(result)
    assert result["operations"] == 5 and result["bytes_each"] == 64


def test_large_http1_answers_straight_from_the_origin_are_right(keys, origin):
    result = load(keys, origin, mode="http1", more=["--plain", "--size", 102400])
    assert not errors(result)
    assert result["operations"] == 5 and result["bytes_each"] == 102400


def test_the_origin_knows_the_size_behind_any_prefix(origin):
    assert right_answer(origin, 64, "/p1/9") == right_answer(origin, 64)


def test_a_handshake_may_be_followed_by_http(keys, body):
    server = Server(keys, http1_answer(body, fields=["server: nginx", "Content-Length: 64"]))
    assert errors(load(keys, server.port)) == {"wrong": 1}
    result = load(keys, server.port, more=["--http"])
    assert not errors(result) and result["operations"] == 5


def test_a_client_without_certificate_is_counted_where_one_is_required(keys, body):
    server = Server(keys, http1_answer(body), mutual=True)
    result = load(keys, server.port, mode="http1")
    assert sum(errors(result).values()) == 1 and result["operations"] == 0
    result = load(keys, server.port, mode="http1", more=["--client-cert", keys / "client.pem"])
    assert not errors(result)
    assert result["operations"] == 5


def test_requests_go_around_all_routes(keys, body):
    server = Server(keys, http1_answer(body))
    assert load(keys, server.port, mode="http1", count=11, more=["--hosts", 3, "--paths", 4])["operations"] == 11
    asked = {tuple(request.decode().split("\r\n")[:2]) for request in server.requests}
    assert asked == {(f"GET /p{path}/64 HTTP/1.1", f"Host: h{host}.bench.test")
                     for path in range(4) for host in range(3)}


# --- HTTP/2 ---


@pytest.mark.parametrize("expected, act", [
    ("status", lambda body: lambda connection, stream: respond(connection, stream, body, "403")),
    ("wrong", lambda body: lambda connection, stream: respond(connection, stream, body[:-1] + bytes([body[-1] ^ 1]))),
    ("wrong", lambda body: lambda connection, stream: respond(connection, stream, body + b"x")),
    ("short", lambda body: lambda connection, stream: respond(connection, stream, body[:-1])),
    ("short", lambda body: lambda connection, stream: respond(connection, stream, b"")),
    ("reset", lambda body: lambda connection, stream: connection.reset_stream(stream, 8)),
    ("reset", lambda body: lambda connection, stream: respond(connection, stream, body[:9], end=False)
     or connection.reset_stream(stream, 2)),
    ("short", lambda body: lambda connection, stream: CLOSE),
])
def test_an_http2_answer_that_is_not_the_right_one_is_counted(keys, body, expected, act):
    result = load(keys, Http2Server(keys, body, act(body)).port, mode="http2")
    assert errors(result) == {expected: 1}
    assert result["operations"] == 0 and result["failed"] == 5


def test_a_goaway_is_counted_although_all_answers_are_right(keys, body):
    server = Http2Server(keys, body, lambda connection, stream: respond(connection, stream, body) or GOAWAY)
    assert errors(load(keys, server.port, mode="http2")) == {"reset": 1}


def test_an_http2_answer_with_another_length_than_it_says_is_counted(keys, body):
    server = Http2Server(keys, body, lambda connection, stream: respond(
        connection, stream, body, more=[("content-length", "65")]))
    result = load(keys, server.port, mode="http2")
    assert sum(errors(result).values()) == 1 and result["operations"] == 0


def test_one_reset_among_right_http2_answers_is_counted(keys, body):
    answered = []

    def act(connection, stream):
        answered.append(stream)
        if len(answered) == 7:
            connection.reset_stream(stream, 8)
        else:
            respond(connection, stream, body)

    result = load(keys, Http2Server(keys, body, act).port, mode="http2", count=50, more=["--streams", 1])
    assert errors(result) == {"reset": 1}
    assert result["operations"] == 6 and result["failed"] == 44


def test_an_http2_answer_that_never_ends_is_counted(keys, body):
    server = Http2Server(keys, body, lambda connection, stream: respond(connection, stream, body, end=False))
    result = load(keys, server.port, mode="http2", timeout=1)
    assert errors(result) == {"timeout": 5}
    assert result["operations"] == 0


def test_a_server_without_http2_is_counted(keys, body):
    assert errors(load(keys, Server(keys, http1_answer(body)).port, mode="http2")) == {"terms": 1}


def test_right_http2_answers_are_counted_as_operations(keys, body):
    server = Http2Server(keys, body)
    result = load(keys, server.port, mode="http2", count=200)
    assert not errors(result)
    assert result["operations"] == 200 and result["failed"] == 0
    assert len(server.requests) == 201 and server.requests[0][":path"] == "/64"


def test_as_many_http2_requests_are_open_as_was_said(keys, body):
    open_streams, most = [], []

    def act(connection, stream):
        open_streams.append(stream)
        if len(open_streams) == 4:
            most.append(len(open_streams))
            for each in open_streams:
                respond(connection, each, body)
            open_streams.clear()

    result = load(keys, Http2Server(keys, body, act).port, mode="http2", count=40, more=["--streams", 4])
    assert not errors(result)
    assert result["operations"] == 40 and len(most) == 10
