#include "lb/config/check_parts.h"

static void link_route(const struct checker *checker, struct route *route)
{
    if (route->action == ROUTE_BACKEND)
        route->backend = check_backend(checker, route->backend_name, route->place);
}

/* A route that demands a certificate where none is ever asked for refuses or misses every client. */
static void check_certificate(const struct checker *checker, const struct listener *listener,
                              const struct route *route)
{
    bool wants =
        route->certificate == ROUTE_CERTIFICATE_REQUIRED || route->certificate == ROUTE_CERTIFICATE_PRESENT;
    if (wants && !check_wants_clients(listener) && !check_has_policies(checker))
        problems_add(
            checker->problems, route->place,
            "route: certificate=%s needs tls = mutual or mutual-optional: no client of [listener %s] "
            "can show one",
            route->certificate == ROUTE_CERTIFICATE_REQUIRED ? "required" : "present", listener->name);
    else if (route->certificate == ROUTE_CERTIFICATE_NONE && listener->tls.mode == TLS_MUTUAL &&
             !check_has_policies(checker))
        problems_warn(checker->problems, route->place,
                      "route: certificate=none can never match: with tls = mutual each client has one");
}

static void check_routes(const struct checker *checker, const struct subject *subject)
{
    struct listener *listener = subject->listener;
    bool tls_known = !check_refused(subject->origin, "tls");
    for (size_t i = 0; i < listener->http.route_count; i++) {
        link_route(checker, &listener->http.routes[i]);
        if (tls_known)
            check_certificate(checker, listener, &listener->http.routes[i]);
    }
    check_shadows(&listener->http, checker->problems);
}

static bool is_http(struct slice name)
{
    return slice_is(name, "h2") || slice_is(name, "http/1.1") || slice_is(name, "http/1.0");
}

static void check_alpn(const struct checker *checker, const struct subject *subject)
{
    const char *at = subject->listener->tls.alpn;
    while (at && *at) {
        struct slice name = slice_make(at, strcspn(at, ","));
        if (!is_http(name))
            problems_add(checker->problems, check_place(subject->origin, "alpn"),
                         "[listener %s]: alpn = %.*s does not go with protocol = http: write h2, http/1.1 or "
                         "http/1.0",
                         subject->listener->name, (int)name.len, name.data);
        at += name.len + (at[name.len] == ',');
    }
}

void check_http(const struct checker *checker, const struct subject *subject)
{
    const struct listener *listener = subject->listener;
    bool tls = listener->tls.mode != TLS_OFF && !check_refused(subject->origin, "tls");
    check_routes(checker, subject);
    if (tls)
        check_alpn(checker, subject);
    if (tls && listener->http.h2c)
        problems_add(checker->problems, check_place(subject->origin, "h2c"),
                     "[listener %s]: h2c = yes goes with tls = off only: with TLS, 'alpn' offers h2",
                     listener->name);
}
