/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/names/name_set.h"

#include <string.h>

/* Of another family: all zero. */
static union name_address without_port(const struct sockaddr *address)
{
    union name_address plain;
    memset(&plain, 0, sizeof plain);
    if (address->sa_family == AF_INET) {
        plain.v4.sin_family = AF_INET;
        plain.v4.sin_addr = ((const struct sockaddr_in *)(const void *)address)->sin_addr;
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        plain.v6.sin6_family = AF_INET6;
        plain.v6.sin6_addr = v6->sin6_addr;
        plain.v6.sin6_scope_id = v6->sin6_scope_id;
    }
    return plain;
}

static int compare(const union name_address *a, const union name_address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return a->any.sa_family < b->any.sa_family ? -1 : 1;
    if (a->any.sa_family == AF_INET)
        return memcmp(&a->v4.sin_addr, &b->v4.sin_addr, sizeof a->v4.sin_addr);
    int order = memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr);
    if (order != 0 || a->v6.sin6_scope_id == b->v6.sin6_scope_id)
        return order;
    return a->v6.sin6_scope_id < b->v6.sin6_scope_id ? -1 : 1;
}

void name_set_add(struct name_set *set, const struct sockaddr *address)
{
    union name_address added = without_port(address);
    size_t at = 0;
    int order = 1;
    if (added.any.sa_family == AF_UNSPEC)
        return;
    while (at < set->count && (order = compare(&added, &set->addresses[at])) > 0)
        at++;
    if (at < set->count && order == 0)
        return;
    if (set->count == NAME_ADDRESSES_MAX) {
        set->left_out++;
        if (at == set->count)
            return;
        set->count--;
    }
    memmove(&set->addresses[at + 1], &set->addresses[at], (set->count - at) * sizeof added);
    set->addresses[at] = added;
    set->count++;
}

bool name_set_equals(const struct name_set *a, const struct name_set *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++)
        same = compare(&a->addresses[i], &b->addresses[i]) == 0;
    return same;
}
