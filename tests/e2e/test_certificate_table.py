"""Each certificate of certificate_table, shown to a listener in TLS 1.2 and 1.3, and to `lb authorize`. The client sends the
bytes as they are; no library of a client would load the odd ones."""
import json
import re
import shutil
import subprocess
import tempfile
from types import SimpleNamespace

import pytest

from certificate_table import ROWS, WORDS
from certificate_table.world import BROKEN, World
from harness import config
from harness.handmade import pem
from harness.origin import Origin, echo
from harness.ports import free_port
from harness.product import Lb, run_lb
from harness.raw_tls import TLS12, TLS13, Ended, RawClient
from harness.waiting import SCALE, until

VERSIONS = {"TLSv1.2": TLS12, "TLSv1.3": TLS13}
LISTENERS = {"main": {}, "crl": {"crl_required": "yes"}, "depth1": {"verify_depth": 1}}
LIVE = [(version, row) for row in ROWS for version in row.versions]
ASKED = [row for row in ROWS if row.asked][::int(1 / SCALE)]
OPENSSL_IS_STRICTER = {"purpose-any",  # it wants clientAuth itself, which RFC 5280, section 4.2.1.12 does not
                       "key-id-empty"}  # it takes an empty key identifier for that of another CA


class Journal:
    """The lines of lb's log about connections, by the client's port."""

    def __init__(self, path):
        self.file, self.lines, self.rest = open(path, encoding="utf-8", errors="surrogateescape"), {}, ""

    def _read(self):
        *whole, self.rest = (self.rest + self.file.read()).split("\n")
        for line in map(json.loads, whole):
            if "client" in line:
                self.lines[int(line["client"].rpartition(":")[2])] = line

    def take(self, port):
        def there():
            self._read()
            return self.lines.pop(port, None)
        return until(there, f"the line of the client with port {port}")


@pytest.fixture(scope="module")
def served(pki):
    """One lb for all rows."""
    folder = tempfile.mkdtemp(prefix="lb-")
    world, lb, behind = World(), Lb(folder), Origin(echo)
    ports = {name: free_port() for name in LISTENERS}
    authorities = lb.file("cas.pem", "".join(pem(one.der) for one in world.anchors))
    crls = lb.file("crls.pem", "".join(pem(one, "X509 CRL") for one in world.crls))
    lb.start("".join(
        config.listener(name, ports[name], backend="main", **config.mutual_keys(
            pki, client_ca=authorities, client_crl=crls, **keys)) for name, keys in LISTENERS.items()) +
        config.backend("main", behind))
    yield SimpleNamespace(world=world, lb=lb, behind=behind, ports=ports, authorities=authorities, journal=Journal(lb.log))
    try:
        lb.stop()
    finally:
        behind.close()
        shutil.rmtree(folder)


def show(served, version, row):
    """(what came back or None, the alert, the line of the log)"""
    with RawClient(served.ports[row.listener], VERSIONS[version], row.chain(served.world), row.sign(served.world)) as client:
        try:
            answer, alert = client.exchange(b"ping"), None
            client.close()
        except Ended as ended:
            answer, alert = None, ended.alert
    return answer, alert, served.journal.take(client.port)


def files(served, row):
    """The row's chain as arguments of lb authorize: leaf and the rest."""
    leaf, *rest = row.chain(served.world) or [b""]
    made = [served.lb.file(f"{row.name}.pem", pem(leaf))] if leaf else []
    return made + ([served.lb.file(f"{row.name}.rest.pem", "".join(map(pem, rest)))] if rest else [])


def test_the_table_is_long_and_each_row_says_why():
    assert len(ROWS) >= 100
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(re.fullmatch(r"README|A\.1|\d\..+|\d\.\d+|RFC \d+, .+|X\.6[89]0, .+", row.rule) for row in ROWS)


@pytest.mark.parametrize("version,row", LIVE, ids=[f"{version}-{row.name}" for version, row in LIVE])
def test_the_listener_decides_as_the_table_says(served, version, row):
    before = served.behind.accepted
    answer, alert, line = show(served, version, row)
    assert line["tls"] == version
    if row.admitted:
        assert answer == b"ping", (alert, line)
        assert line["decision"] == "allow" and line["reason"] == "-"
        return
    assert answer is None, "admitted, but " + row.rule
    assert line["reason"] == row.verdict and line["decision"] != "allow", line
    assert alert is not None, line
    assert row.verdict != BROKEN or WORDS.get(row.name.partition("-")[0], "") in line["text"], line
    assert served.behind.accepted == before, "a refused client reached the server"


@pytest.mark.parametrize("row", ASKED, ids=[row.name for row in ASKED])
def test_lb_authorize_says_the_same(served, row):
    arguments = [word for pair in zip(("--cert", "--chain"), files(served, row)) for word in pair]
    done = run_lb("authorize", "-f", served.lb.ini, "-l", row.listener, *arguments)
    said = dict(re.findall(r"^(\w+): +(.*)$", done.stdout, re.M))
    assert done.returncode == (0 if row.admitted else 1), done.stdout + done.stderr
    assert said["decision"] == ("allow" if row.admitted else "deny"), done.stdout
    assert said["reason"] == (row.verdict or "-"), done.stdout


@pytest.mark.plain_only
def test_what_is_admitted_openssl_verifies_too(served):
    """A second opinion about wrong admissions."""
    wrong = {}
    for row in ROWS:
        if not row.admitted or row.name in OPENSSL_IS_STRICTER:
            continue
        leaf, *rest = files(served, row)
        done = subprocess.run(["openssl", "verify", "-purpose", "sslclient", "-partial_chain", "-trusted", served.authorities,
                               *(("-untrusted", rest[0]) if rest else ()), leaf], capture_output=True, text=True, check=False)
        if done.returncode:
            wrong[row.name] = done.stderr
    assert not wrong
