"""The ClientHello, however it comes, and what is none."""
import os
import struct

import pytest

from harness import client, config
from harness.client import V12, V13, Steps
from harness.origin import read_all
from harness.ports import free_port


@pytest.fixture
def port(lb, pki, behind):
    made = free_port()
    lb.start(config.mutual(pki, made, behind))
    return made


def send(port, data):
    """What lb answers to these bytes."""
    with client.connect(port) as sock:
        try:
            sock.sendall(data)
            return read_all(sock)
        except ConnectionError:
            return None


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "ssh": b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(20),
    "zeros": bytes(64), "sslv2": b"\x80\x2e\x01\x03\x01" + bytes(43), "alert": b"\x15\x03\x01\x00\x02\x02\x28" + bytes(40),
    "application-data": b"\x17\x03\x03\x00\x10" + bytes(16), "empty-record": b"\x16\x03\x01\x00\x00" * 8,
    "server-hello": b"\x16\x03\x01\x00\x2c\x02\x00\x00\x28\x03\x03" + bytes(38),
    "huge-record": b"\x16\x03\x01\xff\xff" + bytes(100), "random": os.urandom(64),
    "lying-lengths": b"\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03" + b"\xff" * 42,
}


@pytest.mark.parametrize("what", GARBAGE)
def test_what_is_no_hello_is_refused_and_harms_nobody(lb, pki, port, behind, what):
    send(port, GARBAGE[what])
    line = lb.wait_connection(listener="main")
    assert line["reason"] in ("hello-invalid", "tls-aborted"), line
    assert client.echoes(pki, port, "good")
    assert behind.accepted == 1


def test_a_hello_over_16_kb_is_refused(lb, pki, port):
    handshake = b"\x01" + (30000).to_bytes(3, "big") + b"\x03\x03" + os.urandom(29998)
    records = b"".join(b"\x16\x03\x01" + struct.pack(">H", len(handshake[at:at + 16000])) + handshake[at:at + 16000]
                       for at in range(0, len(handshake), 16000))
    send(port, records)
    assert lb.wait_connection(listener="main")["reason"] in ("hello-too-long", "hello-invalid")
    assert client.echoes(pki, port, "good")


versions = pytest.mark.parametrize("version", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])


def records_of(hello, size):
    """The same hello in records of `size` bytes."""
    body = hello[5:]
    return b"".join(hello[:3] + struct.pack(">H", len(body[at:at + size])) + body[at:at + size]
                    for at in range(0, len(body), size))


@versions
@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_hello_cut_into_records_gets_the_same_service(lb, pki, port, size, version):
    with Steps(pki, port, "good", name="cut.test", version=version) as steps:
        steps.sock.sendall(records_of(steps.step(), size))
        assert steps.take()
        steps.finish().write(b"ping")
        assert steps.read(4) == b"ping"
    line = lb.wait_connection(listener="main")
    assert line["sni"] == "cut.test" and line["subject"] == pki["good"].subject


@versions
def test_a_hello_cut_into_records_needs_a_certificate_too(lb, pki, port, version, behind):
    with Steps(pki, port, None, version=version) as steps:
        steps.sock.sendall(records_of(steps.step(), 5))
        with pytest.raises((OSError, AssertionError)):
            steps.take()
            steps.finish()
            steps.read(1)
    assert lb.wait_connection(listener="main")["reason"] == "certificate-missing"
    assert behind.accepted == 0


@versions
def test_a_handshake_that_comes_byte_by_byte_works(pki, port, version):
    with Steps(pki, port, "good", version=version) as steps:
        data = steps.step()
        while True:
            for at in range(len(data)):
                steps.sock.sendall(data[at:at + 1])
            if steps.done:
                break
            assert steps.take()
            data = steps.step()
        steps.write(b"ping")
        assert steps.read(4) == b"ping"


@versions
def test_bytes_right_behind_the_last_handshake_message_are_not_lost(pki, port, version):
    with Steps(pki, port, "good", version=version) as steps:
        data = steps.step()
        while not steps.done:
            steps.sock.sendall(data)
            assert steps.take()
            data = steps.step()
        steps.tls.write(b"early")
        steps.sock.sendall(data + steps.outgoing.read())
        assert steps.read(5) == b"early"


NAMES = [("LocalHost.TEST", "localhost.test"), ("dotted.test.", "dotted.test"), ("127.0.0.1", ""), ("a b", ""),
         ("x" * 250 + ".test", ""), ('quote".test', ""), ('x\n{"listener":"forged"}', ""), ("_srv.test", "_srv.test")]


@pytest.mark.parametrize("sent,seen", NAMES, ids=[repr(sent)[:20] for sent, _ in NAMES])
def test_names_are_normalized_and_none_can_forge_a_line(lb, pki, port, sent, seen):
    one = pki["good"]
    client.s_client(port, "-servername", sent, "-cert", one.leaf, "-key", one.key)
    lines = lb.wait_connections(1)
    assert len(lines) == 1 and lines[0]["listener"] == "main"
    line = lines[0]
    assert line["sni"] == seen or (not seen and (line["sni"] in ("", "-", None) or line["reason"] != "none")), line
