"""Real proxies before and behind lb: HAProxy and nginx, each on a configuration of the test."""
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from harness.waiting import until

STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


class Proxy:
    """Runs until it is closed. `port` is what it listens on."""

    def __init__(self, command, folder, port):
        self.output = Path(folder) / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        self.port = port
        until(self._is_there, lambda: f"{command[0]} to listen: {self.output.read_text()}")

    def _is_there(self):
        assert self.process.poll() is None, self.output.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


def has_haproxy():
    return shutil.which("haproxy") is not None


def haproxy(folder, port, text):
    """`text`: the sections after global and defaults."""
    conf = Path(folder) / "haproxy.cfg"
    conf.write_text("defaults\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\n" + text)
    return Proxy(["haproxy", "-db", "-q", "-f", str(conf)], folder, port)


def has_nginx_stream():
    return STREAM_MODULE.exists()


def nginx(folder, port, text):
    """`text`: the http or stream block; {folder} in it is a folder for its files."""
    conf = Path(folder) / "proxy.conf"
    user = "user root;\n" if os.geteuid() == 0 else ""
    module = f"load_module {STREAM_MODULE};\n" if text.startswith("stream") else ""
    conf.write_text(f"{module}daemon off;\nworker_processes 1;\npid {folder}/proxy.pid;\n{user}"
                    f"events {{ worker_connections 256; }}\n{text}\n")
    return Proxy(["nginx", "-c", str(conf), "-e", str(Path(folder) / "proxy-error.log")], folder, port)


def http_block(folder, server):
    paths = "".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"http {{ access_log off; {paths} server {{ {server} }} }}"
