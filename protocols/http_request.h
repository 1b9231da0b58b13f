/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_HTTP_REQUEST_H
#define DEEPPROXY_PROTOCOLS_HTTP_REQUEST_H

#include "base/slice.h"

/*
 * A web browser at a mail port, which somebody may have led there: the lines behind its request are then commands
 * that this somebody wrote, and a browser shows the answers to its pages (ALPACA). So the first line must be told from
 * a command, however harmless the commands would be. Pure functions.
 */

enum {
    /* So many octets of a line tell whether it begins like a request: "OPTIONS /" */
    HTTP_BEGINNING_MAX = 9
};

/*
 * A request line (RFC 9112 section 3), without its end: a method, one space, a target, one space, the version; or the
 * beginning of one by any of the methods that a browser uses. No command of IMAP, POP3 or SMTP looks so, unless its
 * only argument is a password: ask where the first word is no command.
 */
bool http_is_request(struct slice line);

/* The same for a line whose end may never come. */
bool http_begins_request(struct slice beginning);

#endif
