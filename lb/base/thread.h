#ifndef LB_BASE_THREAD_H
#define LB_BASE_THREAD_H

#include <pthread.h>

/* Starts a thread that no signal ever interrupts: signals are the master's. 0 or an errno. */
int thread_start(pthread_t *thread, void *(*main)(void *), void *argument);

#endif
