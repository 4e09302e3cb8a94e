"""The log: complete lines, never forged, and never a reason to wait."""
import json
import os
import re
import signal

import pytest

from harness import client, config
from harness.client import refusal
from harness.ports import free_port
from harness.product import run_lb
from harness.waiting import scaled, until

FIELDS = {"time", "listener", "client", "tls", "cipher", "group", "signature", "resumed", "sni", "subject", "serial",
          "sha256", "decision", "reason", "text", "backend", "server", "bytes_in", "bytes_out", "handshake_us", "script_us", "connect_us",
          "total_us", "close", "generation"}


def test_a_stuck_reader_of_the_log_holds_up_nobody_and_lost_lines_are_counted(lb, behind):
    port = free_port()
    stuck_read, stuck_write = os.pipe()
    lb.write(config.plain(port, behind), log="stdout")
    lb.start(wait=False, stdout=stuck_write)
    os.close(stuck_write)
    until(lambda: connects(port), "lb to accept")

    def dropped():
        for _ in range(500):
            with client.connect(port) as sock:
                assert client.ask(sock) == b"ping"
        return lb.metric("lb_log_dropped_total") > 0
    until(dropped, "lines to be lost", seconds=90)
    with client.connect(port) as sock:
        assert client.ask(sock) == b"ping"
    lb.stop()
    os.close(stuck_read)


def connects(port):
    try:
        client.connect(port, timeout=1).close()
        return True
    except OSError:
        return False


def test_a_closed_pipe_as_log_does_not_end_lb(lb, behind):
    port = free_port()
    read_end, write_end = os.pipe()
    lb.write(config.plain(port, behind), log="stdout")
    lb.start(wait=False, stdout=write_end)
    os.close(write_end)
    os.close(read_end)
    until(lambda: connects(port), "lb to accept")
    for _ in range(20):
        with client.connect(port) as sock:
            assert client.ask(sock) == b"ping"
    assert lb.is_running()


@pytest.mark.parametrize("identity", ["newline-in-name", "nul-in-name", "good-odd-name", "good-long-name"])
@pytest.mark.parametrize("format_", ["json", "text"])
def test_a_name_in_a_certificate_cannot_forge_a_line(lb, pki, behind, identity, format_):
    port = free_port()
    lb.write(config.mutual(pki, port, behind), log_format=format_)
    lb.start()
    before = len(lb.log_text().splitlines())
    try:
        client.echoes(pki, port, identity)
    except client.Refused:
        pass
    until(lambda: len(lb.log_text().splitlines()) > before, "a line")
    with client.connect(port):
        pass
    until(lambda: len(lb.log_text().splitlines()) > before + 1, "a second line")
    lines = lb.log_text().splitlines()[before:]
    assert len(lines) == 2
    for line in lines:
        assert not re.search(r"[\x00-\x1f\x7f]", line)
        if format_ == "json":
            assert json.loads(line)["listener"] == "main"
        else:
            assert re.match(r"(time=)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", line)


def test_a_json_line_has_every_field(lb, pki, behind):
    port = free_port()
    lb.start(config.mutual(pki, port, behind))
    assert client.echoes(pki, port, "good")
    refusal(pki, port, "expired")
    for line in lb.wait_connections(2):
        assert FIELDS <= set(line), FIELDS - set(line)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["time"])
        assert re.fullmatch(r"127\.0\.0\.1:\d+", line["client"])
        for number in ("bytes_in", "bytes_out", "handshake_us", "script_us", "connect_us", "total_us", "generation"):
            assert isinstance(line[number], int) and line[number] >= 0
        assert line["total_us"] >= line["handshake_us"]


def test_a_text_line_says_who_and_why(lb, pki, behind):
    port = free_port()
    lb.write(config.mutual(pki, port, behind), log_format="text")
    lb.start()
    assert client.echoes(pki, port, "good")
    refusal(pki, port, "expired")
    until(lambda: "certificate-expired" in lb.log_text(), "the line of the refused client")
    expired = next(line for line in lb.log_text().splitlines() if "certificate-expired" in line)
    assert "main" in expired and "127.0.0.1:" in expired and "expired" in expired
    until(lambda: re.search(r"CN=good.*", lb.log_text()), "the line of the served client")


def test_events_have_time_level_and_text(lb, behind):
    lb.start(config.plain(free_port(), behind))
    for event in lb.events():
        assert set(event) >= {"time", "level", "event"}
        assert event["level"] in ("debug", "info", "warning", "error")


def test_sigusr1_goes_on_in_a_new_file_and_loses_nothing(lb, behind):
    port, count = free_port(), scaled(60, 20)
    lb.start(config.plain(port, behind))
    texts = []
    for number in range(3):
        for _ in range(count):
            with client.connect(port) as sock:
                client.ask(sock)
        if number < 2:
            moved = lb.folder / f"moved{number}"
            lb.log.rename(moved)
            lb.signal(signal.SIGUSR1)
            until(lb.log.exists, "a new log file")
            texts.append(moved)
    texts.append(lb.log)
    until(lambda: sum(text.read_text().count('"listener"') for text in texts) == 3 * count, "every line in some file")
    assert all(json.loads(line) for text in texts for line in text.read_text().splitlines())


def test_a_changed_log_takes_effect_at_reload(lb, behind):
    port = free_port()
    text = config.plain(port, behind)
    lb.start(text)
    old, new = lb.log, lb.folder / "new.log"
    lb.write(text, log=new)
    lb.signal(signal.SIGHUP)
    until(lambda: new.exists() or "reload done" in old.read_text(), "the reload")
    with client.connect(port) as sock:
        client.ask(sock)
    until(lambda: new.exists() and '"listener"' in new.read_text(), "the line in the new file")
    assert '"listener"' not in old.read_text()


def test_a_log_that_cannot_be_opened_refuses_to_start(lb, behind):
    lb.write(config.plain(free_port(), behind), log="/nowhere/lb.log")
    done = run_lb("run", "-f", lb.ini)
    assert done.returncode in (1, 3)
    assert "/nowhere/lb.log" in done.stderr


def test_log_no_writes_only_events(lb, behind):
    port = free_port()
    lb.start(config.plain(port, behind, log="no"))
    with client.connect(port) as sock:
        client.ask(sock)
    until(lambda: lb.metric("lb_connections_ended_total", listener="main", reason="finished") == 1, "the end")
    lb.reload(None)
    assert not lb.connections()


def test_quiet_level_leaves_out_what_is_less(lb, behind):
    lb.write(config.plain(free_port(), behind), log_level="warning")
    lb.start(wait=False)
    until(lambda: lb.admin.exists(), "the admin socket")
    lb.ctl("status")
    assert not lb.events(level="info")


def test_a_full_disk_for_the_log_stops_no_traffic(lb, behind):
    port = free_port()
    lb.write(config.plain(port, behind), log="/dev/full")
    lb.start(wait=False)
    until(lb.admin.exists, "the admin socket")
    until(lambda: b"main" in os.fsencode(lb.ctl("status", check=False)), "lb to serve")
    for _ in range(50):
        with client.connect(port) as sock:
            assert client.ask(sock) == b"ping"
    until(lambda: lb.metric("lb_log_dropped_total") >= 50, "the lost lines to be counted")


def test_a_log_that_cannot_be_opened_again_goes_on_in_the_old_file(lb, behind):
    port, target = free_port(), lb.folder / "gone"
    text = config.plain(port, behind)
    lb.start(text)
    target.mkdir()
    lb.write(text, log=target / "lb.log")
    lb.signal(signal.SIGHUP)
    until((target / "lb.log").exists, "the new log")
    for path in target.iterdir():
        path.rename(lb.folder / "moved.log")
    target.rmdir()
    lb.signal(signal.SIGUSR1)
    with client.connect(port) as sock:
        assert client.ask(sock) == b"ping"
    until(lambda: '"listener"' in (lb.folder / "moved.log").read_text(), "the line in the file that is still open")
    assert all(json.loads(line) for line in (lb.folder / "moved.log").read_text().splitlines())
