/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/membership.h"

#include "base/ensure.h"

#include <stdlib.h>
#include <string.h>

/* Octets to whole cache lines, so that no two workers write one. */
static size_t round_up(size_t count)
{
    return (count + SERVER_LINE) / SERVER_LINE * SERVER_LINE;
}

static bool make_parts(struct membership *members, size_t count, unsigned workers)
{
    members->stride = round_up(count);
    size_t items = members->stride * workers;
    members->credits = aligned_alloc(SERVER_LINE, items * sizeof *members->credits);
    members->candidates = aligned_alloc(SERVER_LINE, items);
    if (members->credits == NULL || members->candidates == NULL)
        return false;
    memset(members->credits, 0, items * sizeof *members->credits);
    memset(members->candidates, 0, items);
    return true;
}

static void destroy_membership(struct disposal *disposal)
{
    struct membership *members = DISPOSAL_OWNER(disposal, struct membership, disposal);
    for (size_t i = 0; i < members->count; i++)
        server_state_unref(&members->members[i].server);
    pool_state_unref(&members->pool);
    free(members->credits);
    free(members->candidates);
    free(members);
}

struct membership *membership_new(struct pool_state *pool, size_t count, unsigned workers)
{
    struct membership *members = calloc(1, sizeof *members + count * sizeof members->members[0]);
    if (members == NULL)
        return NULL;
    refcount_init(&members->references);
    members->pool = pool_state_ref(pool);
    members->workers = workers;
    members->room = count;
    if (!make_parts(members, count, workers))
        membership_unref(&members);
    return members;
}

void membership_add(struct membership *members, struct server_state *server, const struct server_rules *rules,
                    bool is_backup)
{
    ENSURE(members->count < members->room);
    members->members[members->count++] = (struct member){server, *rules, is_backup};
}

struct membership *membership_ref(struct membership *members)
{
    refcount_take(&members->references);
    return members;
}

void membership_unref(struct membership **members)
{
    struct membership *dropped = *members;
    *members = NULL;
    if (dropped != NULL && refcount_drop(&dropped->references))
        disposal_begin(&dropped->disposal, destroy_membership);
}

const struct member *membership_find(const struct membership *members, const char *name)
{
    for (size_t i = 0; i < members->count; i++)
        if (strcmp(members->members[i].server->identity.name, name) == 0)
            return &members->members[i];
    return NULL;
}

size_t membership_slots(const struct membership *members)
{
    size_t slots = 0;
    for (size_t i = 0; i < members->count; i++)
        if (members->members[i].server->slot >= slots)
            slots = members->members[i].server->slot + 1;
    return slots;
}

size_t membership_count_available(const struct membership *members)
{
    size_t count = 0;
    for (size_t i = 0; i < members->count; i++)
        count += server_state_is_available(members->members[i].server);
    return count;
}

static bool has_same_rules(const struct server_rules *a, const struct server_rules *b)
{
    return a->weight == b->weight && a->max_connections == b->max_connections && a->rise == b->rise &&
           a->fall == b->fall && a->slow_start_ms == b->slow_start_ms && a->is_checked == b->is_checked;
}

bool membership_equals(const struct membership *a, const struct membership *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = a->members[i].server == b->members[i].server &&
               a->members[i].is_backup == b->members[i].is_backup &&
               has_same_rules(&a->members[i].rules, &b->members[i].rules);
    return same;
}

static void install(const struct member *member, const struct membership *before, uint64_t now_ms,
                    const struct server_observer *observer)
{
    struct server_state *server = member->server;
    bool is_new = !server->is_configured;
    server_state_configure(server, &member->rules, now_ms, observer);
    if (!is_new || before == NULL)
        return;
    const struct member *same_name = membership_find(before, server->identity.name);
    if (same_name != NULL)
        server_state_inherit(server, same_name->server, now_ms, observer);
    if (member->rules.is_checked)
        server_state_await_check(server);
}

void membership_install(const struct membership *members, const struct membership *before, uint64_t now_ms,
                        const struct server_observer *observer)
{
    for (size_t i = 0; i < members->count; i++)
        install(&members->members[i], before, now_ms, observer);
    /* A limit may have been raised. */
    wait_queue_place_free(members->pool->queue);
}

void membership_note_addresses(const struct membership *members, uint64_t now_ms,
                               const struct server_observer *observer)
{
    for (size_t i = 0; i < members->count; i++) {
        struct server_state *server = members->members[i].server;
        if (server->identity.address_len == 0)
            server_state_event(server, SERVER_EVENT_NAME_GONE, SERVER_CAUSE_NAME_GONE, now_ms, observer);
        else
            server_state_event(server, SERVER_EVENT_NAME_FOUND, SERVER_CAUSE_NAME_FOUND, now_ms, observer);
    }
}

static bool has_server(const struct membership *members, const struct server_state *server)
{
    for (size_t i = 0; i < members->count; i++)
        if (members->members[i].server == server)
            return true;
    return false;
}

void membership_retire(const struct membership *before, const struct membership *members, uint64_t now_ms,
                       const struct server_observer *observer)
{
    for (size_t i = 0; i < before->count; i++)
        if (!has_server(members, before->members[i].server))
            server_state_event(before->members[i].server, SERVER_EVENT_NAME_GONE, SERVER_CAUSE_NAME_GONE,
                               now_ms, observer);
}
