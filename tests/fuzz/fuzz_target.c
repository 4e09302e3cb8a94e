/* Targets, paths and hosts: what is accepted is in its one form, and reading that again changes nothing. The
 * first byte chooses the way of encoded slashes and the kind of request; then come target and Host, a line
 * each. */
#include <stdint.h>
#include <stdlib.h>

#include "lb/http/route.h"

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_path(struct slice path)
{
    check(path.len > 0 && path.data[0] == '/');
    for (size_t start = 1, i = 1; i <= path.len; i++) {
        if (i < path.len && path.data[i] != '/') {
            check(path.data[i] > ' ' && path.data[i] < 0x7F && !strchr("\\#?", path.data[i]));
            continue;
        }
        struct slice segment = slice_make(path.data + start, i - start);
        check(!slice_is(segment, ".") && !slice_is(segment, ".."));
        check(segment.len > 0 || i == path.len);
        start = i + 1;
    }
}

static void read_path(struct slice path, enum encoded_slash slash)
{
    char *once = malloc(path.len + 1), *twice = malloc(path.len + 1);
    size_t len, again;
    const char *why = NULL;
    if (!http_path_normalize(path, slash, once, &len, &why)) {
        check(why != NULL);
    } else {
        check(len <= path.len && once[len] == '\0');
        check_path(slice_make(once, len));
        check(http_path_normalize(slice_make(once, len), slash, twice, &again, &why));
        check(slice_equal(slice_make(once, len), slice_make(twice, again)));
    }
    free(once);
    free(twice);
}

static void read_host(struct slice text)
{
    char once[HTTP_HOST_MAX], twice[HTTP_HOST_MAX];
    unsigned port;
    if (!http_host_normalize(text, once, &port)) {
        check(once[0] == '\0');
        return;
    }
    check(once[0] != '\0' && port <= 65535);
    for (const char *at = once; *at; at++)
        check((unsigned char)*at > ' ' && (unsigned char)*at < 0x7F && !strchr("@/\\%,", *at));
    check(http_host_normalize(slice_of(once), twice, &port) && port == 0);
    check(strcmp(once, twice) == 0);
}

static void read_line(struct slice text)
{
    char *line = malloc(text.len + 1);
    struct route route;
    const char *why = NULL;
    memcpy(line, text.data, text.len);
    line[text.len] = '\0';
    if (route_parse(line, &route, &why))
        route_release(&route);
    else
        check(why != NULL && route.path == NULL && route.host == NULL);
    free(line);
}

static void read_request(unsigned kind, struct slice target, struct slice host)
{
    struct http_head head;
    struct http_target out;
    unsigned status = 0;
    const char *why = NULL;
    http_head_init(&head);
    head.method = kind & 4 ? METHOD_OPTIONS : METHOD_GET;
    head.http2 = kind & 8;
    head.minor = kind & 16 ? 0 : 1;
    check(http_head_put(&head, target, &head.target) &&
          http_head_put(&head, SLICE_LITERAL("https"), &head.scheme));
    check(http_head_add(&head, SLICE_LITERAL("host"), host));
    if (!http_target_read(&head, (enum encoded_slash)(kind % 3), &out, &status, &why)) {
        check(why != NULL && (status == 400 || status == 501));
    } else {
        struct slice path = head_text(&head, out.path);
        check(out.path.at + out.path.len <= head.len && out.query.at + out.query.len <= head.len);
        if (!slice_is(path, "*"))
            check_path(path);
    }
    http_head_free(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice first = slice_make(data + 1, size - 1), second = {"", 0};
    const char *line = memchr(data + 1, '\n', size - 1);
    if (line) {
        first.len = (size_t)(line - first.data);
        second = slice_make(line + 1, size - first.len - 2);
    }
    read_path(first, (enum encoded_slash)(data[0] % 3));
    read_host(second);
    read_line(first);
    read_request(data[0], first, second);
    return 0;
}
