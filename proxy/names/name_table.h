/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_NAMES_NAME_TABLE_H
#define DEEPPROXY_PROXY_NAMES_NAME_TABLE_H

#include "base/must_check.h"
#include "proxy/names/name_set.h"

#include <stdint.h>

/*
 * What is known of the names of the configuration: the addresses of the last good answer, when the next
 * question is due, and for how long an old answer still counts. Pure: it asks nobody (name_lookup.h) and has
 * no clock (`now_ms` is any monotonic one), and its chance comes from a seed.
 *
 *   a good answer      its addresses count; the next question follows after `resolve_ms`, up to a fifth
 *                      sooner or later
 *   none, or an empty  the last good addresses count until `hold_ms` after the answer that had them; the next
 *                      question follows sooner: after a second at first, then after twice as long each time,
 *                      up to `resolve_ms`
 */
struct name_table;

enum {
    NAME_JITTER_PERCENT = 20,
    NAME_RETRY_MS = 1000, /* until the question after the first failure */
    /* A name that took longer is asked for as one that failed (name_lookup_ask). */
    NAME_SLOW_MS = 1000,
    /* A question without an answer is a failure after so long: the resolver may be stuck for ever. */
    NAME_STUCK_MS = 30000
};
#define NAME_STUCK_WORDS "The name service does not answer"

/* name_table_wait_ms: there are no names, or all are being asked for. */
#define NAME_NEVER UINT64_MAX

/* A name that is in use. If several pools use it: the shortest `resolve_ms`, and the longest `hold_ms`. */
struct name_wish {
    const char *host; /* the caller's */
    uint64_t resolve_ms;
    uint64_t hold_ms;
};

/* What is known of a name. */
struct name_knowledge {
    /* Its addresses, valid until the next call that is not const; empty if it has none. */
    const struct name_set *set;
    /* Since the name is in the table. */
    bool was_answered;      /* well or not: there is nothing to wait for */
    bool has_ever_resolved; /* there was a good answer */
    const char *error;      /* what the last answer lacked; NULL: it was good, or there was none. Static */
};

/* What an answer, or the time, has changed. */
struct name_change {
    const char *host; /* the table's; valid until it is forgotten */
    bool is_other_set;
    size_t from, to; /* how many addresses there were, and are */
    bool has_failed; /* the first answer that is not good, after a good one or at the beginning */
    bool is_back;    /* the first good answer after one that was not */
    size_t left_out; /* addresses for which a set has no room, if there were none before; else 0 */
    const char *error;
};

/* Empty. NULL if memory is short. */
MUST_CHECK struct name_table *name_table_new(uint64_t seed);

/* Frees it, and nulls the pointer, which may be NULL already. */
void name_table_free(struct name_table **table);

/*
 * Adds the names that are not there yet, due at once; those that are there stay as they are, and none is
 * forgotten. False if memory is short: some may have been added.
 */
MUST_CHECK bool name_table_prepare(struct name_table *table, const struct name_wish *wishes, size_t count);

/* These are in use from now on, which all are there: takes their times over, and forgets all others. */
void name_table_keep(struct name_table *table, const struct name_wish *wishes, size_t count);

/* False, with nothing known, if the name is not there. */
bool name_table_find(const struct name_table *table, const char *host, struct name_knowledge *knowledge);

/* How many names had no answer yet, of neither kind. */
size_t name_table_unanswered(const struct name_table *table);

/*
 * A name that is due, which counts as asked for from now on; NULL: none is. `*is_slow` is for
 * name_lookup_ask. If it can't be asked for: name_table_postpone.
 */
const char *name_table_next(struct name_table *table, uint64_t now_ms, bool *is_slow);
void name_table_postpone(struct name_table *table, const char *host, uint64_t now_ms);

/*
 * An answer: good if `set` has addresses; otherwise `error`, a static text, says what it lacks. A name that
 * has been forgotten meanwhile changes nothing. What has changed.
 */
struct name_change name_table_answer(struct name_table *table, const char *host, const struct name_set *set,
                                     const char *error, uint64_t now_ms);

/*
 * Time passes: a question becomes a failure, or the addresses of a name go that had no good answer for too
 * long. False if nothing changes; call it until then.
 */
bool name_table_pass(struct name_table *table, uint64_t now_ms, struct name_change *change);

/* How long it is until name_table_next or name_table_pass has something; 0: now; NAME_NEVER. */
uint64_t name_table_wait_ms(const struct name_table *table, uint64_t now_ms);

#endif
