"""Files that change on disk take effect by themselves; one that cannot serve changes nothing."""
import os
import re
import shutil
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509

from harness import client, config
from harness.client import refusal
from harness.origin import echo
from harness.pki import SERVER
from harness.ports import free_port
from harness.waiting import PATIENCE, until

ALLOW = "function on_authorize(conn) return true end\n"
TREASURY = "function on_authorize(conn) return conn.certificate.subject.OU == 'treasury', 'no' end\n"
PROMISE = 5 * PATIENCE  # seconds until a change is in force


@pytest.fixture
def served(lb, pki, origin):
    """A running lb on copies of all files, which tests change; lb.text is its configuration."""
    lb.port, lb.pki, lb.behind = free_port(), pki, origin(echo)
    lb.live = lb.folder / "live"
    lb.live.mkdir()
    for name, path in (("ca.pem", pki.client_ca), ("crl.pem", pki.crl), ("server.pem", pki["server-ecdsa"].chain),
                       ("server.key", pki["server-ecdsa"].key)):
        shutil.copy(path, lb.live / name)
    (lb.live / "policy.lua").write_text(ALLOW)
    lb.text = mutual(lb, lb.live)
    lb.start(lb.text)
    return lb


def mutual(lb, folder, **keys):
    return config.mutual(lb.pki, lb.port, lb.behind, certificate=f"{folder}/server.pem {folder}/server.key",
                         client_ca=f"{folder}/ca.pem", client_crl=f"{folder}/crl.pem",
                         **{"script": f"{lb.live}/policy.lua", **keys})


def replace(path, content):
    """As tools do that want nobody to see half a file."""
    new = Path(f"{path}.new")
    new.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.rename(new, path)


def shown(lb):
    """The server certificate that a new client gets, as text."""
    with client.tls(lb.pki, lb.port, "good") as sock:
        return ssl.DER_cert_to_PEM_cert(sock.getpeercert(True)).split()


def leaf(pki, name):
    return pki[name].leaf.read_text().split()


def in_force(condition, what):
    until(condition, what, seconds=PROMISE, interval=0.05)


def generation(lb):
    return lb.metric("lb_generation")


def done(lb):
    return lb.metric("lb_rotations_total", result="done")


def refused(lb):
    return lb.metric("lb_rotations_total", result="refused")


def wait_refused(lb, named, count=1):
    """Until so many were counted, and the log names it."""
    until(lambda: refused(lb) == count, lambda: f"{count} refusals in\n{lb.log_text()[-3000:]}")
    until(lambda: any(named in line["event"] and line["event"].endswith("; the old one stays")
                      for line in lb.events("rotation refused: ")),
          lambda: f"{named} in\n{lb.log_text()[-3000:]}")


def more_revoked(pki, name="more.crl"):
    return pki.make_crl(name, {"root": [pki["treasury"]]}).read_bytes()


def is_revoked(lb, identity="treasury"):
    try:
        return not client.echoes(lb.pki, lb.port, identity)
    except client.Refused as error:
        return error.alert == 44


def is_unchanged(lb):
    assert generation(lb) == 1
    assert done(lb) == 0
    assert client.echoes(lb.pki, lb.port, "good")
    assert refusal(lb.pki, lb.port, "wrong-ca").alert == 48
    assert refusal(lb.pki, lb.port, None).alert == 116
    assert refusal(lb.pki, lb.port, "revoked").alert == 44
    assert shown(lb) == leaf(lb.pki, "server-ecdsa")


# --- what cannot serve is refused, and the old stays ------------------------------------------------------------------

def emptied_authority(lb):
    (lb.live / "ca.pem").write_text("")
    return "ca.pem"


def garbage_as_authority(lb):
    replace(lb.live / "ca.pem", os.urandom(3000))
    return "ca.pem"


def authority_without_a_certificate(lb):
    replace(lb.live / "ca.pem", (lb.live / "server.key").read_bytes())
    return "ca.pem"


def half_an_authority(lb):
    replace(lb.live / "ca.pem", (lb.live / "ca.pem").read_bytes()[:300])
    return "ca.pem"


def unreadable_authority(lb):
    (lb.live / "ca.pem").unlink()
    (lb.live / "ca.pem").mkdir()
    return "ca.pem"


def emptied_crl(lb):
    (lb.live / "crl.pem").write_text("")
    return "crl.pem"


def garbage_as_crl(lb):
    replace(lb.live / "crl.pem", "no CRL\n")
    return "crl.pem"


def key_that_does_not_fit(lb):
    replace(lb.live / "server.key", lb.pki["server-ecdsa-new"].key.read_bytes())
    return "server"


def half_a_certificate(lb):
    path = lb.live / "server.pem"
    path.write_bytes(path.read_bytes()[:300])
    return "server.pem"


def broken_script(lb):
    replace(lb.live / "policy.lua", "function on_authorize(conn\n")
    return "policy.lua:"


def script_without_hook(lb):
    replace(lb.live / "policy.lua", "local x = 1\n")
    return "on_authorize"


def endless_script(lb):
    replace(lb.live / "policy.lua", "while true do end\n")
    return "policy.lua"


BREAKS = [emptied_authority, garbage_as_authority, authority_without_a_certificate, half_an_authority,
          unreadable_authority, emptied_crl, garbage_as_crl, key_that_does_not_fit, half_a_certificate,
          broken_script, script_without_hook, endless_script]


@pytest.mark.parametrize("break_it", BREAKS, ids=[one.__name__.replace("_", " ") for one in BREAKS])
def test_what_cannot_serve_is_refused_with_its_file_and_the_old_stays(served, break_it):
    named = break_it(served)
    wait_refused(served, named)
    is_unchanged(served)
    assert "rotations 0 done, 1 refused" in served.ctl("status")


DELETED = ["ca.pem", "crl.pem", "server.pem", "server.key", "policy.lua"]


@pytest.mark.parametrize("name", DELETED)
def test_of_a_deleted_file_the_old_stays_and_that_is_warned_of(served, name):
    (served.live / name).unlink()
    wait_refused(served, "No such file or directory")
    events = served.events("rotation refused: ", "warning")
    assert events and all(name in line["event"] for line in events), events
    is_unchanged(served)


def test_a_whole_folder_that_is_deleted_changes_nothing_until_it_is_back(served):
    kept = served.folder / "kept"
    shutil.copytree(served.live, kept)
    shutil.rmtree(served.live)
    wait_refused(served, "No such file or directory")
    is_unchanged(served)
    shutil.copytree(kept, served.live)
    replace(served.live / "crl.pem", more_revoked(served.pki))
    in_force(lambda: is_revoked(served), "the new list")


def test_what_was_refused_takes_effect_once_it_fits(served):
    wait_refused(served, emptied_authority(served))
    replace(served.live / "ca.pem", served.pki.client_ca.read_bytes() + served.pki["other-root"].leaf.read_bytes())
    in_force(lambda: done(served) == 1, "the new CA")
    assert client.echoes(served.pki, served.port, "good")
    assert refused(served) == 1


def test_what_was_refused_is_told_of_once(served):
    wait_refused(served, broken_script(served))
    os.utime(served.live / "policy.lua")
    replace(served.live / "crl.pem", more_revoked(served.pki))
    in_force(lambda: is_revoked(served), "the new list")
    assert len(served.events("rotation refused: ")) == 1
    assert refused(served) == 1
    replace(served.live / "policy.lua", "another mistake\n")
    wait_refused(served, "policy.lua:1", count=2)


def test_a_broken_certificate_does_not_hold_up_a_revocation_list(served):
    half_a_certificate(served)
    replace(served.live / "crl.pem", more_revoked(served.pki))
    in_force(lambda: is_revoked(served), "the new list")
    assert shown(served) == leaf(served.pki, "server-ecdsa")
    wait_refused(served, "server.pem")
    assert done(served) == 1
    assert not any("crl.pem" in line["event"] for line in served.events("rotation refused: "))


def test_a_new_authority_that_does_not_fit_its_lists_waits_for_one_that_does(served):
    """CA and lists are one unit: never a CA without its lists."""
    pki = served.pki
    replace(served.live / "crl.pem", "no CRL\n")
    replace(served.live / "ca.pem", pki["other-root"].leaf.read_bytes())
    wait_refused(served, "crl.pem")
    is_unchanged(served)
    replace(served.live / "crl.pem", pki.make_crl("other-root.crl", {"other-root": []}).read_bytes())
    in_force(lambda: done(served) == 1, "the new CA and its list")
    assert client.echoes(pki, served.port, "wrong-ca")
    assert refusal(pki, served.port, "good").alert == 48


# --- what can serve takes effect ------------------------------------------------------------------------------------------

def by_rename(lb, new):
    replace(lb.live / "server.pem", new.chain.read_bytes())
    replace(lb.live / "server.key", new.key.read_bytes())


def in_place(lb, new):
    (lb.live / "server.pem").write_bytes(new.chain.read_bytes())
    (lb.live / "server.key").write_bytes(new.key.read_bytes())


def key_first_and_the_certificate_later(lb, new):
    replace(lb.live / "server.key", new.key.read_bytes())
    time.sleep(1)  # what a slow tool takes between the two
    replace(lb.live / "server.pem", new.chain.read_bytes())


def with_the_whole_folder(lb, new):
    shutil.copytree(lb.live, lb.folder / "next")
    shutil.copy(new.chain, lb.folder / "next/server.pem")
    shutil.copy(new.key, lb.folder / "next/server.key")
    os.rename(lb.live, lb.folder / "gone")
    os.rename(lb.folder / "next", lb.live)


WAYS = [by_rename, in_place, key_first_and_the_certificate_later, with_the_whole_folder]


@pytest.mark.parametrize("way", WAYS, ids=[one.__name__.replace("_", " ") for one in WAYS])
def test_a_new_pair_is_shown_to_new_clients(served, way):
    way(served, served.pki["server-ecdsa-new"])
    in_force(lambda: shown(served) == leaf(served.pki, "server-ecdsa-new"), "the new certificate")
    told = served.wait_event("rotated: ")[-1]["event"]
    assert re.search(r"server\.(pem|key).*; generation \d+ serves new connections$", told), told
    assert refused(served) == 0
    assert not served.events("rotation refused: ")


def volume(folder, version, files):
    """A new version of a volume as Kubernetes mounts it: one link is swapped for all files."""
    data = folder / f"..{version}"
    data.mkdir(parents=True)
    for name, content in files.items():
        (data / name).write_bytes(content)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(data.name)
    os.rename(folder / "..data_tmp", folder / "..data")


def test_a_volume_whose_link_is_swapped_rotates_each_time(served):
    pki, folder = served.pki, served.folder / "volume"

    def files(server):
        return {"server.pem": pki[server].chain.read_bytes(), "server.key": pki[server].key.read_bytes(),
                "ca.pem": pki.client_ca.read_bytes(), "crl.pem": pki.crl.read_bytes()}
    volume(folder, "2026_01", files("server-ecdsa"))
    served.reload(mutual(served, folder))
    for version in range(2, 6):
        name = "server-ecdsa-new" if version % 2 == 0 else "server-ecdsa"
        volume(folder, f"2026_0{version}", files(name))
        shutil.rmtree(folder / f"..2026_0{version - 1}")
        in_force(lambda expected=name: shown(served) == leaf(pki, expected), f"version {version}")
    assert done(served) == 4
    assert refused(served) == 0


def test_a_link_above_the_folder_may_be_swapped(served):
    pki = served.pki
    for name, server in (("v1", "server-ecdsa"), ("v2", "server-ecdsa-new")):
        shutil.copytree(served.live, served.folder / name)
        shutil.copy(pki[server].chain, served.folder / name / "server.pem")
        shutil.copy(pki[server].key, served.folder / name / "server.key")
    (served.folder / "current").symlink_to("v1")
    served.reload(mutual(served, served.folder / "current"))
    (served.folder / "next").symlink_to("v2")
    os.rename(served.folder / "next", served.folder / "current")
    in_force(lambda: shown(served) == leaf(pki, "server-ecdsa-new"), "the new certificate")


def test_a_new_revocation_list_refuses_within_five_seconds(served):
    assert client.echoes(served.pki, served.port, "treasury")
    replace(served.live / "crl.pem", more_revoked(served.pki))
    in_force(lambda: is_revoked(served), "the new list")
    assert client.echoes(served.pki, served.port, "good")


def test_a_new_authority_admits_its_own_and_no_other(served):
    pki = served.pki
    replace(served.live / "ca.pem", pki["other-root"].leaf.read_bytes())
    replace(served.live / "crl.pem", pki.make_crl("other.crl", {"other-root": []}).read_bytes())
    in_force(lambda: done(served) > 0, "the new CA")
    assert client.echoes(pki, served.port, "wrong-ca")
    assert refusal(pki, served.port, "good").alert == 48


def test_a_new_script_decides(served):
    replace(served.live / "policy.lua", TREASURY)
    in_force(lambda: done(served) == 1, "the new script")
    assert refusal(served.pki, served.port, "good").alert == 49
    assert client.echoes(served.pki, served.port, "treasury")


def test_a_module_that_a_script_requires_is_watched(served):
    (served.live / "rules.lua").write_text("return { ou = 'payments' }\n")
    replace(served.live / "policy.lua", "local rules = require('rules')\n"
            "function on_authorize(conn) return conn.certificate.subject.OU == rules.ou, 'no' end\n")
    in_force(lambda: done(served) == 1, "the new script")
    assert client.echoes(served.pki, served.port, "good")
    replace(served.live / "rules.lua", "return { ou = 'treasury' }\n")
    in_force(lambda: done(served) == 2, "the new module")
    assert client.echoes(served.pki, served.port, "treasury")
    assert refusal(served.pki, served.port, "good").alert == 49


def test_a_module_that_a_script_lacks_is_waited_for(served):
    replace(served.live / "policy.lua", "require('later')\n" + TREASURY)
    wait_refused(served, "later")
    assert client.echoes(served.pki, served.port, "good")
    (served.live / "later.lua").write_text("return true\n")
    in_force(lambda: done(served) == 1, "the script with its module")
    assert client.echoes(served.pki, served.port, "treasury")


def test_a_broken_module_changes_nothing_in_any_worker(served):
    (served.live / "rules.lua").write_text("return { ou = 'payments' }\n")
    replace(served.live / "policy.lua", "local rules = require('rules')\n"
            "function on_authorize(conn) return conn.certificate.subject.OU == rules.ou, 'no' end\n")
    in_force(lambda: done(served) == 1, "the new script")
    replace(served.live / "rules.lua", "return {\n")
    replace(served.live / "crl.pem", more_revoked(served.pki))
    in_force(lambda: is_revoked(served), "the new list")
    wait_refused(served, "rules.lua:")
    for _ in range(8):
        assert client.echoes(served.pki, served.port, "good")


def test_a_new_error_page_is_sent(lb, origin):
    port, page = free_port(), lb.file("404.html", "old")
    lb.start(config.listener("web", port, protocol="http", route="path=/app -> app", error_page=f"404 {page}") +
             config.backend("app", origin(echo)))

    def body():
        with client.connect(port) as sock:
            sock.sendall(b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return client.read_all(sock).partition(b"\r\n\r\n")[2]
    assert body() == b"old"
    replace(page, "newer")
    in_force(lambda: body() == b"newer", "the new page")
    page.unlink()
    wait_refused(lb, "404.html")
    assert body() == b"newer"


def test_a_certificate_that_comes_to_a_folder_is_served_and_one_that_goes_is_not(served):
    pki, folder = served.pki, served.live / "servers"
    folder.mkdir()
    shutil.copy(pki["server-ecdsa"].chain, folder / "one.pem")
    shutil.copy(pki["server-ecdsa"].key, folder / "one.key")
    served.reload(served.text.replace(f"{served.live}/server.pem {served.live}/server.key", str(folder)))
    shutil.copy(pki["server-ecdsa-new"].key, folder / "0.key")
    shutil.copy(pki["server-ecdsa-new"].chain, folder / "0.pem")
    in_force(lambda: shown(served) == leaf(pki, "server-ecdsa-new"), "the certificate that came")
    (folder / "0.pem").unlink()
    (folder / "0.key").unlink()
    in_force(lambda: shown(served) == leaf(pki, "server-ecdsa"), "the one that is left")
    assert refused(served) == 0


def test_a_certificate_that_has_lost_a_name_does_not_take_the_rules_of_the_name_along(lb, pki, origin):
    pair = {name: pki.issue(f"rules-{name}", pki["server-root"], usage=(SERVER,), san=[x509.DNSName(name)])
            for name in ("b.test", "a.test")}
    port = free_port()
    folder = lb.folder / "lost"
    folder.mkdir()

    def put(identity):
        replace(folder / "pair.pem", identity.chain.read_bytes() + identity.key.read_bytes())
    put(pair["b.test"])
    kept = f"{pair['b.test'].chain} {pair['b.test'].key}"
    lb.start(config.listener("main", port, tls="one-way", certificate=folder / "pair.pem", backend="app") +
             config.listener("other", free_port(), tls="one-way", certificate=kept, backend="app") +
             config.section("certificate b.test", tls="mutual", client_ca=pki.client_ca) +
             config.backend("app", origin(echo)))
    assert refusal(pki, port, None, name="b.test").alert == 116
    put(pair["a.test"])
    wait_refused(lb, "[listener main]: no certificate has the name b.test any more")
    assert refusal(pki, port, None, name="b.test").alert == 116


def test_a_list_that_goes_from_a_folder_does_not_let_in_whom_it_revokes(served):
    pki, folder = served.pki, served.live / "lists"
    folder.mkdir()
    lists = {name: pki.make_crl(f"folder-{name}.crl", {name: [pki[revoked]]}).read_bytes()
             for name, revoked in (("root", "treasury"), ("intermediate", "good-chained"))}
    for name, content in lists.items():
        (folder / f"{name}.crl").write_bytes(content)
    served.reload(served.text.replace(f"{served.live}/crl.pem", str(folder)))
    assert is_revoked(served) and is_revoked(served, "good-chained")
    replace(folder / "newer.crl", lists["root"])
    (folder / "root.crl").unlink()
    in_force(lambda: done(served) >= 1 and served.events("rotated: "), "the list has another name")
    (folder / "intermediate.crl").unlink()
    wait_refused(served, "intermediate.crl is gone")
    assert is_revoked(served) and is_revoked(served, "good-chained")


def test_connections_outlive_a_rotation(served):
    with client.tls(served.pki, served.port, "good") as held:
        assert client.ask(held) == b"ping"
        by_rename(served, served.pki["server-ecdsa-new"])
        in_force(lambda: shown(served) == leaf(served.pki, "server-ecdsa-new"), "the new certificate")
        assert client.ask(held) == b"ping"


def test_live_connections_are_judged_by_the_new_list(served):
    served.reload(mutual(served, served.live, reauthorize="yes"))
    with client.tls(served.pki, served.port, "treasury") as revoked, client.tls(served.pki, served.port, "good") as good:
        assert client.ask(revoked) == client.ask(good) == b"ping"
        replace(served.live / "crl.pem", more_revoked(served.pki))
        revoked.settimeout(PROMISE)
        with pytest.raises(ssl.SSLError) as ended:
            revoked.recv(1)
        assert client.alert_of(ended.value) == 49
        assert client.ask(good) == b"ping"


def test_old_generations_are_freed_after_rotations(served):
    for number in range(3):
        replace(served.live / "policy.lua", f"-- {number}\n{ALLOW}")
        in_force(lambda expected=number + 1: done(served) == expected, "the new script")
    until(lambda: served.metric("lb_generations") == 1, "one generation")


# --- what is no change costs nothing --------------------------------------------------------------------------------------

def test_a_touched_file_makes_no_generation(served):
    for name in DELETED:
        os.utime(served.live / name)
        replace(served.live / name, (served.live / name).read_bytes())
    replace(served.live / "policy.lua", TREASURY)
    in_force(lambda: done(served) == 1, "the change that follows")
    assert generation(served) == 2
    told = served.wait_event("rotated: ")
    assert len(told) == 1 and "server" not in told[0]["event"] and "ca.pem" not in told[0]["event"], told


def test_many_rewrites_in_a_row_make_few_generations(served):
    for number in range(20):
        replace(served.live / "policy.lua", f"-- {number}\n{TREASURY}")
    in_force(lambda: done(served) > 0, "the last script")
    until(lambda: refusal(served.pki, served.port, "good").alert == 49, "the last script")
    replace(served.live / "crl.pem", more_revoked(served.pki))
    in_force(lambda: is_revoked(served), "the list that follows")
    assert generation(served) <= 4


def test_a_file_that_nothing_names_changes_nothing(served):
    (served.live / "unused.pem").write_text("x")
    replace(served.live / "policy.lua", TREASURY)
    in_force(lambda: done(served) == 1, "the change that follows")
    assert generation(served) == 2


def test_what_a_reload_has_read_already_is_not_rotated_again(served):
    replace(served.live / "policy.lua", TREASURY)
    served.reload()
    replace(served.live / "crl.pem", more_revoked(served.pki))
    in_force(lambda: is_revoked(served), "the list that follows")
    assert done(served) == 1
    assert "policy.lua" not in served.wait_event("rotated: ")[0]["event"]


# --- the configuration itself ---------------------------------------------------------------------------------------------

def test_a_rotation_does_not_take_up_an_edited_configuration(served):
    served.write(served.text.replace("[listener main]", "[listener renamed]"))
    replace(served.live / "policy.lua", TREASURY)
    in_force(lambda: done(served) == 1, "the new script")
    assert served.metric("lb_reloads_total", result="done") == 0
    assert refusal(served.pki, served.port, "good").alert == 49
    assert served.wait_connections(1, listener="main")


def test_a_rotation_works_while_the_configuration_on_disk_is_broken(served):
    served.write("what is this\n")
    replace(served.live / "crl.pem", more_revoked(served.pki))
    in_force(lambda: is_revoked(served), "the new list")


def watched_folders(lb):
    """How many the kernel watches for lb."""
    return sum(info.read_text().count("inotify wd:") for info in Path(f"/proc/{lb.process.pid}/fdinfo").iterdir())


def test_watch_no_leaves_everything_to_reloads(served):
    assert watched_folders(served) > 0
    served.write(served.text, watch="no")
    served.reload()
    until(lambda: watched_folders(served) == 0, "the kernel to watch nothing")
    replace(served.live / "policy.lua", TREASURY)
    assert client.echoes(served.pki, served.port, "good")
    served.reload()
    assert refusal(served.pki, served.port, "good").alert == 49
    assert done(served) == 0


def test_watch_yes_reloads_an_edited_configuration(served):
    served.write(served.text, watch="yes")
    served.reload()
    served.write(served.text.replace("[listener main]", "[listener renamed]"))
    in_force(lambda: served.metric("lb_reloads_total", result="done") == 2, "the reload")
    assert client.echoes(served.pki, served.port, "good")
    assert served.wait_connections(1, listener="renamed")


def test_watch_yes_takes_up_a_file_that_comes_to_the_folder(lb, origin):
    folder, behind = lb.folder / "conf.d", origin(echo)
    folder.mkdir()
    first, second = free_port(), free_port()
    lb.write(config.plain(first, behind), watch="yes")
    shutil.move(lb.ini, folder / "10.ini")
    lb.start(arguments=["-f", folder])
    (folder / "20.ini.new").write_text(config.plain(second, behind, name="second"))
    os.rename(folder / "20.ini.new", folder / "20.ini")

    def answers():
        try:
            with client.connect(second) as sock:
                return client.ask(sock) == b"ping"
        except OSError:
            return False
    in_force(answers, "the second listener")
    (folder / "notes.txt").write_text("x")
    (folder / "20.ini").unlink()
    in_force(lambda: not answers(), "its end")
    assert lb.metric("lb_reloads_total", result="done") == 2


def test_watch_yes_takes_up_a_volume_whose_link_is_swapped(lb, origin):
    folder, behind, ports = lb.folder / "conf.d", origin(echo), [free_port(), free_port()]
    head = lb.write("", watch="yes").read_text()
    volume(folder, "2026_01", {"lb.ini": (head + config.plain(ports[0], behind)).encode()})
    lb.start(arguments=["-f", folder])
    for version in range(2, 5):
        port = ports[version % 2]
        volume(folder, f"2026_0{version}", {"lb.ini": (f"{head}# {version}\n" + config.plain(port, behind)).encode()})
        in_force(lambda expected=version - 1: lb.metric("lb_reloads_total", result="done") == expected, f"version {version}")
        with client.connect(port) as sock:
            assert client.ask(sock) == b"ping"


def test_watch_yes_waits_for_a_file_that_the_new_configuration_names(served):
    """As when a ConfigMap arrives before its Secret."""
    served.write(served.text, watch="yes")
    served.reload()
    served.write(served.text.replace("policy.lua", "new.lua"))
    time.sleep(1)  # what the other volume takes
    (served.live / "new.lua").write_text(TREASURY)
    in_force(lambda: served.metric("lb_reloads_total", result="done") == 2, "the reload")
    assert refusal(served.pki, served.port, "good").alert == 49
    assert served.metric("lb_reloads_total", result="refused") == 0


def test_watch_yes_refuses_a_broken_configuration_once_and_goes_on(served):
    served.write(served.text, watch="yes")
    served.reload()
    served.write(served.text + "what is this\n")
    until(lambda: served.metric("lb_reloads_total", result="refused") == 1, "the refusal")
    assert len(served.wait_event("reload refused")) == 1
    assert client.echoes(served.pki, served.port, "good")
    served.write(served.text + "# better\n")
    in_force(lambda: served.metric("lb_reloads_total", result="done") == 2, "the reload")


def test_watch_yes_does_not_reload_twice_what_a_signal_has_loaded(served):
    served.write(served.text, watch="yes")
    served.reload()
    served.reload(served.text + "# by signal\n")
    served.write(served.text + "# by itself\n")
    in_force(lambda: served.metric("lb_reloads_total", result="done") >= 3, "the reload")
    assert served.metric("lb_reloads_total", result="done") == 3
