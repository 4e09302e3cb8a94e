/* How long a connection may last: `max-connection-age`, and `close-on-expiry` of the client's certificate. */
#include "lb/proxy/lifetime.h"

#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/proxy/http.h"

/* A clock that is set moves the end by no more than this. */
#define LOOK_AGAIN_MS (60 * 1000)

struct lifetime {
    struct deadline deadline;
    struct conn *conn;
    uint64_t age_due_ms;    /* of the loop; UINT64_MAX: none */
    int64_t expires_unix_s; /* INT64_MAX: never */
};

static uint64_t until_expiry_ms(const struct lifetime *life)
{
    int64_t now = clock_unix_s();
    if (life->expires_unix_s == INT64_MAX)
        return UINT64_MAX;
    return life->expires_unix_s < now ? 0 : (uint64_t)(life->expires_unix_s - now + 1) * 1000;
}

static void arm(struct lifetime *life)
{
    uint64_t now = conn_now_ms(life->conn), expiry = until_expiry_ms(life);
    uint64_t due = life->age_due_ms;
    if (expiry != UINT64_MAX) {
        uint64_t look = now + (expiry < LOOK_AGAIN_MS ? expiry : LOOK_AGAIN_MS);
        due = look < due ? look : due;
    }
    wheel_arm(&life->conn->thread->wheel, &life->deadline.entry, due);
}

/* An exchange that runs is finished, unless it takes as long as a tunnel may: that one ends with the
 * connection. */
static void end_of_age(struct conn *conn)
{
    if (conn->state == CONN_HTTP)
        http_leave(conn->http);
    else
        conn_close(conn, REASON_MAX_AGE);
}

static void on_deadline(struct deadline *deadline)
{
    struct lifetime *life = (struct lifetime *)deadline;
    struct conn *conn = life->conn;
    if (until_expiry_ms(life) == 0) {
        stream_alert(conn->client, TLS_ALERT_CERTIFICATE_EXPIRED);
        conn_close(conn, REASON_CLOSE_ON_EXPIRY);
    } else if (conn_now_ms(conn) >= life->age_due_ms) {
        life->age_due_ms = UINT64_MAX;
        if (life->expires_unix_s != INT64_MAX)
            arm(life);
        end_of_age(conn);
    } else {
        arm(life);
    }
}

/* Of all that the chain needs to be valid. */
static int64_t expiry_of(const struct conn *conn)
{
    size_t length;
    const struct certificate *chain = conn_chain(conn, &length);
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < length; i++)
        first = chain[i].not_after < first ? chain[i].not_after : first;
    return first;
}

bool lifetime_begin(struct conn *conn)
{
    const struct listener *listener = conn->service->listener;
    int64_t expires = listener->close_on_expiry ? expiry_of(conn) : INT64_MAX;
    if (conn->lifetime) { /* let in again, by newer rules; its age counts from the first time */
        conn->lifetime->expires_unix_s = expires;
        if (expires != INT64_MAX)
            arm(conn->lifetime);
        return true;
    }
    if (listener->max_age_ms == 0 && expires == INT64_MAX)
        return true;
    struct lifetime *life = conn->lifetime = calloc(1, sizeof(*life));
    if (!life)
        return false;
    life->deadline.fired = on_deadline;
    life->conn = conn;
    life->expires_unix_s = expires;
    life->age_due_ms = listener->max_age_ms > 0 ? conn_now_ms(conn) + listener->max_age_ms : UINT64_MAX;
    arm(life);
    return true;
}

void lifetime_end(struct conn *conn)
{
    if (!conn->lifetime)
        return;
    wheel_disarm(&conn->thread->wheel, &conn->lifetime->deadline.entry);
    free(conn->lifetime);
    conn->lifetime = NULL;
}
