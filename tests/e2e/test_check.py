"""lb check, and what the command line says to wrong use."""
import os
import re
import subprocess

import pytest

from harness import config
from harness.ports import free_port
from harness.product import BINARY, run_lb


@pytest.fixture
def good(lb, pki):
    """The text of a configuration without problems."""
    lb.port = free_port()
    lb.text = config.mutual(pki, lb.port, free_port(), script=lb.file(
        "policy.lua", "function on_authorize(conn) return true end"))
    return lb.text


def check(lb, text, *arguments):
    lb.write(text)
    return run_lb("check", "-f", lb.ini, *arguments)


def line_of(lb, part):
    """The last line that has it."""
    return max(number for number, line in enumerate(lb.ini.read_text().splitlines(), 1) if part in line)


BROKEN = [  # what to replace, by what, what the message names besides file and line
    ("tls = mutual", "tls = mutal", "mutual"),
    ("tls = mutual", "tsl = mutual", "tls"),
    ("protocol = tcp", "protocol = tpc", "tcp"),
    ("backend = main", "backend = mian", "main"),
    ("client-ca = ", "client-ca = /nowhere", "/nowhere"),
    ("client-crl = ", "client-crl = /nowhere", "/nowhere"),
    ("certificate = ", "certificate = /nowhere", "/nowhere"),
    ("script = ", "script = /nowhere", "/nowhere"),
    ("[listener main]", "[listner main]", "listener"),
    ("bind = 127.0.0.1:", "bind = 127.0.0.1:99", "bind"),
    ("server = s0 127.0.0.1:", "server = s0 127.0.0.1:x", "port"),
    ("server = s0 ", "server = s0", ""),
    ("tls = mutual", "tls = mutual\ntimeout-idle = 10", "unit"),
    ("tls = mutual", "tls = mutual\ntimeout-idle = ten", ""),
    ("tls = mutual", "tls = mutual\nverify-depth = -1", ""),
    ("tls = mutual", "tls = mutual\nverify-depth = 99999999999999999999", ""),
    ("tls = mutual", "tls = mutual\ntls-min = 1.1", "1.2"),
    ("tls = mutual", "tls = mutual\ntls-max = 1.2\ntls-min = 1.3", "tls-max"),
    ("tls = mutual", "tls = mutual\nnot a setting", ""),
    ("tls = mutual", "tls = mutual\n  indented = yes", ""),
    ("tls = mutual", "tls = mutual\ntls = one-way", "tls"),
    ("[listener main]", "[listener main", ""),
    ("[listener main]", "[listener " + "x" * 60 + "]", ""),
    ("tls = mutual", "tls = mutual\nciphers = NO-SUCH-CIPHER", "NO-SUCH-CIPHER"),
    ("tls = mutual", "tls = mutual\nmax-connections = many", ""),
    ("[backend main]", "[backend main]\nbalance = round-robbin", "round-robin"),
    ("[backend main]", "[backend main]\nhealth = ping", "tcp"),
    ("server = s0 ", "server = same 127.0.0.1:1\nserver = same ", "same"),
    ("tls = mutual", "tls = mutual\nscript-memory = 1x", ""),
]


@pytest.mark.parametrize("old,new,named", BROKEN, ids=[row[1].split("\n")[-1][:40] for row in BROKEN])
def test_a_mistake_is_named_with_its_line_and_refused(lb, good, old, new, named):
    assert old in good
    done = check(lb, good.replace(old, new, 1))
    assert done.returncode == 1, done.stdout + done.stderr
    problems = (done.stdout + done.stderr).splitlines()
    where = line_of(lb, new.split("\n")[-1])
    found = [text for text in problems if re.match(rf"{re.escape(str(lb.ini))}:{where}: \S", text)]
    assert found, f"nothing about line {where} in {problems}"
    assert any(named in text for text in found), found


def test_every_problem_is_printed_in_order_of_lines(lb, good):
    done = check(lb, good.replace("tls = mutual", "tls = mutal\ntimeout-idle = 5x").replace("backend = main", "backend = x")
                 + "[backend empty]\n\n[listener]\nbind = 127.0.0.1:1\n")
    assert done.returncode == 1
    lines = [int(number) for number in re.findall(rf"{re.escape(str(lb.ini))}:(\d+): ", done.stdout + done.stderr)]
    assert len(set(lines)) >= 4 and lines == sorted(lines), done.stdout + done.stderr


def test_mutual_without_an_authority_is_refused(lb, pki, good):
    done = check(lb, re.sub(r"client-ca = .*\n", "", good))
    assert done.returncode == 1 and "client-ca" in done.stdout + done.stderr


@pytest.mark.parametrize("content", ["", "# no certificate\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_an_authority_file_without_certificate_is_refused(lb, pki, good, content):
    path = lb.file("empty-ca.pem", content)
    done = check(lb, re.sub(r"client-ca = .*\n", f"client-ca = {path}\n", good))
    assert done.returncode == 1 and "empty-ca.pem" in done.stdout + done.stderr


def test_a_key_that_does_not_fit_its_certificate_is_refused(lb, pki, good):
    done = check(lb, good.replace(str(pki["server-ecdsa"].key), str(pki["server-ecdsa-new"].key)))
    assert done.returncode == 1
    assert "server-ecdsa-new.key" in done.stdout + done.stderr or "server-ecdsa.chain.pem" in done.stdout + done.stderr


@pytest.mark.parametrize("lua,named", [
    ("function on_authorize(conn\n", "policy.lua:"), ("local x = 1\n", "on_authorize"),
    ("error('at load')\n", "at load"), ("while true do end\n", "policy.lua"), ("\x1bLua", "policy.lua")])
def test_a_script_that_does_not_load_is_refused(lb, good, lua, named):
    lb.file("policy.lua", lua)
    done = check(lb, good)
    assert done.returncode == 1, done.stdout + done.stderr
    assert named in done.stdout + done.stderr


def test_two_listeners_on_one_address_are_refused(lb, good):
    done = check(lb, good + good.replace("listener main", "listener again").split("[backend")[0])
    assert done.returncode == 1
    assert str(lb.port) in done.stdout + done.stderr


def test_a_missing_file_is_named(lb):
    done = run_lb("check", "-f", lb.folder / "missing.ini")
    assert done.returncode == 1 and "missing.ini" in done.stdout + done.stderr


def test_a_configuration_without_listeners_is_refused(lb):
    done = check(lb, "")
    assert done.returncode == 1 and "listener" in done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_a_file_that_may_not_be_read_is_named(lb, good):
    lb.write(good)
    lb.ini.chmod(0)
    lb.folder.chmod(0o755)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--",
                           BINARY, "check", "-f", lb.ini],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "lb.ini" in done.stdout + done.stderr and "ermission" in done.stdout + done.stderr


def test_a_good_configuration_passes(lb, good):
    done = check(lb, good)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run_lb("-c", "-f", lb.ini).returncode == 0


def test_a_folder_is_read_in_order_of_names(lb, good):
    listener, backend = good.split("[backend")
    parts = lb.folder / "parts"
    parts.mkdir()
    (parts / "20-backend.ini").write_text("[backend" + backend)
    (parts / "10-listener.ini").write_text(listener)
    (parts / "notes.txt").write_text("not read")
    assert run_lb("check", "-f", parts).returncode == 0
    (parts / "30-more.ini").write_text("[backend x]\nserver = oops\n")
    done = run_lb("check", "-f", parts)
    assert done.returncode == 1 and f"{parts}/30-more.ini:2: " in done.stdout + done.stderr


def test_values_may_come_from_the_environment(lb, good):
    lb.write(good.replace("tls = mutual", "tls = ${LB_TEST_MODE}\nverify-depth = ${LB_TEST_DEPTH:-3}"))
    assert run_lb("check", "-f", lb.ini, env={"LB_TEST_MODE": "mutual"}).returncode == 0
    done = run_lb("check", "-f", lb.ini)
    assert done.returncode == 1 and "LB_TEST_MODE" in done.stdout + done.stderr


def test_check_binds_nothing_and_works_beside_a_running_lb(lb, good):
    lb.start(good)
    assert run_lb("check", "-f", lb.ini).returncode == 0
    assert lb.is_running()


@pytest.mark.parametrize("arguments", [
    ["check", "--unknown"], ["unknown"], ["run", "-f"], ["check", "-f", "x", "extra"], ["--unknown"],
    ["ctl"], ["authorize"]])
def test_wrong_use_ends_with_2_and_says_so(arguments):
    done = run_lb(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.strip()


def test_the_version_names_the_libraries():
    for arguments in (["version"], ["-v"]):
        done = run_lb(*arguments)
        assert done.returncode == 0
        assert all(word in done.stdout for word in ("wolfSSL", "Lua", "libuv")), done.stdout


def test_the_reference_names_every_key():
    done = run_lb("check", "--reference")
    assert done.returncode == 0
    keys = """workers admin log log-format log-level shutdown-timeout max-connections bind protocol tls certificate
        client-ca client-crl crl-required ocsp ocsp-timeout ocsp-url ocsp-signer ocsp-staple verify-depth tls-min tls-max ciphers groups script script-cpu
        script-timeout script-memory backend timeout-handshake timeout-idle timeout-half-closed drain-spread route h2c
        certificate-headers forwarded trusted-proxies encoded-slash max-header-bytes max-headers max-uri max-body
        max-requests max-streams timeout-first-byte timeout-header timeout-body timeout-keep-alive error-page
        error-format show-reason balance server health timeout-connect retries server-protocol host timeout-server
        pool-connections timeout-pool""".split()
    assert [key for key in keys if f"`{key}`" not in done.stdout and f" {key} " not in done.stdout] == []


def test_running_with_a_broken_configuration_ends_with_1(lb, good):
    lb.write(good.replace("tls = mutual", "tls = mutal"))
    done = run_lb("run", "-f", lb.ini)
    assert done.returncode == 1
    assert f"{lb.ini}:{line_of(lb, 'mutal')}: " in done.stdout + done.stderr + lb.log_text()
