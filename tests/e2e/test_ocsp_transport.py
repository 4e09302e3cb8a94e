"""How answers of OCSP responders come: cut up, late, broken off; and what names and connections that live have to do
with it."""
import itertools
import socket
import threading

import pytest
from cryptography import x509

from harness import client, config
from harness.ocsp import REVOKED, Responder, access, response
from harness.origin import echo, reset
from harness.pki import SERVER
from harness.ports import free_port
from harness.waiting import until

NUMBERS = itertools.count(1)
SECOND = 1 / 3600


def read_request(sock):
    got = b""
    while b"\r\n\r\n" not in got:
        got += sock.recv(4096)
    head, body = got.split(b"\r\n\r\n", 1)
    length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")))
    while len(body) < length:
        body += sock.recv(4096)


@pytest.fixture
def name(pki, raw):
    made = f"transport-client-{next(NUMBERS)}"
    pki.issue(made, pki.root, more=[access(raw.url)])
    return made


@pytest.fixture
def raw(origin):
    """A responder that sends what `pieces(der)` gives, each by itself."""
    def behave(sock, _):
        read_request(sock)
        for piece in made.pieces(made.der):
            if piece is None:
                reset(sock)
                return
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)

    made = origin(behave)
    made.url = f"http://127.0.0.1:{made.port}/"
    return made


@pytest.fixture
def serve(lb, pki, origin, raw, name):
    def start(**keys):
        raw.der = response(pki[name], pki.root)
        port = free_port()
        lb.start(config.mutual(pki, port, origin(echo), **{"ocsp": "hard", **keys}))
        return port
    return start


def head(der, *fields):
    return b"HTTP/1.1 200 OK\r\n" + b"".join(field + b"\r\n" for field in fields) + \
        (b"Content-Length: %d\r\n" % len(der) if b"Transfer-Encoding: chunked" not in fields else b"") + b"\r\n"


def chunks(der):
    return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(der[at:at + 100]), der[at:at + 100]) for at in range(0, len(der), 100))


READ = {
    "at-once": lambda der: [head(der) + der],
    "byte-by-byte": lambda der: [bytes([byte]) for byte in head(der) + der],
    "in-chunks": lambda der: [head(der, b"Transfer-Encoding: chunked"), chunks(der), b"0\r\nTrailer: x\r\n\r\n"],
    "to-the-end-of-the-connection": lambda der: [b"HTTP/1.0 200 OK\r\n\r\n", der],
    "after-an-interim-answer": lambda der: [b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n", head(der), der],
    "with-more-behind-it": lambda der: [head(der) + der + b"HTTP/1.1 500 more\r\n\r\n"],
    "kept-alive": lambda der: [head(der, b"Connection: keep-alive") + der],
}


@pytest.mark.parametrize("pieces", READ.values(), ids=READ.keys())
def test_an_answer_is_read_however_it_comes(pki, raw, name, serve, pieces):
    port = serve()
    raw.pieces = pieces
    assert client.echoes(pki, port, name)


FAILED = {
    "nothing": (lambda der: [], "ended before the answer was complete"),
    "a-part-of-the-head": (lambda der: [head(der)[:20]], "ended before the answer was complete"),
    "a-part-of-the-body": (lambda der: [head(der), der[:50]], "ended before the answer was complete"),
    "a-part-of-a-chunk": (lambda der: [head(der, b"Transfer-Encoding: chunked"), chunks(der)[:50]],
                          "ended before the answer was complete"),
    "reset-in-the-body": (lambda der: [head(der), der[:50], None], "before the answer was complete"),
    "no-http": (lambda der: [b"SSH-2.0-OpenSSH_9.2\r\n"], "no HTTP"),
    "two-lengths": (lambda der: [head(der, b"Content-Length: 1"), der], "no HTTP"),
    "fields-without-end": (lambda der: [b"HTTP/1.1 200 OK\r\n"] + [b"A: " + b"b" * 1000 + b"\r\n"] * 40, "no HTTP"),
    "a-body-without-end": (lambda der: [b"HTTP/1.1 200 OK\r\n\r\n"] + [b"x" * 1000] * 100, "more than 64 KB"),
}


@pytest.mark.parametrize("pieces,words", FAILED.values(), ids=FAILED.keys())
def test_an_answer_that_does_not_come_whole_is_none(lb, pki, raw, name, serve, pieces, words):
    port = serve()
    raw.pieces = pieces
    assert client.refusal(pki, port, name).alert == 46
    assert words in lb.wait_connection(reason="ocsp-unavailable")["text"]


def test_an_answer_that_drips_does_not_hold_up_for_longer(lb, pki, raw, name, serve):
    port, over = serve(ocsp_timeout="300ms"), threading.Event()

    def drip(der):
        yield head(der)
        for byte in der:
            if over.wait(0.05):
                return
            yield bytes([byte])

    raw.pieces = drip
    assert client.refusal(pki, port, name).alert == 46
    over.set()
    assert "no answer in time" in lb.wait_connection(reason="ocsp-unavailable")["text"]


def test_nothing_is_left_open_after_questions_of_every_kind(lb, pki, raw, name, serve):
    port = serve(ocsp="soft", ocsp_timeout="300ms")
    before = lb.descriptors()
    for number, pieces in enumerate([*READ.values(), *[row[0] for row in FAILED.values()]]):
        raw.pieces = pieces
        one = f"{name}-{number}"
        pki.issue(one, pki.root, more=[access(raw.url)])
        assert client.echoes(pki, port, one)
    lb.wait_descriptors(before)


# --- names and live connections -------------------------------------------------------------------------------------

@pytest.fixture
def responder():
    made = Responder()
    yield made
    made.close()


def test_one_name_may_have_ocsp_of_its_own(lb, pki, responder, origin):
    one = pki.issue(f"named-{next(NUMBERS)}", pki.root, more=[access(responder.url)])
    site = pki.issue(f"site-{next(NUMBERS)}", pki["server-root"], usage=(SERVER,),
                     san=[x509.DNSName("open.test"), x509.DNSName("asked.test")])
    port = free_port()
    lb.start(config.mutual(pki, port, origin(echo), certificate=f"{site.chain} {site.key}") +
             config.section("certificate asked.test", ocsp="hard"))
    responder.answer = lambda request: response(one, pki.root, REVOKED)
    assert client.echoes(pki, port, one.name, name="open.test")
    assert responder.asked == []
    assert client.refusal(pki, port, one.name, name="asked.test").alert == 44
    assert len(responder.asked) == 1


def test_a_live_connection_whose_certificate_is_known_to_be_revoked_ends_when_it_is_judged_again(lb, pki, responder,
                                                                                                  origin):
    one = pki.issue(f"live-{next(NUMBERS)}", pki.root, more=[access(responder.url)])
    port, behind = free_port(), origin(echo)
    keys = {"ocsp": "hard", "reauthorize": "yes"}
    lb.start(config.mutual(pki, port, behind, **keys))
    answers = [response(one, pki.root, REVOKED), response(one, pki.root, end=3 * SECOND)]
    responder.answer = lambda request: answers.pop()
    with client.tls(pki, port, one.name) as sock:
        assert client.ask(sock) == b"ping"
        until(lambda: not gets_in(pki, port, one.name), "the end of the first answer", interval=0.2)
        assert client.ask(sock) == b"ping"
        lb.reload(config.mutual(pki, port, behind, client_crl=pki.make_crl("live-ocsp.crl", {"root": []}), **keys))
        with pytest.raises(client.Refused):
            client.ask(sock)
    assert "OCSP" in lb.wait_connection(reason="reauthorization")["text"]


def gets_in(pki, port, name):
    try:
        return client.echoes(pki, port, name)
    except client.Refused:
        return False
