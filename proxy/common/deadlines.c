/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/deadlines.h"

void deadline_list_init(struct deadline_list *list, uint64_t span)
{
    list->head.next = list->head.previous = &list->head;
    list->span = span;
}

void deadline_drop(struct deadline *deadline)
{
    if (deadline->expires == 0)
        return;
    deadline->previous->next = deadline->next;
    deadline->next->previous = deadline->previous;
    *deadline = (struct deadline){0};
}

void deadline_set(struct deadline_list *list, struct deadline *deadline, uint64_t now)
{
    deadline_drop(deadline);
    deadline->expires = now + list->span > 0 ? now + list->span : 1;
    deadline->previous = list->head.previous;
    deadline->next = &list->head;
    list->head.previous->next = deadline;
    list->head.previous = deadline;
}

struct deadline *deadline_list_take_expired(struct deadline_list *list, uint64_t now)
{
    struct deadline *first = list->head.next;
    if (first == &list->head || first->expires > now)
        return NULL;
    deadline_drop(first);
    return first;
}

bool deadline_list_is_empty(const struct deadline_list *list)
{
    return list->head.next == &list->head;
}
