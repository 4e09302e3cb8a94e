"""Runs lb and looks at what it says: log, exit code, admin socket."""
import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

from harness.waiting import PATIENCE, SECONDS, until

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("LB_BINARY", ROOT / "build/release/lb")).resolve()
REPORTS = re.compile(r"Sanitizer|runtime error:|Assertion|assertion|LeakSan|stack smashing|buffer overflow detected")
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8",
               "ASAN_OPTIONS": "detect_leaks=1:exitcode=99:abort_on_error=0:quarantine_size_mb=64:" + os.environ.get("ASAN_OPTIONS", ""),
               "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99:" + os.environ.get("UBSAN_OPTIONS", ""),
               "TSAN_OPTIONS": "exitcode=99:" + os.environ.get("TSAN_OPTIONS", "")}


def is_sanitized():
    return any(flavor in str(BINARY) for flavor in ("asan", "tsan"))


def run_lb(*arguments, cwd=None, env=None, timeout=60 + SECONDS):
    """lb with arguments, to its end."""
    done = subprocess.run([str(BINARY), *map(str, arguments)], cwd=cwd, env={**ENVIRONMENT, **(env or {})},
                          capture_output=True, text=True, errors="replace", timeout=timeout, check=False)
    assert done.returncode >= 0, f"lb was ended by signal {-done.returncode}:\n{done.stderr}"
    assert not REPORTS.search(done.stderr), done.stderr
    return done


class Lb:
    """One running lb with a folder of its own; `ini` is its configuration without [global]."""

    def __init__(self, folder, **global_keys):
        self.folder = Path(folder)
        self.ini, self.log, self.admin = self.folder / "lb.ini", self.folder / "lb.log", self.folder / "admin"
        self.stderr_path, self.stdout_path = self.folder / "stderr", self.folder / "stdout"
        self.global_keys = {"workers": 2, "admin": f"unix:{self.admin}", "log": self.log, "log-format": "json",
                            "shutdown-timeout": "2s"}
        self.global_keys.update({key.replace("_", "-"): value for key, value in global_keys.items()})
        self.process = None
        self.expected_exit = 0

    def write(self, text, **global_keys):
        """Writes the configuration; takes effect at start or reload."""
        self.global_keys.update({key.replace("_", "-"): value for key, value in global_keys.items()})
        lines = [f"{key} = {value}" for key, value in self.global_keys.items() if value is not None]
        self.ini.write_text("[global]\n" + "\n".join(lines) + "\n\n" + text)
        return self.ini

    def file(self, name, text):
        """A file in lb's folder, for scripts and the like."""
        path = self.folder / name
        path.write_text(text)
        return path

    def start(self, text=None, *, arguments=None, wait=True, cwd=None, nofile=None, stdout=None):
        if text is not None:
            self.write(text)
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))) if nofile else None
        with open(self.stderr_path, "ab") as err, open(self.stdout_path, "ab") as out:
            self.process = subprocess.Popen(
                [str(BINARY), *(map(str, arguments) if arguments is not None else ["-f", str(self.ini)])],
                stdin=subprocess.DEVNULL, stdout=stdout if stdout is not None else out, stderr=err, env=ENVIRONMENT,
                cwd=cwd or self.folder, preexec_fn=limit)
        if wait and self.global_keys["log-format"] == "text":
            until(lambda: "serving" in self.log_text(), lambda: f"lb to serve:\n{self.stderr()}\n{self.log_text()}")
        elif wait:
            self.wait_event("serving")
        return self

    # --- the log ---------------------------------------------------------------------------------------------

    def log_text(self):
        return self.log.read_text(errors="surrogateescape") if self.log.exists() else ""

    def log_lines(self):
        """Every complete line of the log; each must be JSON."""
        return [json.loads(line) for line in self.log_text().split("\n")[:-1]]

    def events(self, word="", level=None):
        return [line for line in self.log_lines()
                if "event" in line and word in line["event"] and level in (None, line["level"])]

    def connections(self, **fields):
        return [line for line in self.log_lines()
                if "listener" in line and all(line.get(key) == value for key, value in fields.items())]

    def wait_event(self, word, count=1, level=None):
        def enough():
            found = self.events(word, level)
            assert found[count - 1:] or self.process is None or self.process.poll() is None, \
                f"lb ended with {self.process.returncode}:\n{self.stderr()}\n{self.log_text()}"
            return found[count - 1:] and found
        return until(enough, lambda: f'event "{word}" in\n{self.stderr()}\n{self.log_text()[-4000:]}')

    def wait_connections(self, count=1, **fields):
        """The log lines of that many connections that have ended."""
        def enough():
            found = self.connections(**fields)
            return found if len(found) >= count else None
        return until(enough, lambda: f"{count} connections {fields} in\n{self.log_text()[-4000:]}")

    def wait_connection(self, **fields):
        found = self.wait_connections(1, **fields)
        assert len(found) == 1, found
        return found[0]

    # --- asking and telling --------------------------------------------------------------------------------------

    def ctl(self, *command, check=True):
        done = run_lb("ctl", "-s", f"unix:{self.admin}", *command)
        assert not check or done.returncode == 0, f"lb ctl {command}: {done.returncode}\n{done.stderr}"
        return done.stdout

    def metrics(self):
        """{(name, frozenset of (label, value)): number}"""
        found = {}
        for line in self.ctl("metrics").splitlines():
            if not line or line.startswith("#"):
                continue
            match = re.fullmatch(r'([a-z_]+)(?:\{(.*)\})? (\S+)(?: \d+)?', line)
            assert match, f"not a line of metrics: {line!r}"
            labels = re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match[2] or "")
            found[match[1], frozenset(labels)] = float(match[3])
        return found

    def metric(self, name, **labels):
        """One number; 0 for a counter that is not listed."""
        return self.metrics().get((name, frozenset(labels.items())), 0)

    def wait_metric(self, value, name, **labels):
        until(lambda: self.metric(name, **labels) == value,
              lambda: f"{name}{labels} is {self.metric(name, **labels)}, not {value}")

    def signal(self, number):
        self.process.send_signal(number)
        if "tsan" in str(BINARY):
            self._wake_for_thread_sanitizer()

    def _wake_for_thread_sanitizer(self):
        """ThreadSanitizer puts signals off, and can lose sight of one that comes right before its thread waits in
        epoll (so it does in five lines of libuv, too): anything that wakes the loop brings it back."""
        time.sleep(0.05)
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.connect(str(self.admin))

    def reload(self, text=None, expect="reload done"):
        """Reloads and waits for the result; gives the error events that came with it."""
        if text is not None:
            self.write(text)
        before = len(self.events())
        results = len(self.events("reload done")) + len(self.events("reload refused"))
        self.signal(signal.SIGHUP)
        until(lambda: len(self.events("reload done")) + len(self.events("reload refused")) > results,
              lambda: f"end of a reload in\n{self.stderr()}\n{self.log_text()[-4000:]}")
        new = self.events()[before:]
        said = [event["event"] for event in new if "reload done" in event["event"] or
                "reload refused" in event["event"]]
        assert expect in said[0], "\n".join(event["event"] for event in new)
        return [event["event"] for event in new if event["level"] == "error"]

    def rss(self):
        """Resident memory, bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("lb has ended")

    def descriptors(self):
        """What is open, without /dev/null, which libuv opens once in each thread when it likes."""
        folder = f"/proc/{self.process.pid}/fd"
        found = []
        for name in os.listdir(folder):
            try:
                found.append(os.readlink(f"{folder}/{name}"))
            except FileNotFoundError:
                pass
        return sorted(one for one in found if one != "/dev/null")

    def wait_descriptors(self, expected):
        """Until as many are open as in `expected`: nothing leaked."""
        until(lambda: len(self.descriptors()) == len(expected),
              lambda: f"{len(expected)} descriptors, open are {self.descriptors()}")

    # --- the end -------------------------------------------------------------------------------------------------

    def stderr(self):
        return self.stderr_path.read_text(errors="replace") if self.stderr_path.exists() else ""

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def wait_exit(self, seconds=None):
        """The exit code."""
        return self.process.wait(seconds or SECONDS + 10)

    def stop(self):
        """Stops and checks that lb lived until then and ended in order."""
        if self.process is None:
            return
        ended_before = self.process.poll()
        if ended_before is None:
            self._end()
        assert not REPORTS.search(self.stderr()), self.stderr()
        if ended_before is not None:
            assert ended_before == self.expected_exit, f"lb ended by itself with {ended_before}:\n{self.stderr()}"
        else:
            assert self.process.returncode == 0, f"lb stopped with {self.process.returncode}:\n{self.stderr()}"

    def _end(self):
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(3 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGTERM)
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"lb did not stop:\n{self.stderr()}\n{self.log_text()[-2000:]}") from None
