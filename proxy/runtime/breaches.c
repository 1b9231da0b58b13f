/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/breaches.h"

#include "base/array.h"
#include "base/slice.h"

#include <stdlib.h>

void breaches_add(struct breaches *breaches, struct breach breach)
{
    struct breach *items =
        array_make_room(breaches->items, breaches->count, &breaches->cap, sizeof *breaches->items);
    if (items == NULL)
        return;
    breaches->items = items;
    items[breaches->count++] = breach;
}

void breaches_add_chain(struct breaches *breaches, const char *chain)
{
    const char **chains =
        array_make_room(breaches->chains, breaches->chain_count, &breaches->chain_cap, sizeof(char *));
    if (chains == NULL)
        return;
    breaches->chains = chains;
    chains[breaches->chain_count++] = chain;
}

void breaches_sort_chains(struct breaches *breaches)
{
    if (breaches->chain_count > 0)
        qsort(breaches->chains, breaches->chain_count, sizeof breaches->chains[0], text_order);
}

const struct breach *breaches_find(const struct breaches *breaches, size_t problem)
{
    for (size_t i = 0; i < breaches->count; i++)
        if (breaches->items[i].problem == problem)
            return &breaches->items[i];
    return NULL;
}

static bool is_same(const struct breach *a, const struct breach *b)
{
    return a->kind == b->kind && text_is_same(a->host, b->host) && text_is_same(a->tag, b->tag) &&
           text_is_same(a->subject, b->subject);
}

bool breaches_cover(const struct breaches *breaches, const struct breach *breach)
{
    unsigned left = breach->protocols;
    bool found = false;
    for (size_t i = 0; i < breaches->count; i++) {
        if (!is_same(&breaches->items[i], breach))
            continue;
        found = true;
        left &= ~breaches->items[i].protocols;
    }
    return found && left == 0;
}

void breaches_free(struct breaches *breaches)
{
    free(breaches->items);
    free(breaches->chains);
    *breaches = (struct breaches){0};
}
