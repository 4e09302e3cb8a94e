"""What a client says about itself in fields that only lb may set reaches no server; what lb knows arrives once."""
import base64
import subprocess
import urllib.parse

import pytest

from harness import client, config, http1, http2
from harness.http1 import Telling, Told, folded, request
from harness.http2 import head
from harness.ports import free_port

IDENTITY = ["X-SSL-Client-Verify", "X-SSL-Client-DN", "X-SSL-Client-Issuer", "X-SSL-Client-Serial", "X-SSL-Client-SHA256",
            "X-SSL-Client-NotAfter", "X-SSL-Client-Cert", "Client-Cert", "Client-Cert-Chain"]
FORWARDED = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "Forwarded", "X-Real-IP", "X-Request-ID"]
FORGED = "forged.example"


def spellings(name):
    """How a server may meet a name that it reads as this one."""
    yield from (name, name.lower(), name.upper(), name.swapcase())
    if "-" in name:
        yield from (name.replace("-", "_"), name.replace("-", "."), name.upper().replace("-", "_"), name.replace("-", "_", 1),
                    name[::-1].replace("-", "_", 1)[::-1], name.replace("-", ".", 1))


NAMES = [spelling for name in IDENTITY + FORWARDED for spelling in spellings(name)]
BATCHES = [NAMES[start:start + 40] for start in range(0, len(NAMES), 40)]
KINDS = {"plain": {}, "one-way": {}, "mutual": {}, "mutual-optional": {"tls": "mutual-optional"}}


class World:
    """A listener of one kind before a telling origin."""

    def __init__(self, lb, pki, kind, **keys):
        self.pki, self.kind, self.port, self.origin = pki, kind, free_port(), Telling()
        self.identity = "good" if kind == "mutual" else None
        keys = {"protocol": "http", **keys}
        if kind == "plain":
            text = config.plain(self.port, self.origin, h2c="yes", **keys)
        elif kind == "one-way":
            text = config.one_way(pki, self.port, self.origin, **keys)
        else:
            text = config.mutual(pki, self.port, self.origin, **{**keys, **KINDS[kind]})
        lb.start(text)

    def h1(self, identity=None, **keys):
        if self.kind == "plain":
            return http1.open_plain(self.port, **keys)
        return http1.Connection(client.tls(self.pki, self.port, identity or self.identity, alpn=["http/1.1"], **keys))

    def h2(self, identity=None):
        return http2.open_h2c(self.port) if self.kind == "plain" else http2.open_tls(self.pki, self.port, identity or self.identity)



@pytest.fixture(params=[(kind, headers) for kind in KINDS for headers in ("off", "all")], ids="-".join)
def world(request, lb, pki):  # pylint: disable=redefined-outer-name
    made = World(lb, pki, request.param[0], certificate_headers=request.param[1])
    made.headers = request.param[1]
    yield made
    made.origin.close()


def check(world, told):
    """Nothing forged, and nothing of lb's own twice."""
    assert FORGED not in str(told.all)
    for name in IDENTITY:
        found = told.values(name)
        if world.headers == "off":
            assert not found
        elif world.kind == "mutual":
            assert len(found) == (0 if name == "Client-Cert-Chain" else 1), (name, found)
        else:
            assert found == (["NONE"] if name == "X-SSL-Client-Verify" else []), (name, found)
    for name in FORWARDED:
        assert len(told.values(name)) == (0 if name == "X-Real-IP" else 1), name


def forged_fields(names):
    return [(name, FORGED) for name in names for _ in range(2)]


def lines_of(names):
    return [f"{name}: {value}" for name, value in forged_fields(names)]


def test_no_forged_field_of_a_head_arrives(world):
    with world.h1() as connection:
        for names in BATCHES:
            check(world, Told(connection.ask(request("/", *lines_of(names)))))


def test_no_forged_field_of_an_http2_head_arrives(world):
    with world.h2() as connection:
        for names in BATCHES:
            check(world, Told(connection.ask(head("/", *((name.lower(), value) for name, value in forged_fields(names))))))


def test_no_forged_trailer_arrives(world):
    with world.h1() as connection:
        for names in BATCHES:
            raw = request("/", "Transfer-Encoding: chunked", "Trailer: " + ", ".join(names), method="POST")
            raw += b"5\r\nhello\r\n0\r\n" + "".join(f"{line}\r\n" for line in lines_of(names)).encode() + b"X-Sum: 1\r\n\r\n"
            told = Told(connection.ask(raw))
            check(world, told)
            assert [line.lower() for line in told.trailers] == ["x-sum: 1"]


def test_no_forged_http2_trailer_arrives(world):
    with world.h2() as connection:
        for names in BATCHES:
            stream = connection.open(head("/", method="POST"), end=False)
            connection.data(stream, b"hello", end=False)
            connection.head(stream, [(name.lower(), value) for name, value in forged_fields(names)] + [("x-sum", "1")])
            told = Told(connection.answer(stream))
            check(world, told)
            assert [line.lower() for line in told.trailers] == ["x-sum: 1"]


def test_no_forged_field_of_an_upgrade_request_arrives(world):
    with world.h1() as connection:
        for names in BATCHES:
            told = Told(connection.ask(request("/", "Connection: Upgrade", "Upgrade: websocket", *lines_of(names))))
            check(world, told)
            assert told.value("upgrade") == "websocket"


def test_connection_takes_nothing_away_that_lb_says(world):
    with world.h1() as connection:
        for names in BATCHES:
            check(world, Told(connection.ask(request("/", "Connection: " + ", ".join(names), *lines_of(names)))))


def test_the_table_of_forged_names_is_whole():
    assert len(NAMES) > 30 and {folded(name) for name in NAMES} == {folded(name) for name in IDENTITY + FORWARDED}


# --- what lb says of a certificate --------------------------------------------------------------------------------------

def openssl(identity, *arguments):
    done = subprocess.run(["openssl", "x509", "-in", identity.leaf, *arguments], capture_output=True, check=True)
    return done.stdout.decode()


def byte_sequence(path):
    der = subprocess.run(["openssl", "x509", "-in", path, "-outform", "DER"], capture_output=True, check=True).stdout
    return ":" + base64.b64encode(der).decode() + ":"


def expected(pki, name):
    """By openssl, and RFC 9440 for Client-Cert and Client-Cert-Chain."""
    one = pki[name]

    def said(*arguments):
        return openssl(one, "-noout", *arguments).strip().split("=", 1)[1]
    between = {"good-chained": ["intermediate"], "good-two-between": ["second", "intermediate"]}.get(name, [])
    day, time = said("-enddate", "-dateopt", "iso_8601").split()
    return {"X-SSL-Client-Verify": ["SUCCESS"],
            "X-SSL-Client-DN": [said("-subject", "-nameopt", "RFC2253")],
            "X-SSL-Client-Issuer": [said("-issuer", "-nameopt", "RFC2253")],
            "X-SSL-Client-Serial": [said("-serial")],
            "X-SSL-Client-SHA256": [said("-fingerprint", "-sha256").replace(":", "")],
            "X-SSL-Client-NotAfter": [f"{day}T{time}"],
            "X-SSL-Client-Cert": [openssl(one)],
            "Client-Cert": [byte_sequence(one.leaf)],
            "Client-Cert-Chain": [", ".join(byte_sequence(pki[above].leaf) for above in between)] if between else []}


def said_of_certificate(told):
    """The fields; hexadecimal digits in upper case, and the PEM decoded."""
    found = {name: told.values(name) for name in IDENTITY}
    for name in ("X-SSL-Client-Serial", "X-SSL-Client-SHA256"):
        found[name] = [value.upper() for value in found[name]]
    found["X-SSL-Client-Cert"] = [urllib.parse.unquote(value) for value in found["X-SSL-Client-Cert"]]
    return found


@pytest.mark.parametrize("name", ["good", "good-rsa", "good-p384", "good-chained", "good-two-between", "good-odd-name"])
@pytest.mark.parametrize("kind", ["mutual", "mutual-optional"])
def test_the_certificate_arrives_once_and_as_openssl_tells_it(lb, pki, kind, name):
    world = World(lb, pki, kind, certificate_headers="all")
    right = expected(pki, name)
    forged = lines_of(IDENTITY)
    with world.h1(name) as first, world.h2(name) as second:
        for _ in range(3):
            assert said_of_certificate(Told(first.ask(request("/", *forged)))) == right
            assert said_of_certificate(Told(second.ask(head("/", *((one.lower(), FORGED) for one in IDENTITY))))) == right
    world.origin.close()


def test_only_the_fields_that_are_asked_for_arrive(lb, pki):
    world = World(lb, pki, "mutual", certificate_headers="X-SSL-Client-Serial, Client-Cert")
    with world.h1() as connection:
        told = Told(connection.ask(request("/", *lines_of(IDENTITY))))
    assert [name for name in IDENTITY if told.values(name)] == ["X-SSL-Client-Serial", "Client-Cert"]
    world.origin.close()


def test_a_kept_connection_to_the_server_carries_every_client_under_its_own_name(lb, pki):
    world = World(lb, pki, "mutual-optional", certificate_headers="all")
    with world.h1("good") as good, world.h1("treasury") as other, world.h1() as nobody:
        for _ in range(5):
            assert "CN=good" in Told(good.ask(request())).value("X-SSL-Client-DN")
            assert "CN=treasury" in Told(other.ask(request())).value("X-SSL-Client-DN")
            assert Told(nobody.ask(request())).values("X-SSL-Client-DN") == []
    world.origin.close()


# --- trusted proxies ----------------------------------------------------------------------------------------------------

SENT = ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: first.test", "X-Forwarded-Port: 8443",
        "Forwarded: for=192.0.2.1;proto=https", "X-Real-IP: 192.0.2.1", "X-Request-ID: first-1"]
TRUSTED, STRANGER = "127.0.0.1", "127.0.0.2"


def forwarded(lb, pki, mode, source, *lines):
    world = World(lb, pki, "plain", trusted_proxies="127.0.0.1/32, 192.0.2.0/24", forwarded=mode)
    with world.h1(source=source) as connection:
        told = Told(connection.ask(request("/", *SENT, *lines)))
    world.origin.close()
    return {name: told.values(name) for name in FORWARDED if told.values(name)}, world.port


@pytest.mark.parametrize("mode", ["set", "append", "off"])
def test_nothing_of_a_stranger_is_believed(lb, pki, mode):
    found, port = forwarded(lb, pki, mode, STRANGER)
    assert "192.0.2.1" not in str(found) and "first" not in str(found)
    request_id = found.pop("X-Request-ID")
    assert len(request_id) == 1
    assert found == {} if mode == "off" else found == {
        "X-Forwarded-For": [STRANGER], "X-Forwarded-Proto": ["http"], "X-Forwarded-Host": ["a.test"], "X-Forwarded-Port": [str(port)],
        "Forwarded": [f'for={STRANGER};host="a.test";proto=http']}


def test_append_goes_on_with_what_a_trusted_proxy_said(lb, pki):
    found, _ = forwarded(lb, pki, "append", TRUSTED)
    assert found == {"X-Forwarded-For": [f"192.0.2.1, {TRUSTED}"], "X-Forwarded-Proto": ["https"], "X-Forwarded-Host": ["first.test"],
                     "X-Forwarded-Port": ["8443"], "X-Real-IP": ["192.0.2.1"], "X-Request-ID": ["first-1"],
                     "Forwarded": [f'for=192.0.2.1;proto=https, for={TRUSTED};host="a.test";proto=http']}


def test_set_replaces_what_a_trusted_proxy_said(lb, pki):
    found, port = forwarded(lb, pki, "set", TRUSTED)
    assert found["X-Forwarded-For"] == [TRUSTED] and found["X-Forwarded-Port"] == [str(port)]
    assert found["Forwarded"] == [f'for={TRUSTED};host="a.test";proto=http'] and found["X-Forwarded-Host"] == ["a.test"]


def test_off_leaves_what_a_trusted_proxy_said(lb, pki):
    found, _ = forwarded(lb, pki, "off", TRUSTED)
    assert found == {name: [value] for name, value in (line.split(": ", 1) for line in SENT)}


@pytest.mark.parametrize("mode", ["append", "off"])
def test_folded_spellings_are_not_taken_from_a_trusted_proxy_either(lb, pki, mode):
    found, _ = forwarded(lb, pki, mode, TRUSTED, *(f"{line.split(':')[0].replace('-', '_')}: 198.51.100.9" for line in SENT if "-" in line))
    assert "198.51.100.9" not in str(found)


def test_connection_cannot_take_away_what_a_trusted_proxy_said(lb, pki):
    found, _ = forwarded(lb, pki, "append", TRUSTED, "Connection: x-forwarded-for, forwarded, x-real-ip, x-request-id")
    assert found["X-Forwarded-For"] == [f"192.0.2.1, {TRUSTED}"] and found["X-Real-IP"] == ["192.0.2.1"]


def test_a_trusted_proxy_cannot_set_identity_fields(lb, pki):
    world = World(lb, pki, "plain", trusted_proxies=TRUSTED, forwarded="append")
    with world.h1() as connection:
        told = Told(connection.ask(request("/", *lines_of([one for name in IDENTITY for one in spellings(name)][:45]))))
    assert FORGED not in str(told.all)
    world.origin.close()
