"""Node.js as a client and as a server: scripts of tests/e2e/node, in processes of their own."""
import json
import subprocess
from pathlib import Path

from harness.ports import free_port
from harness.waiting import SECONDS

FOLDER = Path(__file__).resolve().parents[1] / "node"


class Node:
    """A server: node SCRIPT PORT. It prints one JSON text a line; `said` has them."""

    def __init__(self, script, *arguments):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.lines = []
        self.process = subprocess.Popen(["node", str(FOLDER / script), str(self.port), *map(str, arguments)],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().strip() == '"listening"'

    def said(self):
        """Ends it; everything it said."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=SECONDS)
        return [json.loads(line) for line in out.splitlines()]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def run(script, *arguments, timeout=3 * SECONDS):
    """A client: node SCRIPT ARGUMENTS... to its end; what it printed, as JSON."""
    done = subprocess.run(["node", str(FOLDER / script), *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
