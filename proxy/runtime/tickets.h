/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_TICKETS_H
#define DEEPPROXY_PROXY_RUNTIME_TICKETS_H

#include "config/cfg.h"
#include "proxy/common/log.h"
#include "proxy/runtime/ticket_file.h"
#include "tls/tls_file.h"
#include "tls/tickets/tls_ticket_keys.h"

/*
 * Keeps a running proxy in session ticket keys: its own, which it rotates by the clock, or those of the file
 * that tls.ticket_keys names, which it reads again when the file changes. If the file can't be used any more,
 * that is logged once and the last good keys stay in use. Only the main thread calls these functions, unless
 * they say otherwise; all workers read the keys themselves.
 */

/* The time is an argument, so that tests need not wait. */
struct tickets_time {
    int64_t running; /* seconds since the machine started, sleep included: when our own keys are rotated */
    int64_t wall;    /* seconds since 1970: the age of a file */
};

/* What the clocks show now. */
struct tickets_time tickets_time_now(void);

enum {
    /* Between two calls of tickets_look: far less than lies between two rotations. */
    TICKETS_LOOK_MS = 60 * 1000,
    /*
     * A file that nobody rotates is worth a warning after a week (RFC 9325 section 3.4: "once every week"),
     * ...
     */
    TICKETS_STALE_SECONDS = 7 * 86400,
    /* ... and again each day. */
    TICKETS_STALE_AGAIN_SECONDS = 86400,
};

struct tickets {
    struct tls_ticket_keys *keys; /* NULL: session_tickets is off */
    const char *path;             /* the configuration's; NULL: the keys are our own */
    struct tls_file_mark seen;
    /* Has the file been looked at since it was opened? */
    bool looked;
    /* The names of the keys that the log last had. */
    uint8_t logged[TLS_TICKET_KEYS][TLS_TICKET_NAME];
    /* Wall time: when the file was written, or put off by a warning. */
    int64_t stale_since;
};

/*
 * Makes the first keys, or reads the file. `*cfg` must live as long as the tickets. False if an error was
 * added to `problems`, or memory is short. The caller calls tickets_close either way. Reads a file.
 */
bool tickets_open(struct tickets *tickets, const struct cfg *cfg, struct tickets_time now,
                  struct cfg_problems *problems);

/*
 * Takes over the keys that sealed the sessions of the configuration before, if both configurations make their
 * own. Keys from a file are up to date already.
 */
void tickets_inherit(struct tickets *tickets, const struct tickets *before);

/* Are the keys those of a file? */
bool tickets_have_file(const struct tickets *tickets);

/* What is asked of the file, and what a look at it finds. */
struct tickets_file {
    const char *path; /* the configuration's, which must live as long */
    bool is_first;    /* it has not been looked at since it was opened */
    /* As it was read last, and as it is now. */
    struct tls_file_mark seen;
    struct tls_file_mark mark;
    bool was_read; /* false: it has not changed, and the rest is empty */
    bool ok;       /* it has keys; otherwise `problem` says why not */
    struct tls_ticket_set set;
    struct stat facts;
    struct ticket_file_problem problem;
};

/* Asks for a look; call it if tickets_have_file. */
void tickets_file_ask(struct tickets_file *file, const struct tickets *tickets);

/* Reads the file if it has changed since the look before. From any thread: it waits for the file. */
void tickets_file_read(struct tickets_file *file);

/* Wipes the keys. */
void tickets_file_wipe(struct tickets_file *file);

/*
 * Rotates our own keys if it is time, or takes up what the look at the file has found (NULL: the keys are our
 * own). Call it at the start, after privileges are given up, then each TICKETS_LOOK_MS, and when the file may
 * have changed. Logs event=ticket-keys if other keys are in use than the log last had, or if the file's can't
 * be used. `key` in the log is the beginning of the name of the key that seals: it is no secret, and shows
 * whether replicas agree. It reads no file.
 */
void tickets_look(struct tickets *tickets, const struct tickets_file *file, struct tickets_time now,
                  struct log *log);

/* Drops the keys; workers that use them have references of their own. */
void tickets_close(struct tickets *tickets);

#endif
