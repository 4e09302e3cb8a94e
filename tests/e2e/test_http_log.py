"""The log of http listeners: one line for each request, refused ones too, and none that a client has written."""
import json
import re

import pytest

from harness import client, web
from harness.ports import free_port
from harness.waiting import until

FIELDS = {"time", "listener", "client", "id", "method", "host", "target", "protocol", "user_agent", "referer", "status", "decision",
          "reason", "text", "backend", "server", "retries", "reused", "bytes_in", "bytes_out", "wait_us", "script_us",
          "connect_us", "first_us", "total_us", "tls", "cipher", "group", "signature", "sni", "subject", "serial", "sha256", "end",
          "connection_requests", "generation"}
NUMBERS = {"status", "retries", "bytes_in", "bytes_out", "wait_us", "script_us", "connect_us", "first_us", "total_us",
           "connection_requests", "generation"}
both = pytest.mark.parametrize("version", ["http/1.1", "h2"])


@pytest.fixture
def front(lb, origin):
    class Front:
        def __call__(self, handler=web.telling, log_format="json", **keys):
            self.port, self.origin = free_port(), origin(web.serve(handler))
            lb.write(web.plain(self.port, self.origin, h2c="yes", **keys), log_format=log_format)
            lb.start()
            return self

        def open(self, version="http/1.1"):
            return web.open_two(self.port) if version == "h2" else web.open_wire(self.port)
    return Front()


@both
def test_a_line_has_every_field(front, lb, version):
    with front().open(version) as one:
        one.ask("POST", "/path?query", ("user-agent", "tester/1"), ("referer", "https://before.test/"), body=b"12345")
        one.ask("GET", "/%zz")
    lines = lb.wait_connections(2)
    for line in lines:
        assert FIELDS <= set(line), FIELDS - set(line)
        assert all(isinstance(line[name], int) and line[name] >= 0 for name in NUMBERS)
        assert re.fullmatch(r"127\.0\.0\.1:\d+", line["client"])
    line = lines[0]
    assert (line["method"], line["host"], line["target"], line["protocol"]) == \
        ("POST", "localhost", "/path?query", "HTTP/2" if version == "h2" else "HTTP/1.1")
    assert (line["user_agent"], line["referer"], line["status"], line["decision"], line["reason"], line["end"]) == \
        ("tester/1", "https://before.test/", 200, "allow", "-", "finished")
    assert (line["backend"], line["server"], line["bytes_in"], line["bytes_out"]) == ("main", "s0", 5, len(b"POST /path?query 12345"))
    assert line["id"] == front.origin.received[0]["x-request-id"]
    refused = lines[1]
    assert (refused["status"], refused["decision"], refused["reason"]) == (400, "deny", "request-invalid")
    assert refused["text"] and [line["connection_requests"] for line in lines] == [1, 2]


@both
def test_each_request_has_one_line(front, lb, version):
    with front().open(version) as one:
        for number in range(50):
            one.ask("GET", f"/{number}")
    assert [line["target"] for line in lb.wait_connections(50)] == [f"/{number}" for number in range(50)]
    assert len({line["id"] for line in lb.connections()}) == 50


def test_the_tls_of_the_connection_stands_in_each_line(lb, pki, origin):
    port = free_port()
    lb.start(web.mutual(pki, port, origin(web.serve(web.telling))))
    with web.open_two_tls(pki, port, "good") as two:
        for _ in range(3):
            two.ask()
    for line in lb.wait_connections(3):
        assert line["tls"] == "TLSv1.3" and line["sni"] == "localhost" and "CN=" in line["subject"] and len(line["sha256"]) == 64


def test_a_connection_without_a_request_has_a_line_only_if_it_was_refused(lb, pki, origin):
    port = free_port()
    lb.start(web.mutual(pki, port, origin(web.serve(web.telling))))
    client.refusal(pki, port, "expired")
    with client.tls(pki, port, "good"):
        pass
    with web.open_tls(pki, port, "good") as wire:
        wire.ask()
    lines = lb.wait_connections(2)
    assert [line.get("close") for line in lines] == ["certificate-expired", None] and len(lb.connections()) == 2


EVIL = ['"', "\\", '","status":200,"x":"', "\x7f", "\t", "\x1b[2J", "é", "\u2028", "%0a%0d", "' time=2026-01-01T00:00:00Z"]


@pytest.mark.parametrize("log_format", ["json", "text"])
@both
def test_what_a_client_sends_cannot_forge_a_line(front, lb, version, log_format):
    front(log_format=log_format)
    before = len(lb.log_text().split("\n")) - 1
    count = 0
    for evil in EVIL:
        for name in ("user-agent", "referer", "host", "target", "method", "x-request-id"):
            data = evil.encode()
            fields = {"host": "localhost", "target": "/", "method": "GET"}
            fields[name] = (fields.get(name, "") + evil) if name in ("target", "host") else evil
            try:
                if version == "h2":
                    with front.open("h2") as two:
                        two.ask("GET" if name != "method" else evil, fields["target"], *([(name, evil)] if name in ("user-agent", "referer", "x-request-id") else []),
                                authority=fields["host"])
                else:
                    with front.open() as wire:
                        extra = name.encode() + b": " + data + b"\r\n" if name in ("user-agent", "referer", "x-request-id") else b""
                        wire.send(fields["method"].encode(), b" ", fields["target"].encode(), b" HTTP/1.1\r\nHost: ",
                                  fields["host"].encode(), b"\r\n", extra, b"\r\n")
                        wire.answer()
            except (web.Cut, OSError):
                pass
            count += 1
    with front.open() as wire:
        wire.ask("GET", "/last")
    until(lambda: "/last" in lb.log_text(), "the last line")
    lines = lb.log_text().split("\n")[before:-1]
    assert len(lines) <= count + 1
    for line in lines:
        assert not re.search(r"[\x00-\x1f\x7f]", line)
        if log_format == "json":
            said = json.loads(line, object_pairs_hook=list)
            names = [name for name, _ in said]
            assert len(set(names)) == len(names), "a field stands there twice"
            assert dict(said)["listener"] == "main" and FIELDS <= set(names) | {"x"} or "close" in names
        else:
            assert re.match(r"(time=)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", line)


@both
def test_an_enormous_target_is_cut_in_the_log_and_the_line_is_whole(front, lb, version):
    with front(max_uri="64k", max_header_bytes="1m").open(version) as one:
        one.ask("GET", "/" + "a" * 60000, ("user-agent", "b" * 50000))
    line = lb.wait_connection(listener="main")
    assert line["target"].startswith("/aaaa") and line["status"] == 200 and FIELDS <= set(line)


@both
def test_fields_of_a_script_are_in_the_line(front, lb, version):
    script = lb.file("policy.lua", 'function on_request(req) return lb.allow{ log = { note = "a\\"b\\n", path = req.path } } end')
    with front(script=script).open(version) as one:
        one.ask("GET", "/x")
    assert lb.wait_connection(listener="main")["log"] == {"note": 'a"b', "path": "/x"} or \
        lb.wait_connection(listener="main")["log"]["path"] == "/x"


@both
def test_log_no_writes_no_line_but_counts(front, lb, version):
    with front(log="no").open(version) as one:
        one.ask()
        one.ask("GET", "/%zz")
    until(lambda: lb.metric("lb_requests_total", listener="main") == 2, "the counter")
    assert not lb.connections()


@both
def test_counters_agree_with_the_lines(front, lb, version):
    front(route=["path=/moved -> redirect=301:https://x.test/", "path=/none -> respond=404"],
          handler=lambda message, *_: web.reply(b"", status="500 Oh") if message.target == "/500" else web.telling(message))
    with front.open(version) as one:
        for path in ("/", "/", "/moved", "/none", "/500"):
            one.ask("GET", path)
    lines = lb.wait_connections(5)
    for code in ("2xx", "3xx", "4xx", "5xx"):
        assert lb.metric("lb_responses_total", listener="main", code=code) == \
            len([line for line in lines if line["status"] // 100 == int(code[0])])
    assert lb.metric("lb_requests_total", listener="main") == 5
    assert lb.metric("lb_requests_ended_total", listener="main", reason="answered") == 2
    assert lb.metric("lb_requests_ended_total", listener="main", reason="finished") == 3
