/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_TICKETS_H
#define DEEPPROXY_PROXY_RUNTIME_TICKETS_H

#include "config/cfg.h"
#include "proxy/common/log.h"
#include "tls/tls_file.h"
#include "tls/tickets/tls_ticket_keys.h"

/*
 * Where a running proxy has its ticket keys from, and that it always has good ones: by the clock, where they are its
 * own, or out of the file that tls.ticket_keys names, whenever that changes. A file that went bad is said once, and the
 * keys before it serve on. Main thread only; the keys themselves are read by all workers.
 */

/* The time, which comes from outside so that tests need no patience. */
struct tickets_time {
    int64_t running; /* seconds since the machine started, sleep included: sets turns */
    int64_t wall;    /* seconds since 1970: the age of a file */
};
struct tickets_time tickets_time_now(void);

enum {
    TICKETS_LOOK_EACH =
        60 * 1000, /* milliseconds between two looks: far below what lies between two rotations */
    /* Seconds after which a file that nobody rotates is worth a warning, once a day: RFC 9325 section 3.4, "once
       every week". */
    TICKETS_STALE_AFTER = 7 * 86400,
    TICKETS_STALE_AGAIN = 86400,
};

struct tickets {
    struct tls_ticket_keys *keys; /* NULL where session_tickets is off */
    const char *path;             /* the configuration's; NULL: the keys are our own */
    struct tls_file_mark seen;
    bool looked;                                    /* at the file, since it was opened */
    uint8_t told[TLS_TICKET_KEYS][TLS_TICKET_NAME]; /* the keys that the log last named */
    int64_t stale_since;                            /* wall time of the file, or of the last warning */
};

/*
 * Makes the first keys, or reads the file. `*cfg` must live as long. False where there is an error among the problems
 * then, or where memory is short; tickets_close follows either way.
 */
bool tickets_open(struct tickets *tickets, const struct cfg *cfg, struct tickets_time now,
                  struct cfg_problems *problems);

/*
 * Takes over what the sessions of the configuration before this one were sealed with, where both make their own
 * keys. What is read from a file is up to date already.
 */
void tickets_inherit(struct tickets *tickets, const struct tickets *before);

/*
 * To be called at the start, when privileges are given up, and then each TICKETS_LOOK_EACH; at once where a file may have
 * changed. Rotates or reads what is to be, and logs (event=ticket-keys) when other keys are in use than it last said, or
 * why the file's are not. `key`, in the log, is the beginning of the name of the key that seals: it is no secret, and
 * shows whether replicas agree.
 */
void tickets_look(struct tickets *tickets, struct tickets_time now, struct log *log);

void tickets_close(struct tickets *tickets);

#endif
