/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/metrics_pools.h"

#include "base/array.h"

static size_t count_pools(const struct runtime *runtime)
{
    return runtime->snapshot->cfg->pool_count;
}

static const struct membership *members_of(const struct runtime *runtime, size_t pool)
{
    return runtime->members->lists[pool];
}

static uint64_t get(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* ---- pools ---- */

static uint64_t get_servers(const struct membership *members)
{
    return members->count;
}

static uint64_t get_available(const struct membership *members)
{
    return membership_count_available(members);
}

static uint64_t get_sessions_of_all(const struct membership *members)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < members->count; i++)
        sum += server_state_sessions(members->members[i].server);
    return sum;
}

static uint64_t get_panic(const struct membership *members)
{
    return atomic_load_explicit(&members->pool->panic, memory_order_relaxed);
}

static uint64_t get_waiting(const struct membership *members)
{
    return wait_queue_count(members->pool->queue);
}

static uint64_t get_queue_length(const struct membership *members)
{
    return wait_queue_length(members->pool->queue);
}

static uint64_t get_queue_full(const struct membership *members)
{
    return get(&members->pool->queue_full);
}

static uint64_t get_queue_unserved(const struct membership *members)
{
    return get(&members->pool->queue_unserved);
}

static const struct pool_family {
    const char *name;
    enum metrics_type type;
    const char *help;
    uint64_t (*value)(const struct membership *members); /* NULL: the waits */
} pool_families[] = {
    {"deepproxy_pool_servers", METRICS_GAUGE, "Servers of the pool.", get_servers},
    {"deepproxy_pool_servers_available", METRICS_GAUGE, "Of these, those that take new sessions.",
     get_available},
    {"deepproxy_pool_sessions", METRICS_GAUGE, "Sessions at the servers of the pool.", get_sessions_of_all},
    {"deepproxy_pool_panic", METRICS_GAUGE,
     "Whether so many servers fail that not all of them are ejected: at most half are.", get_panic},
    {"deepproxy_pool_waiting", METRICS_GAUGE, "Sessions in the pool's queue.", get_waiting},
    {"deepproxy_pool_queue_length", METRICS_GAUGE, "How many may be there.", get_queue_length},
    {"deepproxy_pool_queue_full_total", METRICS_COUNTER, "Sessions that found the queue full.",
     get_queue_full},
    {"deepproxy_pool_queue_unserved_total", METRICS_COUNTER,
     "Sessions that left the queue without a server: their time was over, or none was left.",
     get_queue_unserved},
    {"deepproxy_pool_wait_seconds", METRICS_HISTOGRAM,
     "How long sessions were in the pool's queue, with success or without.", NULL},
};

static void write_number(struct metrics_text *text, const struct pool_family *family,
                         const struct membership *members)
{
    const struct metrics_label label = {"pool", members->pool->name};
    metrics_text_sample(text, &label, 1, (int64_t)family->value(members));
}

/* The last family, which has no value. */
static void write_waits(struct metrics_text *text, const struct membership *members)
{
    const struct metrics_label label = {"pool", members->pool->name};
    metrics_text_histogram(text, &label, 1, &members->pool->waits);
}

static void write_pool(struct metrics_text *text, const struct pool_family *family,
                       const struct membership *members)
{
    if (family->value != NULL)
        write_number(text, family, members);
    else
        write_waits(text, members);
}

/* ---- servers ---- */

static const char *health_word(size_t i)
{
    return server_health_word((enum server_health)i);
}

static const char *admin_word(size_t i)
{
    return server_admin_word((enum server_admin)i);
}

static const char *failure_word(size_t i)
{
    return server_cause_word((enum server_cause)i);
}

static const char *axis_word(size_t i)
{
    return server_axis_word((enum server_axis)i);
}

static const char *check_word(size_t i)
{
    return check_result_name((enum check_result)i);
}

static uint64_t get_sessions(const struct server_state *server, size_t i)
{
    (void)i;
    return server_state_sessions(server);
}

static uint64_t get_connecting(const struct server_state *server, size_t i)
{
    (void)i;
    return atomic_load_explicit(&server->connecting, memory_order_relaxed);
}

static uint64_t get_connects(const struct server_state *server, size_t i)
{
    (void)i;
    return get(&server->connects);
}

static uint64_t get_failures(const struct server_state *server, size_t i)
{
    return get(&server->failures[i]);
}

static uint64_t get_changes(const struct server_state *server, size_t i)
{
    return get(&server->changes[i]);
}

static uint64_t get_checks(const struct server_state *server, size_t i)
{
    return get(&server->checks[i]);
}

/* An axis has one value, and is read once: a change meanwhile must not show two of them, or none. */
static uint64_t get_health(const struct server_state *server, size_t unused)
{
    (void)unused;
    return server_state_health(server);
}

static uint64_t get_admin(const struct server_state *server, size_t unused)
{
    (void)unused;
    return server_state_admin(server);
}

/* Labels that a sample of a server has. */
enum { LABEL_POOL, LABEL_SERVER, LABEL_WORD, LABELS };

struct server_family;

/* Writes a server's samples of the family; the first labels are there. */
typedef void (*server_writer)(struct metrics_text *text, const struct server_family *family,
                              const struct server_state *server, struct metrics_label *labels);

struct server_family {
    const char *name;
    enum metrics_type type;
    const char *help;
    server_writer write;
    /* For write_words: the label, its values, and whether `value` says which of them is 1, the others 0. */
    const char *label;
    size_t count;
    const char *(*word)(size_t i);
    bool is_choice;
    uint64_t (*value)(const struct server_state *server, size_t i);
    bool is_of_checks; /* only if the pool has checks */
};

static void write_value(struct metrics_text *text, const struct server_family *family,
                        const struct server_state *server, struct metrics_label *labels)
{
    metrics_text_sample(text, labels, LABEL_WORD, (int64_t)family->value(server, 0));
}

static void write_words(struct metrics_text *text, const struct server_family *family,
                        const struct server_state *server, struct metrics_label *labels)
{
    size_t chosen = family->is_choice ? (size_t)family->value(server, 0) : 0;
    for (size_t i = 0; i < family->count; i++) {
        labels[LABEL_WORD] = (struct metrics_label){family->label, family->word(i)};
        uint64_t value = family->is_choice ? i == chosen : family->value(server, i);
        metrics_text_sample(text, labels, LABELS, (int64_t)value);
    }
}

static void write_weight(struct metrics_text *text, const struct server_family *family,
                         const struct server_state *server, struct metrics_label *labels)
{
    uint64_t share = (uint64_t)server_state_effective_weight(server) * 1000 / SERVER_WEIGHT_ONE;
    (void)family;
    metrics_text_thousandths(text, "", labels, LABEL_WORD, share);
}

static void write_greetings(struct metrics_text *text, const struct server_family *family,
                            const struct server_state *server, struct metrics_label *labels)
{
    (void)family;
    metrics_text_histogram(text, labels, LABEL_WORD, &server->greetings);
}

static void write_check_times(struct metrics_text *text, const struct server_family *family,
                              const struct server_state *server, struct metrics_label *labels)
{
    uint64_t count = 0;
    (void)family;
    for (size_t i = 0; i < CHECK_RESULTS; i++)
        count += get(&server->checks[i]);
    metrics_text_summary(text, labels, LABEL_WORD, get(&server->check_ms_total), count);
}

static const struct server_family server_families[] = {
    {.name = "deepproxy_server_state",
     .type = METRICS_GAUGE,
     .help = "What the proxy sees of the server: 1 for its state.",
     .write = write_words,
     .label = "state",
     .count = SERVER_HEALTHS,
     .word = health_word,
     .value = get_health,
     .is_choice = true},
    {.name = "deepproxy_server_admin",
     .type = METRICS_GAUGE,
     .help = "What the operator wants of the server: 1 for that.",
     .write = write_words,
     .label = "admin",
     .count = SERVER_ADMINS,
     .word = admin_word,
     .value = get_admin,
     .is_choice = true},
    {.name = "deepproxy_server_weight",
     .type = METRICS_GAUGE,
     .help = "The server's share of new sessions: its weight, and less while it is warming.",
     .write = write_weight},
    {.name = "deepproxy_server_sessions",
     .type = METRICS_GAUGE,
     .help = "Sessions at the server.",
     .write = write_value,
     .value = get_sessions},
    {.name = "deepproxy_server_connecting",
     .type = METRICS_GAUGE,
     .help = "Of these, those that it has not greeted.",
     .write = write_value,
     .value = get_connecting},
    {.name = "deepproxy_server_connects_total",
     .type = METRICS_COUNTER,
     .help = "Sessions that were sent to the server.",
     .write = write_value,
     .value = get_connects},
    {.name = "deepproxy_server_failures_total",
     .type = METRICS_COUNTER,
     .help = "Sessions at which the server has failed.",
     .write = write_words,
     .label = "kind",
     .count = SERVER_FAILURES,
     .word = failure_word,
     .value = get_failures},
    {.name = "deepproxy_server_changes_total",
     .type = METRICS_COUNTER,
     .help = "Changes of the server's state, by axis.",
     .write = write_words,
     .label = "axis",
     .count = SERVER_AXES,
     .word = axis_word,
     .value = get_changes},
    {.name = "deepproxy_server_greeting_seconds",
     .type = METRICS_HISTOGRAM,
     .help = "From connecting to the server until its greeting, of sessions that it has greeted.",
     .write = write_greetings},
    {.name = "deepproxy_server_checks_total",
     .type = METRICS_COUNTER,
     .help = "Checks of the server, by result.",
     .write = write_words,
     .label = "result",
     .count = CHECK_RESULTS,
     .word = check_word,
     .value = get_checks,
     .is_of_checks = true},
    {.name = "deepproxy_server_check_seconds",
     .type = METRICS_SUMMARY,
     .help = "How long checks of the server took until their result was known.",
     .write = write_check_times,
     .is_of_checks = true},
};

static void write_member(struct metrics_text *text, const struct server_family *family,
                         const struct membership *members, size_t index)
{
    const struct member *member = &members->members[index];
    struct metrics_label labels[LABELS] = {[LABEL_POOL] = {"pool", members->pool->name},
                                           [LABEL_SERVER] = {"server", member->server->identity.name}};
    if (!family->is_of_checks || member->rules.is_checked)
        family->write(text, family, member->server, labels);
}

/* ---- bit by bit ---- */

enum { POOL_FAMILIES = ARRAY_LEN(pool_families), FAMILIES = POOL_FAMILIES + ARRAY_LEN(server_families) };

static bool is_of_pools(const struct metrics_pools_cursor *cursor)
{
    return cursor->family < POOL_FAMILIES;
}

static const struct server_family *server_family_at(const struct metrics_pools_cursor *cursor)
{
    return &server_families[cursor->family - POOL_FAMILIES];
}

static void begin_family(struct metrics_text *text, struct metrics_pools_cursor *cursor)
{
    if (cursor->is_begun)
        return;
    cursor->is_begun = true;
    if (is_of_pools(cursor)) {
        const struct pool_family *family = &pool_families[cursor->family];
        metrics_text_family(text, family->name, family->type, family->help);
    } else {
        const struct server_family *family = server_family_at(cursor);
        metrics_text_family(text, family->name, family->type, family->help);
    }
}

/* Samples of the pool at which the cursor is: its own one, or one for each of its servers. */
static size_t count_samples(const struct metrics_pools_cursor *cursor, const struct membership *members)
{
    return is_of_pools(cursor) ? 1 : members->count;
}

static void write_sample(struct metrics_text *text, const struct metrics_pools_cursor *cursor,
                         const struct membership *members)
{
    if (is_of_pools(cursor))
        write_pool(text, &pool_families[cursor->family], members);
    else
        write_member(text, server_family_at(cursor), members, cursor->server);
}

/* What is left of the family. False if there is more of it than `budget`, from which it is taken. */
static bool write_family(struct metrics_text *text, const struct runtime *runtime,
                         struct metrics_pools_cursor *cursor, size_t *budget)
{
    begin_family(text, cursor);
    for (; cursor->pool < count_pools(runtime); cursor->pool++, cursor->server = 0) {
        const struct membership *members = members_of(runtime, cursor->pool);
        for (; cursor->server < count_samples(cursor, members); cursor->server++, (*budget)--) {
            if (*budget == 0)
                return false;
            write_sample(text, cursor, members);
        }
    }
    return true;
}

bool metrics_pools_write_some(struct metrics_text *text, const struct runtime *runtime,
                              struct metrics_pools_cursor *cursor)
{
    size_t budget = METRICS_POOLS_STEP;
    while (cursor->family < FAMILIES && write_family(text, runtime, cursor, &budget))
        *cursor = (struct metrics_pools_cursor){.family = cursor->family + 1};
    return cursor->family == FAMILIES;
}
