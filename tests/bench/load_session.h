/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_BENCH_LOAD_SESSION_H
#define DEEPPROXY_TESTS_BENCH_LOAD_SESSION_H

#include "load_client.h"
#include "load_script.h"

/*
 * One client session that goes through a script, checking each octet that comes. It knows nothing of the
 * other sessions, of time or of counts; the caller says what comes after a script.
 */

enum {
    SESSION_LINE = 1024, /* the longest line that a server of the benchmark says */
    SESSION_TROUBLE = 160
};

struct load_session {
    struct load_client client;
    const struct script *script;
    size_t step;
    bool shaken; /* the handshake is over */
    bool must_resume;
    bool until_end; /* the script ends with the server's close */
    uint64_t sent;  /* of the step's text and message, CRLF included */
    char line[SESSION_LINE];
    size_t line_len;
    uint64_t literal_left;
    uint64_t fetched;              /* octets of literals in this step */
    char trouble[SESSION_TROUBLE]; /* what went wrong, printable */
};

/* Starts over on the connection that is there, or one that load_client_open has just begun. */
void session_start(struct load_session *session, const struct script *script);

/*
 * Goes on as far as there is something to read or room to write. LOAD_DONE: the script is through, and
 * (unless `until_end`) the connection waits. LOAD_WAIT: for the next event. LOAD_FAILED: see `trouble`.
 */
enum load_result session_advance(struct load_session *session);

#endif
