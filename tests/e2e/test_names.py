"""Which certificate, and which rules, a client gets for the name that it asks for."""
import re
import subprocess
import time

import pytest
from cryptography import x509

from harness import config
from harness.client import V12, V13, echoes, refusal, tls
from harness.origin import echo
from harness.pki import SERVER, days
from harness.ports import free_port
from harness.product import run_lb

both_versions = pytest.mark.parametrize("version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])


def site(pki, name, *hosts, key="ec"):
    return pki.issue(name, pki["server-root"], key=key, usage=(SERVER,), san=[x509.DNSName(host) for host in hosts])


def pair(identity):
    return f"{identity.chain} {identity.key}"


@pytest.fixture(scope="session")
def sites(pki):
    return {"a": site(pki, "site-a", "a.test", "also-a.test"), "b": site(pki, "site-b", "b.test"),
            "wild": site(pki, "site-wild", "*.wild.test"), "exact": site(pki, "site-exact", "exact.wild.test"),
            "a-rsa": site(pki, "site-a-rsa", "a.test", key="rsa2048"),
            "a-ed": site(pki, "site-a-ed", "a.test", key="ed25519")}


def served(port, name, options=()):
    """The common name of the certificate that a client gets which asks for that name."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options,
               *(["-servername", name] if name else ["-noservername"])]
    out = subprocess.run(command, input="", capture_output=True, text=True, timeout=30).stdout
    found = re.search(r"^subject=.*CN ?= ?(\S+)", out, re.M)
    return found and found.group(1)


@pytest.fixture
def serve(lb, origin, sites):
    def start(*names, extra="", **keys):
        port = free_port()
        keys = {"tls": "one-way", "certificate": [pair(sites[name]) for name in names], "backend": "app", **keys}
        lb.start(config.listener("main", port, **keys) + config.backend("app", origin(echo)) + extra)
        return port
    return start


# ---- the certificate


def test_a_name_that_no_certificate_has_is_refused_with_strict_sni(serve, lb):
    port = serve("a", "b", strict_sni="yes")
    for name in ("c.test", None, "x.a.test"):
        out = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}",
                              *(["-servername", name] if name else ["-noservername"])],
                             input="", capture_output=True, text=True, timeout=30)
        assert "unrecognized name" in out.stderr and "subject=" not in out.stdout
    lb.wait_connections(3, reason="name-unknown")
    assert served(port, "b.test") == "site-b"


@pytest.mark.parametrize("asked, got", [
    ("a.test", "site-a"), ("also-a.test", "site-a"), ("b.test", "site-b"), ("A.TEST", "site-a"),
    ("exact.wild.test", "site-exact"), ("other.wild.test", "site-wild"), ("two.other.wild.test", "site-a"),
    ("wild.test", "site-a"), ("unknown.test", "site-a"), (None, "site-a")])
def test_exact_names_come_before_wildcards_and_the_first_certificate_is_for_the_rest(serve, asked, got):
    assert served(serve("a", "b", "wild", "exact"), asked) == got


@pytest.mark.parametrize("options, got", [
    (("-sigalgs", "ECDSA+SHA256"), "site-a"), (("-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"), "site-a-rsa"),
    (("-sigalgs", "ed25519"), "site-a-ed"), (("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "site-a-rsa"),
    (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), "site-a"), ((), "site-a")])
def test_of_several_keys_for_a_name_the_client_gets_the_one_that_it_can_use(serve, options, got):
    port = serve("a-rsa", "a", "a-ed")
    assert served(port, "a.test", options) == got


def test_a_client_without_a_name_gets_the_kind_of_key_that_it_can_use_too(serve):
    port = serve("a", "a-rsa")
    assert served(port, None, ("-sigalgs", "RSA-PSS+SHA256:RSA+SHA256")) == "site-a-rsa"


def test_a_folder_stands_for_the_certificates_in_it(lb, origin, sites, tmp_path):
    for name, key_inside in (("a", True), ("b", False)):
        text = sites[name].chain.read_text() + (sites[name].key.read_text() if key_inside else "")
        (tmp_path / f"{name}.pem").write_text(text)
        if not key_inside:
            (tmp_path / f"{name}.key").write_text(sites[name].key.read_text())
    (tmp_path / "notes.txt").write_text("no certificate")
    port = free_port()
    lb.start(config.listener("main", port, tls="one-way", certificate=f"{tmp_path}/", backend="app") +
             config.backend("app", origin(echo)))
    assert [served(port, name) for name in ("a.test", "b.test")] == ["site-a", "site-b"]


def test_a_thousand_certificates_load_in_little_time_and_each_is_served(lb, origin, pki, tmp_path):
    signer = pki["server-root"]
    for number in range(1000):
        one = pki.issue(f"many-{number}", signer, usage=(SERVER,), san=[x509.DNSName(f"n{number}.many.test")])
        (tmp_path / f"{number:04}.pem").write_text(one.chain.read_text() + one.key.read_text())
    port = free_port()
    text = config.listener("main", port, tls="one-way", certificate=tmp_path, backend="app") + \
        config.backend("app", origin(echo))
    (tmp_path / "lb.ini").write_text(text)
    before = time.monotonic()
    assert run_lb("check", "-f", tmp_path / "lb.ini").returncode == 0
    print(f"lb check with 1000 certificates: {time.monotonic() - before:.2f} s")
    lb.start(text)
    assert [served(port, f"n{number}.many.test") for number in (0, 17, 999)] == ["many-0", "many-17", "many-999"]


# ---- the rules


@pytest.fixture
def guarded(serve, pki):
    """One-way for a.test, mutual for b.test, and another CA for exact.wild.test."""
    def start(**keys):
        extra = config.section("certificate b.test", tls="mutual", client_ca=pki.client_ca, client_crl=pki.crl)
        extra += config.section("certificate exact.wild.test", tls="mutual", client_ca=pki["other-root"].leaf)
        return serve("a", "b", "wild", "exact", extra=extra, **keys)
    return start


@both_versions
def test_a_name_with_rules_of_its_own_demands_a_certificate(guarded, pki, version, lb):
    port = guarded()
    for identity in (None, "wrong-ca", "revoked"):
        assert refusal(pki, port, identity, version=version, name="b.test")
    lb.wait_connection(reason="certificate-revoked")
    assert echoes(pki, port, "good", version=version, name="b.test")
    assert echoes(pki, port, version=version, name="a.test")


@both_versions
def test_each_name_trusts_its_own_ca_only(guarded, pki, version):
    port = guarded()
    assert refusal(pki, port, "good", version=version, name="exact.wild.test")
    assert refusal(pki, port, "wrong-ca", version=version, name="b.test")
    assert echoes(pki, port, "wrong-ca", version=version, name="exact.wild.test")


@pytest.mark.parametrize("asked", ["b.test", "B.TEST"])
def test_a_name_in_any_spelling_meets_its_rules(guarded, pki, asked):
    assert refusal(pki, guarded(), None, name=asked)


def test_a_script_of_a_name_decides_about_that_name_only(serve, pki, lb):
    script = lb.file("deny.lua", "function on_authorize(conn) return lb.deny('not ' .. lb.options.what) end")
    port = serve("a", "b", extra=config.section("certificate b.test", script=script, **{"option.what": "here"}))
    assert refusal(pki, port, name="b.test").alert == 49
    assert lb.wait_connection(reason="denied")["text"] == "not here"
    assert echoes(pki, port, name="a.test")


def test_after_a_reload_a_name_meets_its_new_rules(serve, pki, lb):
    port = serve("a", "b")
    assert echoes(pki, port, name="b.test")
    text = lb.ini.read_text().split("\n\n", 1)[1]
    lb.reload(text + config.section("certificate b.test", tls="mutual", client_ca=pki.client_ca))
    assert refusal(pki, port, name="b.test")
    assert echoes(pki, port, "good", name="b.test")


# ---- the same over HTTP: a host belongs to the rules of its name


def get(sock, host):
    sock.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(4096)
    return int(head.split()[1]), head


@pytest.fixture
def web(lb, sites, pki):
    port = free_port()
    lb.start(config.listener("main", port, protocol="http", tls="one-way", alpn="http/1.1", route="-> respond=200:hello",
                             certificate=[pair(sites[name]) for name in ("a", "b", "wild")]) +
             config.section("certificate b.test", tls="mutual", client_ca=pki.client_ca))
    return port


def test_a_host_with_stricter_rules_is_misdirected_on_a_connection_without_a_certificate(web, pki, lb):
    for host in ("b.test", "B.test", "b.test.", "b.test:443"):
        with tls(pki, web, name="a.test") as sock:
            assert get(sock, host)[0] == 421
    with tls(pki, web, name="unknown.test") as sock:
        assert get(sock, "b.test")[0] == 421


def test_a_host_with_other_rules_is_misdirected_on_a_mutual_connection_too(web, pki):
    with tls(pki, web, "good", name="b.test") as sock:
        assert get(sock, "a.test")[0] == 421


def test_hosts_of_the_same_rules_share_a_connection(web, pki):
    with tls(pki, web, name="a.test") as sock:
        for host in ("a.test", "x.wild.test", "also-a.test"):
            status, head = get(sock, host)
            assert status == 200
            while not head.endswith(b"hello"):
                head += sock.recv(100)
    with tls(pki, web, "good", name="b.test") as sock:
        assert get(sock, "b.test")[0] == 200


def test_a_host_whose_script_has_other_options_is_misdirected(lb, sites, pki):
    script = lb.file("who.lua", "function on_authorize(conn) if lb.options.who['all'] then return true end "
                                "return lb.deny('not ' .. conn.server_name) end")
    port = free_port()
    lb.start(config.listener("main", port, protocol="http", tls="one-way", alpn="http/1.1", route="-> respond=200:hello",
                             certificate=[pair(sites["a"]), pair(sites["b"])], script=script, **{"option.who": "all"}) +
             config.section("certificate b.test", **{"option.who": "nobody"}))
    with tls(pki, port, name="b.test") as sock:
        assert get(sock, "b.test")[0] == 403
    with tls(pki, port, name="a.test") as sock:
        assert get(sock, "b.test")[0] == 421
    with tls(pki, port, name="a.test") as sock:
        assert get(sock, "a.test")[0] == 200


def test_a_request_without_a_host_meets_the_rules_of_no_name(lb, sites, pki):
    port = free_port()
    lb.start(config.listener("main", port, protocol="http", tls="mutual", client_ca=pki.client_ca, alpn="http/1.1",
                             route="-> respond=200:hello", certificate=[pair(sites["a"]), pair(sites["b"])]) +
             config.section("certificate b.test", tls="one-way"))
    for identity, name, status in ((None, "b.test", 421), ("good", "a.test", 200), ("good", None, 200)):
        with tls(pki, port, identity, name=name) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert int(sock.recv(4096).split()[1]) == status


OPTION_LUA = """function on_authorize(conn)
  if lb.options.team[conn.certificate.subject.OU] then return true end
  return false, 'not of ' .. lb.options.team
end"""


def test_names_with_one_script_and_other_options_have_other_rules(lb, sites, pki):
    port, script = free_port(), lb.file("team.lua", OPTION_LUA)
    client_keys = {"tls": "mutual", "client_ca": pki.client_ca, "client_crl": pki.crl}
    lb.start(config.listener("main", port, protocol="http", alpn="http/1.1", route="-> respond=200:hello",
                             certificate=[pair(sites[name]) for name in ("a", "b", "wild")], script=script,
                             **client_keys, **{"option.team": "payments"}) +
             config.section("certificate b.test", script=script, **{"option.team": "treasury"}) +
             config.section("certificate exact.wild.test", script=script, **{"option.team": "payments"}))
    with tls(pki, port, "good", name="b.test") as sock:
        assert get(sock, "b.test")[0] == 403
    with tls(pki, port, "good", name="a.test") as sock:
        assert get(sock, "b.test")[0] == 421
    with tls(pki, port, "good", name="a.test") as sock:
        assert get(sock, "exact.wild.test")[0] == 200
    with tls(pki, port, "treasury", name="b.test") as sock:
        assert get(sock, "a.test")[0] == 421


@pytest.mark.parametrize("key", ["close_on_expiry", "reauthorize"])
def test_a_host_whose_connections_are_watched_is_misdirected_on_one_that_is_not(lb, sites, pki, key):
    port = free_port()
    lb.start(config.listener("main", port, protocol="http", alpn="http/1.1", route="-> respond=200:hello", tls="mutual",
                             certificate=[pair(sites["a"]), pair(sites["b"])], client_ca=pki.client_ca) +
             config.section("certificate b.test", **{key: "yes"}))
    with tls(pki, port, "good", name="a.test") as sock:
        assert get(sock, "b.test")[0] == 421
    with tls(pki, port, "good", name="b.test") as sock:
        assert get(sock, "b.test")[0] == 200


# ---- what the operator is told


def check(tmp_path, text):
    (tmp_path / "check.ini").write_text(text)
    return run_lb("check", "-f", tmp_path / "check.ini")


def named_site(pki, port=1, **keys):
    return config.listener("main", port, **{"tls": "one-way", "backend": "app", **keys}) + \
        config.backend("app", "a 127.0.0.1:9")


def test_certificates_that_end_soon_are_warned_of(pki, tmp_path):
    soon = pki.issue("soon", pki["server-root"], usage=(SERVER,), san=[x509.DNSName("soon.test")], end=days(10))
    told = check(tmp_path, named_site(pki, certificate=pair(soon)))
    assert told.returncode == 0 and "CN=soon" in told.stdout and re.search("in (9|10) days: renew it", told.stdout)
    quiet = check(tmp_path, config.section("global", expiry_warning="5d") + named_site(pki, certificate=pair(soon)))
    assert quiet.returncode == 0 and "renew" not in quiet.stdout


def test_a_certificate_without_a_host_name_is_warned_of(pki, tmp_path):
    nameless = pki.issue("nameless", pki["server-root"], subject=[("CN", "no host name")], usage=(SERVER,))
    assert "has no host name" in check(tmp_path, named_site(pki, certificate=pair(nameless))).stdout


def test_a_route_for_a_host_that_no_certificate_has_is_warned_of(pki, sites, tmp_path):
    text = named_site(pki, certificate=pair(sites["a"]), protocol="http",
                      route=["host=a.test -> app", "host=c.test -> app"])
    told = check(tmp_path, text)
    assert told.returncode == 0 and "host=c.test: no certificate" in told.stdout and "host=a.test" not in told.stdout


def test_each_ca_without_a_crl_and_each_crl_near_its_end_is_named(pki, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(pki["root"].leaf.read_bytes() + pki["other-root"].leaf.read_bytes())
    crl = pki.make_crl("near.crl", {"root": []}, start=days(-30), end=days(1))
    told = check(tmp_path, config.mutual(pki, 1, 9, client_ca=both, client_crl=crl))
    assert told.returncode == 0
    assert re.search(r"CA CN=Test other-root.* has no CRL", told.stdout)
    assert re.search(r"near.crl: the CRL of CN=Test root.* is to be renewed by .*, soon", told.stdout)


def test_a_stale_crl_is_named_with_file_and_date(serve, pki, lb):
    crl = pki.make_crl("stale.crl", {"root": []}, start=days(-30), end=days(-1))
    port = serve("a", tls="mutual", client_ca=pki.client_ca, client_crl=crl, crl_required="yes")
    assert refusal(pki, port, "good")
    text = lb.wait_connection(reason="crl-expired")["text"]
    assert "stale.crl" in text and re.search(r"was to be renewed by 20\d\d-\d\d-\d\d", text)


def test_crls_come_from_several_files_and_a_folder(serve, pki, tmp_path):
    (tmp_path / "one.crl").write_bytes(pki.make_crl("several-1.crl", {"root": [pki["revoked"]]}).read_bytes())
    (tmp_path / "two.pem").write_bytes(
        pki.make_crl("several-2.crl", {"intermediate": [pki["revoked-chained"]]}).read_bytes())
    extra = pki.make_crl("several-3.crl", {"root": [pki["good-rsa"]]})
    port = serve("a", tls="mutual", client_ca=pki.client_ca, client_crl=[tmp_path, extra])
    for name in ("revoked", "revoked-chained", "good-rsa"):
        assert refusal(pki, port, name).alert == 44
    assert echoes(pki, port, "good")


def test_with_crl_depth_leaf_only_the_leaf_is_looked_up(serve, pki, lb):
    crl = pki.make_crl("depth.crl", {"root": [pki["revoked"], pki["intermediate"]]})
    port = serve("a", tls="mutual", client_ca=pki.client_ca, client_crl=crl, crl_depth="leaf")
    assert echoes(pki, port, "good-chained")
    assert refusal(pki, port, "revoked").alert == 44
    lb.reload(lb.ini.read_text().split("\n\n", 1)[1].replace("crl-depth = leaf", "crl-depth = chain"))
    assert refusal(pki, port, "good-chained").alert == 44


def test_the_certificates_in_use_are_listed_with_their_days(guarded, lb):
    guarded()
    told = lb.ctl("certificates")
    assert re.search(r"^main certificate a.test,also-a.test key=EC-256 ends=\S+ days=(?:89|90) file=\S+site-a.chain.pem$", told,
                     re.M)
    assert re.search(r"^main/b.test client-ca CN=Test root.* days=\d+ file=", told, re.M)
    assert re.search(r"^main/b.test crl CN=Test root.* revoked=2 ends=\S+ days=\d+", told, re.M)


def authorize(lb, identity=None, *arguments):
    given = ["--cert", identity.leaf, "--chain", identity.between] if identity else []
    if identity and not identity.between.read_bytes():
        given = given[:2]
    return run_lb("authorize", "-f", lb.ini, "-l", "main", *given, *arguments)


def test_a_dry_run_follows_the_name(guarded, lb, pki):
    guarded()
    allowed = authorize(lb, pki["good"], "--sni", "b.test")
    assert allowed.returncode == 0 and "met by [certificate b.test]" in allowed.stdout
    assert re.search(r"chain: +0 CN=good.*not listed in .*\nchain: +1 CN=Test root.*a CA of client-ca", allowed.stdout)
    denied = authorize(lb, pki["good"], "--sni", "exact.wild.test")
    assert denied.returncode == 1 and "certificate-unknown-ca" in denied.stdout
    revoked = authorize(lb, pki["revoked"], "--sni", "b.test")
    assert revoked.returncode == 1 and "REVOKED by" in revoked.stdout
    assert "asks for no certificate" in authorize(lb, pki["good"], "--sni", "a.test").stdout


def test_a_dry_run_knows_strict_sni(guarded, lb, pki):
    guarded(strict_sni="yes")
    denied = authorize(lb, pki["good"], "--sni", "nobody.test")
    assert denied.returncode == 1 and "name-unknown" in denied.stdout
