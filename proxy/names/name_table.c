/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/names/name_table.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct entry {
    char *host; /* owned; the first member, as array_find_name has it */
    uint64_t resolve_ms;
    uint64_t hold_ms;
    uint64_t due_ms;
    uint64_t asked_ms;
    uint64_t good_ms; /* of the last good answer */
    bool is_asked;
    bool is_stuck;  /* asked for, and so long without an answer that this is a failure */
    bool is_wanted; /* while those are dropped that are not */
    bool was_slow;
    bool was_answered;
    bool has_ever_resolved;
    bool was_cut;
    unsigned failures; /* in a row */
    const char *error;
    struct name_set set;
};

struct name_table {
    struct entry **entries;
    size_t count;
    size_t cap;
    uint64_t random;
};

/* ---- life ---- */

struct name_table *name_table_new(uint64_t seed)
{
    struct name_table *table = calloc(1, sizeof *table);
    if (table != NULL)
        table->random = seed;
    return table;
}

static void free_entry(struct entry *entry)
{
    free(entry->host);
    free(entry);
}

void name_table_free(struct name_table **table)
{
    struct name_table *freed = *table;
    *table = NULL;
    if (freed == NULL)
        return;
    for (size_t i = 0; i < freed->count; i++)
        free_entry(freed->entries[i]);
    free(freed->entries);
    free(freed);
}

/* Names are the same in any letter case, as the name service has them. */
static struct entry *find(const struct name_table *table, const char *host)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcasecmp(table->entries[i]->host, host) == 0)
            return table->entries[i];
    return NULL;
}

static bool add(struct name_table *table, const struct name_wish *wish)
{
    struct entry **entries =
        array_make_room(table->entries, table->count, &table->cap, sizeof(struct entry *));
    if (entries == NULL)
        return false;
    table->entries = entries;
    struct entry *entry = calloc(1, sizeof *entry);
    char *host = strdup(wish->host);
    if (entry == NULL || host == NULL) {
        free(entry);
        free(host);
        return false;
    }
    *entry = (struct entry){.host = host, .resolve_ms = wish->resolve_ms, .hold_ms = wish->hold_ms};
    entries[table->count++] = entry;
    return true;
}

bool name_table_prepare(struct name_table *table, const struct name_wish *wishes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (find(table, wishes[i].host) == NULL && !add(table, &wishes[i]))
            return false;
    return true;
}

/* ---- when the next question is due ---- */

/* SplitMix64: any seed will do. */
static uint64_t next_random(struct name_table *table)
{
    uint64_t z = table->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static uint64_t with_jitter(struct name_table *table, uint64_t ms)
{
    uint64_t part = ms / 100 * NAME_JITTER_PERCENT + ms % 100 * NAME_JITTER_PERCENT / 100;
    return ms - part + next_random(table) % (2 * part + 1);
}

static uint64_t retry_ms(const struct entry *entry)
{
    uint64_t wait = NAME_RETRY_MS;
    for (unsigned i = 1; i < entry->failures && wait < entry->resolve_ms; i++)
        wait *= 2;
    return wait < entry->resolve_ms ? wait : entry->resolve_ms;
}

static void set_due(struct name_table *table, struct entry *entry, uint64_t now_ms)
{
    uint64_t wait = entry->failures > 0 ? retry_ms(entry) : entry->resolve_ms;
    entry->due_ms = now_ms + with_jitter(table, wait);
}

/* ---- which names there are ---- */

/* The first wish for a name sets its times, the next ones may only tighten or widen them. */
static void take_times(struct entry *entry, const struct name_wish *wish)
{
    if (!entry->is_wanted || wish->resolve_ms < entry->resolve_ms)
        entry->resolve_ms = wish->resolve_ms;
    if (!entry->is_wanted || wish->hold_ms > entry->hold_ms)
        entry->hold_ms = wish->hold_ms;
    entry->is_wanted = true;
}

/* A shorter time holds from now on, too. */
static void hurry(struct entry *entry)
{
    uint64_t latest = entry->asked_ms + entry->resolve_ms;
    if (entry->was_answered && entry->failures == 0 && entry->due_ms > latest + entry->resolve_ms / 5)
        entry->due_ms = latest;
}

void name_table_keep(struct name_table *table, const struct name_wish *wishes, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++)
        table->entries[i]->is_wanted = false;
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = find(table, wishes[i].host);
        if (entry != NULL)
            take_times(entry, &wishes[i]);
    }
    for (size_t i = 0; i < table->count; i++) {
        struct entry *entry = table->entries[i];
        if (!entry->is_wanted) {
            free_entry(entry);
            continue;
        }
        hurry(entry);
        table->entries[kept++] = entry;
    }
    table->count = kept;
}

bool name_table_find(const struct name_table *table, const char *host, struct name_knowledge *knowledge)
{
    const struct entry *entry = find(table, host);
    static const struct name_set none;
    *knowledge = (struct name_knowledge){.set = &none};
    if (entry == NULL)
        return false;
    *knowledge =
        (struct name_knowledge){&entry->set, entry->was_answered, entry->has_ever_resolved, entry->error};
    return true;
}

size_t name_table_unanswered(const struct name_table *table)
{
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++)
        count += !table->entries[i]->was_answered;
    return count;
}

/* ---- questions and answers ---- */

const char *name_table_next(struct name_table *table, uint64_t now_ms, bool *is_slow)
{
    struct entry *first = NULL;
    for (size_t i = 0; i < table->count; i++) {
        struct entry *entry = table->entries[i];
        if (!entry->is_asked && entry->due_ms <= now_ms && (first == NULL || entry->due_ms < first->due_ms))
            first = entry;
    }
    if (first == NULL)
        return NULL;
    first->is_asked = true;
    first->asked_ms = now_ms;
    *is_slow = first->failures > 0 || first->was_slow;
    return first->host;
}

void name_table_postpone(struct name_table *table, const char *host, uint64_t now_ms)
{
    struct entry *entry = find(table, host);
    if (entry == NULL)
        return;
    entry->is_asked = false;
    entry->due_ms = now_ms + with_jitter(table, NAME_RETRY_MS);
}

static void take_set(struct entry *entry, const struct name_set *set, struct name_change *change)
{
    change->from = entry->set.count;
    change->to = set->count;
    change->is_other_set = !name_set_equals(&entry->set, set);
    entry->set = *set;
}

static void take_good(struct entry *entry, const struct name_set *set, uint64_t now_ms,
                      struct name_change *change)
{
    change->is_back = entry->failures > 0;
    change->left_out = entry->was_cut ? 0 : set->left_out;
    entry->was_cut = set->left_out > 0;
    entry->has_ever_resolved = true;
    entry->good_ms = now_ms;
    entry->failures = 0;
    entry->error = NULL;
    take_set(entry, set, change);
}

static void take_bad(struct entry *entry, const char *error, struct name_change *change)
{
    change->has_failed = entry->failures == 0;
    change->from = change->to = entry->set.count;
    change->error = entry->error = error;
    entry->failures += entry->failures < UINT32_MAX;
}

static void forget_set(struct entry *entry, struct name_change *change)
{
    static const struct name_set none;
    take_set(entry, &none, change);
    change->error = entry->error;
}

struct name_change name_table_answer(struct name_table *table, const char *host, const struct name_set *set,
                                     const char *error, uint64_t now_ms)
{
    struct entry *entry = find(table, host);
    struct name_change change = {.host = host};
    if (entry == NULL)
        return change;
    change.host = entry->host;
    entry->was_slow = entry->is_asked && now_ms - entry->asked_ms >= NAME_SLOW_MS;
    entry->is_asked = entry->is_stuck = false;
    entry->was_answered = true;
    if (set->count > 0)
        take_good(entry, set, now_ms, &change);
    else
        take_bad(entry, error, &change);
    set_due(table, entry, now_ms);
    return change;
}

/* When a question is a failure, though its answer may still come; NAME_NEVER. */
static uint64_t stuck_ms(const struct entry *entry)
{
    return entry->is_asked && !entry->is_stuck ? entry->asked_ms + NAME_STUCK_MS : NAME_NEVER;
}

/* When the addresses go; NAME_NEVER while the last answer is a good one. */
static uint64_t over_ms(const struct entry *entry)
{
    return entry->set.count > 0 && entry->failures > 0 ? entry->good_ms + entry->hold_ms : NAME_NEVER;
}

static bool pass(struct entry *entry, uint64_t now_ms, struct name_change *change)
{
    *change = (struct name_change){.host = entry->host};
    if (now_ms >= stuck_ms(entry)) {
        entry->is_stuck = entry->was_answered = true;
        take_bad(entry, NAME_STUCK_WORDS, change);
        return true;
    }
    if (now_ms < over_ms(entry))
        return false;
    forget_set(entry, change);
    return true;
}

bool name_table_pass(struct name_table *table, uint64_t now_ms, struct name_change *change)
{
    for (size_t i = 0; i < table->count; i++)
        if (pass(table->entries[i], now_ms, change))
            return true;
    return false;
}

/* When something is to be done for a name; NAME_NEVER. */
static uint64_t next_ms(const struct entry *entry)
{
    const uint64_t times[] = {stuck_ms(entry), over_ms(entry), entry->is_asked ? NAME_NEVER : entry->due_ms};
    uint64_t first = NAME_NEVER;
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        first = times[i] < first ? times[i] : first;
    return first;
}

uint64_t name_table_wait_ms(const struct name_table *table, uint64_t now_ms)
{
    uint64_t first = NAME_NEVER;
    for (size_t i = 0; i < table->count; i++) {
        uint64_t next = next_ms(table->entries[i]);
        first = next < first ? next : first;
    }
    if (first == NAME_NEVER)
        return NAME_NEVER;
    return first > now_ms ? first - now_ms : 0;
}
