#include "lb/proxy/flood.h"

#include "lb/base/clock.h"
#include "lb/base/rate.h"

enum {
    LINE_MS = 1000,
    ADDRESS_MAX = 16,
    NAME_MAX_BYTES = 48,
    KEY_MAX = 2 + NAME_MAX_BYTES + 1 + ADDRESS_MAX
};

/* The client's address in network order; IPv4-mapped IPv6 counts as IPv4. NULL: a unix socket's. */
static const unsigned char *address_of(const struct addr *peer, size_t *len)
{
    const unsigned char *bytes = (const unsigned char *)&peer->in6.sin6_addr;
    bool mapped = peer->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer->in6.sin6_addr);
    *len = peer->sa.sa_family == AF_INET || mapped ? 4 : 16;
    if (mapped)
        return bytes + 12;
    if (peer->sa.sa_family == AF_INET6)
        return bytes;
    return peer->sa.sa_family == AF_INET ? (const unsigned char *)&peer->in.sin_addr : NULL;
}

/* "\1?listener\0prefix": scripts' keys begin with a listener's name and can be no such. */
static struct slice make_key(const struct conn *conn, char kind, char out[KEY_MAX])
{
    const struct handshake_rate *rate = &conn->service->listener->handshake_rate;
    size_t len, name = strlen(conn->service->listener->name);
    const unsigned char *address = address_of(&conn->peer, &len);
    if (!address || name > NAME_MAX_BYTES)
        return (struct slice){out, 0};
    unsigned bits = len == 4 ? rate->bits4 : rate->bits6;
    out[0] = '\1';
    out[1] = kind;
    memcpy(out + 2, conn->service->listener->name, name + 1);
    char *at = out + 2 + name + 1;
    memset(at, 0, len);
    memcpy(at, address, (bits + 7) / 8);
    if (bits % 8 != 0)
        at[bits / 8] = (char)(address[bits / 8] & (0xff << (8 - bits % 8)));
    return slice_make(out, (size_t)(at + len - out));
}

bool flood_admits(struct conn *conn)
{
    char key[KEY_MAX];
    const struct handshake_rate *rate = &conn->service->listener->handshake_rate;
    struct rate_table *table = conn->service->generation->rates;
    uint64_t now = (uint64_t)(clock_us() / 1000);
    if (rate->limit == 0 || !table)
        return true;
    struct slice source = make_key(conn, 'h', key);
    if (source.len == 0 || rate_take(table, source, rate->limit, rate->window_ms, now))
        return true;
    conn->quiet = !rate_take(table, make_key(conn, 'l', key), 1, LINE_MS, now);
    return false;
}

void flood_handshake_over(struct conn *conn)
{
    const struct listener *listener = conn->service->listener;
    if (!conn->handshaking)
        return;
    conn->handshaking = false;
    atomic_fetch_sub_explicit(&listener->state->handshaking, 1, memory_order_relaxed);
    if (listener->max_handshakes > 0)
        conn->thread->greeted(conn->thread);
}
