#include "lb/tls/host_match.h"

#include <arpa/inet.h>

#include "lb/tls/extensions.h"

#define NAME_MAX_BYTES  253
#define LABEL_MAX_BYTES 63

size_t host_ip(struct slice host, unsigned char out[HOST_IP_MAX])
{
    char text[INET6_ADDRSTRLEN];
    if (host.len >= sizeof text || memchr(host.data, '\0', host.len))
        return 0;
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    if (inet_pton(AF_INET, text, out) == 1)
        return 4;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static bool is_letter_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* What stands before the first dot, and behind it. */
static struct slice first_label(struct slice name, struct slice *rest)
{
    const char *dot = memchr(name.data, '.', name.len);
    size_t len = dot ? (size_t)(dot - name.data) : name.len;
    *rest = dot ? slice_make(dot + 1, name.len - len - 1) : slice_make("", 0);
    return slice_make(name.data, len);
}

static bool is_label(struct slice label)
{
    for (size_t i = 0; i < label.len; i++)
        if (!is_letter_of_name(label.data[i]))
            return false;
    return label.len > 0 && label.len <= LABEL_MAX_BYTES;
}

static bool are_labels(struct slice name, size_t *count)
{
    struct slice rest = name;
    *count = 0;
    if (name.len == 0 || name.len > NAME_MAX_BYTES || name.data[name.len - 1] == '.')
        return false;
    while (rest.len > 0) {
        if (!is_label(first_label(rest, &rest)))
            return false;
        ++*count;
    }
    return true;
}

static struct slice without_root(struct slice host)
{
    bool dotted = host.len > 0 && host.data[host.len - 1] == '.';
    return slice_make(host.data, host.len - dotted);
}

bool host_is_name(struct slice host)
{
    size_t labels;
    unsigned char ip[HOST_IP_MAX];
    return are_labels(without_root(host), &labels) && host_ip(host, ip) == 0;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool equal_names(struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.len && a.len == b.len; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return a.len == b.len;
}

bool host_matches_dns(struct slice pattern, struct slice host)
{
    struct slice below, above;
    size_t labels;
    if (!host_is_name(host))
        return false;
    host = without_root(host);
    if (pattern.len < 2 || memcmp(pattern.data, "*.", 2) != 0)
        return are_labels(pattern, &labels) && equal_names(pattern, host);
    below = slice_make(pattern.data + 2, pattern.len - 2);
    first_label(host, &above);
    return are_labels(below, &labels) && labels >= 2 && equal_names(below, above);
}

bool host_matches_certificate(struct slice extensions, struct slice host)
{
    unsigned char ip[HOST_IP_MAX];
    size_t ip_len = host_ip(host, ip);
    struct slice names, value;
    unsigned kind;
    if (!alternative_names(extensions, &names))
        return false;
    while (alternative_name_next(&names, &kind, &value)) {
        if (kind == NAME_IP && ip_len > 0 && slice_equal(value, slice_make(ip, ip_len)))
            return true;
        if (kind == NAME_DNS && ip_len == 0 && host_matches_dns(value, host))
            return true;
    }
    return false;
}
