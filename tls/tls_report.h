/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_REPORT_H
#define DEEPPROXY_TLS_REPORT_H

#include <stdbool.h>

/*
 * Receives the problems of a configuration that is being loaded: all of them, not only the first. The caller
 * owns it; it is used only within the call that it is passed to.
 */
enum {
    TLS_NO_SOURCE = -1,
    TLS_SOURCE_CIPHERS = -2, /* the list of suites */
    TLS_SOURCE_GROUPS = -3,
    TLS_SOURCE_REVOKED = -4 /* the file of revocation lists */
};

struct tls_report {
    /*
     * Called for each problem. `source` tells which setting has it: an index into the list of certificates,
     * which the list of folders continues, one of the above, or TLS_NO_SOURCE for any other setting.
     * `is_error` is false for a warning. `text` is one sentence for an operator, and valid only within the
     * call.
     */
    void (*add)(void *arg, int source, bool is_error, const char *text);
    void *arg;
    long long now; /* seconds since 1970, to check validity; 0: validity is not checked */
};

/* The rest is private to tls/. */

/* Formats a problem like printf, and passes it to report->add; a text longer than 1,023 octets is cut. */
__attribute__((format(printf, 4, 5))) void tls_report_add(const struct tls_report *report, int source,
                                                          bool is_error, const char *format, ...);

/*
 * The newest error in the library's queue, as text that is static; "no reason given" if the queue is empty.
 * Empties the queue.
 */
const char *tls_library_error(void);

#endif
