"""What is measured: each proxy's configuration with the same certificates, one worker, no access log, and one session
ticket for a full handshake."""
import os
import pathlib
import shutil
import subprocess

from processes import Failure, Proxy, free_ports

TCP = ("one-way", "mutual", "rsa", "names-1000")
HTTP = ("http", "http-plain", "http-mutual", "routes-10", "routes-1000")
MUTUAL = ("mutual", "script", "log", "http-mutual", "http-script")
ROUTES = {"routes-10": (5, 2), "routes-1000": (50, 20)}  # hosts, and paths of each
NAMES = {"names-1000": 1000}  # certificates, each for one name
POOL = 200  # connections kept to the origin
INSTALL = "docker/install-deps bench"
HERE = pathlib.Path(__file__).resolve().parent


def routes(service):
    """(host, path prefix) of each route of a service."""
    hosts, paths = ROUTES[service]
    return [(f"h{host}.bench.test", f"/p{path}") for path in range(paths) for host in range(hosts)]


class Subject:
    """One proxy of a run. `services` are what it can serve: plain TCP behind TLS, and HTTP (see TCP and HTTP)."""

    services = TCP + HTTP
    http = HTTP  # those of them that change an answer's header
    resumes = True

    def __init__(self, name, folder, origin_port, cpu, without=()):
        self.name, self.folder, self.origin, self.cpu = name, folder, origin_port, cpu
        self.ports = dict(zip(self.services, free_ports(len(self.services))))
        self.leave_out(without)
        self.process = None

    def leave_out(self, services):
        self.services = tuple(service for service in self.services if service not in services)
        self.ports = {service: port for service, port in self.ports.items() if service in self.services}

    def start(self, without=()):
        services = [service for service in self.services if service not in without]
        self.ports = dict(zip(services, free_ports(len(services))))
        config = self.folder / f"{self.name}.conf"
        config.write_text(self.config(), encoding="ascii")
        self.process = Proxy(self.command(config), self.cpu, self.folder / f"{self.name}.err", self.ports.values(),
                             self.environment())

    def end(self):
        if self.process:
            self.process.end()
        self.process = None

    def certificate(self, service):
        """The name of the file, without its suffix, that has what clients are to see."""
        return "rsa" if service == "rsa" else "names" if service in NAMES else "server"

    def environment(self):
        """What differs from ours."""
        return {}

    def config(self):
        raise NotImplementedError

    def command(self, config):
        raise NotImplementedError


def is_http(service):
    return service.startswith(("http", "routes"))


class Lb(Subject):
    """`log` is `mutual` with a line in a file for each connection."""

    services = TCP + HTTP + ("script", "log", "http-script")

    def __init__(self, name, folder, origin_port, cpu, binary, notes, without=()):
        self.binary = binary
        super().__init__(name, folder, origin_port, cpu, without)
        self._leave_out_unknown(notes)
        if name != "lb":
            self._try_resumption(notes)

    def _leave_out_unknown(self, notes):
        """An older lb may not know all of it: it is measured in what it knows."""
        groups = {"many certificates": tuple(NAMES), "HTTP": tuple(filter(is_http, self.services))}
        for what, services in groups.items():
            problem = self._problem_with(self.config()) if set(services) & set(self.services) else None
            if problem:
                notes.append(f"{self.name} is not measured with {what}: {problem}")
                self.leave_out(services)

    def _try_resumption(self, notes):
        problem = self._problem_with(f"[defaults]\nsession-lifetime = 1h\n{self.config()}")
        if problem:
            notes.append(f"{self.name} is not measured with resumption: {problem}")
            self.resumes = False

    def _problem_with(self, text):
        """What `lb check` refuses first, or None."""
        config = self.folder / f"{self.name}-check.ini"
        config.write_text(text, encoding="ascii")
        check = subprocess.run([self.binary, "check", "-f", config], capture_output=True, text=True, timeout=60,
                               check=False)
        lines = [line for line in (check.stdout + check.stderr).splitlines() if line and ": warning: " not in line]
        return None if check.returncode == 0 else lines[0] if lines else f"lb check: {check.returncode}"

    def config(self):
        listeners = "".join(self._listener(service, port) for service, port in self.ports.items())
        pool = f"pool-connections = {POOL}\n" if any(map(is_http, self.ports)) else ""
        return (f"[global]\nworkers = 1\nlog = {self.folder}/{self.name}.log\n{listeners}\n"
                f"[backend app]\n{pool}server = a 127.0.0.1:{self.origin}\n")

    def _listener(self, service, port):
        lines = [f"\n[listener {service}]", f"bind = 127.0.0.1:{port}",
                 f"protocol = {'http' if is_http(service) else 'tcp'}", f"tls = {self._tls(service)}",
                 f"log = {'yes' if service == 'log' else 'no'}"]
        if service != "http-plain":
            certificate = self.folder / self.certificate(service)
            lines.append(f"certificate = {certificate}" if service in NAMES else
                         f"certificate = {certificate}.crt {certificate}.key")
        if is_http(service) and service != "http-plain":
            lines.append("alpn = h2, http/1.1")
        if service in MUTUAL:
            lines.append(f"client-ca = {self.folder}/client-ca.crt")
        if service in self.scripts:
            lines.append(f"script = {HERE}/{self.scripts[service]}")
        if service in ROUTES:
            lines += [f"route = host={host} path={path} -> app" for host, path in routes(service)]
        else:
            lines.append("backend = app")
        return "\n".join(lines) + "\n"

    scripts = {"script": "three_fields.lua", "http-script": "request_fields.lua"}

    @staticmethod
    def _tls(service):
        return "off" if service == "http-plain" else "mutual" if service in MUTUAL else "one-way"

    def command(self, config):
        return [self.binary, "run", "-f", config.rename(config.with_suffix(".ini"))]


class Haproxy(Subject):
    """`script` is `mutual` with rules on two of the script's three facts (2.6 has no fetch for the third);
    `http-script` is a Lua action. Routes are a map file, as for so many of them they are to be. It has no setting for
    the number of tickets, but OpenSSL has."""

    services = TCP + HTTP + ("script", "http-script")

    def __init__(self, name, folder, origin_port, cpu, bufsize=None, without=()):
        self.bufsize = bufsize
        super().__init__(name, folder, origin_port, cpu, without)

    def environment(self):
        settings = self.folder / f"{self.name}-openssl.cnf"
        settings.write_text("openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = every\n"
                            "[every]\nNumTickets = 1\n", encoding="ascii")
        return {"OPENSSL_CONF": str(settings)}

    def config(self):
        bufsize = f"  tune.bufsize {self.bufsize}\n" if self.bufsize else ""
        fronts = "".join(self._front(service, port) for service, port in self.ports.items())
        return (f"global\n  nbthread 1\n  maxconn 9000\n{bufsize}  lua-load {HERE}/request_fields_haproxy.lua\n"
                "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 120s\n  timeout server 120s\n"
                f"{fronts}backend app\n  server a 127.0.0.1:{self.origin}\n"
                "backend http-app\n  mode http\n  http-reuse always\n"
                f"  server a 127.0.0.1:{self.origin} pool-max-conn {POOL}\n")

    def _front(self, service, port):
        line = f"  bind 127.0.0.1:{port}"
        if service != "http-plain":
            line += f" ssl crt {self.folder}/{self.certificate(service)}{'' if service in NAMES else '.pem'}"
        if service in MUTUAL:
            line += f" verify required ca-file {self.folder}/client-ca.crt"
        if is_http(service):
            return f"frontend {service}\n{line}{self._http(service)}"
        if service == "script":
            line += ("\n  tcp-request content reject unless { ssl_c_s_dn(OU) -m str payments }"
                     " { ssl_c_der,sha2(256),hex -m len 64 }")
        return f"frontend {service}\n{line}\n  default_backend app\n"

    def _http(self, service):
        lines = ["" if service == "http-plain" else " alpn h2,http/1.1", "  mode http", "  option forwardfor"]
        if service == "http-script":
            lines.append("  http-request lua.decide")
        if service in ROUTES:
            table = self.folder / f"{self.name}-{service}.map"
            table.write_text("".join(f"{host}{path}/ http-app\n" for host, path in routes(service)), encoding="ascii")
            lines.append(f"  use_backend %[base,map_beg({table})]")
        else:
            lines.append("  default_backend http-app")
        return "\n".join(lines) + "\n"

    def command(self, config):
        return ["haproxy", "-db", "-f", config]


class Nginx(Subject):
    """The stream module, and HTTP; the server sections share one worker. The stream module knows no names before
    1.25.5: many certificates are server sections of HTTP, with a connection to the origin for each request."""

    http = HTTP + tuple(NAMES)

    def config(self):
        module = nginx_stream_module()
        tcp = "".join(self._server(service, port) for service, port in self.ports.items() if service not in self.http)
        http = "".join(self._http(service, port) for service, port in self.ports.items() if service in self.http)
        folders = "".join(f"  {kind}_temp_path {self.folder}/nginx-{kind};\n"
                          for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        tls = "  ssl_protocols TLSv1.2 TLSv1.3;\n  ssl_conf_command NumTickets 1;\n"
        return (f"{f'load_module {module};' if module else ''}\n"
                f"daemon off;\nworker_processes 1;\nworker_rlimit_nofile 20000;\npid {self.folder}/nginx.pid;\n"
                "events { worker_connections 10000; }\n"
                f"stream {{\n{tls}{tcp}}}\n"
                f"http {{\n  access_log off;\n{tls}{folders}"
                "  keepalive_requests 1000000000;\n  keepalive_timeout 300s;\n  server_names_hash_max_size 4096;\n"
                f"  upstream app {{ server 127.0.0.1:{self.origin}; keepalive {POOL};"
                " keepalive_requests 1000000000; }\n"
                "  proxy_http_version 1.1;\n  proxy_max_temp_file_size 0;\n"
                "  proxy_buffer_size 16k;\n  proxy_buffers 8 16k;\n"  # as large as HAProxy's
                "  proxy_set_header Connection \"\";\n  proxy_set_header Host $host;\n"
                "  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
                f"{http}}}\n")

    def _tls(self, service):
        certificate = self.folder / self.certificate(service)
        verify = (f" ssl_verify_client on; ssl_client_certificate {self.folder}/client-ca.crt;"
                  if service in MUTUAL else "")
        return f" ssl_certificate {certificate}.crt; ssl_certificate_key {certificate}.key;{verify}"

    def _server(self, service, port):
        return (f"  server {{ listen 127.0.0.1:{port} ssl;{self._tls(service)}"
                f" proxy_pass 127.0.0.1:{self.origin}; }}\n")

    def _names(self, service, port):
        return "".join(f"  server {{ listen 127.0.0.1:{port} ssl; server_name n{number}.bench.test;"
                       f" ssl_certificate {self.folder}/names/n{number}.pem;"
                       f" ssl_certificate_key {self.folder}/names/n{number}.pem;"
                       f" location / {{ proxy_pass http://127.0.0.1:{self.origin}; }} }}\n"
                       for number in range(NAMES[service]))

    def _http(self, service, port):
        if service in NAMES:
            return self._names(service, port)
        if service not in ROUTES:
            plain = service == "http-plain"
            return (f"  server {{ listen 127.0.0.1:{port}{'' if plain else ' ssl http2'};"
                    f"{'' if plain else self._tls(service)} location / {{ proxy_pass http://app; }} }}\n")
        locations = {}
        for host, path in routes(service):
            locations[host] = locations.get(host, "") + f"    location {path}/ {{ proxy_pass http://app; }}\n"
        servers = "".join(f"  server {{ listen 127.0.0.1:{port} ssl http2; server_name {host};{self._tls(service)}\n"
                          f"{text}    location / {{ return 404; }}\n  }}\n" for host, text in locations.items())
        return (f"  server {{ listen 127.0.0.1:{port} ssl http2 default_server; server_name _;{self._tls(service)}"
                f" return 404; }}\n{servers}")

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


def subjects(folder, origin_ports, cpu, lb, other_lb, notes, without=()):
    """Those that are installed; what is missing, and how to get it, is added to `notes`. `without`: services."""
    ports = iter(origin_ports)
    found = []
    for name, binary in (("lb", lb), ("other-lb", other_lb)):
        if binary and not (os.path.isfile(binary) and os.access(binary, os.X_OK)):
            notes.append(f"{name} is not measured: {binary} is not there. To build it: make")
        elif binary:
            found.append(Lb(name, folder, next(ports), cpu, pathlib.Path(binary).resolve(), notes, without))
    if shutil.which("haproxy"):
        found.append(Haproxy("haproxy", folder, next(ports), cpu, without=without))
        found.append(Haproxy("haproxy-64k", folder, next(ports), cpu, bufsize=65536, without=without))
    else:
        _without("haproxy", "it is not there", notes)
    try:
        if not shutil.which("nginx"):
            raise Failure("it is not there")
        nginx_stream_module()
        found.append(Nginx("nginx", folder, next(ports), cpu, without=without))
    except Failure as failure:
        _without("nginx", failure, notes)
    return found
