/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/member_lists.h"

#include <stdlib.h>

struct member_lists *member_lists_new(size_t count)
{
    struct member_lists *lists = calloc(1, sizeof *lists + count * sizeof lists->lists[0]);
    if (lists == NULL)
        return NULL;
    refcount_init(&lists->references);
    lists->count = count;
    return lists;
}

struct member_lists *member_lists_ref(struct member_lists *lists)
{
    refcount_take(&lists->references);
    return lists;
}

static void destroy_lists(struct disposal *disposal)
{
    struct member_lists *lists = DISPOSAL_OWNER(disposal, struct member_lists, disposal);
    for (size_t i = 0; i < lists->count; i++)
        membership_unref(&lists->lists[i]);
    free(lists);
}

void member_lists_unref(struct member_lists **lists)
{
    struct member_lists *dropped = *lists;
    *lists = NULL;
    if (dropped != NULL && refcount_drop(&dropped->references))
        disposal_begin(&dropped->disposal, destroy_lists);
}
