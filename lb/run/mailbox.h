/* The one verb between threads: post. Letters are read in order, in the thread whose loop the mailbox belongs
 * to. */
#ifndef LB_RUN_MAILBOX_H
#define LB_RUN_MAILBOX_H

#include <pthread.h>
#include <uv.h>

struct letter {
    struct letter *next;
    void (*read)(struct letter *letter, void *owner); /* owns the letter from here on */
};

struct mailbox {
    pthread_mutex_t lock;
    struct letter *first, **last;
    uv_async_t async;
    void *owner;
};

int mailbox_init(struct mailbox *mailbox, uv_loop_t *loop, void *owner); /* 0 or a negative errno */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);       /* any thread */
void mailbox_close(struct mailbox *mailbox); /* its own thread; nothing may be posted after */

/* After the loop has ended and nobody posts any more: frees the letters that were not read. */
void mailbox_free(struct mailbox *mailbox);

#endif
