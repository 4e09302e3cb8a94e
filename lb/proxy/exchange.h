/*
 * One request and its answer:
 *
 *   NEW -> SCRIPT -> CONNECT -> WAIT -> ANSWER -> DONE
 *            |          ^---------'  (another server)
 *            '-> lb answers itself
 *   an answer with 101: WAIT -> TUNNEL -> DONE
 *
 * It is told what the client sends by its front, what the server sends by its upstream, and ends in
 * exchange_finish, with one reason. It uses the snapshot that was newest when it began.
 */
#ifndef LB_PROXY_EXCHANGE_H
#define LB_PROXY_EXCHANGE_H

#include "lb/base/addr.h"
#include "lb/proxy/deadline.h"
#include "lb/proxy/generation.h"
#include "lb/proxy/upstream.h"

enum exchange_state {
    EXCHANGE_NEW,
    EXCHANGE_SCRIPT,  /* on_request waits, for time or for the body */
    EXCHANGE_CONNECT, /* a connection to a server is being made */
    EXCHANGE_WAIT,    /* the request is being sent, or has been */
    EXCHANGE_JUDGE,   /* on_response waits */
    EXCHANGE_ANSWER,  /* the answer passes */
    EXCHANGE_TUNNEL,
    EXCHANGE_DRAIN, /* the answer is out; the rest of the request is read and dropped */
    EXCHANGE_DONE,
};

struct conn;
struct http_conn;
struct http_thread;

/* A request's body as far as it has come: until a server takes it, and for sending it once more. */
struct kept_body {
    char *bytes;
    size_t len, cap;
};

struct exchange {
    struct deadline deadline;
    struct exchange *next, *prev; /* running on its connection */
    struct exchange
        *next_waiting; /* while the connection is decided again; when done: in the thread's list */
    struct conn *conn;
    struct http_conn *http;
    struct service *service; /* its generation is held */
    void *stream;            /* the front's */
    enum exchange_state state;
    enum reason reason; /* how it ended; NONE before */
    uint64_t since_ms;  /* what its deadline counts from */

    struct http_head *request, *answer; /* answer: while on_response waits */
    struct http_head *request_trailers, *answer_trailers;
    struct http_target target;
    struct span path;                   /* what the server gets: in the request's buffer */
    struct kept_body body, answer_body; /* answer_body: what came while on_response waited */
    size_t unconsumed;                  /* body bytes that the front has not granted again */
    bool body_lost;                     /* more has gone out than `body` has: not to be sent again */
    bool request_ended;                 /* by the client */
    bool request_sent;                  /* to the server, completely */
    bool upload_broken;                 /* the server takes no more of it; its answer may still come */
    bool client_paused, server_paused;
    bool answer_begun, answer_ended;
    bool server_ended; /* tunnel, or the whole answer while on_response waits */
    bool close;        /* the connection ends with this exchange */
    bool own;          /* lb has answered by itself */
    bool trusted;

    struct script_call *call;
    uint64_t wait_ms;
    size_t want_body;  /* the script has asked for it */
    bool judging;      /* the call that waits is on_response */
    uint8_t overtaken; /* how many reloads passed before it was decided */
    struct exchange_facts *facts;

    const struct route *route;
    const struct backend *backend;
    char *server;                /* the script has chosen this one; NULL: any */
    const struct member *member; /* counted active while set */
    struct upstream *upstream;
    struct tried tried;
    unsigned tries;
    unsigned interims; /* 1xx answers passed on */
    uint64_t whole;    /* bytes after which the answer has nothing more, trailers included; 0: not known */
    size_t unsent;     /* what the client had still to take when the deadline was looked at last */
    bool fresh;        /* the next try is over a connection of its own */
    struct upstream_failure failure; /* of the last try */
    char *failure_text;              /* its */

    /* For the log. */
    unsigned status;
    uint64_t started_us, opened_us, connected_us, sent_us, first_us; /* exchange_clock; 0: not reached */
    uint32_t script_us;
    uint64_t bytes_in, bytes_out; /* of the bodies */
    bool reused;
    char id[40];
    char *text, *log_fields;
    const char *member_name;
    const char *server_tls; /* version of TLS to the server; NULL: none */
};

/* ---- told by the front ---- */

void exchange_begin(struct exchange *exchange); /* the head is there */
void exchange_body(struct exchange *exchange, struct slice bytes);
void exchange_end(struct exchange *exchange, struct http_head *trailers); /* takes them; may be NULL */
void exchange_drained(struct exchange *exchange);                         /* the client takes more again */
void exchange_client_gone(struct exchange *exchange, enum reason reason); /* nobody is there to answer */
void exchange_refuse(struct exchange *exchange, unsigned status, enum reason reason, const char *text);

/* ---- between the parts ---- */

struct exchange *exchange_new(struct http_conn *http, struct http_head *head, void *stream);
void exchange_enter(struct exchange *exchange, enum exchange_state state);
void exchange_touch(struct exchange *exchange);
uint64_t exchange_clock(const struct exchange *exchange); /* for the times in the log */
/* The end. The first reason counts. Whatever still runs is cut. */
void exchange_finish(struct exchange *exchange, enum reason reason);
/* The answer cannot be finished: the client sees that it was cut. */
void exchange_cut(struct exchange *exchange, enum reason reason);
void exchange_note(struct exchange *exchange, const char *text); /* for the log; the first one counts */
void exchange_resume_client(struct exchange *exchange);
bool body_keep(struct kept_body *body, struct slice bytes); /* false: out of memory */
void body_drop(struct kept_body *body);

/* exchange_route.c */
void exchange_route(struct exchange *exchange);
bool exchange_has_certificate(const struct exchange *exchange);
void exchange_proceed(struct exchange *exchange); /* decided: to a server, or answered here */
/* exchange_script.c */
bool exchange_script(struct exchange *exchange); /* false: there is no on_request */
bool exchange_judge(struct exchange *exchange);  /* false: there is no on_response */
void exchange_script_resume(struct exchange *exchange);
void exchange_script_cancel(struct exchange *exchange);
void exchange_facts_give(struct exchange *exchange); /* back to the thread */
void exchange_facts_free(struct http_thread *thread);
/* exchange_server.c */
void exchange_server_start(struct exchange *exchange);
void exchange_server_expired(struct exchange *exchange);
void exchange_server_leave(struct exchange *exchange);
void exchange_request_whole(struct exchange *exchange);           /* the client has sent all of it */
void exchange_judged(struct exchange *exchange, unsigned status); /* on_response lets it pass */
void exchange_pass_answer(struct exchange *exchange);  /* the head has been judged, or needs not be */
void exchange_answer_whole(struct exchange *exchange); /* nothing more comes of the answer */
/* exchange_answer.c */
/* NAME NUL VALUE NUL ...: each replaces the fields of its name. False: out of memory. */
bool exchange_set_packed(struct http_head *head, struct slice packed);
void exchange_reply(struct exchange *exchange, unsigned status, struct slice headers, struct slice body,
                    const char *type);
void exchange_redirect(struct exchange *exchange, const struct route *route);

#endif
