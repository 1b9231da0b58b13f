/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/disposal.h"

#include "base/ensure.h"

static _Thread_local struct disposal_list *list_of_thread;

void disposal_leave_to(struct disposal_list *list)
{
    list_of_thread = list;
}

void disposal_begin(struct disposal *disposal, void (*destroy)(struct disposal *disposal))
{
    struct disposal_list *list = list_of_thread;
    if (list == NULL) {
        destroy(disposal);
        return;
    }
    disposal->destroy = destroy;
    struct disposal *newest = atomic_load_explicit(&list->newest, memory_order_relaxed);
    do
        disposal->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&list->newest, &newest, disposal, memory_order_release,
                                                  memory_order_relaxed));
    if (newest == NULL)
        list->wake(list->arg);
}

bool disposal_waits(const struct disposal_list *list)
{
    return atomic_load_explicit(&list->newest, memory_order_relaxed) != NULL;
}

/* The list is taken whole, so that no thread can put back what another has taken. */
void disposal_run(struct disposal_list *list)
{
    ENSURE(list_of_thread == NULL);
    struct disposal *next;
    for (struct disposal *at = atomic_exchange_explicit(&list->newest, NULL, memory_order_acquire);
         at != NULL; at = next) {
        next = at->next;
        at->destroy(at);
    }
}
