"""OCSP for client certificates: what each answer, and each way to have none, does with `ocsp = soft` and `hard`."""
import itertools
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from harness import client, config, ocsp
from harness.client import V12, V13
from harness.ocsp import REVOKED, UNKNOWN, Responder, access, response
from harness.origin import echo
from harness.pki import CLIENT
from harness.ports import free_port
from harness.product import run_lb
from harness.waiting import until

NUMBERS = itertools.count(1)
both_modes = pytest.mark.parametrize("mode", ["soft", "hard"])


@pytest.fixture
def responder():
    made = Responder()
    yield made
    made.close()


@pytest.fixture
def issue(pki, responder):
    """issue(...) is the name of a new client whose certificate names the responder."""
    def make(url=None, issuer=None, **keys):
        name = f"ocsp-client-{next(NUMBERS)}"
        url = responder.url if url is None else url
        pki.issue(name, issuer or pki.root, more=[access(url)] if url else [], **keys)
        return name
    return make


@pytest.fixture
def serve(lb, pki, origin):
    """Starts lb with one mutual listener that asks; gives the port."""
    def start(mode="hard", **keys):
        lb.port = free_port()
        lb.behind = lb.__dict__.get("behind") or origin(echo)
        lb.start(config.mutual(pki, lb.port, lb.behind, ocsp=mode, **keys))
        return lb.port
    return start


def ocsp_count(lb, result):
    return lb.metric("lb_ocsp_total", listener="main", result=result)


def gets_in(pki, port, name=None, **keys):
    return client.echoes(pki, port, name, **keys)


def is_refused(lb, pki, port, name, reason="ocsp-unavailable", alert=46, **keys):
    """The log line of the refusal."""
    refused = client.refusal(pki, port, name, **keys)
    line = lb.wait_connection(reason=reason)
    assert refused.alert == alert, refused
    return line


# --- what is said ----------------------------------------------------------------------------------------------------

@both_modes
@pytest.mark.parametrize("version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])
def test_a_certificate_that_is_revoked_by_ocsp_is_refused(lb, pki, responder, issue, serve, mode, version):
    name, port = issue(), serve(mode)
    responder.answer = lambda request: response(pki[name], pki.root, REVOKED)
    line = is_refused(lb, pki, port, name, "certificate-revoked", 44, version=version)
    assert "OCSP" in line["text"] and pki[name].subject in line["text"]
    assert ocsp_count(lb, "revoked") == 1
    assert lb.behind.accepted == 0


@both_modes
def test_a_certificate_that_is_good_gets_in_and_is_asked_about_once(lb, pki, responder, issue, serve, mode):
    name, port = issue(), serve(mode)
    responder.answer = lambda request: response(pki[name], pki.root)
    for _ in range(3):
        assert gets_in(pki, port, name)
    assert responder.asked == [pki[name].certificate.serial_number]
    assert ocsp_count(lb, "good") == 3


def test_a_revoked_one_is_asked_about_once(lb, pki, responder, issue, serve):
    name, port = issue(), serve()
    responder.answer = lambda request: response(pki[name], pki.root, REVOKED)
    for _ in range(3):
        assert client.refusal(pki, port, name).alert == 44
    assert len(responder.asked) == 1


def test_the_question_is_a_post_that_openssl_reads(pki, responder, issue, serve, folder):
    name, port = issue(), serve()
    responder.answer = lambda request: response(pki[name], pki.root)
    assert gets_in(pki, port, name)
    path, headers, body = responder.requests[0]
    assert path == "/ocsp"
    assert headers["Content-Type"] == "application/ocsp-request"
    assert headers["Host"] == f"127.0.0.1:{responder.port}"
    question = f"{folder}/question.der"
    with open(question, "wb") as file:
        file.write(body)
    shown = subprocess.run(["openssl", "ocsp", "-reqin", question, "-req_text"], check=True, capture_output=True,
                           text=True).stdout
    assert "Nonce" not in shown
    assert f"Serial Number: {pki[name].certificate.serial_number:X}" in shown.replace("Number: 0", "Number: ")


@pytest.mark.parametrize("mode,enters", [("soft", True), ("hard", False)])
def test_a_certificate_that_the_responder_does_not_know(lb, pki, responder, issue, serve, mode, enters):
    name, port = issue(), serve(mode)
    responder.answer = lambda request: response(pki[name], pki.root, UNKNOWN)
    if enters:
        assert gets_in(pki, port, name)
    else:
        line = is_refused(lb, pki, port, name)
        assert "does not know" in line["text"] and responder.url in line["text"]
    assert ocsp_count(lb, "unknown") == 1


def test_a_client_without_certificate_is_not_asked_about(pki, responder, serve):
    port = serve(tls="mutual-optional")
    assert gets_in(pki, port)
    assert responder.asked == []


def test_a_client_that_its_crl_refuses_is_not_asked_about(lb, pki, responder, serve):
    port = serve(ocsp_url=responder.url)
    assert client.refusal(pki, port, "revoked").alert == 44
    lb.wait_connection(reason="certificate-revoked")
    assert responder.asked == []


def test_the_certificate_of_a_client_below_an_intermediate_is_answered_by_that_one(pki, responder, issue, serve):
    name, port = issue(issuer=pki.intermediate, between=[pki.intermediate]), serve()
    responder.answer = lambda request: response(pki[name], pki.intermediate)
    assert gets_in(pki, port, name)


# --- who may answer, and how ----------------------------------------------------------------------------------------

def delegate(pki, name, issuer=None, usage=(ocsp.SIGNING,), **keys):
    return pki.issue(f"{name}-{next(NUMBERS)}", issuer or pki.root, usage=usage, **keys)


BELIEVED = {
    "by-the-issuer": lambda pki, one: response(one, pki.root),
    "by-the-issuers-name": lambda pki, one: response(one, pki.root, by_name=True),
    "with-sha-256-in-its-certid": lambda pki, one: response(one, pki.root, digest=hashes.SHA256()),
    "without-nextupdate": lambda pki, one: response(one, pki.root, end=None),
    "by-an-appointed-responder": lambda pki, one: response(one, pki.root, signer=delegate(pki, "appointed")),
    "by-an-appointed-responders-name":
        lambda pki, one: response(one, pki.root, signer=delegate(pki, "appointed"), by_name=True),
    "by-an-appointed-responder-with-rsa":
        lambda pki, one: response(one, pki.root, signer=delegate(pki, "appointed", key="rsa2048")),
    "with-sha-512": lambda pki, one: response(one, pki.root, signature=hashes.SHA512()),
}


@pytest.mark.parametrize("answer", BELIEVED.values(), ids=BELIEVED.keys())
def test_an_answer_is_believed(pki, responder, issue, serve, answer):
    name, port = issue(), serve("hard")
    responder.answer = lambda request: answer(pki, pki[name])
    assert gets_in(pki, port, name)


def broken(der):
    return der[:-1] + bytes([der[-1] ^ 1])


def other(pki):
    return pki.issue(f"other-{next(NUMBERS)}", pki.root)


def failing(status):
    return lambda pki, one: ocsp.ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(ocsp.Encoding.DER)


NOT_BELIEVED = {  # what comes, and words of the reason
    "garbage": (lambda pki, one: b"no answer at all", "no valid OCSP response"),
    "nothing": (lambda pki, one: b"", "no valid OCSP response"),
    "half-of-it": (lambda pki, one: response(one, pki.root)[:200], "no valid OCSP response"),
    "more-than-it": (lambda pki, one: response(one, pki.root) + b"\0", "no valid OCSP response"),
    "too-much": (lambda pki, one: b"\0" * 70000, "more than 64 KB"),
    "http-404": (lambda pki, one: (404, b"?"), "HTTP status 404"),
    "http-302": (lambda pki, one: (302, b""), "HTTP status 302"),
    "try-later": (failing(ocsp.ocsp.OCSPResponseStatus.TRY_LATER), "tryLater"),
    "unauthorized": (failing(ocsp.ocsp.OCSPResponseStatus.UNAUTHORIZED), "unauthorized"),
    "expired": (lambda pki, one: response(one, pki.root, start=-3, end=-2), "nextUpdate has passed"),
    "from-the-future": (lambda pki, one: response(one, pki.root, start=1, end=2), "future"),
    "old-without-nextupdate": (lambda pki, one: response(one, pki.root, start=-30, end=None), "older than a day"),
    "about-another": (lambda pki, one: response(other(pki), pki.root), "about another certificate"),
    "about-another-issuer": (lambda pki, one: response(one, pki["other-root"]), "about another certificate"),
    "with-a-broken-signature": (lambda pki, one: broken(response(one, pki.root)), "signature is wrong"),
    "by-a-stranger": (lambda pki, one: response(one, pki.root, signer=delegate(pki, "stranger", pki["other-root"])),
                      "not issued by the issuer"),
    "by-a-responder-of-another-level": (
        lambda pki, one: response(one, pki.root, signer=delegate(pki, "level", pki.intermediate)),
        "not issued by the issuer"),
    "by-who-was-not-appointed": (lambda pki, one: response(one, pki.root, signer=delegate(pki, "no", usage=(CLIENT,))),
                                 "OCSPSigning"),
    "by-who-may-do-anything": (lambda pki, one: response(one, pki.root, signer=delegate(
        pki, "any", usage=(x509.oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,))), "OCSPSigning"),
    "by-the-client-itself": (lambda pki, one: response(one, pki.root, signer=one), "OCSPSigning"),
    "by-a-responder-that-has-expired": (lambda pki, one: response(one, pki.root, signer=delegate(
        pki, "old", start=ocsp.now() - ocsp.hours(9), end=ocsp.now() - ocsp.hours(8))), "has expired"),
    "by-a-weak-key": (lambda pki, one: response(one, pki.root, signer=delegate(pki, "weak", key="rsa1024")), "weak"),
}


@pytest.mark.parametrize("answer,words", NOT_BELIEVED.values(), ids=NOT_BELIEVED.keys())
def test_an_answer_that_proves_nothing_refuses_with_hard_and_says_why(lb, pki, responder, issue, serve, answer, words):
    name, port = issue(), serve("hard")
    responder.answer = lambda request: answer(pki, pki[name])
    line = is_refused(lb, pki, port, name)
    assert words in line["text"] and responder.url in line["text"], line["text"]
    assert ocsp_count(lb, "none") == 1
    assert lb.behind.accepted == 0


@pytest.mark.parametrize("answer", [row[0] for row in NOT_BELIEVED.values()], ids=NOT_BELIEVED.keys())
def test_an_answer_that_proves_nothing_lets_in_with_soft_and_is_counted(lb, pki, responder, issue, serve, answer):
    name, port = issue(), serve("soft")
    responder.answer = lambda request: answer(pki, pki[name])
    assert gets_in(pki, port, name)
    assert ocsp_count(lb, "none") == 1
    assert lb.events(f"OCSP {responder.url} about {pki[name].subject}", level="warning")


def test_ocsp_signer_is_believed_though_nobody_appointed_it(pki, responder, issue, serve):
    stranger = delegate(pki, "trusted-stranger", pki["other-root"], usage=())
    name, port = issue(), serve("hard", ocsp_signer=stranger.leaf)
    responder.answer = lambda request: response(pki[name], pki.root, signer=stranger)
    assert gets_in(pki, port, name)


def test_beside_ocsp_signer_no_other_stranger_is_believed(lb, pki, responder, issue, serve):
    signer = delegate(pki, "trusted", pki["other-root"])
    stranger = delegate(pki, "not-trusted", pki["other-root"])
    name, port = issue(), serve("hard", ocsp_signer=signer.leaf)
    responder.answer = lambda request: response(pki[name], pki.root, signer=stranger)
    is_refused(lb, pki, port, name)


def test_an_ocsp_signer_that_has_expired_is_not_believed(lb, pki, responder, issue, serve):
    old = delegate(pki, "trusted-old", start=ocsp.now() - ocsp.hours(9), end=ocsp.now() - ocsp.hours(8))
    name, port = issue(), serve("hard", ocsp_signer=old.leaf)
    responder.answer = lambda request: response(pki[name], pki.root, signer=old)
    line = is_refused(lb, pki, port, name)
    assert "ocsp-signer has expired" in line["text"] or "signer's certificate has expired" in line["text"]


def test_what_one_listener_believes_another_does_not(lb, pki, responder, issue, origin):
    """The answers are kept for the whole process: not so that a stranger's counts where nobody trusts him."""
    stranger = delegate(pki, "half-trusted", pki["other-root"])
    name, first, second, behind = issue(), free_port(), free_port(), origin(echo)
    lb.start(config.mutual(pki, first, behind, ocsp="hard", ocsp_signer=stranger.leaf) +
             config.mutual(pki, second, behind, name="second", ocsp="hard"))
    responder.answer = lambda request: response(pki[name], pki.root, signer=stranger)
    assert gets_in(pki, first, name)
    assert client.refusal(pki, second, name).alert == 46
    assert gets_in(pki, first, name)


# --- no answer -------------------------------------------------------------------------------------------------------

def test_a_responder_that_is_not_there_refuses_with_hard(lb, pki, issue, serve):
    url = f"http://127.0.0.1:{free_port()}"
    name, port = issue(url), serve("hard")
    line = is_refused(lb, pki, port, name)
    assert url in line["text"] and "cannot connect" in line["text"]


def test_a_responder_whose_name_does_not_exist_refuses_with_hard(lb, pki, issue, serve):
    name, port = issue("http://responder.invalid/"), serve("hard")
    assert "cannot be looked up" in is_refused(lb, pki, port, name)["text"]


def test_a_responder_that_has_a_name_is_asked(pki, responder, issue, serve):
    name, port = issue(f"http://localhost:{responder.port}/by-name?a=b"), serve("hard")
    responder.answer = lambda request: response(pki[name], pki.root)
    assert gets_in(pki, port, name)
    assert responder.requests[0][0] == "/by-name?a=b"
    assert responder.requests[0][1]["Host"] == f"localhost:{responder.port}"


@pytest.mark.parametrize("mode,enters", [("soft", True), ("hard", False)])
def test_a_responder_that_says_nothing_holds_up_for_ocsp_timeout_only(lb, pki, responder, issue, serve, mode, enters):
    name, port = issue(), serve(mode, ocsp_timeout="200ms")
    responder.hold()
    if enters:
        assert gets_in(pki, port, name)
    else:
        assert "no answer in time" in is_refused(lb, pki, port, name)["text"]
    assert ocsp_count(lb, "none") == 1


def test_a_responder_that_failed_is_left_alone_for_a_moment(lb, pki, responder, issue, serve):
    name, port = issue(), serve("soft")
    responder.answer = lambda request: b""
    for _ in range(3):
        assert gets_in(pki, port, name)
    assert len(responder.asked) == 1
    assert ocsp_count(lb, "none") == 3


@pytest.mark.parametrize("url", ["", "https://127.0.0.1/", "ldap://127.0.0.1/"], ids=["none", "https", "ldap"])
@pytest.mark.parametrize("mode,enters", [("soft", True), ("hard", False)])
def test_a_certificate_that_names_no_responder_to_ask(lb, pki, issue, serve, mode, enters, url):
    name, port = issue(url), serve(mode)
    if enters:
        assert gets_in(pki, port, name)
    else:
        assert "ocsp-url" in is_refused(lb, pki, port, name)["text"]


def test_ocsp_url_is_asked_in_place_of_what_the_certificate_names(pki, responder, issue, serve):
    name, port = issue("http://127.0.0.1:1/"), serve("hard", ocsp_url=f"{responder.url}/own")
    responder.answer = lambda request: response(pki[name], pki.root)
    assert gets_in(pki, port, name)
    assert responder.requests[0][0] == "/ocsp/own"


# --- waiting ---------------------------------------------------------------------------------------------------------

def in_background(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    return thread, found


def test_other_connections_of_the_worker_go_on_while_one_waits(make_lb, pki, responder, issue, origin):
    lb = make_lb(workers=1)
    name, port, plain = issue(), free_port(), free_port()
    behind = origin(echo)
    lb.start(config.mutual(pki, port, behind, ocsp="hard", ocsp_timeout="30s") +
             config.mutual(pki, plain, behind, name="other"))
    responder.answer = lambda request: response(pki[name], pki.root)
    responder.hold()
    waiting, found = in_background(lambda: gets_in(pki, port, name))
    until(lambda: responder.asked, "the question")
    for _ in range(20):
        assert gets_in(pki, plain, "good")
    assert not found
    responder.release()
    waiting.join()
    assert found == [True]


def test_connections_with_the_same_certificate_share_one_question(make_lb, pki, responder, issue, origin):
    lb = make_lb(workers=1)
    name, port = issue(), free_port()
    lb.start(config.mutual(pki, port, origin(echo), ocsp="hard", ocsp_timeout="30s"))
    responder.answer = lambda request: response(pki[name], pki.root)
    responder.hold()
    waiting = [in_background(lambda: gets_in(pki, port, name)) for _ in range(10)]
    lb.wait_metric(10, "lb_handshakes_total", listener="main")
    responder.release()
    for thread, _ in waiting:
        thread.join()
    assert [found for _, found in waiting] == [[True]] * 10
    assert len(responder.asked) == 1


def test_clients_that_leave_while_they_wait_leave_nothing_behind(make_lb, pki, responder, issue, origin):
    lb = make_lb(workers=1)
    name, port = issue(), free_port()
    lb.start(config.mutual(pki, port, origin(echo), ocsp="hard", ocsp_timeout="30s"))
    responder.answer = lambda request: response(pki[name], pki.root)
    before = lb.descriptors()
    responder.hold()
    socks = [client.tls(pki, port, name) for _ in range(5)]
    lb.wait_metric(5, "lb_handshakes_total", listener="main")
    for sock in socks[:4]:
        sock.setsockopt(client.socket.SOL_SOCKET, client.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    lb.wait_metric(1, "lb_connections_active", listener="main")
    responder.release()
    assert client.ask(socks[4]) == b"ping"
    client.end(socks[4])
    lb.wait_descriptors(before)
    assert len(responder.asked) == 1


def test_all_who_asked_may_be_gone_when_the_answer_comes(make_lb, pki, responder, issue, origin):
    lb = make_lb(workers=1)
    name, port = issue(), free_port()
    lb.start(config.mutual(pki, port, origin(echo), ocsp="hard", ocsp_timeout="30s"))
    responder.answer = lambda request: response(pki[name], pki.root)
    responder.hold()
    sock = client.tls(pki, port, name)
    until(lambda: responder.asked, "the question")
    sock.setsockopt(client.socket.SOL_SOCKET, client.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    lb.wait_metric(0, "lb_connections_active", listener="main")
    responder.release()
    assert gets_in(pki, port, name)
    assert len(responder.asked) == 1


def test_lb_ends_while_a_question_is_open(make_lb, pki, responder, issue, origin):
    lb = make_lb(shutdown_timeout="100ms")
    name, port = issue(), free_port()
    lb.start(config.mutual(pki, port, origin(echo), ocsp="hard", ocsp_timeout="30s"))
    responder.hold()
    with client.tls(pki, port, name):
        until(lambda: responder.asked, "the question")
        lb.stop()


def test_a_reload_while_a_client_waits_decides_by_the_new_rules(lb, pki, responder, issue, serve):
    name, port = issue(), serve("hard", ocsp_timeout="30s")
    responder.answer = lambda request: response(pki[name], pki.root)
    responder.hold()
    with client.tls(pki, port, name) as sock:
        until(lambda: responder.asked, "the question")
        script = lb.file("deny.lua", "function on_authorize() return false, 'not any more' end\n")
        lb.reload(config.mutual(pki, port, lb.behind, ocsp="hard", ocsp_timeout="30s", script=script))
        responder.release()
        with pytest.raises(client.Refused):
            client.ask(sock)
    assert lb.wait_connection(reason="denied")["text"] == "not any more"


def test_a_script_runs_after_the_answer_only(lb, pki, responder, issue, serve):
    script = lb.file("seen.lua", "function on_authorize() return lb.allow{ log = { seen = 'yes' } } end\n")
    name, port = issue(), serve("hard", script=script)
    responder.answer = lambda request: response(pki[name], pki.root, REVOKED)
    line = is_refused(lb, pki, port, name, "certificate-revoked", 44)
    assert "seen" not in str(line)


# --- over HTTP -------------------------------------------------------------------------------------------------------

def http_listener(pki, port, **keys):
    return config.listener("main", port, protocol="http", route="-> respond=200:fine", **config.mutual_keys(pki, **keys))


@pytest.fixture
def web(lb, pki):
    def start(**keys):
        lb.port = free_port()
        lb.start(http_listener(pki, lb.port, **keys))
        return lb.port
    return start


def get(sock):
    sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    got = sock.recv(65536)
    return int(got.split()[1]) if got else None


def test_over_http_too_the_revoked_are_told_by_an_alert(lb, pki, responder, issue, web):
    name, port = issue(), web(ocsp="hard")
    responder.answer = lambda request: response(pki[name], pki.root, REVOKED)
    assert client.refusal(pki, port, name).alert == 44


def test_a_kept_connection_is_asked_about_again_after_a_reload(lb, pki, responder, issue, web):
    """Its own rules said nothing about OCSP when it came."""
    name, port = issue(), web(ocsp="hard")
    answers = [response(pki[name], pki.root, end=None), response(pki[name], pki.root, REVOKED)]
    responder.answer = lambda request: answers[min(len(responder.asked), 2) - 1]
    with client.tls(pki, port, name, alpn=["http/1.1"]) as sock:
        assert get(sock) == 200
        lb.reload(http_listener(pki, port, ocsp="hard", ocsp_url=f"{responder.url}/new"))
        assert get(sock) == 403
    assert len(responder.asked) == 2
    assert ocsp_count(lb, "revoked") == 1


# --- openssl's own responder ----------------------------------------------------------------------------------------

@pytest.fixture
def openssl(pki, folder):
    """openssl(revoked, ...) runs `openssl ocsp -port`; gives its URL."""
    running = []

    def index(names, revoked):
        rows = []
        for name in names:
            certificate = pki[name].certificate
            state, when = ("R", "250101000000Z") if name in revoked else ("V", "")
            rows.append(f"{state}\t490101000000Z\t{when}\t{certificate.serial_number:X}\tunknown\t/CN={name}")
        path = f"{folder}/index.txt"
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(rows) + "\n")
        return path

    def start(names, revoked=(), signer=None):
        port = free_port()
        signer = signer or pki.root
        process = subprocess.Popen(
            ["openssl", "ocsp", "-port", str(port), "-index", index(names, revoked), "-CA", pki.root.leaf,
             "-rsigner", signer.leaf, "-rkey", signer.key, "-ndays", "1"], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        running.append(process)
        line = process.stdout.readline()
        while line and b"waiting for" not in line.lower():
            line = process.stdout.readline()
        return f"http://127.0.0.1:{port}"

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.parametrize("appointed", [False, True], ids=["issuer", "appointed"])
def test_openssls_responder_is_understood(lb, pki, openssl, issue, serve, appointed):
    good, bad = issue(), issue()
    signer = delegate(pki, "openssl") if appointed else None
    url = openssl([good, bad], revoked=[bad], signer=signer)
    port = serve("hard", ocsp_url=url)
    assert gets_in(pki, port, good)
    is_refused(lb, pki, port, bad, "certificate-revoked", 44)


# --- lb authorize ----------------------------------------------------------------------------------------------------

@pytest.fixture
def dry(lb, pki, origin):
    """dry(name, der, **keys): lb authorize with that response."""
    def run(name, der, **keys):
        conf = lb.write(config.mutual(pki, free_port(), origin(echo), **keys))
        more = []
        if der is not None:
            path = lb.folder / "answer.der"
            path.write_bytes(der)
            more = ["--ocsp", path]
        return run_lb("authorize", "-f", conf, "-l", "main", "--cert", pki[name].leaf, *more)
    return run


def test_authorize_denies_what_the_response_says_is_revoked(pki, dry):
    for mode in ("soft", "hard"):
        done = dry("good", response(pki["good"], pki.root, REVOKED), ocsp=mode)
        assert done.returncode == 1, done.stdout
        assert "certificate-revoked" in done.stdout and "revoked since 20" in done.stdout


def test_authorize_allows_what_the_response_says_is_good(pki, dry):
    done = dry("good", response(pki["good"], pki.root), ocsp="hard")
    assert done.returncode == 0, done.stdout
    assert "good until 20" in done.stdout


@pytest.mark.parametrize("mode,code", [("soft", 0), ("hard", 1)])
def test_authorize_with_a_response_that_proves_nothing(pki, dry, mode, code):
    done = dry("good", response(pki["good"], pki.root, start=-3, end=-2), ocsp=mode)
    assert done.returncode == code, done.stdout
    assert "nextUpdate has passed" in done.stdout


@pytest.mark.parametrize("mode,code", [("soft", 0), ("hard", 1)])
def test_authorize_without_a_response_says_that_nobody_was_asked(dry, mode, code):
    done = dry("good", None, ocsp=mode)
    assert done.returncode == code, done.stdout
    assert "nobody was asked: give the answer with --ocsp FILE" in done.stdout


def test_authorize_looks_at_no_response_that_the_listener_would_not_ask_for(pki, dry):
    done = dry("good", response(pki["good"], pki.root, REVOKED))
    assert done.returncode == 0, done.stdout
    assert "not looked at" in done.stdout


def test_authorize_with_a_file_that_is_not_there_is_an_error(lb, pki, origin):
    conf = lb.write(config.mutual(pki, free_port(), origin(echo), ocsp="hard"))
    done = run_lb("authorize", "-f", conf, "-l", "main", "--cert", pki["good"].leaf, "--ocsp", "/nowhere/x.der")
    assert done.returncode == 2
    assert "/nowhere/x.der" in done.stderr
