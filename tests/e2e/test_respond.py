"""protocol = respond: lb answers HTTP itself."""
import pytest

from harness import client, config
from harness.ports import free_port


def test_it_answers_with_status_and_text(lb):
    port = free_port()
    lb.start(config.listener("main", port, protocol="respond", respond_status=503, respond_text="back soon"))
    done = client.subprocess.run(["curl", "-sS", "-i", f"http://127.0.0.1:{port}/any/path"], capture_output=True,
                                 text=True, check=True)
    assert done.stdout.startswith("HTTP/1.1 503 ") and done.stdout.rstrip().endswith("back soon")


def test_over_mutual_tls_only_a_good_certificate_gets_the_answer(lb, pki):
    port = free_port()
    lb.start(config.listener("main", port, **config.mutual_keys(pki, protocol="respond", respond_text="hello")))
    url = f"https://localhost:{port}/"
    assert client.curl(pki, url, "good").stdout.rstrip() == "hello"
    for identity in (None, "expired", "revoked"):
        done = client.curl(pki, url, identity)
        assert done.returncode != 0 and done.stdout == ""


def test_a_kept_connection_gets_several_answers(lb):
    port = free_port()
    lb.start(config.listener("main", port, protocol="respond", respond_text="hello"))
    url = f"http://127.0.0.1:{port}/"
    done = client.subprocess.run(["curl", "-sS", "-w", "%{num_connects} ", url, url, url], capture_output=True,
                                 text=True, check=True)
    assert done.stdout.count("hello") == 3
    assert sum(int(word) for word in done.stdout.replace("hello", " ").split()) == 1


@pytest.mark.parametrize("request_bytes", [b"\x00\x01\x02\x03\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                                           b"GET / HTTP/1.1\r\nBad Header\r\n\r\n"])
def test_an_invalid_request_gets_no_answer_but_an_error(lb, request_bytes):
    port = free_port()
    lb.start(config.listener("main", port, protocol="respond", respond_text="hello"))
    with client.connect(port) as sock:
        sock.sendall(request_bytes)
        answer = client.read_all(sock)
    assert b"hello" not in answer and (not answer or answer.startswith(b"HTTP/1.1 400"))
    assert lb.wait_connection(listener="main")["close"] == "request-invalid"


def test_endless_headers_are_cut_off(lb):
    port = free_port()
    lb.start(config.listener("main", port, protocol="respond", respond_text="hello"))
    with client.connect(port) as sock:
        with pytest.raises((OSError, AssertionError)):
            sock.sendall(b"GET / HTTP/1.1\r\n")
            for _ in range(4000):
                sock.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")
            assert not client.read_all(sock).startswith(b"HTTP/1.1 200")
            raise AssertionError("ended")
    assert lb.wait_connection(listener="main")["close"] == "request-invalid"
