"""What the README shows works as pasted, and what it lists is complete."""
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from harness.ports import free_port
from harness.product import ROOT, run_lb

README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(ini|lua|sh)\n(.*?)^```", README, re.M | re.S)
INI = [text for language, text in FENCED if language == "ini"]
BLOCKS = {"ini": INI[0], "lua": next(text for language, text in FENCED if language == "lua")}


@pytest.fixture
def pasted(tmp_path):
    """A folder with the README's listener and script, and development certificates."""
    shutil.copytree(ROOT / "certs", tmp_path / "certs", ignore=shutil.ignore_patterns("dev"))
    subprocess.run([tmp_path / "certs/make-dev-certs"], check=True, capture_output=True, cwd=tmp_path)
    (tmp_path / "my.ini").write_text(BLOCKS["ini"])
    (tmp_path / "my.lua").write_text(BLOCKS["lua"])
    return tmp_path


def hello(sock, _):
    sock.sendall(b"hello")


def authorize(folder, who):
    certificate = folder / f"certs/dev/client-{who}.pem"
    return run_lb("authorize", "-f", "my.ini", "-l", "partners", "--cert", certificate, cwd=folder)


def test_the_pasted_script_denies_the_unit_that_is_not_listed(pasted):
    done = authorize(pasted, "marketing")
    assert done.returncode == 1
    assert "OU marketing may not use partners" in done.stdout


def test_the_pasted_listener_refuses_the_revoked_client(pasted):
    assert "certificate-revoked" in authorize(pasted, "revoked").stdout


def test_the_pasted_listener_passes_its_check_and_allows_the_listed_unit(pasted):
    done = run_lb("check", "-f", "my.ini", cwd=pasted)
    assert done.returncode == 0, done.stdout
    assert authorize(pasted, "payments").returncode == 0


@pytest.mark.parametrize("text", INI, ids=lambda text: text.splitlines()[0])
def test_every_pasted_configuration_passes_its_check(pasted, text):
    (pasted / "shown.ini").write_text(text)
    done = run_lb("check", "-f", "shown.ini", cwd=pasted)
    assert done.returncode == 0, done.stdout


def test_the_pasted_listener_serves(pasted, lb, origin):
    port = free_port()
    servers = iter([origin(hello).address, origin(hello).address])
    text = BLOCKS["ini"].replace("127.0.0.1:7443", f"127.0.0.1:{port}")
    text = re.sub(r"(server  = \w) \S+", lambda match: f"{match[1]} {next(servers)}", text)
    lb.start(text, cwd=pasted)
    context = ssl.create_default_context(cafile=pasted / "certs/dev/client-ca.pem")
    context.load_cert_chain(pasted / "certs/dev/client-payments.pem", pasted / "certs/dev/client-payments.key")
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname="localhost") as client:
        assert client.recv(5) == b"hello"


def test_the_reference_is_the_one_of_the_key_table():
    shown = re.search(r"<!-- reference -->\n(.*)<!-- /reference -->", README, re.S)[1]
    assert shown == run_lb("check", "--reference").stdout


def test_each_reason_is_explained_in_the_readme():
    header = (Path(ROOT) / "lb/base/reason.h").read_text()
    names = re.findall(r'X\(\w+,[\s\\]*"([\w-]+)"', header)
    assert len(names) > 30
    assert [name for name in names if name != "none" and f"`{name}`" not in README] == []
