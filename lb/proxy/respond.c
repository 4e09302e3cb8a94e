/* A listener that answers every request itself, with one status and one text: a demo origin, a maintenance
 * page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb/http/requests.h"
#include "lb/proxy/steps.h"

struct respond_state {
    struct http_requests *requests;
    bool last; /* the answer that was sent ends the connection */
};

static const char invalid[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

void respond_free(struct conn *conn)
{
    if (!conn->respond)
        return;
    http_requests_free(conn->respond->requests);
    free(conn->respond);
    conn->respond = NULL;
}

/* RFC 9110 section 15.2-15.4: these never have a body, nor may they announce one. */
static bool bodiless(unsigned status)
{
    return status == 204 || status == 304;
}

static size_t format_head(const struct listener *listener, const struct http_request *request, char *out,
                          size_t size)
{
    unsigned status = (unsigned)listener->respond_status;
    int len = snprintf(out, size, "HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\n", status,
                       http_status_phrase(status));
    if (!bodiless(status))
        len += snprintf(out + len, size - (size_t)len, "Content-Length: %zu\r\n",
                        strlen(listener->respond_text));
    len += snprintf(out + len, size - (size_t)len, "%s\r\n",
                    !request->keep_alive ? "Connection: close\r\n"
                    : request->http_1_1  ? ""
                                         : "Connection: keep-alive\r\n");
    return (size_t)len;
}

static bool answer(void *context, const struct http_request *request)
{
    struct conn *conn = context;
    const struct listener *listener = conn->service->listener;
    char reply[1024];
    size_t len = format_head(listener, request, reply, sizeof(reply));
    size_t body =
        request->head || bodiless((unsigned)listener->respond_status) ? 0 : strlen(listener->respond_text);
    bool fits = len + body <= sizeof(reply);
    if (fits)
        memcpy(reply + len, listener->respond_text, body);
    enum stream_written wrote = stream_write(conn->client, slice_make(reply, fits ? len + body : len));
    if (!fits && wrote != STREAM_BROKEN)
        wrote = stream_write(conn->client, slice_make(listener->respond_text, body));
    conn->bytes_out += len + body;
    conn->respond->last = !request->keep_alive || wrote == STREAM_BROKEN;
    return wrote == STREAM_WROTE && !conn->respond->last;
}

static void end_after_answer(struct conn *conn)
{
    stream_end(conn->client);
    if (!stream_blocked(conn->client) && conn->client_ended)
        conn_close(conn, REASON_FINISHED);
    else if (!stream_blocked(conn->client))
        conn_refuse(conn, REASON_FINISHED, 0,
                    NULL); /* lingers, so that the answer is read before the socket closes */
    else
        stream_resume(conn->client);
}

static void reject(struct conn *conn)
{
    const char *why = http_requests_error(conn->respond->requests);
    stream_write(conn->client, SLICE_LITERAL(invalid));
    stream_end(conn->client);
    conn_refuse(conn, REASON_REQUEST_INVALID, 0, why);
}

/* The answer has to drain first: the rest waits, and so does the client. */
static void hold(struct conn *conn, struct slice rest)
{
    stream_pause(conn->client);
    if (rest.len > 0)
        early_data(conn, rest);
}

static void feed(struct conn *conn, struct slice bytes)
{
    size_t used;
    enum http_fed fed = http_requests_feed(conn->respond->requests, bytes, &used);
    if (conn->state != CONN_RESPOND)
        return;
    if (fed == HTTP_INVALID)
        reject(conn);
    else if (conn->respond->last)
        end_after_answer(conn);
    else if (fed == HTTP_STOPPED)
        hold(conn, slice_make(bytes.data + used, bytes.len - used));
    else if (conn->client_ended)
        end_after_answer(conn);
}

void respond_data(struct conn *conn, struct slice bytes)
{
    conn_touch(conn);
    conn->bytes_in += bytes.len;
    if (conn->respond->last)
        return;
    feed(conn, bytes);
}

static void feed_early(struct conn *conn)
{
    struct early *early = conn->early;
    conn->early = NULL;
    if (early)
        feed(conn, slice_make(early->bytes, early->len));
    else if (conn->client_ended)
        end_after_answer(conn);
    free(early);
}

void respond_start(struct conn *conn)
{
    conn->respond = calloc(1, sizeof(*conn->respond));
    if (conn->respond)
        conn->respond->requests = http_requests_new(answer, conn);
    if (!conn->respond || !conn->respond->requests) {
        conn_close(conn, REASON_NO_MEMORY);
        return;
    }
    if (conn->early)
        conn->bytes_in += conn->early->len;
    conn_enter(conn, CONN_RESPOND);
    stream_resume(conn->client);
    if (conn->early || conn->client_ended)
        feed_early(conn);
}

void respond_end(struct conn *conn)
{
    if (!conn->early && !stream_blocked(conn->client))
        end_after_answer(conn);
}

void respond_drained(struct conn *conn)
{
    conn_touch(conn);
    if (conn->respond->last) {
        end_after_answer(conn);
        return;
    }
    stream_resume(conn->client);
    feed_early(conn);
}
