"""Processes of a run: started on one CPU, measured from /proc, ended by their id."""
import os
import pathlib
import select
import socket
import subprocess
import time


class Failure(Exception):
    """The run cannot go on, or its figures cannot be trusted."""


def free_ports(count):
    """Ports of 127.0.0.1 below the range that connections take their own ports from."""
    ports, held = [], []
    for port in range(21000, 32000):
        sock = socket.socket()
        try:
            sock.bind(("127.0.0.1", port))
            held.append(sock)
            ports.append(port)
        except OSError:
            sock.close()
        if len(ports) == count:
            break
    for sock in held:
        sock.close()
    if len(ports) < count:
        raise Failure("no free ports between 21000 and 32000 on 127.0.0.1")
    return ports


class Process:
    """A program on one CPU, with its standard input and output as pipes and its errors in a file."""

    def __init__(self, command, cpu, errors, environment=None):
        self.name = pathlib.Path(command[0]).name
        self.errors = errors
        self.output = b""
        with open(errors, "ab") as err:
            self.child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                env={**os.environ, **(environment or {})}, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))

    def line(self, timeout):
        """The next line of its output."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self.output:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                raise Failure(f"{self.name} did not answer in {timeout} s: {self.said()}")
            got = os.read(self.child.stdout.fileno(), 65536)
            if not got:
                raise Failure(f"{self.name} ended: {self.said()}")
            self.output += got
        line, self.output = self.output.split(b"\n", 1)
        return line.decode()

    def say(self, text):
        self.child.stdin.write(text.encode())
        self.child.stdin.flush()

    def said(self):
        """The end of what it wrote to its standard error."""
        return pathlib.Path(self.errors).read_text(errors="replace")[-1000:].strip() or "(it said nothing)"

    def end(self):
        """Ends its input, then asks, then kills."""
        for step in (self.child.stdin.close, self.child.terminate, self.child.kill):
            try:
                step()
                self.child.wait(3)
                break
            except (OSError, subprocess.TimeoutExpired):
                continue
        self.child.stdout.close()


class Proxy(Process):
    """A program under measurement: ended by a signal, since nothing reads its standard input."""

    def __init__(self, command, cpu, errors, ports, environment=None):
        super().__init__(command, cpu, errors, environment)
        self.cpu = cpu
        for port in ports:
            self._wait_for(port)
        time.sleep(0.1)
        self._check_cpu()

    def _wait_for(self, port):
        deadline = time.monotonic() + 10
        while True:
            if self.child.poll() is not None:
                raise Failure(f"{self.name} ended with {self.child.returncode}: {self.said()}")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise Failure(f"{self.name} does not listen on {port}: {self.said()}") from error
                time.sleep(0.05)

    def _check_cpu(self):
        for pid in self.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                if os.sched_getaffinity(int(task)) != {self.cpu}:
                    raise Failure(f"{self.name}: thread {task} left CPU {self.cpu}")

    def pids(self):
        """Its process and all below it."""
        found, todo = [], [self.child.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for task in os.listdir(f"/proc/{pid}/task"):
                todo += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
        return found

    def cpu_seconds(self):
        """What all its threads have used so far, and how long they waited for the CPU; exact to the nanosecond."""
        used = waited = 0
        for pid in self.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                fields = pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()
                used, waited = used + int(fields[0]), waited + int(fields[1])
        return used / 1e9, waited / 1e9

    def cpu_ticks(self):
        """(user, kernel) so far, in ticks of the clock: for shares, over a time that is long enough."""
        stats = (pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in self.pids())
        return tuple(map(sum, zip(*((int(fields[11]), int(fields[12])) for fields in stats))))

    def rss_kb(self):
        """Resident memory of all its processes (the counters of /proc/PID/status are too coarse)."""
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Rss:"):
                    total += int(line.split()[1])
        return total

    def end(self):
        self.child.terminate()
        try:
            self.child.wait(3)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait(3)
        super().end()
