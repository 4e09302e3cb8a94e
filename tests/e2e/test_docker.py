"""The image and the compose file, on a real Docker engine."""
import io
import shutil
import socket
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from harness import docker as engine
from harness.config import listener, section
from harness.docker import HARDENED, IMAGE, Compose, Container, docker
from harness.origin import read_all
from harness.ports import free_ports
from harness.product import is_sanitized
from harness.waiting import SECONDS, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200),
              pytest.mark.skipif(is_sanitized(), reason="the image has a binary of its own")]
FAST = ("--health-interval", "1s", "--health-start-period", "1s", "--health-retries", "1")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    why = engine.why_not()
    if why:
        pytest.skip(why)
    return engine.base_image(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def tree(base, tmp_path_factory):
    return engine.copy_tree(tmp_path_factory.mktemp("docker"))


@pytest.fixture(scope="module")
def image(tree, base):
    return engine.build(tree, base)


@pytest.fixture
def run(image):
    """run(...) is a Container that is removed after the test."""
    running = []

    def start(*options, **keys):
        running.append(Container(*options, **keys))
        return running[-1]

    yield start
    for one in running:
        one.remove()


@pytest.fixture
def conf_d(folder):
    """conf_d(text) writes the only file of a folder that lb's user may read, and gives the folder."""
    def write(text, **keys):
        made = Path(folder) / "conf.d"
        made.mkdir(exist_ok=True)
        made.parent.chmod(0o755)
        made.chmod(0o755)
        file = made / "lb.ini"
        file.write_text(section("global", **{"admin": "${LB_ADMIN}", "log_format": "json", "workers": 2, **keys}) + text)
        file.chmod(0o644)
        return made
    return write


def says(text, port=8080):
    return listener("main", f"0.0.0.0:{port}", protocol="http", route=f"-> respond=200:{text}")


def once(image, *command):
    """The output of a command in a container of its own."""
    return docker("run", "--rm", "--network", "none", "--entrypoint", command[0], image, *command[1:]).stdout


# --- what the image is -------------------------------------------------------------------------------------------------

def test_a_second_build_takes_everything_from_the_cache(tree, base, image):
    started = time.monotonic()
    assert engine.build(tree, base) == image
    assert time.monotonic() - started < 20


def test_keys_and_history_are_not_sent_to_the_builder(base, tmp_path):
    shutil.copy2(engine.ROOT / ".dockerignore", tmp_path)
    for name in ("lb/main.c", "certs/dev/server.key", ".git/config", "build/deps.mk", "lb/main.o", "server.key", "lb/.env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    docker("build", "-q", "-t", f"{IMAGE}:context", "-f", "-", tmp_path, input=f"FROM {base}\nCOPY . /context\n")
    assert once(f"{IMAGE}:context", "find", "/context", "-type", "f").split() == ["/context/lb/main.c"]


def test_there_is_no_compiler_and_no_download_tool_in_it(image):
    found = once(image, "sh", "-c", "for tool in gcc cc clang make curl wget openssl git; do command -v $tool; done; true")
    assert found == ""


def test_it_runs_as_a_user_without_rights(run):
    container = run().serving()
    assert container.exec("id", "-u").stdout.strip() == "10001"
    assert container.exec("sh", "-c", "echo x >>/usr/local/bin/lb", check=False).returncode != 0
    assert container.exec("sh", "-c", "echo x >>/etc/lb/conf.d/welcome.ini", check=False).returncode != 0


def test_version_names_every_library(image):
    said = docker("run", "--rm", "--network", "none", IMAGE, "version").stdout
    assert all(word in said for word in ("lb ", "wolfSSL 5.", "libuv", "Lua 5.4", "llhttp")), said


def test_the_examples_of_scripts_are_in_it(image):
    assert "function on_authorize" in once(image, "cat", "/usr/local/share/lb/scripting/examples/allow_ou.lua")


def test_without_a_configuration_it_says_how_to_mount_one(run):
    container = run(ports=[8080]).serving()
    assert "/etc/lb/conf.d" in container.get(8080)


# --- configuration, health, reload -------------------------------------------------------------------------------------

def test_a_refused_configuration_ends_the_container_with_1_and_the_line_in_its_log(run, conf_d):
    container = run(conf_d=conf_d(says("hello\\n") + "no-such-key = 1\n"))
    assert container.wait_exit() == 1
    assert "conf.d/lb.ini:11: " in container.logs() and "no-such-key" in container.logs()


def test_check_looks_at_what_is_mounted(run, conf_d):
    container = run("--network", "none", conf_d=conf_d(says("hello\\n")), command=["check"])
    assert container.wait_exit() == 0, container.logs()


def test_a_mounted_configuration_is_used_and_its_log_goes_to_docker(run, conf_d):
    container = run(conf_d=conf_d(says("mounted\\n")), ports=[8080]).serving()
    assert container.get(8080) == "mounted\n"
    container.wait_log('"listener":"main"')


def test_without_an_admin_socket_it_becomes_unhealthy(run, conf_d):
    run(*FAST, conf_d=conf_d(says("hello\\n"), admin="off")).wait_health("unhealthy")


def test_it_becomes_healthy(run, conf_d):
    run(*FAST, conf_d=conf_d(says("hello\\n"))).wait_health("healthy")


def test_hup_reloads_and_a_broken_file_leaves_the_old_state(run, conf_d):
    container = run(conf_d=conf_d(says("one\\n")), ports=[8080]).serving()
    conf_d(says("two\\n") + "no-such-key = 1\n")
    container.hup()
    container.wait_log("reload refused")
    assert "conf.d/lb.ini:11: " in container.logs()
    assert container.get(8080) == "one\n"
    conf_d(says("two\\n"))
    container.hup()
    container.wait_log("reload done")
    assert container.get(8080) == "two\n"
    assert container.state()["Running"]


# --- the end -----------------------------------------------------------------------------------------------------------

def test_stop_ends_an_idle_container_at_once_with_0(run):
    container = run().serving()
    started = time.monotonic()
    docker("stop", "-t", "30", container.name)
    assert time.monotonic() - started < 10
    assert container.state()["ExitCode"] == 0


def test_stop_lets_a_request_finish(run, conf_d):
    container = run(conf_d=conf_d(says("late\\n"), shutdown_timeout="60s"), ports=[8080]).serving()
    with socket.create_connection(("127.0.0.1", container.port(8080)), timeout=SECONDS) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: lb\r\n")
        until(lambda: "active 1" in container.exec("lb", "ctl", "status").stdout, "lb to have the connection", interval=0.1)
        stopping = subprocess.Popen(["docker", "stop", "-t", "60", container.name], stdout=subprocess.DEVNULL)
        container.wait_log("draining")
        client.sendall(b"Connection: close\r\n\r\n")
        assert read_all(client).endswith(b"late\n")
    assert stopping.wait(60) == 0
    assert container.state()["ExitCode"] == 0


# --- with as few rights as there can be --------------------------------------------------------------------------------

@pytest.mark.parametrize("user", ["10001", "4242:4242"])
def test_it_works_read_only_without_capabilities_and_as_any_user(run, conf_d, user):
    container = run(*HARDENED, *FAST, "--user", user, conf_d=conf_d(says("hardened\\n")), ports=[8080])
    container.serving().wait_health("healthy")
    assert container.get(8080) == "hardened\n"


def test_a_port_below_1024_needs_one_sysctl_and_no_rights(run, conf_d):
    allowed = "net.ipv4.ip_unprivileged_port_start="
    served = conf_d(says("low\\n", 443))
    assert run(*HARDENED, "--sysctl", allowed + "1024", conf_d=served).wait_exit() == 3
    container = run(*HARDENED, "--sysctl", allowed + "0", conf_d=served, ports=[443]).serving()
    assert container.get(443) == "low\n"


# --- docker/compose.yml ------------------------------------------------------------------------------------------------

class Demo:
    """What is served by the compose file, as curl sees it."""

    def __init__(self, compose, ports, certs):
        self.compose, self.one_way, self.mutual, self.certs = compose, ports[0], ports[1], certs

    def curl(self, port, client=None):
        identity = ["--cert", f"{self.certs}/client-{client}.pem", "--key", f"{self.certs}/client-{client}.key"] if client else []
        return subprocess.run(["curl", "-sS", "--max-time", str(int(SECONDS)), "--cacert", f"{self.certs}/client-ca.pem",
                               *identity, f"https://localhost:{port}/"], capture_output=True, text=True, check=False)

    def wait_log(self, word):
        until(lambda: word in self.compose("logs", "--no-color", "lb").stdout, f'"{word}" in the log of lb', interval=0.2)


@pytest.fixture(scope="module")
def demo(tree, base, image, tmp_path_factory):
    if not engine.compose_command():
        pytest.skip("neither docker compose nor docker-compose is installed")
    folder, ports = tmp_path_factory.mktemp("compose"), free_ports(2)
    compose = Compose(tree, base, ports)
    try:
        engine.build(tree, base, "--target", "certs", tag=f"{IMAGE}:certs")
        compose("up", "-d", "--build")
        packed = compose("run", "--rm", "-T", "certs", "tar", "-c", "dev", text=False).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder)
        served = Demo(compose, ports, folder / "dev")
        until(lambda: served.curl(ports[0]).returncode == 0, lambda: compose("logs", "--no-color").stdout, interval=0.2)
        yield served
    finally:
        compose.down()


def in_turn(answers):
    return sorted(set(answers)) == ["hello from origin a\n", "hello from origin b\n"]


def test_compose_serves_one_way_from_both_origins(demo):
    assert in_turn(demo.curl(demo.one_way).stdout for _ in range(4))


@pytest.mark.parametrize("client", ["payments", "treasury"])
def test_compose_serves_mutual_from_both_origins(demo, client):
    assert in_turn(demo.curl(demo.mutual, client).stdout for _ in range(4))


@pytest.mark.parametrize("client,reason", [(None, "certificate-missing"), ("revoked", "certificate-revoked"),
                                           ("expired", "certificate-expired")])
def test_compose_refuses_who_may_not_with_the_reason_in_the_log(demo, client, reason):
    done = demo.curl(demo.mutual, client)
    assert done.returncode != 0 and done.stdout == ""
    demo.wait_log(reason)


def test_compose_answers_403_to_the_unit_that_may_not_with_the_reason_in_the_log(demo):
    assert demo.curl(demo.mutual, "marketing").stdout == "403 Forbidden\n"
    demo.wait_log("denied")


def test_compose_stops_and_starts_and_keeps_its_certificates(demo):
    demo.compose("stop")
    demo.compose("up", "-d")
    until(lambda: demo.curl(demo.one_way).returncode == 0, "the old certificate to be served again", interval=0.2)


def test_compose_takes_an_edited_configuration_on_hup(demo):
    ini = demo.compose.tree / "docker/conf.d/10-lb.ini"
    text = ini.read_text()
    ini.write_text(text.replace("payments, treasury", "marketing"))
    demo.compose("kill", "-s", "HUP", "lb")
    demo.wait_log("reload done")
    assert demo.curl(demo.mutual, "marketing").stdout not in ("", "403 Forbidden\n")
    assert demo.curl(demo.mutual, "payments").stdout == "403 Forbidden\n"
