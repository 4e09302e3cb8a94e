"""Which requests go where, and that no spelling of a host or path goes around a route."""
import pytest

from harness import client, config, http1, http2
from harness.http1 import Recorder, request
from harness.http2 import head
from harness.ports import free_port


@pytest.fixture
def routes(lb, pki):
    """routes(*routes, **keys) starts lb with servers "admin", "app" and "other"; routes.ask() tells who answered."""
    class Routes:
        def __init__(self):
            self.servers = {name: Recorder(lambda request, name=name: name.encode() + b" " + request.target)
                            for name in ("admin", "app", "other")}

        def backends(self):
            return "".join(config.backend(name, server) for name, server in self.servers.items())

        def __call__(self, *lines, backend="app", **keys):
            self.port = free_port()
            lb.start(config.listener("main", self.port, protocol="http", route=list(lines), backend=backend, h2c="yes", **keys) +
                     self.backends())
            return self

        def optional(self, *lines, **keys):
            self.port = free_port()
            keys = config.mutual_keys(pki, **keys)
            lb.start(config.listener("main", self.port, protocol="http", route=list(lines), backend="app",
                                     **{**keys, "tls": "mutual-optional"}) + self.backends())
            return self

        def send(self, raw, method=b"GET"):
            with http1.open_plain(self.port) as connection:
                return connection.ask(raw, method)

        def ask(self, target, *fields, **keys):
            """Who answered, and what it was asked; or the status."""
            answer = self.send(request(target, *fields, **keys))
            return answer.body.decode() if answer.status == 200 else answer.status

        def ask_h2(self, target, **keys):
            with http2.open_h2c(self.port) as connection:
                answer = connection.ask(head(target, **keys))
            return answer.body.decode() if answer.status == 200 else answer.status

        def tls(self, identity=None, **keys):
            return http1.Connection(client.tls(pki, self.port, identity, alpn=["http/1.1"], **keys))
    made = Routes()
    yield made
    for server in made.servers.values():
        server.close()


# --- nobody goes around a route -----------------------------------------------------------------------------------------

GUARD = ["path=/admin -> respond=403", "path=/ -> app"]
AROUND = ["/admin", "/admin/", "/admin/x", "//admin", "///admin/x", "/./admin", "/././admin", "/a/../admin", "/a/b/../../admin", "/a/./../admin",
          "/%61dmin", "/%61%64%6d%69%6e", "/%61%64%6D%69%6E/x", "/admin?x", "/admin?x=/app", "/%2e/admin", "/a/%2e%2e/admin", "/a/%2E./admin",
          "/a/.%2e/admin", "/a//../admin", "/admin/.", "/admin/..//admin", "/x/..//admin//y", "/admin/x/..", "http://a.test/admin",
          "http://a.test//admin", "http://a.test/%61dmin", "HTTP://A.TEST./admin"]
REFUSED = ["/a%2f..%2fadmin", "/a/..%2fadmin", "/..%2fadmin", "/%2fadmin", "/a%5c..%5cadmin", "/..\\admin", "/\\admin", "/../admin", "/a/../../admin",
           "/%2e%2e/admin", "/;/admin", "/;x=y/admin", "/a/..;/admin", "/a/..;x/admin", "/a/%2e%2e;/admin", "/admin#", "/#/../admin",
           "/admin%00", "/%00/admin", "/admin\x00", "/\tadmin", "/a/%", "/adm%69n%", "http://a.test/..%2fadmin"]


@pytest.mark.parametrize("target", AROUND)
def test_a_guarded_path_is_found_in_every_spelling(routes, target):
    routes(*GUARD)
    assert routes.ask(target) == 403
    if target.startswith("/"):
        assert routes.ask_h2(target) == 403
    assert not routes.servers["app"].requests


@pytest.mark.parametrize("target", REFUSED)
def test_a_path_that_servers_read_in_different_ways_is_refused(routes, target):
    routes(*GUARD)
    assert routes.ask(target) == 400
    assert not routes.servers["app"].requests and routes.servers["app"].seen() == 0


@pytest.mark.parametrize("target,got", [("/administrator", "/administrator"), ("/Admin", "/Admin"), ("/a/admin", "/a/admin"), ("/admin;x", "/admin;x"),
                                        ("/?/admin", "/?/admin"), ("/%2561dmin", "/%2561dmin"), ("/admin%20", "/admin%20"), ("/admin%3f", "/admin%3F"),
                                        ("/a/..", "/"), ("/...", "/..."), ("/.admin", "/.admin"), ("/%c1%a1dmin", "/%C1%A1dmin")])
def test_what_the_server_gets_is_what_the_route_was_matched_with(routes, target, got):
    routes(*GUARD)
    assert routes.ask(target) == f"app {got}" == routes.ask_h2(target)


def test_encoded_slashes_are_kept_where_that_is_configured(routes):
    routes(*GUARD, encoded_slash="keep")
    assert routes.ask("/a%2fadmin") == "app /a%2Fadmin"
    assert routes.ask("/a%2f..%2fadmin") == 400


def test_encoded_slashes_are_decoded_before_routes_are_looked_at(routes):
    routes(*GUARD, encoded_slash="decode")
    for target in ("/%2fadmin", "/a%2f..%2fadmin", "/a/..%2fadmin", "/admin%2fx", "/a%2f%2e%2e%2f%61dmin"):
        assert routes.ask(target) == 403, target
    assert routes.ask("/..%2fadmin") == 400
    assert routes.ask("/a%2fb") == "app /a/b"


HOSTS = ["admin.test", "ADMIN.TEST", "Admin.Test", "admin.test.", "ADMIN.test.", "admin.test:80", "admin.test:65535", "admin.test.:8080"]


@pytest.mark.parametrize("host", HOSTS)
def test_a_guarded_host_is_found_in_every_spelling(routes, host):
    routes("host=admin.test -> respond=403", "-> app")
    assert routes.ask("/", host=host) == 403
    assert routes.ask_h2("/", authority=host) == 403
    assert routes.ask(f"http://{host}/", host=host) == 403
    assert routes.ask(f"http://{host}/", host=None, version="HTTP/1.0") == 403
    assert not routes.servers["app"].requests


@pytest.mark.parametrize("host", ["admin.test..", ".admin.test", "admin..test", "x@admin.test", "admin.test@x.test", "admin.test/", "admin.test#", "admin.test:",
                                  "admin%2etest", "admin.test, a.test", "admin.test\t", "admin.test:80:80"])
def test_a_host_that_is_none_is_refused(routes, host):
    routes("host=admin.test -> respond=403", "-> app")
    assert routes.ask("/", host=host) in ((400,) if not host.endswith("\t") else (400, 403))
    assert not routes.servers["app"].requests


def test_an_absolute_target_cannot_name_another_host(routes):
    routes("host=admin.test -> respond=403", "-> app")
    assert routes.ask("http://admin.test/", host="a.test") == 400
    assert routes.ask("http://a.test/", host="admin.test") == 400
    assert not routes.servers["app"].requests


def test_forged_fields_match_no_route(routes):
    routes("header=X-Forwarded-For:127.0.0.1 -> admin", "header=X-Real-IP -> admin", "header=X_Real_IP -> admin",
           "header=Forwarded -> admin")
    for name in ("X-Forwarded-For", "X_Forwarded_For", "X-Real-IP", "x_real_ip", "X.Real.IP", "Forwarded"):
        assert routes.ask("/", f"{name}: 127.0.0.1") == "app /", name


def test_hop_by_hop_fields_match_no_route(routes):
    routes("header=X-Hop -> admin", "header=TE -> admin")
    assert routes.ask("/", "Connection: x-hop", "X-Hop: 1", "TE: gzip") == "app /"


# --- matching -----------------------------------------------------------------------------------------------------------

def test_without_a_route_and_a_backend_the_answer_is_404(routes, lb):
    routes("path=/a -> app", backend=None)
    assert routes.ask("/b") == 404
    assert lb.wait_connections(1, reason="no-route")[0]["status"] == 404


def test_the_first_route_that_matches_counts(routes):
    routes("path=/a/b -> admin", "path=/a -> other", "path=/a/b/c -> app")
    assert [routes.ask(target).split()[0] for target in ("/a/b/c", "/a/c", "/c")] == ["admin", "other", "app"]
    assert routes.ask("/a/bc") == "other /a/bc"


def test_an_exact_path_takes_that_path_only(routes):
    routes("path==/a -> admin")
    assert [routes.ask(target).split()[0] for target in ("/a", "/a?x", "/b/../a", "/a/", "/a/b")] == ["admin", "admin", "admin", "app", "app"]


def test_a_wildcard_host_takes_what_is_below_it(routes):
    routes("host=*.a.test -> admin")
    assert [routes.ask("/", host=host).split()[0] for host in ("x.a.test", "X.Y.A.test.:80", "a.test", "xa.test")] == ["admin", "admin", "app", "app"]


def test_regular_expressions_see_the_normal_form(routes):
    routes("path~^/v[0-9]+/x$$ -> admin", "host~^(a|b)\\.example$$ -> other")
    assert [routes.ask(target).split()[0] for target in ("/v12/x", "//v%31/./x", "/v/x", "/v1/x/y")] == ["admin", "admin", "app", "app"]
    assert routes.ask("/", host="A.EXAMPLE.:80") == "other /"


def test_methods_and_fields_are_conditions(routes):
    routes("method=POST,PUT header=X-Kind:a header=X-There -> admin")
    assert routes.ask("/", "X-Kind: a", "X-There:", method="PUT", body=b"x") == "admin /"
    assert routes.ask("/", "X-Kind: A", "X-There: 1", method="PUT", body=b"x") == "app /"
    assert routes.ask("/", "X-Kind: a", method="POST", body=b"x") == "app /"
    assert routes.ask("/", "X-Kind: a", "X-There: 1") == "app /"
    assert routes.ask("/", "X-Kind: b", "X-Kind: a", "x-there: 1", method="POST", body=b"x") == "admin /"


def test_a_rewrite_replaces_the_matched_prefix(routes):
    routes("path=/old -> admin rewrite=/new", "path=/strip -> other rewrite=/")
    assert routes.ask("/old/x?y=/old") == "admin /new/x?y=/old"
    assert routes.ask("/old") == "admin /new" and routes.ask("//old/./%78") == "admin /new/x"
    assert routes.ask("/strip/a/b") == "other /a/b" and routes.ask("/strip") == "other /"
    assert routes.ask("/older") == "app /older"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_names_the_normal_form(routes, status):
    routes(f"path=/old -> redirect={status}:https://{{host}}/new{{path}}{{query}}")
    answer = routes.send(request("//old/./%78?a=b", host="A.Test.:80"))
    assert answer.status == status and answer.value("location") == "https://a.test/new/old/x?a=b"
    assert routes.send(request("/old")).value("location") == "https://a.test/new/old"
    assert not routes.servers["app"].requests


def test_a_redirect_cannot_be_led_to_another_host_by_its_path(routes):
    routes("path=/ -> redirect=302:/x{path}", "path=/ -> app")
    assert routes.send(request("//evil.test/x")).value("location") == "/x/evil.test/x"
    assert routes.send(request("/%0d%0aX:y")).value("location") == "/x/%0D%0AX:y"
    assert routes.send(request("/\\evil.test")).status == 400


def test_a_fixed_answer_needs_no_server(routes):
    routes("path=/health -> respond=200:up\\n", "path=/gone -> respond=410")
    answer = routes.send(request("/health"))
    assert (answer.status, answer.body) == (200, b"up\n")
    assert routes.send(request("/gone")).status == 410
    answer = routes.send(request("/health", method="HEAD"), b"HEAD")
    assert answer.status == 200 and answer.body == b"" and answer.value("content-length") == "3"
    assert not any(server.requests for server in routes.servers.values())


# --- certificates ---------------------------------------------------------------------------------------------------------

def test_a_route_that_requires_a_certificate_refuses_who_has_none(routes, lb):
    routes.optional("path=/admin certificate=required -> admin")
    with routes.tls() as connection:
        for target in ("/admin", "//admin", "/a/../%61dmin/x"):
            assert connection.ask(request(target)).status == 403
        assert connection.ask(request("/a")).body == b"app /a"
    with routes.tls("good") as connection:
        assert connection.ask(request("/admin")).body == b"admin /admin"
    assert len(routes.servers["admin"].requests) == 1
    assert len(lb.wait_connections(3, reason="certificate-missing", status=403)) == 3


def test_certificates_are_conditions(routes):
    routes.optional("path=/x certificate=present -> admin", "path=/x certificate=none -> other")
    with routes.tls() as nobody, routes.tls("good") as good:
        for _ in range(2):
            assert nobody.ask(request("/x")).body == b"other /x"
            assert good.ask(request("/x")).body == b"admin /x"
            assert nobody.ask(request("/y")).body == good.ask(request("/y")).body == b"app /y"


def test_a_forged_certificate_field_is_no_certificate(routes):
    routes.optional("path=/admin certificate=required -> admin")
    with routes.tls() as connection:
        assert connection.ask(request("/admin", "X-SSL-Client-Verify: SUCCESS", "Client-Cert: :AAAA:")).status == 403


# --- listeners of different policies --------------------------------------------------------------------------------------

@pytest.fixture
def two(routes, lb, pki):
    """A listener that anybody may use, and one for clients with certificates; both have a backend for every host."""
    class Two:
        public, private = free_port(), free_port()

        def ask(self, port, host, identity=None, protocol="h1"):
            if protocol == "h2":
                with http2.open_tls(pki, port, identity, name="public.test") as connection:
                    return connection.ask(head("/", authority=host)).status
            with http1.Connection(client.tls(pki, port, identity, name="public.test", alpn=["http/1.1"])) as connection:
                return connection.ask(request("/", host=host)).status
    open_to_all = {key: value for key, value in config.mutual_keys(pki).items() if key == "certificate"}
    lb.start(config.listener("public", Two.public, protocol="http", tls="one-way", route="host=public.test -> app", backend="other", **open_to_all) +
             config.listener("private", Two.private, protocol="http", route=["host=private.test -> admin", "host=*.below.test -> admin"],
                             backend="admin", **config.mutual_keys(pki)) + routes.backends())
    return Two()


@pytest.mark.parametrize("protocol", ["h1", "h2"])
@pytest.mark.parametrize("host", ["private.test", "PRIVATE.test", "private.test.", "private.test:443", "x.below.test"])
def test_a_host_of_a_stricter_listener_is_misdirected(two, routes, lb, host, protocol):
    assert two.ask(two.public, host, protocol=protocol) == 421
    assert lb.wait_connection(reason="misdirected")["status"] == 421
    assert not routes.servers["admin"].requests and not routes.servers["other"].requests


@pytest.mark.parametrize("protocol", ["h1", "h2"])
def test_hosts_of_the_own_listener_and_of_none_are_served(two, protocol):
    assert two.ask(two.public, "public.test", protocol=protocol) == 200
    assert two.ask(two.public, "unknown.test", protocol=protocol) == 200
    assert two.ask(two.private, "private.test", "good", protocol) == 200


@pytest.mark.parametrize("protocol", ["h1", "h2"])
def test_a_host_of_a_laxer_listener_is_misdirected_too(two, protocol):
    assert two.ask(two.private, "public.test", "good", protocol) == 421
