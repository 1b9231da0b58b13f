/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_PAGE_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_PAGE_H

#include "proxy/admin/metrics_page.h"
#include "proxy/admin/visit.h"
#include "proxy/common/log.h"

/*
 * The pages that everybody may read who can connect: metrics and health. All of it is read-only. Who answers
 * what: admin_route.h.
 */

enum { ADMIN_WHY_MAX = 128 /* octets of a reason, with its NUL */ };

/* The state of the program, as one request sees it. */
struct admin_state {
    struct metrics_state metrics;
    /* Why the program can't go on without a restart, and why it serves no new sessions. Empty: it does. */
    char unhealthy[ADMIN_WHY_MAX];
    char unready[ADMIN_WHY_MAX];
};

struct admin_order;
struct server_state;
struct survey_query;

/* The program, as the endpoint calls it. */
struct admin_source {
    void (*describe)(void *arg, struct admin_state *into);
    void *arg;
    /*
     * Asks the workers about their sessions; admin_answer_survey follows, and not before this has returned.
     * False if too many wait already. NULL, as the next one, if there is no socket for control.
     */
    bool (*survey)(void *arg, uint64_t visit, const struct survey_query *query);
    /*
     * Reads the configuration again; admin_answer_reload follows, and not before this has returned. False if
     * the program is ending, or too many wait for it already.
     */
    bool (*reload)(void *arg, uint64_t visit);
    /* Does at once what the operator wants of a server, which is in a list that is in use. */
    void (*order)(void *arg, struct server_state *server, const struct admin_order *order);
};

/* What is kept between requests. All zero but for the source at first. */
struct admin_pages {
    struct admin_source source;
    struct metrics_certificates *certificates; /* NULL: to be written at the next request */
    struct metrics_pages sent;
    struct metrics_writer writer;
    uint64_t tickets;    /* given to those who wait for a page of metrics */
    uint64_t ticket_max; /* who has one up to this gets the page that is being written */
    struct log *log;
    uint64_t refusal_logged_s; /* since 1970 */
};

struct admin_call;

/* Each makes the answer of its path. */
void admin_page_metrics(struct admin_call *call);
void admin_page_health(struct admin_call *call);
void admin_page_readiness(struct admin_call *call);

/*
 * Goes on with the page of metrics, for half a millisecond: begins one if none is being written. False if
 * more is to be done. True: it is for all visits that wait with a ticket up to pages->ticket_max. `*page` is
 * the caller's reference; NULL if memory is short.
 */
bool admin_page_go_on(struct admin_pages *pages, struct metrics_page **page);

/* Makes the answer, which has a reference of its own. NULL: memory is short. */
void admin_page_give(struct http_answer *answer, struct metrics_page *page);

/* Makes an answer of plain text, which is copied. */
void admin_page_words(struct http_answer *answer, enum http_status status, const char *words);

#endif
