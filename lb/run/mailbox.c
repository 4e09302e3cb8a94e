#include "lb/run/mailbox.h"

#include <stdlib.h>

static void on_async(uv_async_t *async)
{
    struct mailbox *mailbox = async->data;
    pthread_mutex_lock(&mailbox->lock);
    struct letter *letter = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    while (letter) {
        struct letter *next = letter->next;
        letter->read(letter, mailbox->owner);
        letter = next;
    }
}

int mailbox_init(struct mailbox *mailbox, uv_loop_t *loop, void *owner)
{
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    mailbox->owner = owner;
    mailbox->async.data = mailbox;
    return uv_async_init(loop, &mailbox->async, on_async);
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    letter->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    *mailbox->last = letter;
    mailbox->last = &letter->next;
    pthread_mutex_unlock(&mailbox->lock);
    uv_async_send(&mailbox->async);
}

void mailbox_close(struct mailbox *mailbox)
{
    uv_close((uv_handle_t *)&mailbox->async, NULL);
}

void mailbox_free(struct mailbox *mailbox)
{
    while (mailbox->first) {
        struct letter *letter = mailbox->first;
        mailbox->first = letter->next;
        free(letter);
    }
    pthread_mutex_destroy(&mailbox->lock);
}
