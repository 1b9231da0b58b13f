/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_EJECTION_H
#define DEEPPROXY_PROXY_BACKENDS_EJECTION_H

#include "proxy/backends/membership.h"

/*
 * Passive ejection: servers at which sessions have failed wait longer and longer for the next session that
 * tries them. The control thread calls ejection_review for each pool some times a second; it turns what
 * workers reported into states. At most half of a pool is ejected: what fails beyond that stays in its state,
 * and the pool is in panic. A server that is not ejected for that reason is still suspected, and so still
 * gets one session at a time, but its back-off does not grow. Clock and chance are parameters.
 */
enum {
    EJECTION_BASE_MS = 1000,
    /*
     * With the jitter. A server that serves again is back within 30 s, so that a second is left for the
     * trial.
     */
    EJECTION_MAX_MS = 29000,
    /* After so long without an ejection the back-off begins anew. */
    EJECTION_FORGET_MS = 60000
};

/*
 * How long the ejection lasts that is the `times`-th in a row (1: the first), with a jitter of 20 % by
 * `random`.
 */
uint64_t ejection_time_ms(unsigned times, uint32_t random);

/* How many of so many servers may be ejected at once. */
size_t ejection_cap(size_t servers);

/*
 * Reviews the members of a pool, and sets the pool's panic. `random` gives 32 random bits. True if the pool
 * has gone into panic, or out of it: the caller logs that.
 */
bool ejection_review(const struct membership *members, uint64_t now_ms, uint32_t (*random)(void *arg),
                     void *random_arg, const struct server_observer *observer);

#endif
