"""What is measured: each proxy's configuration with the same certificates, one worker, no access log."""
import os
import pathlib
import shutil
import subprocess

from processes import Failure, Proxy, free_ports

INSTALL = "docker/install-deps bench"
HERE = pathlib.Path(__file__).resolve().parent


class Subject:
    """One proxy of a run. `services` are what it can serve: one-way, mutual, script, log, rsa."""

    services = ("one-way", "mutual", "rsa")

    def __init__(self, name, folder, origin_port, cpu):
        self.name, self.folder, self.origin, self.cpu = name, folder, origin_port, cpu
        self.ports = dict(zip(self.services, free_ports(len(self.services))))
        self.process = None

    def start(self):
        self.ports = dict(zip(self.services, free_ports(len(self.services))))
        config = self.folder / f"{self.name}.conf"
        config.write_text(self.config(), encoding="ascii")
        self.process = Proxy(self.command(config), self.cpu, self.folder / f"{self.name}.err", self.ports.values())

    def end(self):
        if self.process:
            self.process.end()
        self.process = None

    def certificate(self, service):
        return "rsa" if service == "rsa" else "server"

    def config(self):
        raise NotImplementedError

    def command(self, config):
        raise NotImplementedError


class Lb(Subject):
    """`log` is `mutual` with a line in a file for each connection."""

    services = ("one-way", "mutual", "rsa", "script", "log")

    def __init__(self, name, folder, origin_port, cpu, binary):
        self.binary = binary
        super().__init__(name, folder, origin_port, cpu)

    def config(self):
        listeners = "".join(self._listener(service, port) for service, port in self.ports.items())
        return (f"[global]\nworkers = 1\nlog = {self.folder}/{self.name}.log\n{listeners}\n"
                f"[backend app]\nserver = a 127.0.0.1:{self.origin}\n")

    def _listener(self, service, port):
        certificate = self.folder / self.certificate(service)
        mutual = service in ("mutual", "script", "log")
        lines = [f"\n[listener {service}]", f"bind = 127.0.0.1:{port}", "protocol = tcp",
                 f"tls = {'mutual' if mutual else 'one-way'}", f"certificate = {certificate}.crt {certificate}.key",
                 f"log = {'yes' if service == 'log' else 'no'}", "backend = app"]
        if mutual:
            lines.append(f"client-ca = {self.folder}/client-ca.crt")
        if service == "script":
            lines.append(f"script = {HERE}/three_fields.lua")
        return "\n".join(lines) + "\n"

    def command(self, config):
        return [self.binary, "run", "-f", config.rename(config.with_suffix(".ini"))]


class Haproxy(Subject):
    """`script` is `mutual` with rules on two of the script's three facts (2.6 has no fetch for the third)."""

    services = ("one-way", "mutual", "rsa", "script")

    def __init__(self, name, folder, origin_port, cpu, bufsize=None):
        self.bufsize = bufsize
        super().__init__(name, folder, origin_port, cpu)

    def config(self):
        bufsize = f"  tune.bufsize {self.bufsize}\n" if self.bufsize else ""
        fronts = "".join(self._front(service, port) for service, port in self.ports.items())
        return (f"global\n  nbthread 1\n  maxconn 9000\n{bufsize}"
                "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 120s\n  timeout server 120s\n"
                f"{fronts}backend app\n  server a 127.0.0.1:{self.origin}\n")

    def _front(self, service, port):
        line = f"  bind 127.0.0.1:{port} ssl crt {self.folder}/{self.certificate(service)}.pem"
        if service in ("mutual", "script"):
            line += f" verify required ca-file {self.folder}/client-ca.crt"
        if service == "script":
            line += ("\n  tcp-request content reject unless { ssl_c_s_dn(OU) -m str payments }"
                     " { ssl_c_der,sha2(256),hex -m len 64 }")
        return f"frontend {service}\n{line}\n  default_backend app\n"

    def command(self, config):
        return ["haproxy", "-db", "-f", config]


class Nginx(Subject):
    """The stream module; the server sections share one worker."""

    def config(self):
        module = nginx_stream_module()
        servers = "".join(self._server(service, port) for service, port in self.ports.items())
        return (f"{f'load_module {module};' if module else ''}\n"
                f"daemon off;\nworker_processes 1;\nworker_rlimit_nofile 20000;\npid {self.folder}/nginx.pid;\n"
                "events { worker_connections 10000; }\n"
                f"stream {{\n  ssl_protocols TLSv1.2 TLSv1.3;\n{servers}}}\n")

    def _server(self, service, port):
        certificate = self.folder / self.certificate(service)
        verify = (f"ssl_verify_client on; ssl_client_certificate {self.folder}/client-ca.crt;"
                  if service == "mutual" else "")
        return (f"  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}.crt;"
                f" ssl_certificate_key {certificate}.key; {verify} proxy_pass 127.0.0.1:{self.origin}; }}\n")

    def command(self, config):
        return ["nginx", "-p", f"{self.folder}/", "-e", self.folder / "nginx.err", "-c", config]


def nginx_stream_module():
    """Path of the module, None when it is built in."""
    build = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True, timeout=10).stderr
    if "--with-stream=dynamic" not in build:
        return None
    folder = next(word.split("=")[1] for word in build.split() if word.startswith("--modules-path="))
    module = pathlib.Path(folder) / "ngx_stream_module.so"
    if not module.exists():
        raise Failure(f"nginx has no stream module ({module}; Debian: libnginx-mod-stream)")
    return module


def _without(name, why, notes):
    notes.append(f"{name} is not measured: {why}. To install it: {INSTALL}")


def subjects(folder, origin_ports, cpu, lb, other_lb, notes):
    """Those that are installed; what is missing, and how to get it, is added to `notes`."""
    ports = iter(origin_ports)
    found = []
    for name, binary in (("lb", lb), ("other-lb", other_lb)):
        if binary and not (os.path.isfile(binary) and os.access(binary, os.X_OK)):
            notes.append(f"{name} is not measured: {binary} is not there. To build it: make")
        elif binary:
            found.append(Lb(name, folder, next(ports), cpu, pathlib.Path(binary).resolve()))
    if shutil.which("haproxy"):
        found.append(Haproxy("haproxy", folder, next(ports), cpu))
        found.append(Haproxy("haproxy-64k", folder, next(ports), cpu, bufsize=65536))
    else:
        _without("haproxy", "it is not there", notes)
    try:
        if not shutil.which("nginx"):
            raise Failure("it is not there")
        nginx_stream_module()
        found.append(Nginx("nginx", folder, next(ports), cpu))
    except Failure as failure:
        _without("nginx", failure, notes)
    return found
