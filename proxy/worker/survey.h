/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_SURVEY_H
#define DEEPPROXY_PROXY_WORKER_SURVEY_H

#include "base/bytes.h"

#include <stdbool.h>
#include <sys/socket.h>

/*
 * A question about the sessions of a worker, and its answer: which sessions are of this kind, and, if that
 * is wanted, their end. The worker goes through its sessions in pieces (batch.h). Octets of the answer are
 * bounded, whatever number of sessions there is. Nothing here knows a session or a thread.
 */
enum {
    SURVEY_NAME_MAX = 256, /* octets of a name that is asked for, with its NUL */
    SURVEY_ROWS = 1000,    /* by default */
    SURVEY_ROWS_MAX = 10000,
    SURVEY_OCTETS_MAX = 4 * 1024 * 1024 /* of the rows of one worker */
};

/* Which sessions; "" and AF_UNSPEC are any. */
struct survey_query {
    char id[SURVEY_NAME_MAX];
    char service[SURVEY_NAME_MAX];
    char pool[SURVEY_NAME_MAX];
    char server[SURVEY_NAME_MAX];
    struct sockaddr_storage client; /* without its port; IPv4 in IPv6 is IPv4 */
    size_t max;                     /* rows */
    bool ends_them;                 /* each gets its goodbye; there are no rows */
};

/* The texts of a row, in this order, each with a NUL after it. */
enum survey_text {
    SURVEY_ID,
    SURVEY_CLIENT,
    SURVEY_SERVICE,
    SURVEY_POOL,
    SURVEY_SERVER, /* "": none yet */
    SURVEY_STATE,
    SURVEY_TEXTS
};

struct survey_row {
    const char *texts[SURVEY_TEXTS];
    uint64_t age_ms;
    uint64_t octets_in;
    uint64_t octets_out;
};

struct survey {
    const struct survey_query *query; /* the same for all workers */
    size_t matched;                   /* sessions of the kind */
    size_t row_count;
    struct bytes rows;
};

/* Is it one of the sessions that are asked for? */
bool survey_wants(const struct survey_query *query, const struct survey_row *row,
                  const struct sockaddr *client);

/* Adds a row, unless there are as many as may be, or memory is short. */
void survey_add(struct survey *survey, const struct survey_row *row);

/* Reads the row at `*at`, 0 for the first one, and moves on. False after the last one. */
bool survey_next(const struct survey *survey, size_t *at, struct survey_row *row);

/* Frees the rows. */
void survey_free(struct survey *survey);

#endif
