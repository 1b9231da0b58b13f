/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/pool_names.h"

#include "proxy/backends/pool_members.h"
#include "proxy/common/monotonic.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct pool_names {
    struct name_table *table;
    struct name_lookup *lookup;
};

struct pool_names *pool_names_new(void (*notify)(void *arg), void *arg, uint64_t seed)
{
    struct pool_names *names = calloc(1, sizeof *names);
    if (names == NULL)
        return NULL;
    names->table = name_table_new(seed);
    names->lookup = name_lookup_new(notify, arg);
    if (names->table == NULL || names->lookup == NULL)
        pool_names_free(&names);
    return names;
}

void pool_names_free(struct pool_names **names)
{
    struct pool_names *freed = *names;
    *names = NULL;
    if (freed == NULL)
        return;
    name_lookup_free(&freed->lookup);
    name_table_free(&freed->table);
    free(freed);
}

/* ---- the names of a configuration ---- */

static bool is_name(const struct cfg_server *server)
{
    return server->address.address_len == 0;
}

struct wishes {
    struct name_wish *items; /* NULL: memory is short, or there are none */
    size_t count;
};

static size_t count_names(const struct cfg *cfg)
{
    size_t count = 0;
    for (size_t i = 0; i < cfg->pool_count; i++)
        for (size_t k = 0; k < cfg->pools[i].server_count; k++)
            count += is_name(&cfg->pools[i].servers[k]);
    return count;
}

static struct wishes wishes_of(const struct cfg *cfg)
{
    struct wishes wishes = {calloc(count_names(cfg) + 1, sizeof *wishes.items), 0};
    for (size_t i = 0; i < cfg->pool_count && wishes.items != NULL; i++) {
        const struct cfg_pool *pool = &cfg->pools[i];
        for (size_t k = 0; k < pool->server_count; k++)
            if (is_name(&pool->servers[k]))
                wishes.items[wishes.count++] =
                    (struct name_wish){pool->servers[k].address.host, pool->resolve_ms, pool->hold_ms};
    }
    return wishes;
}

bool pool_names_prepare(struct pool_names *names, const struct cfg *cfg)
{
    struct wishes wishes = wishes_of(cfg);
    bool ok = wishes.items != NULL && name_table_prepare(names->table, wishes.items, wishes.count);
    free(wishes.items);
    return ok;
}

/* If memory is short, names that nobody needs are looked up until the next reload. */
void pool_names_keep(struct pool_names *names, const struct cfg *cfg)
{
    struct wishes wishes = wishes_of(cfg);
    if (wishes.items != NULL)
        name_table_keep(names->table, wishes.items, wishes.count);
    free(wishes.items);
}

/* ---- looking up ---- */

static bool is_news(const struct name_change *change)
{
    return change->is_other_set || change->has_failed || change->is_back || change->left_out > 0;
}

static void tell(const struct name_change *change,
                 void (*changed)(void *arg, const struct name_change *change), void *arg)
{
    if (changed != NULL && is_news(change))
        changed(arg, change);
}

static void take_answers(struct pool_names *names, uint64_t now_ms,
                         void (*changed)(void *arg, const struct name_change *change), void *arg)
{
    struct name_answer answer;
    while (name_lookup_take(names->lookup, &answer)) {
        struct name_change change =
            name_table_answer(names->table, answer.host, &answer.set, name_answer_words(&answer), now_ms);
        tell(&change, changed, arg);
    }
}

static void ask_for_due(struct pool_names *names, uint64_t now_ms)
{
    const char *host;
    bool is_slow;
    while ((host = name_table_next(names->table, now_ms, &is_slow)) != NULL)
        if (!name_lookup_ask(names->lookup, host, is_slow))
            name_table_postpone(names->table, host, now_ms);
}

void pool_names_look(struct pool_names *names, uint64_t now_ms,
                     void (*changed)(void *arg, const struct name_change *change), void *arg)
{
    struct name_change change;
    take_answers(names, now_ms, changed, arg);
    while (name_table_pass(names->table, now_ms, &change))
        tell(&change, changed, arg);
    ask_for_due(names, now_ms);
}

uint64_t pool_names_due_ms(const struct pool_names *names, uint64_t now_ms)
{
    return name_table_wait_ms(names->table, now_ms);
}

bool pool_names_are_answered(const struct pool_names *names)
{
    return name_table_unanswered(names->table) == 0;
}

void pool_names_wait(struct pool_names *names, uint64_t ms)
{
    uint64_t now = monotonic_ms();
    uint64_t end = now + ms;
    pool_names_look(names, now, NULL, NULL);
    while (!pool_names_are_answered(names) && now < end) {
        (void)name_lookup_wait(names->lookup, end - now);
        now = monotonic_ms();
        pool_names_look(names, now, NULL, NULL);
    }
}

void pool_names_warn(const struct pool_names *names, const struct cfg *cfg, struct cfg_problems *problems)
{
    for (size_t i = 0; i < cfg->pool_count; i++)
        for (size_t k = 0; k < cfg->pools[i].server_count; k++) {
            const struct cfg_endpoint *endpoint = &cfg->pools[i].servers[k].address;
            struct name_knowledge known;
            if (!is_name(&cfg->pools[i].servers[k]))
                continue;
            (void)name_table_find(names->table, endpoint->host, &known);
            if (known.set->count == 0)
                cfg_problems_add(problems, CFG_WARNING, endpoint->place,
                                 "the server's name \"%s\" has no address now: %s; it gets no sessions until "
                                 "it has one: correct it, mend the name service, or give an address",
                                 endpoint->host, known.error != NULL ? known.error : NAME_STUCK_WORDS);
        }
}

/* ---- lists ---- */

static socklen_t get_address(void *arg, const char *host, size_t index, struct sockaddr_storage *address)
{
    const struct pool_names *names = arg;
    struct name_knowledge known;
    (void)name_table_find(names->table, host, &known);
    if (index >= known.set->count)
        return 0;
    const union name_address *found = &known.set->addresses[index];
    memset(address, 0, sizeof *address);
    memcpy(address, found, sizeof *found);
    return found->any.sa_family == AF_INET6 ? sizeof found->v6 : sizeof found->v4;
}

/* Of a list in which nothing differs the one before: workers go on with their own place in the turn. */
static void prefer_same(struct member_lists *made, const struct member_lists *before)
{
    for (size_t i = 0; i < made->count; i++) {
        if (!membership_equals(made->lists[i], before->lists[i]))
            continue;
        membership_unref(&made->lists[i]);
        made->lists[i] = membership_ref(before->lists[i]);
    }
}

struct member_lists *pool_names_make_lists(const struct pool_names *names, const struct cfg *cfg,
                                           struct server_registry *registry,
                                           const struct member_lists *before)
{
    struct known_addresses known = {get_address, (void *)(uintptr_t)names};
    struct member_lists *lists = pool_members_make_all(cfg, registry, &known);
    if (lists != NULL && before != NULL)
        prefer_same(lists, before);
    return lists;
}
