/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_POOL_NAMES_H
#define DEEPPROXY_PROXY_CONTROL_POOL_NAMES_H

#include "config/cfg.h"
#include "config/cfg_problems.h"
#include "proxy/backends/member_lists.h"
#include "proxy/backends/server_registry.h"
#include "proxy/names/name_lookup.h"
#include "proxy/names/name_table.h"

/*
 * The names of all pools, looked up again and again, and the lists of members that follow from them. It joins
 * what is known of names (name_table.h) with those who ask for them (name_lookup.h); it has no loop, no clock
 * and no log, and never waits but in pool_names_wait. All functions are of one thread.
 */
struct pool_names;

enum {
    /* A start or a reload waits so long for names that are new. */
    POOL_NAMES_WAIT_MS = 3000
};

/* `notify` is as in name_lookup_new: call pool_names_look after it. NULL if memory is short. */
MUST_CHECK struct pool_names *pool_names_new(void (*notify)(void *arg), void *arg, uint64_t seed);

/* Nulls the pointer, which may be NULL already. */
void pool_names_free(struct pool_names **names);

/*
 * The names of this configuration are looked up, too, if they are not yet. It is not in use yet: either
 * pool_names_keep follows, with this one, or with the one that stays in use. False if memory is short.
 */
MUST_CHECK bool pool_names_prepare(struct pool_names *names, const struct cfg *cfg);

/* This configuration, which was prepared, is in use from now on: no other name is looked up any more. */
void pool_names_keep(struct pool_names *names, const struct cfg *cfg);

/*
 * Takes the answers that are there, and asks for what is due. `changed` is called for each name of which
 * something has changed that the log is to have, or the lists. Call it when notified, and after
 * pool_names_due_ms.
 */
void pool_names_look(struct pool_names *names, uint64_t now_ms,
                     void (*changed)(void *arg, const struct name_change *change), void *arg);

/* How long it is until pool_names_look is to be called; NAME_NEVER. */
uint64_t pool_names_due_ms(const struct pool_names *names, uint64_t now_ms);

/* Has each name had its answer, a good one or a bad one? */
bool pool_names_are_answered(const struct pool_names *names);

/* Waits until they have, for no more than `ms`. Not on a loop. */
void pool_names_wait(struct pool_names *names, uint64_t ms);

/* Adds a warning, with its place, for each server of whose name no address is known. */
void pool_names_warn(const struct pool_names *names, const struct cfg *cfg, struct cfg_problems *problems);

/*
 * The lists of the pools' members now. `before` (NULL: none) is of the same pools: a list in which nothing
 * has changed is the one in there. NULL if memory is short. The reference is the caller's.
 */
MUST_CHECK struct member_lists *pool_names_make_lists(const struct pool_names *names, const struct cfg *cfg,
                                                      struct server_registry *registry,
                                                      const struct member_lists *before);

#endif
