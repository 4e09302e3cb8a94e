"""Fixtures: certificates once a run; lb and origins per test, always stopped and checked."""
import os
import resource
import shutil
import tempfile
import warnings

import pytest

from harness import config as text
from harness import product
from harness.nginx import Nginx
from harness.node import Node
from harness.origin import Origin, echo
from harness.pki import Pki
from harness.ports import free_port


def pytest_configure(config):
    if not product.BINARY.is_file() or not os.access(product.BINARY, os.X_OK):
        raise pytest.UsageError(f"no binary at {product.BINARY}: build it (make) or set LB_BINARY")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pytest_collection_modifyitems(items):
    for item in items:
        if product.is_sanitized() and item.get_closest_marker("plain_only"):
            item.add_marker(pytest.mark.skip(reason="not with a sanitizer"))


@pytest.fixture(scope="session")
def pki():
    folder = tempfile.mkdtemp(prefix="lb-pki-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Pki(folder)
    shutil.rmtree(folder)


@pytest.fixture
def folder():
    """A folder with a short path: unix sockets fit into it."""
    made = tempfile.mkdtemp(prefix="lb-")
    yield made
    shutil.rmtree(made)


@pytest.fixture
def make_lb():
    """make_lb(**global_keys) is an lb that is not started yet."""
    running = []

    def make(**global_keys):
        running.append(product.Lb(tempfile.mkdtemp(prefix="lb-"), **global_keys))
        return running[-1]

    yield make
    failed = []
    for lb in running:
        try:
            lb.stop()
        except AssertionError as error:
            failed.append(str(error))
        shutil.rmtree(lb.folder)
    assert not failed, "\n".join(failed)


@pytest.fixture
def lb(make_lb):
    return make_lb()


@pytest.fixture
def behind(origin):
    """A server that gives back what it gets."""
    return origin(echo)


def starter(lb, pki, behind, kind):
    def start(**keys):
        port = free_port()
        lb.start(kind(pki, port, behind, **keys))
        return port
    return start


@pytest.fixture
def serve_one_way(lb, pki, behind):
    """Starts lb with one listener with one-way TLS, changed by keys; gives the port."""
    return starter(lb, pki, behind, text.one_way)


@pytest.fixture
def serve_mutual(lb, pki, behind):
    """Starts lb with one mutual listener, changed by keys; gives the port."""
    return starter(lb, pki, behind, text.mutual)


@pytest.fixture
def origin():
    """origin(behaviour) is a server that runs until the test has ended."""
    running = []

    def start(behaviour, address=None):
        running.append(Origin(behaviour, address))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """What lb said belongs to the report of a failed test."""
    report = (yield).get_result()
    lb = item.funcargs.get("lb") if report.when == "call" and report.failed else None
    if lb is not None:
        report.sections.append(("lb's stderr", lb.stderr()[-4000:]))
        report.sections.append(("lb's log", lb.log_text()[-4000:]))
        report.sections.append(("lb's configuration", lb.ini.read_text() if lb.ini.exists() else ""))


@pytest.fixture
def nginx(folder):
    """A real nginx on a port of its own: port, folder (its files; "big" has a megabyte)."""
    made = Nginx(folder)
    yield made
    made.close()


@pytest.fixture
def node():
    """node(script, *arguments) is a server of tests/e2e/node that runs until the test has ended."""
    running = []

    def start(script, *arguments):
        running.append(Node(script, *arguments))
        return running[-1]

    yield start
    for one in running:
        one.close()
