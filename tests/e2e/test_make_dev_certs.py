"""certs/make-dev-certs: makes what is missing, leaves what is good."""
import datetime
import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from harness.product import ROOT

CLIENTS = ["payments", "treasury", "marketing", "revoked", "expired"]


@pytest.fixture
def tool(tmp_path):
    """A copy of the script; tool.dev is where it puts things."""
    class Tool:
        path, dev = tmp_path / "make-dev-certs", tmp_path / "dev"

        def run(self, *arguments):
            return subprocess.run([self.path, *arguments], capture_output=True, text=True, check=False)

        def content(self):
            return {path.name: path.read_bytes() for path in self.dev.iterdir()}

        def certificate(self, name):
            return x509.load_pem_x509_certificate((self.dev / f"{name}.pem").read_bytes())
    shutil.copy(ROOT / "certs/make-dev-certs", Tool.path)
    made = Tool()
    assert made.run().returncode == 0
    return made


def test_wrong_use_ends_with_2(tool):
    assert tool.run("--frobnicate").returncode == 2


def test_a_second_run_changes_nothing(tool):
    before = tool.content()
    assert tool.run().returncode == 0
    assert tool.content() == before


def test_it_makes_every_file_and_keys_are_private(tool):
    names = {"client-ca.pem", "client-ca.key", "client-ca.crl", "server.pem", "server.key", "tickets.key"}
    names |= {f"client-{client}.{kind}" for client in CLIENTS for kind in ("pem", "key")}
    assert {path.name for path in tool.dev.iterdir()} == names
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tool.dev.glob("*.key"))
    assert not [path for path in tool.dev.parent.iterdir() if path.name.startswith(".making")]


def test_every_key_fits_its_certificate(tool):
    for path in tool.dev.glob("*.pem"):
        key = load_pem_private_key(path.with_suffix(".key").read_bytes(), None)
        assert key.public_key().public_numbers() == tool.certificate(path.stem).public_key().public_numbers()


def test_one_client_is_revoked_and_one_expired(tool):
    crl = x509.load_pem_x509_crl((tool.dev / "client-ca.crl").read_bytes())
    serials = {client: tool.certificate(f"client-{client}").serial_number for client in CLIENTS}
    assert [one.serial_number for one in crl] == [serials["revoked"]]
    now = datetime.datetime.utcnow()
    assert [client for client in CLIENTS if tool.certificate(f"client-{client}").not_valid_after < now] == ["expired"]


def test_a_missing_certificate_is_made_again_with_its_key(tool):
    before = tool.content()
    (tool.dev / "server.pem").unlink()
    assert tool.run().returncode == 0
    after = tool.content()
    assert [name for name in after if after[name] != before[name]] == ["server.pem"]


def test_a_broken_file_is_made_again(tool):
    before = tool.content()
    (tool.dev / "client-ca.crl").write_text("broken")
    (tool.dev / "client-treasury.key").write_text("")
    assert tool.run().returncode == 0
    after = tool.content()
    assert sorted(name for name in after if after[name] != before[name]) == [
        "client-ca.crl", "client-treasury.key", "client-treasury.pem"]


def test_another_authority_makes_everything_anew(tool):
    before = tool.content()
    (tool.dev / "client-ca.pem").unlink()
    assert tool.run().returncode == 0
    assert all(value != before[name] for name, value in tool.content().items() if name != "client-ca.key")


def test_force_makes_everything_anew(tool):
    before = tool.content()
    assert tool.run("--force").returncode == 0
    assert all(value != before[name] for name, value in tool.content().items())
