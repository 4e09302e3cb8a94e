"""Who comes back with a session is authorized as if he came anew: same facts, today's rules, an absolute limit."""
import json
import os
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness import client, config, node
from harness.client import V12, V13
from harness.pki import days, now
from harness.ports import free_port
from harness.product import run_lb
from harness.visitor import KINDS, Visitor, came_back
from harness.waiting import until

each_kind = pytest.mark.parametrize("kind", KINDS)
tickets = pytest.mark.parametrize("kind", ["ticket-1.3", "ticket-1.2"])


@pytest.fixture
def serve(serve_mutual):
    return serve_mutual


# --- who is refused ---------------------------------------------------------------------------------------------------

@each_kind
def test_who_was_revoked_since_is_refused(lb, pki, serve, kind):
    crl = pki.make_crl("resumption.crl", {"root": []})
    port = serve(client_crl=crl)
    visitor = came_back(pki, port, kind)
    pki.make_crl("resumption.crl", {"root": [pki["good"]]})
    lb.reload()
    assert visitor.refused(port).alert == 44
    last = lb.wait_connections(3, listener="main")[-1]
    assert last["reason"] == "certificate-revoked" and last["subject"] == pki["good"].subject
    assert not last["resumed"]
    lb.wait_metric(1, "lb_resumptions_refused_total", listener="main", cause="certificate")


@each_kind
def test_whose_ca_is_trusted_no_more_is_refused(lb, pki, serve, behind, kind):
    port = serve(client_crl=None)
    visitor = came_back(pki, port, kind)
    lb.reload(config.mutual(pki, port, behind, client_crl=None, client_ca=pki["other-root"].leaf))
    assert visitor.refused(port).alert == 48
    assert lb.wait_connections(3, listener="main")[-1]["reason"] == "certificate-unknown-ca"


@each_kind
def test_who_has_expired_since_is_refused(lb, pki, serve, kind):
    port = serve()
    end = time.time() + 3
    pki.issue(f"brief-{kind}", pki.root, end=now() + (days(3 / 86400) - days(0)))
    visitor = came_back(pki, port, kind, identity=f"brief-{kind}")
    time.sleep(max(0, end + 1 - time.time()))  # time itself is tested
    assert visitor.refused(port).alert == 45
    assert lb.wait_connections(3, listener="main")[-1]["reason"] == "certificate-expired"


@each_kind
def test_whom_the_script_denies_since_is_refused(lb, pki, serve, behind, kind):
    script = lb.file("decide.lua", "function on_authorize(conn) return true end")
    port = serve(script=script)
    visitor = came_back(pki, port, kind)
    lb.file("decide.lua", """function on_authorize(conn)
        return not conn.tls.resumed, "denied " .. conn.certificate.subject.CN
    end""")
    lb.reload()
    assert visitor.refused(port).alert == 49
    last = lb.wait_connections(3, listener="main")[-1]
    assert (last["reason"], last["text"], last["resumed"]) == ("denied", "denied good", True)


# --- where and how long a session counts --------------------------------------------------------------------------------

@each_kind
def test_a_session_of_one_listener_is_none_of_another(lb, pki, behind, kind):
    ports = {"here": free_port(), "there": free_port()}
    lb.start("".join(config.mutual(pki, port, behind, name=name) for name, port in ports.items()))
    visitor = came_back(pki, ports["here"], kind)
    assert not visitor.visit(ports["there"], keep=False)
    assert visitor.visit(ports["here"])
    lb.wait_metric(1, "lb_resumptions_refused_total", listener="there", cause="bond")


@each_kind
def test_a_session_of_one_name_is_none_of_another(lb, pki, serve, kind):
    port = serve()
    visitor = Visitor(pki, kind)
    assert not visitor.visit(port, name="a.test")
    assert visitor.visit(port, name="a.test")
    assert not visitor.visit(port, name="b.test", keep=False)
    assert not visitor.visit(port, name=None, keep=False)
    assert visitor.visit(port, name="a.test")


@each_kind
def test_a_name_with_a_policy_of_its_own_takes_no_session_of_before(lb, pki, behind, kind):
    """The name demanded no certificate when the session was made, and demands one now."""
    port = free_port()
    lb.start(config.mutual(pki, port, behind, tls="mutual-optional"))
    visitor = Visitor(pki, kind, identity=None)
    assert not visitor.visit(port, name="a.test")
    assert visitor.visit(port, name="a.test")
    lb.reload(config.mutual(pki, port, behind, tls="mutual-optional") +
              config.section("certificate a.test", tls="mutual"))
    assert visitor.refused(port, name="a.test").alert in (40, 116)
    assert lb.wait_connections(3)[-1]["reason"] == "certificate-missing"


@each_kind
def test_resumptions_in_a_row_do_not_outlive_the_lifetime(lb, pki, serve, kind):
    port = serve(session_lifetime="4s")
    visitor, started = Visitor(pki, kind), time.time()
    assert not visitor.visit(port)
    count = 0
    while visitor.visit(port):
        count += 1
        assert time.time() - started < 6, "it goes on for ever"
        time.sleep(0.15)  # time itself is tested
    assert time.time() - started > 2.9 and count >= 10
    lb.wait_metric(1, "lb_resumptions_refused_total", listener="main", cause="age")


@each_kind
def test_without_a_lifetime_nothing_is_resumed(pki, serve, kind):
    port = serve(session_lifetime="0")
    visitor = Visitor(pki, kind)
    assert not visitor.visit(port)
    assert not visitor.visit(port)


@each_kind
def test_without_tickets_only_ids_are_resumed(pki, serve, kind):
    port = serve(session_tickets="no")
    visitor = Visitor(pki, kind)
    assert not visitor.visit(port)
    assert visitor.visit(port) == (kind != "ticket-1.3")


def other_ticket(pki, context):
    """A TLS 1.2 session of another server, whose ticket is longer than any of lb's: it holds the client's certificates."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(str(pki["server-ecdsa"].chain), str(pki["server-ecdsa"].key))
    server.load_verify_locations(str(pki.client_ca))
    server.verify_mode = ssl.CERT_REQUIRED
    server.maximum_version = V12
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def answer():
            sock = server.wrap_socket(listening.accept()[0], server_side=True)
            sock.recv(4)
            sock.sendall(b"ping")
            sock.unwrap().close()
        thread = threading.Thread(target=answer)
        thread.start()
        with client.tls(pki, listening.getsockname()[1], using=context) as sock:
            client.ask(sock)
            session = sock.session
            client.end(sock)
        thread.join()
    assert session.has_ticket
    return session


@pytest.mark.parametrize("high", [V12, V13], ids=["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("identity", ["good", "good-two-between", "good-long-name"])
def test_a_ticket_of_another_server_leads_to_a_full_handshake(lb, pki, serve, identity, high):
    port = serve(client_crl=None)
    using = client.context(pki, identity, high=high)
    session = other_ticket(pki, using)
    with client.tls(pki, port, using=using, session=session) as sock:
        assert client.ask(sock) == b"ping"
        assert not sock.session_reused
        assert sock.version() == ("TLSv1.2" if high == V12 else "TLSv1.3")
        client.end(sock)


# --- who comes back -----------------------------------------------------------------------------------------------------

FACTS_LUA = """
local function list(values)
  local out = {}
  for i = 1, #values do out[i] = tostring(values[i]) end
  return table.concat(out, ",")
end

local function certificate(c)
  return table.concat({ tostring(c.subject), tostring(c.issuer), c.serial, tostring(c.not_before), tostring(c.not_after),
    list(c.san.dns), list(c.san.uri), list(c.san.email), list(c.san.ip), c.key.type, tostring(c.key.bits),
    list(c.key_usage), list(c.extended_key_usage), c.sha256, c.sha1, c.pem, lb.base64.encode(c.der), c.spki_sha256,
    tostring(c.spiffe_id), tostring(c.anchor), list(c.policies) }, "|")
end

function on_authorize(conn)
  local out = { conn.listener, conn.server_name, tostring(conn.alpn), conn.tls.version, tostring(#conn.chain) }
  for i = 1, #conn.chain do out[#out + 1] = certificate(conn.chain[i]) end
  if conn.certificate then out[#out + 1] = certificate(conn.certificate) end
  return lb.allow{ log = { facts = lb.sha256(table.concat(out, "/")), resumed = tostring(conn.tls.resumed) } }
end
"""


@each_kind
@pytest.mark.parametrize("identity", ["good", "good-rsa", "good-chained", "good-two-between", "good-long-name", None])
def test_a_resumed_connection_shows_the_script_the_same_facts(lb, pki, serve, kind, identity):
    port = serve(tls="mutual-optional", script=lb.file("facts.lua", FACTS_LUA))
    came_back(pki, port, kind, identity=identity)
    first, second = lb.wait_connections(2, listener="main")
    assert (first["log"]["resumed"], second["log"]["resumed"]) == ("false", "true")
    assert first["log"]["facts"] == second["log"]["facts"]
    assert (first["resumed"], second["resumed"]) == (False, True)
    for field in ("subject", "serial", "sha256", "tls", "cipher", "sni"):
        assert first[field] == second[field]


@each_kind
def test_one_comes_back_to_any_worker_and_after_reloads(make_lb, pki, behind, kind):
    lb, port = make_lb(workers=4), free_port()
    lb.start(config.mutual(pki, port, behind))
    visitor = came_back(pki, port, kind)
    for _ in range(24):
        assert visitor.visit(port)
    for _ in range(3):
        lb.reload()
        assert visitor.visit(port)
    lb.reload(config.mutual(pki, port, behind, verify_depth=3))
    assert visitor.visit(port)


@each_kind
def test_handshakes_are_counted_full_and_resumed(lb, pki, serve, kind):
    port = serve()
    visitor = came_back(pki, port, kind)
    visitor.visit(port)
    lb.wait_metric(3, "lb_handshakes_total", listener="main")
    assert lb.metric("lb_handshakes_resumed_total", listener="main") == 2


def machines(make_lb, pki, behind, keys):
    """Two of lb with the same listener, each with its file of ticket keys; their ports."""
    ports = []
    for content in keys:
        lb, port = make_lb(), free_port()
        path = lb.folder / "tickets.key"
        path.touch(0o600)
        path.write_bytes(content)
        lb.start(config.mutual(pki, port, behind, ticket_keys=path))
        ports.append(port)
    return ports


@tickets
def test_machines_with_the_same_keys_share_sessions(make_lb, pki, behind, kind):
    old, new = os.urandom(80), os.urandom(80)
    here, there = machines(make_lb, pki, behind, [old, new + old])
    visitor = Visitor(pki, kind)
    assert not visitor.visit(here)
    assert visitor.visit(there)   # the older key opens; what comes back is sealed with the newest,
    assert not visitor.visit(here, keep=False)  # which this one does not know
    assert visitor.visit(there)


@tickets
def test_machines_with_other_keys_share_nothing(make_lb, pki, behind, kind):
    here, there = machines(make_lb, pki, behind, [os.urandom(80), os.urandom(80)])
    visitor = Visitor(pki, kind)
    assert not visitor.visit(here)
    assert not visitor.visit(there, keep=False)
    assert visitor.visit(here)


@tickets
def test_ticket_keys_change_with_a_reload(make_lb, pki, behind, kind):
    lb, port = make_lb(), free_port()
    path, keys = lb.folder / "tickets.key", [os.urandom(80) for _ in range(3)]
    path.touch(0o600)
    path.write_bytes(keys[0])
    lb.start(config.mutual(pki, port, behind, ticket_keys=path))
    visitor = came_back(pki, port, kind)
    path.write_bytes(keys[1] + keys[0])
    lb.reload()
    assert visitor.visit(port)
    path.write_bytes(keys[2] + keys[1])
    lb.reload()
    assert visitor.visit(port)
    path.write_bytes(keys[0])
    lb.reload()
    assert not visitor.visit(port)
    lb.wait_metric(1, "lb_resumptions_refused_total", listener="main", cause="key")


@pytest.mark.parametrize("content, text", [
    (b"", "cannot read the ticket keys"),
    (os.urandom(48), "has 48 bytes: ticket keys are of 80 bytes each, newest first (48-byte keys are not taken)"),
    (bytes(80), "key 1 cannot be used: its name is all zeros"),
    (b"a" * 160, "key 2 cannot be used: an earlier one has the same name")], ids=["empty", "48", "zeros", "twice"])
def test_a_bad_file_of_ticket_keys_is_one_clear_error(lb, pki, behind, content, text):
    path = lb.folder / "tickets.key"
    path.touch(0o600)
    path.write_bytes(content)
    ini = lb.write(config.mutual(pki, free_port(), behind, client_crl=None, ticket_keys=path))
    done = run_lb("check", "-f", ini)
    line = next(number for number, one in enumerate(ini.read_text().splitlines(), 1) if "ticket-keys" in one)
    assert done.returncode == 1
    assert [one for one in done.stdout.splitlines() if one.startswith(f"{ini}:{line}: ") and text in one], done.stdout
    assert done.stdout.count(f"{ini}:") == 1


# --- other clients ------------------------------------------------------------------------------------------------------

def talk(port, *arguments):
    """openssl s_client, with an answer from the origin, behind which nothing of the handshake can come."""
    with client.Interactive(port, *arguments) as one:
        before = one.text
        one.say("an echo", "an echo")
        return before + one.text


@pytest.mark.parametrize("options, kind", [(["-tls1_3"], "TLSv1.3"), (["-tls1_2"], "TLSv1.2"),
                                           (["-tls1_2", "-no_ticket"], "TLSv1.2")], ids=["1.3", "1.2", "1.2-id"])
def test_openssl_comes_back_with_a_session_from_a_file(lb, pki, serve, tmp_path, options, kind):
    port, file, one = serve(), tmp_path / "session", pki["good"]
    identity = ["-cert", one.leaf, "-key", one.key]
    talk(port, *options, *identity, "-sess_out", file)
    text = talk(port, *options, *identity, "-sess_in", file)
    assert f"Reused, {kind}" in text, text
    first, second = lb.wait_connections(2, listener="main")
    assert first["sha256"] == second["sha256"] == one.sha256 and second["resumed"]


def test_no_early_data_is_taken(pki, serve, tmp_path):
    port, file, one = serve(), tmp_path / "session", pki["good"]
    identity = ["-cert", one.leaf, "-key", one.key]
    talk(port, "-tls1_3", *identity, "-sess_out", file)
    text = subprocess.run(["openssl", "sess_id", "-in", file, "-noout", "-text"], capture_output=True, text=True,
                          check=True).stdout
    assert "Max Early Data: 0" in text, text


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_node_comes_back(lb, pki, serve, version):
    port, one = serve(), pki["good"]
    said = node.run("tls_resume.js", port, version, pki.server_ca, one.leaf, one.key)
    assert said == {"first": False, "again": True}, json.dumps(said)
    assert [line["sha256"] for line in lb.wait_connections(2, listener="main")] == [one.sha256] * 2
    until(lambda: lb.metric("lb_handshakes_resumed_total", listener="main") == 1, "the resumed one to be counted")
