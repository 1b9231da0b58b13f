/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_METRICS_PAGE_H
#define DEEPPROXY_PROXY_ADMIN_METRICS_PAGE_H

#include "proxy/admin/metrics.h"
#include "proxy/admin/metrics_pools.h"

/*
 * The page of metrics. With thousands of servers it has megabytes: so it is written bit by bit, by one writer
 * at a time, and one text is sent to all who wait for it. It knows neither HTTP nor an event loop. It belongs
 * to the main thread.
 */
enum {
    /* Octets of pages that are being sent; beyond them the newest is sent again. */
    METRICS_PAGES_MAX = 16 * 1024 * 1024
};

/* A page that is written. Counted by reference. */
struct metrics_page;

/* Those that somebody has a reference to. All zero: none. */
struct metrics_pages {
    struct metrics_page *newest;
    size_t octets; /* the text of certificates, which they share, apart */
};

struct metrics_writer {
    struct metrics_page *page; /* being written; NULL: none is */
    struct runtime runtime;    /* references, while it takes more than one step */
    struct metrics_pools_cursor cursor;
};

enum metrics_progress { METRICS_WRITTEN, METRICS_UNFINISHED, METRICS_FAILED /* memory is short */ };

/*
 * Begins a page, while none is being written, and takes the first step. `state` and `certificates` are needed
 * during the call alone. METRICS_UNFINISHED: more steps follow. METRICS_WRITTEN: metrics_writer_take.
 */
enum metrics_progress metrics_writer_begin(struct metrics_writer *writer, struct metrics_pages *pages,
                                           const struct metrics_state *state,
                                           struct metrics_certificates *certificates);

/* The next step, which takes half a millisecond at most. */
enum metrics_progress metrics_writer_step(struct metrics_writer *writer);

/* The page that is written: its first reference, the caller's. */
struct metrics_page *metrics_writer_take(struct metrics_writer *writer);

/* Gives up what is being written; does nothing if nothing is. */
void metrics_writer_give_up(struct metrics_writer *writer);

/* Is a page being written? */
bool metrics_writer_is_busy(const struct metrics_writer *writer);

/* Are pages with so many octets being sent that no other is to be written? Then there is a newest one. */
bool metrics_pages_are_full(const struct metrics_pages *pages);

/* Adds a reference, and returns its argument. */
struct metrics_page *metrics_page_ref(struct metrics_page *page);

/* Drops a reference, and nulls the pointer, which may be NULL already. */
void metrics_page_unref(struct metrics_page **page);

/* Its two parts, in turn, valid as long as the reference. */
void metrics_page_text(const struct metrics_page *page, struct slice parts[2]);

#endif
