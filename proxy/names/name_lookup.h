/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_NAMES_NAME_LOOKUP_H
#define DEEPPROXY_PROXY_NAMES_NAME_LOOKUP_H

#include "base/must_check.h"
#include "proxy/names/name_set.h"

#include <stdint.h>

/*
 * Asks the system's resolver for the addresses of names, in threads of its own: a name service that does not
 * answer delays nothing but other names. They are not libuv's, in which configurations and certificates are
 * read. They begin when there is something to ask, hold no signal, and wait for the next name afterwards. All
 * is bounded: threads, names that wait, names under way (each is asked for once at a time).
 *
 * Nothing waits for a thread, neither an end of the program: what a thread needs is its own, or counted by
 * reference. All functions are of one thread, that of the control loop; it has no clock, and knows no time
 * between two questions (name_table.h).
 */
struct name_lookup;

enum {
    NAME_LOOKUP_THREADS_MAX = 8,
    /*
     * Names that failed last, or took long, have no more than so many of them: a name whose servers are
     * silent holds a thread for some 10 s each time.
     */
    NAME_LOOKUP_SLOW_MAX = 4,
    /* Names that wait for a thread. More than a configuration has: the rest is asked for later. */
    NAME_LOOKUP_QUEUE_MAX = 1024,
    NAME_LENGTH_MAX = 253 + 1 /* with a dot at the end */
};

struct name_answer {
    char host[NAME_LENGTH_MAX + 1];
    /* What getaddrinfo has said: 0, or EAI_... An answer without an address is one, too: the set is empty. */
    int error;
    struct name_set set;
};

/*
 * `notify` is called from another thread each time an answer is there, and from no thread after
 * name_lookup_free; it must not wait. NULL: nobody is told. NULL if memory is short.
 */
MUST_CHECK struct name_lookup *name_lookup_new(void (*notify)(void *arg), void *arg);

/*
 * Forgets what waits, and nulls the pointer, which may be NULL already. Threads that are in the resolver stay
 * there, and end with its answer, or with the program.
 */
void name_lookup_free(struct name_lookup **lookup);

/*
 * Asks for a name. `is_slow`: it failed last, or took long. True if an answer will be there, also if it is
 * under way already. False if that can't be done now: too many wait, or memory or threads are short.
 */
MUST_CHECK bool name_lookup_ask(struct name_lookup *lookup, const char *host, bool is_slow);

/* Takes an answer. False if there is none. */
bool name_lookup_take(struct name_lookup *lookup, struct name_answer *answer);

/* Waits until an answer is there, for no more than `ms`. False if there is none. Not on a loop. */
bool name_lookup_wait(struct name_lookup *lookup, uint64_t ms);

/* What an answer without an address has said, as one sentence without its full stop. Static. */
const char *name_answer_words(const struct name_answer *answer);

#endif
