#include "lb/http/h2_parts.h"

/*
 * There is no clock here: what a peer costs is weighed against what it gets done, so that a connection may
 * live for days, and one that only makes work is ended.
 *
 * FRAMES_MAX: frames that move nothing (pings, priorities, window updates, unknown ones, empty data) between
 * two pieces of progress. A ping every ten seconds on a connection that is otherwise idle lasts a day; a
 * flood costs a few milliseconds before it ends. SETTINGS_COST, GOAWAY_COST: a SETTINGS frame is applied to
 * every stream and acknowledged; nobody needs a thousand of them. COMPLETED_PAYS, MOVED_PAYS: a request that
 * was answered stands for a few control frames around it, a piece of body for the window updates that it
 * causes at the stream and at the connection. MOVED_MIN: smaller pieces pay nothing, so that windows opened
 * byte by byte are a flood, too. TROUBLES: streams that were reset by the peer or broke the rules, above
 * those that completed in order (rapid reset, CVE-2023-44487, and resets that are provoked, CVE-2025-8671). A
 * browser that leaves a page resets all its streams at once, hence the number of streams is added. WAITING:
 * frames that cannot be sent because the peer does not read. Each open stream may have a few.
 */
#define FRAMES_MAX     10000u
#define SETTINGS_COST  10u
#define GOAWAY_COST    100u
#define COMPLETED_PAYS 8u
#define MOVED_PAYS     3u
#define MOVED_MIN      64u
#define TROUBLES       100u
#define WAITING        512u
#define WAITING_STREAM 8u

#define PREFACE_LEN 24u

enum { FRAME_PRIORITY_UPDATE = 0x10 };

void h2_floods_init(struct h2_floods *floods, const struct h2_settings *settings)
{
    *floods = (struct h2_floods){.trouble_max = TROUBLES + settings->max_streams,
                                 .skip = settings->server ? PREFACE_LEN : 0};
}

static uint32_t cost_of(const uint8_t *header)
{
    uint32_t len = (uint32_t)header[0] << 16 | (uint32_t)header[1] << 8 | header[2];
    bool ends = header[4] & NGHTTP2_FLAG_END_STREAM;
    switch (header[3]) {
    case NGHTTP2_DATA: return len == 0 && !ends;
    case NGHTTP2_HEADERS: return len == 0;
    case NGHTTP2_SETTINGS: return header[4] & NGHTTP2_FLAG_ACK ? 1 : SETTINGS_COST;
    case NGHTTP2_GOAWAY: return GOAWAY_COST;
    default: return 1;
    }
}

static const char *name_of(uint8_t type)
{
    switch (type) {
    case NGHTTP2_DATA: return "a flood of empty DATA frames";
    case NGHTTP2_SETTINGS: return "a flood of SETTINGS frames";
    case NGHTTP2_PING: return "a flood of PING frames";
    case NGHTTP2_PRIORITY:
    case FRAME_PRIORITY_UPDATE: return "a flood of PRIORITY frames";
    case NGHTTP2_WINDOW_UPDATE: return "a flood of WINDOW_UPDATE frames";
    case NGHTTP2_RST_STREAM: return "a flood of RST_STREAM frames";
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION: return "a flood of empty HEADERS or CONTINUATION frames";
    default: return "a flood of unknown frames";
    }
}

static const char *see_header(struct h2_floods *floods)
{
    const uint8_t *header = floods->header;
    floods->have = 0;
    floods->skip = (uint32_t)header[0] << 16 | (uint32_t)header[1] << 8 | header[2];
    floods->frames += cost_of(header);
    return floods->frames > FRAMES_MAX ? name_of(header[3]) : NULL;
}

/* nghttp2 passes over what it ignores without a callback, so frames are counted here. */
const char *h2_floods_see(struct h2_floods *floods, struct slice bytes)
{
    const char *why = NULL;
    while (bytes.len > 0 && !why) {
        size_t need = floods->skip > 0 ? floods->skip : sizeof(floods->header) - floods->have;
        size_t len = bytes.len < need ? bytes.len : need;
        if (floods->skip > 0) {
            floods->skip -= (uint32_t)len;
        } else {
            memcpy(floods->header + floods->have, bytes.data, len);
            floods->have = (uint8_t)(floods->have + len);
            if (floods->have == sizeof(floods->header))
                why = see_header(floods);
        }
        bytes = slice_make(bytes.data + len, bytes.len - len);
    }
    return why;
}

const char *h2_floods_trouble(struct h2_floods *floods)
{
    return ++floods->troubles > floods->trouble_max ? "a flood of streams that were reset or broke the rules"
                                                    : NULL;
}

static void pay(uint32_t *level, uint32_t by)
{
    *level -= *level < by ? *level : by;
}

void h2_floods_completed(struct h2_floods *floods)
{
    pay(&floods->troubles, 1);
    pay(&floods->frames, COMPLETED_PAYS);
}

void h2_floods_moved(struct h2_floods *floods, size_t bytes)
{
    if (bytes >= MOVED_MIN)
        pay(&floods->frames, MOVED_PAYS);
}

size_t h2_floods_waiting_max(unsigned streams)
{
    return WAITING + (size_t)WAITING_STREAM * streams;
}
