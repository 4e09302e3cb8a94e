"""lb authorize: the decision about a certificate without a connection."""
import datetime

import pytest

from harness import client, config
from harness.origin import echo
from harness.ports import free_port
from harness.product import run_lb
from test_certificates import FAILURES, GOOD

POLICY = """
function on_authorize(conn)
  if conn.server_name == "closed.test" then return lb.deny("closed") end
  if conn.address == "192.0.2.1" then return lb.deny("from outside") end
  return conn.certificate.subject.OU ~= "marketing", "no marketing"
end
"""


@pytest.fixture
def conf(lb, pki, origin):
    """A configuration that is not served."""
    lb.port = free_port()
    script = lb.file("policy.lua", POLICY)
    lb.text = config.mutual(pki, lb.port, origin(echo), script=script)
    return lb.write(lb.text)


def authorize(conf, one, *more, listener="main"):
    chain = ["--chain", one.between] if one.intermediates else []
    return run_lb("authorize", "-f", conf, "-l", listener, "--cert", one.leaf, *chain, *more)


@pytest.mark.parametrize("identity,reason", [row[:2] for row in FAILURES if row[0]],
                         ids=[row[0] for row in FAILURES if row[0]])
def test_a_bad_certificate_is_denied_for_the_same_reason_as_live(conf, pki, identity, reason):
    done = authorize(conf, pki[identity])
    assert done.returncode == 1, done.stdout + done.stderr
    assert reason in done.stdout and "deny" in done.stdout


@pytest.mark.parametrize("identity", [name for name in GOOD if name != "good-odd-name"])
def test_a_good_certificate_is_allowed(conf, pki, identity):
    done = authorize(conf, pki[identity])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "allow" in done.stdout


def test_the_script_denies_with_its_text(conf, pki):
    done = authorize(conf, pki["marketing"])
    assert done.returncode == 1
    assert "no marketing" in done.stdout and "denied" in done.stdout


def test_fields_read_and_time_taken_are_shown(conf, pki):
    done = authorize(conf, pki["good"])
    assert "certificate.subject.OU" in done.stdout
    assert "µs" in done.stdout or "us" in done.stdout or "ms" in done.stdout


def test_name_and_address_reach_the_script(conf, pki):
    assert authorize(conf, pki["good"], "--sni", "closed.test").returncode == 1
    assert "from outside" in authorize(conf, pki["good"], "--address", "192.0.2.1").stdout
    assert authorize(conf, pki["good"], "--sni", "open.test", "--address", "192.0.2.2").returncode == 0


def test_another_time_decides_about_validity(conf, pki):
    def at(days):
        when = datetime.datetime.utcnow() + datetime.timedelta(days=days)
        return when.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "certificate-expired" in authorize(conf, pki["good"], "--time", at(100)).stdout
    assert "certificate-not-yet-valid" in authorize(conf, pki["good"], "--time", at(-50)).stdout
    assert authorize(conf, pki["not-yet-valid"], "--time", at(5)).returncode == 0


@pytest.mark.parametrize("arguments", [
    ["-l", "nowhere"], [], ["--time", "yesterday"], ["--address", "not-an-address"], ["--unknown"]])
def test_wrong_use_is_an_error_of_its_own(conf, pki, arguments):
    rest = arguments if arguments[:1] == ["-l"] or not arguments else ["-l", "main", *arguments]
    done = run_lb("authorize", "-f", conf, "--cert", pki["good"].leaf, *rest)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.strip()


def test_a_missing_or_broken_file_is_an_error_of_its_own(conf, lb, pki):
    for path in (lb.folder / "missing.pem", lb.file("broken.pem", "no certificate\n"), pki["good"].key):
        done = run_lb("authorize", "-f", conf, "-l", "main", "--cert", path)
        assert done.returncode == 2, (path, done.stdout, done.stderr)
        assert str(path) in done.stderr


def test_a_script_that_fails_denies(conf, lb, pki):
    lb.file("policy.lua", "function on_authorize(conn) error('as written') end")
    done = authorize(conf, pki["good"])
    assert done.returncode == 1
    assert "script-error" in done.stdout and "as written" in done.stdout


def test_a_broken_configuration_is_told_as_by_check(conf, lb, pki):
    lb.write(lb.text.replace("tls = mutual", "tls = mutal"))
    done = authorize(conf, pki["good"])
    assert done.returncode == 2
    assert "lb.ini:" in done.stderr


def test_it_agrees_with_the_live_listener(conf, lb, pki):
    """Each kind of certificate, asked both ways."""
    lb.start()
    names = [row[0] for row in FAILURES if row[0]] + GOOD + ["marketing", "treasury"]
    for name in names:
        done = authorize(conf, pki[name])
        try:
            live = client.echoes(pki, lb.port, name)
        except client.Refused:
            live = False
        assert (done.returncode == 0) == live, (name, done.stdout)
        line = lb.wait_connections(names.index(name) + 1, listener="main")[-1]
        if not live:
            assert line["reason"] in done.stdout, (name, line, done.stdout)
