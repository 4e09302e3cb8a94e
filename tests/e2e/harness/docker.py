"""Builds the image and runs containers of it, with the `docker` command."""
import http.client
import json
import os
import shutil
import subprocess
import uuid

from harness.product import ROOT
from harness.waiting import SECONDS, until

BASE = "debian:trixie-slim"
IMAGE = "lb-test"
HARDENED = ("--read-only", "--tmpfs", "/run/lb", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
# How this machine fetches packages; containers that build must do the same. Nothing else of apt's settings matters there.
FETCHING = ("Acquire::http", "Acquire::Retries", "Acquire::ForceIP", "Acquire::Check-")


def docker(*arguments, check=True, timeout=60 + SECONDS, **keys):
    done = subprocess.run(["docker", *map(str, arguments)], capture_output=True, text=True, errors="replace", check=False,
                          timeout=timeout, **keys)
    assert not check or done.returncode == 0, f"docker {arguments[0]}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def why_not():
    """Why nothing with Docker can be tested here; empty if it can."""
    if not shutil.which("docker"):
        return "there is no docker command"
    asked = docker("info", check=False)
    if asked.returncode != 0 or "Server Version" not in asked.stdout:
        return "no Docker engine answers: " + (asked.stderr.strip().splitlines() or ["docker info fails"])[-1]
    if docker("image", "inspect", BASE, check=False).returncode != 0 and \
            docker("pull", BASE, check=False, timeout=300).returncode != 0:
        return f"the image {BASE} is not here and cannot be pulled"
    return ""


def base_image(folder):
    """The image to build from: Debian's, with this machine's way to its packages if that is a special one."""
    if not shutil.which("apt-config"):
        return BASE
    settings = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout.splitlines()
    special = [line for line in settings if line.startswith(FETCHING)]
    if not special:
        return BASE
    (folder / "host.conf").write_text("\n".join(special) + "\n")
    (folder / "Dockerfile").write_text(f"FROM {BASE}\nCOPY host.conf /etc/apt/apt.conf.d/99host\n")
    docker("build", "-t", f"{IMAGE}-base", folder)
    return f"{IMAGE}-base"


def copy_tree(folder):
    """A copy of what the image and the compose file need, so that a test may edit it. Gives its path."""
    tree = folder / "tree"
    for name in ("docker", "certs", "scripting", "lb"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("dev", "__pycache__", "*.o"))
    for name in ("Makefile", ".dockerignore"):
        shutil.copy2(ROOT / name, tree / name)
    # The user that lb runs as must get at what is mounted.
    for above in (folder, folder.parent):
        above.chmod(0o755)
    return tree


def build(tree, base, *arguments, tag=IMAGE):
    """The image's id. The network is the host's: a mirror may be reached from there only."""
    docker("build", "--force-rm", "--network", "host", "--build-arg", f"BASE={base}", "-f", tree / "docker/Dockerfile",
           "-t", tag, *arguments, tree, timeout=900)
    return docker("image", "inspect", "-f", "{{.Id}}", tag).stdout.strip()


class Container:
    """lb in a container. `ports` of it are reachable at self.port(PORT)."""

    def __init__(self, *options, ports=(), conf_d=None, command=()):
        self.name = f"lb-test-{uuid.uuid4().hex[:12]}"
        published = [word for port in ports for word in ("-p", f"127.0.0.1::{port}")]
        mounted = ["-v", f"{conf_d}:/etc/lb/conf.d:ro"] if conf_d else []
        docker("run", "-d", "--name", self.name, *published, *mounted, *options, IMAGE, *command)

    def remove(self):
        docker("rm", "-f", "-v", self.name, check=False)

    def exec(self, *command, check=True):
        return docker("exec", self.name, *command, check=check)

    def logs(self):
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def wait_log(self, word, count=1):
        until(lambda: self.logs().count(word) >= count, lambda: f'{count} x "{word}" in\n{self.logs()}', interval=0.1)
        return self

    def serving(self):
        return self.wait_log("serving")

    def state(self):
        return json.loads(docker("inspect", "-f", "{{json .State}}", self.name).stdout)

    def wait_health(self, expected):
        until(lambda: self.state()["Health"]["Status"] == expected,
              lambda: f"{expected}: {self.state()['Health']}\n{self.logs()}", interval=0.2, seconds=3 * SECONDS)

    def wait_exit(self):
        return int(docker("wait", self.name).stdout)

    def hup(self):
        docker("kill", "-s", "HUP", self.name)

    def port(self, inside):
        return int(docker("port", self.name, inside).stdout.split()[0].rsplit(":", 1)[1])

    def get(self, inside):
        """The text served at a port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port(inside), timeout=SECONDS)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        finally:
            connection.close()


def compose_command():
    """What is installed of `docker compose` and the older `docker-compose`; None without any."""
    if docker("compose", "version", check=False).returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


class Compose:
    """docker/compose.yml of a tree, published on two ports of the host."""

    def __init__(self, tree, base, ports):
        self.tree = tree
        self.command = [*compose_command(), "-p", f"lb-test-{uuid.uuid4().hex[:8]}", "-f", str(tree / "docker/compose.yml")]
        self.environment = {**os.environ, "LB_IMAGE": IMAGE, "BASE": base, "ONE_WAY_PORT": str(ports[0]),
                            "MUTUAL_PORT": str(ports[1])}

    def __call__(self, *arguments, check=True, text=True):
        done = subprocess.run([*self.command, *arguments], capture_output=True, text=text, check=False, env=self.environment,
                              timeout=600, stdin=subprocess.DEVNULL)
        assert not check or done.returncode == 0, f"compose {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def down(self):
        self("down", "-v", "-t", "5", check=False)
