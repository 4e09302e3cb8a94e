/* A deadline of anything in a thread's wheel: the entry and whom it concerns. */
#ifndef LB_PROXY_DEADLINE_H
#define LB_PROXY_DEADLINE_H

#include "lb/base/wheel.h"

struct deadline {
    struct wheel_entry entry; /* first: the wheel gives it back */
    void (*fired)(struct deadline *deadline);
};

#endif
