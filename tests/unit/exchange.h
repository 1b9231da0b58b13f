/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_EXCHANGE_H
#define DEEPPROXY_TESTS_EXCHANGE_H

#include "base/bytes.h"
#include "protocols/engine.h"

/*
 * A dialogue without its turns: what each side sends, in its own order, and what each side must have received
 * in the end. Run as a network would deliver it: both sides' octets are cut and alternated by a schedule.
 *   - The client's octets may come as early as they like: it pipelines everything.
 *   - The backend's come when it has received all that it had received in the dialogue: it may not answer
 *     what has not reached it, and nothing else holds it back.
 * What must hold: the backend receives the same octets. So does the client of POP3 and SMTP, whose answers
 * have one order. To the client of IMAP the order of the proxy's own answers among the backend's responses is
 * left open (protocols/engine.h), so its octets are a shuffle of both, by whole responses and each in its
 * order; and where a mistake of the client's ends the session, the last responses of the backend may be
 * missing.
 */
struct exchange_step {
    enum side from;
    struct bytes octets;
    size_t after; /* octets that the backend has received before */
};

struct exchange {
    enum protocol protocol;
    struct exchange_step *steps;
    size_t count;
    struct bytes to_backend;
    struct bytes to_client;
    struct bytes
        by_step[2]; /* of `to_client`: what steps of the client, or of the backend, have brought out */
};

/* Adds to the end. The octets are copied. `came_out`: of a step that the side has sent. */
void exchange_add_step(struct exchange *x, enum side from, struct slice octets);
void exchange_expect(struct exchange *x, enum side to, enum side from, struct slice came_out);
void exchange_free(struct exchange *x);

/* How many schedules there are for a dialogue of this length: fewer for those that take long. */
unsigned exchange_schedules(const struct exchange *x);

/* Runs it with a new engine and an empty `out`. NULL where all is as it must be, else words to be freed. */
char *exchange_run(const struct exchange *x, unsigned schedule, struct engine *engine,
                   struct engine_out *out);

/* Octets for people to read; cut to `cap` with its NUL. */
void exchange_printable(struct slice s, char *into, size_t cap);

#endif
