"""The OCSP response of our own certificate, as `openssl s_client -status` gets it."""
import itertools
import subprocess

import pytest

from harness import client, config, ocsp
from harness.ocsp import REVOKED, UNKNOWN, Responder, access, response
from harness.origin import echo
from harness.pki import SERVER
from harness.ports import free_port
from harness.product import run_lb
from harness.waiting import SECONDS, until

from cryptography import x509

NUMBERS = itertools.count(1)
SECOND = 1 / 3600
both_versions = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])


@pytest.fixture
def responder():
    made = Responder()
    yield made
    made.close()


@pytest.fixture
def issue(pki):
    """issue(...) is a new certificate for a server, with its issuer behind it in the file."""
    def make(url=None, with_issuer=True, name="localhost", **keys):
        root = pki["server-root"]
        return pki.issue(f"stapled-{next(NUMBERS)}", root, usage=(SERVER,), san=[x509.DNSName(name)],
                         between=[root] if with_issuer else [], more=[access(url)] if url else [], **keys)
    return make


@pytest.fixture
def root(pki):
    return pki["server-root"]


def text(one, port, behind, *, more=(), **keys):
    certificates = [f"{each.chain} {each.key}" for each in (one, *more)]
    return config.listener("main", port, tls="one-way", certificate=certificates, backend="main", **keys) + \
        config.backend("main", behind)


@pytest.fixture
def serve(lb, origin):
    """serve(certificate, **keys) gives the port."""
    def start(one, **keys):
        lb.port, lb.behind = free_port(), origin(echo)
        lb.start(text(one, lb.port, lb.behind, **keys))
        return lb.port
    return start


def staple(pki, port, *more, name="localhost"):
    """What openssl says of the response; None: none was sent."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, "-status",
                           "-CAfile", pki.server_ca, "-verify_return_error", *more], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=SECONDS + 10, check=False)
    assert "OCSP response:" in done.stdout, done.stdout + done.stderr
    if "no response sent" in done.stdout:
        return None
    assert "OCSP Response Status: successful" in done.stdout, done.stdout
    return done.stdout


def file(lb, der, name="answer.der"):
    path = lb.folder / name
    path.write_bytes(der)
    return path


# --- from a file -----------------------------------------------------------------------------------------------------

@both_versions
def test_the_response_of_a_file_is_stapled(lb, pki, root, issue, serve, version):
    one = issue()
    port = serve(one, ocsp_staple=file(lb, response(one, root)))
    got = staple(pki, port, version)
    assert "Cert Status: good" in got
    assert f"Serial Number: {one.certificate.serial_number:X}" in got.replace("Number: 0", "Number: ")


def test_a_client_that_does_not_ask_gets_none_and_gets_in(lb, pki, root, issue, serve):
    one = issue()
    assert client.echoes(pki, serve(one, ocsp_staple=file(lb, response(one, root))))


def test_nothing_is_stapled_when_nothing_is_there(pki, issue, serve):
    assert staple(pki, serve(issue())) is None


@pytest.mark.parametrize("suffix", [".pem.ocsp", ".ocsp"])
def test_a_file_beside_the_certificate_is_taken_by_itself(pki, root, issue, serve, suffix):
    one = issue()
    beside = one.chain.with_name(one.chain.name.removesuffix(".pem") + suffix)
    beside.write_bytes(response(one, root))
    assert "Cert Status: good" in staple(pki, serve(one))


def test_off_leaves_the_file_beside_the_certificate_alone(pki, root, issue, serve):
    one = issue()
    one.chain.with_name(one.chain.name + ".ocsp").write_bytes(response(one, root))
    assert staple(pki, serve(one, ocsp_staple="off")) is None


def test_each_of_several_certificates_has_its_own(pki, root, issue, serve):
    first, second, third = issue(name="a.test"), issue(name="b.test"), issue(name="c.test")
    for one in (first, third):
        one.chain.with_name(one.chain.name + ".ocsp").write_bytes(response(one, root))
    port = serve(first, more=[second, third])
    for one, name in ((first, "a.test"), (third, "c.test")):
        got = staple(pki, port, name=name)
        assert f"Serial Number: {one.certificate.serial_number:X}" in got.replace("Number: 0", "Number: ")
    assert staple(pki, port, name="b.test") is None


def test_an_appointed_responders_answer_is_stapled(lb, pki, root, issue, serve):
    one = issue()
    appointed = pki.issue(f"staple-responder-{next(NUMBERS)}", root, usage=(ocsp.SIGNING,))
    port = serve(one, ocsp_staple=file(lb, response(one, root, signer=appointed)))
    assert "Cert Status: good" in staple(pki, port)


NOT_STAPLED = {  # what the file holds, and words of the warning
    "expired": (lambda pki, one, root: response(one, root, start=-3, end=-2), "nextUpdate has passed"),
    "expired-just-now": (lambda pki, one, root: response(one, root, start=-3, end=-SECOND), "nextUpdate has passed"),
    "revoked": (lambda pki, one, root: response(one, root, REVOKED), "REVOKED"),
    "unknown": (lambda pki, one, root: response(one, root, UNKNOWN), "does not know"),
    "about-another": (lambda pki, one, root: response(pki["server-ecdsa"], root), "about another certificate"),
    "by-a-stranger": (lambda pki, one, root: response(one, root, signer=pki["other-root"]), "OCSPSigning"),
    "garbage": (lambda pki, one, root: b"\x30\x03abc", "no valid OCSP response"),
    "empty": (lambda pki, one, root: b"", "no valid OCSP response"),
    "pem": (lambda pki, one, root: one.leaf.read_bytes(), "no valid OCSP response"),
}


@pytest.mark.parametrize("answer,words", NOT_STAPLED.values(), ids=NOT_STAPLED.keys())
def test_what_clients_would_not_take_is_warned_of_and_not_stapled(lb, pki, root, issue, serve, answer, words):
    one = issue()
    path = file(lb, answer(pki, one, root))
    port = serve(one, ocsp_staple=path)
    assert f"{path} is not stapled" in lb.stderr() and words in lb.stderr(), lb.stderr()
    assert staple(pki, port) is None
    assert client.echoes(pki, port)


def test_without_the_issuer_in_the_file_nothing_can_be_checked(lb, pki, root, issue, serve):
    one = issue(with_issuer=False)
    port = serve(one, ocsp_staple=file(lb, response(one, root)))
    assert "no OCSP response is stapled: the issuer's certificate" in lb.stderr()
    assert staple(pki, port) is None


def test_a_response_is_stapled_until_its_end_and_not_longer(lb, pki, root, issue, serve):
    one = issue()
    port = serve(one, ocsp_staple=file(lb, response(one, root, end=4 * SECOND)))
    assert staple(pki, port)
    until(lambda: staple(pki, port) is None, "the end of the response", interval=0.2)


def test_a_reload_reads_the_file_again(lb, pki, root, issue, serve):
    one = issue()
    path = file(lb, response(one, root))
    port = serve(one, ocsp_staple=path)
    assert staple(pki, port)
    file(lb, response(one, root, REVOKED))
    lb.reload()
    assert staple(pki, port) is None
    file(lb, response(one, root))
    lb.reload()
    assert staple(pki, port)


def test_a_file_that_cannot_be_read_is_an_error(lb, issue, origin):
    conf = lb.write(text(issue(), free_port(), origin(echo), ocsp_staple="/nowhere/answer.der"))
    done = run_lb("check", "-f", conf)
    assert done.returncode == 1
    assert "cannot read the OCSP response /nowhere/answer.der" in done.stdout + done.stderr


def test_one_file_for_several_certificates_is_an_error(lb, issue, origin):
    conf = lb.write(text(issue(), free_port(), origin(echo), more=[issue()], ocsp_staple="answer.der"))
    done = run_lb("check", "-f", conf)
    assert done.returncode == 1
    assert "several certificates: put CHAIN.pem.ocsp beside each" in done.stdout + done.stderr


# --- fetched ---------------------------------------------------------------------------------------------------------

@both_versions
def test_the_response_is_fetched_from_the_responder_that_the_certificate_names(pki, root, responder, issue, serve,
                                                                                 version):
    one = issue(responder.url)
    responder.answer = lambda request: response(one, root)
    port = serve(one, ocsp_staple="fetch")
    until(lambda: staple(pki, port, version), "the response")
    assert responder.asked == [one.certificate.serial_number]


def test_clients_are_served_before_the_first_response_is_there(pki, root, responder, issue, serve):
    one = issue(responder.url)
    responder.answer = lambda request: response(one, root)
    responder.hold()
    port = serve(one, ocsp_staple="fetch")
    until(lambda: responder.asked, "the question")
    assert staple(pki, port) is None
    responder.release()
    until(lambda: staple(pki, port), "the response")


def test_it_is_fetched_again_before_it_ends(pki, root, responder, issue, serve):
    one = issue(responder.url)
    responder.answer = lambda request: response(one, root, end=6 * SECOND)
    port = serve(one, ocsp_staple="fetch")
    until(lambda: staple(pki, port), "the response")
    until(lambda: len(responder.asked) >= 3, "the third question", seconds=30)
    assert staple(pki, port)


def test_a_responder_that_fails_is_asked_again_and_nothing_that_has_ended_is_sent(lb, pki, root, responder, issue,
                                                                                    serve):
    one = issue(responder.url)
    answers = [response(one, root, end=5 * SECOND)]
    responder.answer = lambda request: answers.pop() if answers else (500, b"")
    port = serve(one, ocsp_staple="fetch")
    until(lambda: staple(pki, port), "the response")
    until(lambda: len(responder.asked) >= 2, "the second question")
    until(lambda: staple(pki, port) is None, "the end of the response", interval=0.2)
    answers.append(response(one, root))
    until(lambda: staple(pki, port), "the next response", seconds=30)
    assert lb.wait_event("no new OCSP response to staple", level="warning")


def test_a_certificate_that_was_revoked_is_told_loudly_and_no_longer_stapled(lb, pki, root, responder, issue, serve):
    one = issue(responder.url)
    answers = [response(one, root, REVOKED), response(one, root, end=4 * SECOND)]
    responder.answer = lambda request: answers[0] if len(answers) == 1 else answers.pop()
    port = serve(one, ocsp_staple="fetch")
    until(lambda: staple(pki, port), "the response")
    assert lb.wait_event("the certificate is REVOKED", level="error")
    assert staple(pki, port) is None


def test_a_reload_keeps_what_was_fetched(lb, pki, root, responder, issue, serve):
    one = issue(responder.url)
    responder.answer = lambda request: response(one, root)
    port = serve(one, ocsp_staple="fetch")
    until(lambda: staple(pki, port), "the response")
    lb.reload(text(one, port, lb.behind, ocsp_staple="fetch", timeout_idle="1m"))
    assert staple(pki, port)
    assert len(responder.asked) == 1


def test_another_certificate_is_asked_about_after_a_reload(lb, pki, root, responder, issue, serve):
    first, second = issue(responder.url), issue(responder.url)
    responder.answer = lambda request: response(
        first if request.serial_number == first.certificate.serial_number else second, root)
    port = serve(first, ocsp_staple="fetch")
    until(lambda: staple(pki, port), "the response")
    lb.reload(text(second, port, lb.behind, ocsp_staple="fetch"))
    until(lambda: staple(pki, port), "the second's response")
    assert responder.asked == [first.certificate.serial_number, second.certificate.serial_number]


def test_lb_ends_while_it_fetches(lb, responder, issue, serve):
    responder.hold()
    serve(issue(responder.url), ocsp_staple="fetch")
    until(lambda: responder.asked, "the question")
    lb.stop()


def test_a_certificate_without_a_responder_is_warned_of(lb, pki, issue, serve):
    port = serve(issue(), ocsp_staple="fetch")
    assert "the certificate names no responder" in lb.stderr()
    assert staple(pki, port) is None


# --- beside client certificates ------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", [client.V12, client.V13], ids=["TLSv1.2", "TLSv1.3"])
def test_clients_are_verified_as_ever_where_something_is_stapled(lb, pki, root, issue, origin, version):
    one, port = issue(), free_port()
    lb.start(config.mutual(pki, port, origin(echo), certificate=f"{one.chain} {one.key}",
                           ocsp_staple=file(lb, response(one, root))))
    assert staple(pki, port, "-cert", pki["good"].leaf, "-key", pki["good"].key)
    assert client.echoes(pki, port, "good", version=version)
    assert client.refusal(pki, port, "revoked", version=version).alert == 44
    assert client.refusal(pki, port, "self-signed", version=version).alert == 48


# --- what is too long to be sent -------------------------------------------------------------------------------------

def element(tag, content):
    size = len(content)
    length = bytes([size]) if size < 0x80 else (lambda raw: bytes([0x80 | len(raw)]) + raw)(
        size.to_bytes((size.bit_length() + 7) // 8, "big"))
    return bytes([tag]) + length + content


def elements(der):
    """The elements that stand one behind the other: (tag, content)."""
    found = []
    while der:
        size, at = der[1], 2
        if size & 0x80:
            at += size & 0x7f
            size = int.from_bytes(der[2:at], "big")
        found.append((der[0], der[at:at + size]))
        der = der[at + size:]
    return found


def padded(der, size):
    """The same answer, made longer by what nobody signs: the list of certificates."""
    (status, (_, wrapped)), = [elements(elements(der)[0][1])]
    (oid, (_, basic)), = [elements(elements(wrapped)[0][1])]
    signed = b"".join(element(*part) for part in elements(elements(basic)[0][1])[:3])

    def grown(more):
        rest = element(0xa0, element(0x30, element(0x30, element(0x04, bytes(more)))))
        whole = element(0x30, element(*oid) + element(0x04, element(0x30, signed + rest)))
        return element(0x30, element(*status) + element(0xa0, whole))
    return grown(size - len(grown(size)) + size)


@both_versions
@pytest.mark.parametrize("size, sent", [(15000, True), (17000, False), (60000, False)])
def test_a_response_that_clients_would_not_take_for_its_length_is_not_stapled(lb, pki, issue, root, serve, version, size,
                                                                             sent):
    one = issue()
    port = serve(one, ocsp_staple=file(lb, padded(response(one, root), size)))
    assert bool(staple(pki, port, version)) == sent


def test_who_makes_an_answer_longer_on_its_way_takes_nothing_from_the_clients(lb, pki, issue, root, responder, serve):
    one = issue(responder.url)
    answers = [response(one, root, end=4 * SECOND), padded(response(one, root), 60000)]
    responder.answer = lambda _: answers.pop(0) if len(answers) > 1 else answers[0]
    port = serve(one, ocsp_staple="fetch")
    until(lambda: staple(pki, port), lambda: "the first response")
    lb.wait_event("no new OCSP response to staple")
    assert client.echoes(pki, port)
