#include "lb/http/h2.h"
#include <stdlib.h>
struct h2_session *h2_new(const struct h2_settings *s, const struct h2_events *e, void *o)
{
    (void)s;
    (void)e;
    (void)o;
    return NULL;
}
void h2_free(struct h2_session *s)
{
    (void)s;
}
bool h2_receive(struct h2_session *s, struct slice b)
{
    (void)s;
    (void)b;
    return false;
}
const char *h2_error(const struct h2_session *s)
{
    (void)s;
    return "";
}
unsigned h2_open_streams(const struct h2_session *s)
{
    (void)s;
    return 0;
}
void h2_send(struct h2_session *s)
{
    (void)s;
}
bool h2_over(const struct h2_session *s)
{
    (void)s;
    return true;
}
void h2_stream_own(struct h2_stream *s, void *o)
{
    (void)s;
    (void)o;
}
void *h2_stream_owner(const struct h2_stream *s)
{
    (void)s;
    return NULL;
}
bool h2_respond(struct h2_stream *s, const struct http_head *h, bool e)
{
    (void)s;
    (void)h;
    (void)e;
    return false;
}
size_t h2_write(struct h2_stream *s, struct slice b)
{
    (void)s;
    (void)b;
    return 0;
}
size_t h2_queued(const struct h2_stream *s)
{
    (void)s;
    return 0;
}
void h2_end(struct h2_stream *s, const struct http_head *t)
{
    (void)s;
    (void)t;
}
void h2_consumed(struct h2_stream *s, size_t b)
{
    (void)s;
    (void)b;
}
void h2_reset(struct h2_stream *s, uint32_t c)
{
    (void)s;
    (void)c;
}
void h2_goaway(struct h2_session *s, bool n)
{
    (void)s;
    (void)n;
}
const char *http2_library(void)
{
    return "";
}
