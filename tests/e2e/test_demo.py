"""conf.d, certs and scripting as they are delivered: the demonstration works as its text says."""
import shutil
import socket
import subprocess

import pytest

from harness.product import ROOT, Lb, run_lb
from harness.waiting import SECONDS, until

PUBLIC, PORT = 8443, 9443
PORTS = [PUBLIC, PORT, 9001, 9002]


def taken(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what a user gets, with certificates."""
    top = tmp_path_factory.mktemp("tree")
    for name in ("conf.d", "scripting", "certs"):
        shutil.copytree(ROOT / name, top / name, ignore=shutil.ignore_patterns("dev", "*.c", "*.h"))
    subprocess.run([top / "certs/make-dev-certs"], check=True, capture_output=True)
    (top / "build").mkdir()
    return top


@pytest.fixture
def demo(tree, folder):
    until(lambda: not any(map(taken, PORTS)), f"ports {PORTS} to be free", seconds=60)
    lb = Lb(folder)
    lb.log = lb.stdout_path
    lb.start(arguments=["run"], cwd=tree, wait=False)
    until(lambda: all(map(taken, PORTS)) or not lb.is_running(), f"lb to accept at {PORTS}")
    assert lb.is_running(), lb.stderr() + lb.log_text()
    yield lb
    lb.stop()


def curl(tree, client=None, port=PORT):
    certs = tree / "certs/dev"
    identity = ["--cert", certs / f"client-{client}.pem", "--key", certs / f"client-{client}.key"] if client else []
    return subprocess.run(["curl", "-sS", "--max-time", str(int(SECONDS)), "--cacert", certs / "client-ca.pem", *identity,
                           f"https://localhost:{port}/"], capture_output=True, text=True, check=False)


def said(lb):
    return lb.log_text() + lb.stderr()


def test_the_configuration_passes_its_check(tree):
    done = run_lb("check", cwd=tree)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_certificate_nothing_is_served(demo, tree):
    done = curl(tree)
    assert done.returncode != 0 and done.stdout == ""
    until(lambda: "certificate-missing" in said(demo), "the reason in the log")


@pytest.mark.parametrize("client,reason", [("revoked", "certificate-revoked"), ("expired", "certificate-expired")])
def test_a_certificate_that_does_not_verify_is_refused_with_its_reason_in_the_log(demo, tree, client, reason):
    done = curl(tree, client)
    assert done.returncode != 0 and done.stdout == ""
    until(lambda: reason in said(demo), "the reason in the log")


def test_a_client_that_may_not_is_told_403_and_the_log_says_why(demo, tree):
    done = curl(tree, "marketing")
    assert done.returncode == 0 and done.stdout == "403 Forbidden\n"
    until(lambda: "denied" in said(demo), "the reason in the log")


@pytest.mark.parametrize("client", ["payments", "treasury"])
def test_a_client_that_may_is_served(demo, tree, client):
    done = curl(tree, client)
    assert done.returncode == 0 and done.stdout, done.stderr


def test_the_public_listener_asks_for_no_certificate_and_uses_both_origins(demo, tree):
    answers = {curl(tree, port=PUBLIC).stdout for _ in range(12)}
    assert answers == {"hello from origin a\n", "hello from origin b\n"}


def test_the_admin_socket_answers_where_the_configuration_says(demo, tree):
    done = run_lb("ctl", "status", cwd=tree)
    assert done.returncode == 0, done.stderr
    assert "payments" in done.stdout and "public" in done.stdout


@pytest.mark.parametrize("client,code", [("payments", 0), ("marketing", 1), ("revoked", 1), ("expired", 1)])
def test_authorize_says_the_same_without_a_connection(tree, client, code):
    done = run_lb("authorize", "-l", "payments", "--cert", tree / f"certs/dev/client-{client}.pem", cwd=tree)
    assert done.returncode == code, done.stdout + done.stderr
