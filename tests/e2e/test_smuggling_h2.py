"""Malformed requests in HTTP/2: their stream alone ends, nothing of them reaches a server."""
import pytest

from harness import config, http2
from harness.http1 import Recorder, TOKEN
from harness.http2 import Reset, head
from harness.ports import free_port

GOOD = [(":method", "GET"), (":scheme", "https"), (":authority", "a.test"), (":path", "/bad")]
M, S, A, P = GOOD


def named(*fields):
    return GOOD + list(fields)


HEADS = {
    "no method": [S, A, P], "no scheme": [M, A, P], "no path": [M, S, A], "neither authority nor host": [M, S, P], "nothing": [],
    "two methods": [M, *GOOD], "two schemes": [S, *GOOD], "two authorities": [A, *GOOD], "two paths": [P, *GOOD],
    "two different paths": [*GOOD, (":path", "/other")], "a status": named((":status", "200")),
    "a field before a pseudo-header": [M, S, ("x", "y"), A, P], "a host before the authority": [M, S, ("host", "a.test"), A, P],
    "an unknown pseudo-header": named((":x", "y")), "a protocol": named((":protocol", "websocket")),
    "an empty pseudo-header name": named((":", "y")), "a pseudo-header in upper case": [M, S, A, (":PATH", "/bad")],
    "CONNECT": [(":method", "CONNECT"), (":authority", "a.test:443")],
    "CONNECT with a path": [(":method", "CONNECT"), S, A, P],
    "an extended CONNECT": [(":method", "CONNECT"), (":protocol", "websocket"), S, A, P],
    "an empty method": [(":method", ""), S, A, P], "a blank in the method": [(":method", "GET /smuggled HTTP/1.1"), S, A, P],
    "line ends in the method": [(":method", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET"), S, A, P],
    "an empty scheme": [M, (":scheme", ""), A, P], "another scheme": [M, (":scheme", "ftp"), A, P],
    "a URI in the scheme": [M, (":scheme", "http://b.test/?"), A, P],
}
for value in ("", "#", "/#x", "/a b", " /a", "/a ", "/a\r\nX: y", "/a\nb", "/a\rb", "/a\0b", "/\t", "/\x7f", "/\u00e4", "a", "bad", "*", "?x",
              "http://a.test/bad", "/../x", "/a/../../x", "/%00", "/%", "/a%2fb", "/a\\b", "/..;/x", "/ HTTP/1.1"):
    HEADS[f"path {value!r}"] = [M, S, A, (":path", value)]
for value in ("u@a.test", "u:p@a.test", "a.test/x", "a.test#", "a.test?", "a b", "a.test\r\nX: y", "a\0", " a.test", "a.test ", "a.test:x", "a.test:0",
              "a.test:99999", "a..test", "[::1", "a.test, b.test", "\u00e4.test", "a.test\\b"):
    HEADS[f"authority {value!r}"] = [M, S, (":authority", value), P]
    HEADS[f"host {value!r}"] = [M, S, P, ("host", value)]
for value in ("b.test", "a.test:81", "", "A.TEST@b.test", "a.test,b.test", "a.test "):
    HEADS[f"authority a.test and host {value!r}"] = named(("host", value))
HEADS["two hosts"] = [M, S, P, ("host", "a.test"), ("host", "a.test")]
HEADS["a host and a folded one"] = named(("Host", "b.test"))
for name, value in (("connection", "close"), ("connection", "keep-alive"), ("proxy-connection", "close"), ("keep-alive", "1"),
                    ("transfer-encoding", "chunked"), ("transfer-encoding", "identity"), ("upgrade", "websocket"), ("upgrade", "h2c"),
                    ("te", "gzip"), ("te", "trailers, gzip"), ("te", ""), ("te", "chunked"), ("transfer_encoding", "chunked"),
                    ("transfer.encoding", "chunked"), ("content_length", "5"), ("content.length", "5"), ("Content-Length", "5"),
                    ("Transfer-Encoding", "chunked"), ("X-Upper", "y"), ("x-Upper", "y")):
    HEADS[f"{name}: {value}"] = named((name, value))
for name in ("", " ", "x ", " x", "x\t", "x\r\ny", "x\ny", "x\ry", "x\0", "x:y", "x: y\r\nz", "x y", "x(", "x/", "x\u00e4", "x\x7f", "\x0bx"):
    HEADS[f"name {name!r}"] = named((name, "v"))
for value in ("a\r\nb: c", "a\nb", "a\rb", "a\0b", "\0", "\r", "\n", " a", "a ", "\ta", "a\t", " ", "a\x01", "a\x0b", "a\x7f",
              "a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a"):
    HEADS[f"value {value!r}"] = named(("x", value))
for value in ("", "five", "+0", "-0", "0x0", "0,0", "0, 0", " 0", "0_0", "9" * 30, "0\r\n", "0;"):
    HEADS[f"content-length {value!r}"] = named(("content-length", value))
HEADS["two content-lengths"] = named(("content-length", "0"), ("content-length", "0"))
HEADS["content-length without data"] = named(("content-length", "5"))

TRAILERS = {
    "a path": [(":path", "/x")], "a status": [(":status", "200")], "a method": [("x", "y"), (":method", "GET")], "upper case": [("X", "y")],
    "content-length": [("content-length", "5")], "content_length": [("content_length", "5")], "transfer-encoding": [("transfer-encoding", "chunked")],
    "transfer_encoding": [("transfer_encoding", "chunked")], "connection": [("connection", "close")], "te": [("te", "gzip")],
    "line ends": [("x", "a\r\nb: c")], "NUL": [("x", "a\0")], "a blank": [("x", " a")], "an empty name": [("", "a")], "a colon": [("x:y", "a")]}


@pytest.fixture(params=["TLS", "h2c"])
def world(request, lb, pki):
    class World:
        recorder, port = Recorder(), free_port()

        def open(self):
            return http2.open_tls(pki, self.port) if request.param == "TLS" else http2.open_h2c(self.port)
    made = World()
    if request.param == "TLS":
        lb.start(config.one_way(pki, made.port, made.recorder, protocol="http"))
    else:
        lb.start(config.plain(made.port, made.recorder, protocol="http", h2c="yes"))
    yield made
    made.recorder.close()


def outcome(connection, stream):
    """The status, or "reset"."""
    try:
        return connection.answer(stream).status
    except Reset as reset:
        assert reset.code == 1, f"RST_STREAM with {reset.code}"  # PROTOCOL_ERROR
        return "reset"


def test_a_malformed_head_ends_its_stream_only(world):
    wrong = {}
    with world.open() as connection:
        beside = connection.open(head("/beside", ("content-length", "5"), method="POST"), end=False)
        for number, (name, fields) in enumerate(HEADS.items()):
            found = outcome(connection, connection.open(fields))
            if found not in ("reset", 400, 501):
                wrong[name] = found
            assert connection.ask(head(f"/fine/{number}")).status == 200, f"after {name}"
        connection.data(beside, b"hello")
        assert connection.answer(beside).status == 200
    assert not wrong
    assert len(HEADS) > 150
    assert {one.target.split(b"/")[1] for one in world.recorder.requests} == {b"fine", b"beside"}
    assert len(world.recorder.requests) == len(HEADS) + 1 and not world.recorder.problems
    assert not world.recorder.unfinished()


def test_a_malformed_head_on_a_new_connection_is_refused_too(world):
    for fields in list(HEADS.values())[::9]:
        with world.open() as connection:
            assert outcome(connection, connection.open(fields)) in ("reset", 400, 501)
    assert not world.recorder.requests and world.recorder.seen() == 0


def test_malformed_trailers_end_the_stream_and_the_request_never_completes(world):
    wrong = {}
    with world.open() as connection:
        for name, trailers in TRAILERS.items():
            stream = connection.open(head("/begun", method="POST"), end=False)
            connection.data(stream, b"hello", end=False)
            connection.head(stream, trailers)
            found = outcome(connection, stream)
            if found not in ("reset", 400):
                wrong[name] = found
            assert connection.ask(head("/fine")).status == 200, f"after {name}"
    assert not wrong
    assert {one.target for one in world.recorder.requests} == {b"/fine"} and not world.recorder.problems


@pytest.mark.parametrize("length,parts", [(5, [b"hell"]), (5, [b"hello!"]), (5, [b"hel", b"lo!"]), (0, [b"x"]), (5, [b""]), (5, [b"hello", b"x"])])
def test_data_that_is_not_as_long_as_content_length_ends_the_stream(world, length, parts):
    with world.open() as connection:
        stream = connection.open(head("/begun", ("content-length", str(length)), method="POST"), end=False)
        for part in parts[:-1]:
            connection.data(stream, part, end=False)
        connection.data(stream, parts[-1])
        went_on = parts in ([b"hello", b"x"], [b"x"])  # all of the request was there before what was too much
        assert outcome(connection, stream) in (("reset", 400, 200) if went_on else ("reset", 400))
        assert connection.ask(head("/fine")).status == 200
    begun = [one for one in world.recorder.requests if one.target == b"/begun"]
    assert not begun or (went_on and len(begun[0].body) == length)
    assert len(world.recorder.requests) == len(begun) + 1
    assert not world.recorder.problems


def test_an_unusual_head_arrives_in_normal_form(world):
    with world.open() as connection:
        for fields, target in ((head("//a/./b/../%63"), b"/a/c"), (head("/x?a=%2f"), b"/x?a=%2f"), ([M, S, (":path", "/h"), ("host", "a.test")], b"/h"),
                               ([P, A, S, M], b"/bad"), (head("*", method="OPTIONS"), b"*"), (named(("te", "trailers")), b"/bad"),
                               (named(("host", "a.test")), b"/bad"), (named(("content-length", "0")), b"/bad"), (named(("x", "")), b"/bad"),
                               (named(("cookie", "a=1"), ("cookie", "b=2")), b"/bad"), (named(("x", "\u00e4")), b"/bad")):
            assert connection.ask(fields).status == 200
            got = world.recorder.requests[-1]
            assert got.target == target and got.value("host") == "a.test"
            assert all(TOKEN.fullmatch(name) for name, _ in got.fields)
    assert got.value("x") == "\u00e4" and world.recorder.requests[-2].value("cookie") == "a=1; b=2"
    assert not world.recorder.problems
