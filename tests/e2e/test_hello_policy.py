"""The name of a hello decides who must show a certificate: however the hello comes, it is met by its own policy or refused,
never by the listener's own, which demands nothing."""
import pytest

from harness import client, config
from harness.client import V12, V13, Steps
from harness.hello import (HANDSHAKE, KEY_SHARE, RETRY, SERVER_HELLO, SERVER_NAME, SIGNATURES, SUPPORTED_GROUPS, Hello, entry,
                           met, names, records, vector)
from harness.ports import free_port
from harness.waiting import scaled

NAME = "mutual.test"
versions = pytest.mark.parametrize("version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])


@pytest.fixture
def serve(lb, pki, behind):
    """A listener that demands no certificate, and one of its names that does."""
    def start(**keys):
        made = free_port()
        lb.start(config.one_way(pki, made, behind, **keys) +
                 config.section(f"certificate {NAME}", tls="mutual", client_ca=pki.client_ca, client_crl=pki.crl))
        return made
    return start


@pytest.fixture
def port(serve):
    return serve()


def named(*entries):
    return Hello.of_openssl().without(SERVER_NAME).first(SERVER_NAME, names(*entries))


def message(*entries):
    return named(*entries).message()


def test_the_two_policies_can_be_told_apart(port):
    assert met(port, records(Hello.of_openssl("localhost").message())) == "one-way"
    assert met(port, records(Hello.of_openssl().without(SERVER_NAME).message())) == "one-way"
    assert met(port, records(Hello.of_openssl(NAME).message())) == "mutual"


def test_a_hello_in_two_segments_is_read_wherever_it_is_split(port):
    wire = records(Hello.of_openssl(NAME).message())
    step = max(1, len(wire) // scaled(len(wire)))
    for at in range(1, len(wire), step):
        assert met(port, wire[:at], wire[at:]) == "mutual", at


def test_a_hello_in_two_records_is_read_wherever_it_is_cut(port):
    whole = Hello.of_openssl(NAME).message()
    step = max(1, len(whole) // scaled(len(whole)))
    for at in range(1, len(whole), step):
        assert met(port, records(whole[:at]) + records(whole[at:])) == "mutual", at


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 13, 64, 255, 256])
def test_a_hello_in_many_records_is_read(port, size):
    wire = records(Hello.of_openssl(NAME).message(), size)
    assert met(port, wire) == "mutual"
    assert met(port, *[wire[at:at + 11] for at in range(0, len(wire), 11)]) == "mutual"


def test_a_hello_that_comes_byte_by_byte_in_records_of_one_byte_is_read(port):
    wire = records(Hello.of_openssl(NAME).message(), 1)
    assert met(port, *[wire[at:at + 1] for at in range(len(wire))]) == "mutual"


@pytest.mark.parametrize("size", [16384, 1000, 37])
def test_a_hello_of_16_kb_with_its_name_at_the_end_is_read(port, size):
    whole = Hello.of_openssl().without(SERVER_NAME).last(SERVER_NAME, names(entry(NAME.encode()))).padded().message()
    wire = records(whole, size)
    assert met(port, wire) == "mutual"
    assert met(port, *[wire[at:at + 1000] for at in range(0, len(wire), 1000)]) == "mutual"


def test_a_hello_of_16_kb_in_records_of_one_byte_is_read_or_refused(port):
    wire = records(named(entry(NAME.encode())).padded().message(), 1)
    assert met(port, *[wire[at:at + 4096] for at in range(0, len(wire), 4096)]) in ("mutual", None)


def test_a_hello_over_16_kb_is_refused(lb, port):
    assert met(port, records(named(entry(NAME.encode())).padded(16385).message())) is None
    line = lb.wait_connection(listener="main")
    assert line["reason"] == "hello-too-long" and line["text"]


@pytest.mark.parametrize("written", [b"MUTUAL.TEST", b"Mutual.Test", b"mutual.test.", b"MUTUAL.test."])
def test_another_way_to_write_the_name_is_the_name(lb, port, written):
    assert met(port, records(message(entry(written)))) == "mutual"
    assert lb.wait_connection(listener="main")["sni"] == NAME


GOOD = NAME.encode()
REFUSED = {
    "two extensions": lambda: named(entry(GOOD)).last(SERVER_NAME, names(entry(b"localhost"))),
    "two extensions, the other way": lambda: named(entry(b"localhost")).last(SERVER_NAME, names(entry(GOOD))),
    "two extensions, the same": lambda: named(entry(GOOD)).last(SERVER_NAME, names(entry(GOOD))),
    "two names": lambda: named(entry(b"localhost"), entry(GOOD)),
    "the same name twice": lambda: named(entry(GOOD), entry(GOOD)),
    "a name and another kind": lambda: named(entry(GOOD), entry(b"x", 7)),
    "another kind only": lambda: named(entry(GOOD, 1)),
    "IPv4": lambda: named(entry(b"127.0.0.1")),
    "IPv6": lambda: named(entry(b"::1")),
    "IPv6 in brackets": lambda: named(entry(b"[2001:db8::1]")),
    "a short address": lambda: named(entry(b"127.1")),
    "a number": lambda: named(entry(b"2130706433")),
    "a hexadecimal address": lambda: named(entry(b"127.0.0.0x1")),
    "empty": lambda: named(entry(b"")),
    "a dot": lambda: named(entry(b".")),
    "two dots": lambda: named(entry(GOOD + b"..")),
    "a leading dot": lambda: named(entry(b"." + GOOD)),
    "NUL behind": lambda: named(entry(GOOD + b"\0")),
    "NUL before": lambda: named(entry(b"\0" + GOOD)),
    "NUL inside": lambda: named(entry(b"localhost\0." + GOOD)),
    "a blank behind": lambda: named(entry(GOOD + b" ")),
    "a port": lambda: named(entry(GOOD + b":443")),
    "a wildcard": lambda: named(entry(b"*.test")),
    "254 bytes": lambda: named(entry(b".".join([b"a" * 49] * 5) + b".aaaa")),
    "256 bytes": lambda: named(entry(b"a" * 251 + b".test")),
    "a label of 64 bytes": lambda: named(entry(b"a" * 64 + b".test")),
    "UTF-8": lambda: named(entry("mütual.test".encode())),
    "a wide letter": lambda: named(entry("ｍutual.test".encode())),
    "a wide dot": lambda: named(entry("mutual。test".encode())),
    "bytes behind the list": lambda: Hello.of_openssl().without(SERVER_NAME).first(SERVER_NAME, names(entry(GOOD)) + b"\0"),
    "a list that is too long": lambda: Hello.of_openssl().without(SERVER_NAME).first(
        SERVER_NAME, b"\0\xff" + names(entry(GOOD))[2:]),
    "a list that is too short": lambda: Hello.of_openssl().without(SERVER_NAME).first(
        SERVER_NAME, b"\0\x05" + names(entry(GOOD))[2:]),
    "a name that is too long": lambda: Hello.of_openssl().without(SERVER_NAME).first(
        SERVER_NAME, vector(2, b"\0\0\xff" + GOOD)),
    "no list": lambda: Hello.of_openssl().without(SERVER_NAME).first(SERVER_NAME, b""),
    "an empty list": lambda: Hello.of_openssl().without(SERVER_NAME).first(SERVER_NAME, b"\0\0"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_name_that_is_none_is_refused(lb, port, behind, what):
    assert met(port, records(REFUSED[what]().message())) is None
    line = lb.wait_connection(listener="main")
    assert line["reason"] in ("hello-invalid", "name-unknown") and line["text"], line
    assert behind.accepted == 0


@pytest.mark.parametrize("address", [b"127.0.0.1", b"::1"])
def test_where_no_name_has_a_policy_of_its_own_an_address_counts_as_none(lb, pki, behind, address):
    made = free_port()
    lb.start(config.one_way(pki, made, behind))
    assert met(made, records(message(entry(address)))) == "one-way"


@versions
@pytest.mark.parametrize("size", [1, 7, 16384])
def test_nobody_gets_through_without_a_certificate_by_cutting(lb, pki, port, behind, version, size):
    with Steps(pki, port, None, name=NAME, version=version) as steps:
        steps.sock.sendall(records(steps.step()[5:], size))
        with pytest.raises((OSError, AssertionError)):
            steps.take()
            steps.finish()
            steps.write(b"ping")
            steps.read(1)
    assert lb.wait_connection(listener="main")["reason"] == "certificate-missing"
    assert behind.accepted == 0


# ---- the second hello, after a HelloRetryRequest ----

def again(message, size=16384):
    return records(message, size, b"\x03\x03")


def retried(port, change, name="localhost"):
    """The first hello is answered by a HelloRetryRequest; the second one is the same with the share that lb asks for, and
    `change`. What lb then sends, up to 1 byte of its flight."""
    first = Hello.of_openssl(name, V13)
    with client.connect(port) as sock:
        first.without(KEY_SHARE).last(KEY_SHARE, vector(2, b"\0\x1d" + vector(2, bytes(31) + b"\x09")))
        groups = vector(2, b"\0\x1d\0\x17")
        first.without(SUPPORTED_GROUPS).last(SUPPORTED_GROUPS, groups)
        sock.sendall(records(first.message()))
        assert RETRY in sock.recv(4096)
        point = bytes.fromhex("04" "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                              "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")  # P-256's generator
        first.without(KEY_SHARE).last(KEY_SHARE, vector(2, b"\0\x17" + vector(2, point)))
        try:
            for piece in change(first):
                sock.sendall(piece)
            return sock.recv(4096)
        except ConnectionError:
            return b""


def rename(hello, name):
    return hello.without(SERVER_NAME).first(SERVER_NAME, names(entry(name)))


CHANGED = {
    "another name": lambda hello: [again(rename(hello, GOOD).message())],
    "no name": lambda hello: [again(hello.without(SERVER_NAME).message())],
    "an address as name": lambda hello: [again(rename(hello, b"127.0.0.1").message())],
    "the name twice": lambda hello: [again(hello.last(SERVER_NAME, names(entry(GOOD))).message())],
    "other signature schemes": lambda hello: [again(hello.without(SIGNATURES).last(
        SIGNATURES, vector(2, b"\x08\x04\x04\x03")).message())],
    "another name, cut": lambda hello: [again(rename(hello, GOOD).message(), 9)],
    "another name behind a change_cipher_spec": lambda hello: [
        b"\x14\x03\x03\x00\x01\x01" + again(rename(hello, GOOD).message())],
    "another name behind a warning": lambda hello: [
        b"\x15\x03\x03\x00\x02\x01\x5a" + again(rename(hello, GOOD).message())],
    "another name behind an empty record": lambda hello: [
        b"\x16\x03\x03\x00\x00" + again(rename(hello, GOOD).message())],
    "another hello behind it": lambda hello: [again(hello.message()) + again(rename(hello, GOOD).message())],
    "something else": lambda _: [b"\x17\x03\x03\x00\x10" + bytes(16)],
    "another random": lambda hello: [again(hello.message()[:6] + bytes(32) + hello.message()[38:])],
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_second_hello_that_asks_for_something_else_is_refused(lb, serve, behind, what):
    port = serve(groups="SECP256R1")
    got = retried(port, CHANGED[what])
    assert got[:1] in (b"", b"\x15"), got
    line = lb.wait_connection(listener="main")
    assert line["reason"] in ("hello-invalid", "tls-failed") and "second hello" in line["text"], line
    assert behind.accepted == 0


SAME = {
    "whole": lambda hello: [again(hello.message())],
    "in records of one byte": lambda hello: [again(hello.message(), 1)],
    "byte by byte": lambda hello: [again(hello.message())[at:at + 1] for at in range(len(again(hello.message())))],
    "behind a change_cipher_spec": lambda hello: [b"\x14\x03\x03\x00\x01\x01" + again(hello.message(), 100)],
    "with padding": lambda hello: [again(hello.padded(4000).message())],
}


@pytest.mark.parametrize("what", SAME)
def test_a_second_hello_that_asks_for_the_same_goes_on_however_it_comes(serve, what):
    port = serve(groups="SECP256R1")
    got = retried(port, SAME[what])
    assert got[0] == HANDSHAKE and got[5] == SERVER_HELLO and RETRY not in got


@pytest.mark.parametrize("name", ["localhost", NAME])
def test_after_a_second_hello_the_policy_of_the_first_one_counts(lb, pki, serve, behind, name):
    port = serve(groups="SECP256R1")
    arguments = ["-tls1_3", "-groups", "X25519:P-256", "-servername", name]
    text = client.s_client(port, *arguments, wait=1)
    assert client.s_client_alert(text) == (116 if name == NAME else None), text[-2000:]
    good = pki["good"]
    text = client.s_client(port, *arguments, "-cert", good.leaf, "-key", good.key, data=b"ping\n", wait=1)
    assert client.s_client_alert(text) is None
