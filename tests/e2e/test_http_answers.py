"""route = -> respond= and redirect=: lb answers by itself."""
import subprocess

import pytest

from harness import client, config, web
from harness.ports import free_port

both = pytest.mark.parametrize("version", ["http/1.1", "h2"])


@pytest.fixture
def front(lb):
    class Front:
        def __call__(self, *routes, **keys):
            self.port = free_port()
            lb.start(web.answering(self.port, *routes, h2c="yes", **keys))
            return self

        def open(self, version="http/1.1"):
            return web.open_two(self.port) if version == "h2" else web.open_wire(self.port)
    return Front()


@pytest.mark.parametrize("request_bytes", [b"\x00\x01\x02\x03\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                                           b"GET / HTTP/1.1\r\nBad Header\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
def test_an_invalid_request_gets_no_answer_but_an_error(front, lb, request_bytes):
    with front().open() as wire:
        wire.send(request_bytes)
        answer = wire.rest()
    assert b"hello" not in answer and (not answer or answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 505"))
    assert lb.wait_connection(listener="main")["reason"] == "request-invalid"


def test_endless_headers_are_cut_off(front, lb):
    with front().open() as wire:
        with pytest.raises((OSError, AssertionError)):
            wire.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            for _ in range(4000):
                wire.send(b"X-More: " + b"x" * 1000 + b"\r\n")
            assert not wire.rest().startswith(b"HTTP/1.1 200")
            raise AssertionError("ended")
    assert lb.wait_connection(listener="main")["reason"] == "headers-too-large"


@both
def test_what_no_route_takes_is_404(front, lb, version):
    with front("path=/here -> respond=200:hello").open(version) as one:
        assert one.ask("GET", "/there").status == 404
        assert one.ask("GET", "/here").body == b"hello"
    assert lb.wait_connections(2)[0]["reason"] == "no-route"


def test_it_answers_with_status_and_text(front):
    front("-> respond=503:back soon")
    done = subprocess.run(["curl", "-sS", "-i", f"http://127.0.0.1:{front.port}/any/path"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("HTTP/1.1 503 ") and done.stdout.rstrip().endswith("back soon")


def test_over_mutual_tls_only_a_good_certificate_gets_the_answer(lb, pki):
    port = free_port()
    lb.start(config.listener("main", port, **config.mutual_keys(pki, protocol="http", route="-> respond=200:hello")))
    url = f"https://localhost:{port}/"
    assert client.curl(pki, url, "good").stdout.rstrip() == "hello"
    for identity in (None, "expired", "revoked"):
        done = client.curl(pki, url, identity)
        assert done.returncode != 0 and done.stdout == ""


def test_a_kept_connection_gets_several_answers(front):
    front()
    url = f"http://127.0.0.1:{front.port}/"
    done = subprocess.run(["curl", "-sS", "-w", "%{num_connects} ", url, url, url], capture_output=True, text=True, check=True)
    assert done.stdout.count("hello") == 3
    assert sum(int(word) for word in done.stdout.replace("hello", " ").split()) == 1


@both
def test_head_of_an_answer_has_its_length_and_no_body(front, version):
    with front().open(version) as one:
        for _ in range(2):
            answer = one.ask("HEAD", "/")
            assert answer["content-length"] == "5" and answer.body == b""


@both
def test_a_body_that_nobody_reads_is_no_further_request(front, version):
    with front("method=POST -> respond=200:posted", "-> respond=200:got").open(version) as one:
        for _ in range(3):
            assert one.ask("POST", "/", body=web.request()).body == b"posted"
            assert one.ask("GET", "/").body == b"got"


@both
def test_redirects_keep_path_and_query(front, version):
    with front("host=old.test -> redirect=308:https://new.test{path}{query}").open(version) as one:
        if version == "h2":
            answer = one.ask("GET", "/a/%62?x=1", authority="old.test")
        else:
            one.send(web.request("GET", "/a/%62?x=1", host="old.test"))
            answer = one.answer()
        assert answer.status == 308 and answer["location"] == "https://new.test/a/b?x=1"


@both
@pytest.mark.parametrize("path", ["//evil.test/", "/\\evil.test", "/%0d%0aset-cookie:a=b", "/%5c%5cevil.test", "/.//evil.test"])
def test_no_path_makes_a_redirect_point_elsewhere(front, version, path):
    with front("-> redirect=302:https://x.test{path}").open(version) as one:
        try:
            answer = one.ask("GET", path)
        except web.Cut:
            return  # a stream that is reset is as good as 400
        assert answer["set-cookie"] is None
        if answer.status == 302:
            assert answer["location"].startswith("https://x.test/") and "\\" not in answer["location"]
        else:
            assert answer.status == 400
