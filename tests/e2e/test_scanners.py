"""What testssl.sh and sslscan find about a listener with the default settings: nothing that would cost it the grade A."""
import json
import re
import subprocess
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import config
from harness.ports import free_port

pytestmark = pytest.mark.plain_only  # a scan asks hundreds of times

WORSE_THAN_A = {"LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL"}
NOT_OURS = {  # findings about what is not the listener's TLS
    "cert_revocation": "the certificate of the tests names neither a CRL nor an OCSP responder",
    "OCSP_stapling": "the certificate of the tests has no OCSP responder to ask",
    "DNS_CAArecord": "127.0.0.1 has no DNS records",
    "HSTS": "a header of the application",
    "HPKP": "a header of the application",
    "security_headers": "headers of the application",
    "cert_trust": "the CA of the tests is added, yet an address is no name to some versions",
}
GRADES = {"A+", "A"}


@pytest.fixture
def scanned(lb, pki):
    """Two listeners with the default settings: kind of the certificate -> port."""
    ports = {kind: free_port() for kind in ("ecdsa", "rsa")}
    lb.start("".join(config.listener(
        kind, port, protocol="http", tls="one-way", route="path=/ -> respond=200:fine",
        certificate=f"{pki['server-' + kind].chain} {pki['server-' + kind].key}") for kind, port in ports.items()))
    return ports


def ask_testssl(port, pki, folder):
    """Its findings: id -> (severity, text)."""
    out = folder / f"{port}.json"
    done = subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--add-ca", str(pki.server_ca),
                           "--jsonfile", str(out), "-p", "-s", "-f", "-P", "-S", "-h", "-U", f"127.0.0.1:{port}"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=170)
    assert out.exists(), done.stdout + done.stderr
    return {one["id"]: (one["severity"], one["finding"]) for one in json.loads(out.read_text())}


def test_testssl_finds_nothing_worse_than_grade_a(scanned, pki, tmp_path):
    with ThreadPoolExecutor() as pool:
        results = dict(zip(scanned, pool.map(lambda port: ask_testssl(port, pki, tmp_path), scanned.values())))
    for kind, found in results.items():
        bad = {name: text for name, (severity, text) in found.items()
               if severity in WORSE_THAN_A and name.partition(" ")[0] not in NOT_OURS}
        assert not bad, (kind, bad)
        assert found["TLS1_3"][0] == found["TLS1_2"][0] == "OK", found
        assert found["heartbleed"][0] == "OK" and found["secure_client_renego"][0] == "OK", found
        assert found.get("overall_grade", ("OK", "A"))[1] in GRADES, found
        assert len(found) > 60, "the scan is not complete"


def test_sslscan_finds_no_old_version_and_no_weak_cipher(scanned):
    for kind, port in scanned.items():
        done = subprocess.run(["sslscan", "--xml=-", f"127.0.0.1:{port}"], capture_output=True, text=True, check=True, timeout=60)
        found = xml.etree.ElementTree.fromstring(done.stdout).find("ssltest")
        enabled = {f"{one.get('type')} {one.get('version')}" for one in found.findall("protocol") if one.get("enabled") == "1"}
        assert "tls 1.3" in enabled and enabled <= {"tls 1.2", "tls 1.3"}, enabled
        ciphers = found.findall("cipher")
        assert len(ciphers) >= 3
        assert all(re.search("GCM|CHACHA20", one.get("cipher")) and int(one.get("bits")) >= 128 for one in ciphers)
        assert {one.get("strength") for one in ciphers} <= {"strong", "acceptable"}
        assert all(one.get("vulnerable") == "0" for one in found.findall("heartbleed"))
        assert all(int(one.get("bits")) >= 112 for one in found.findall("group"))
        key = found.find("certificates/certificate/pk")
        assert key.get("error") == "false" and key.get("type") == {"ecdsa": "EC", "rsa": "RSA"}[kind]
