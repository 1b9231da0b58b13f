/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_HTTP_REQUEST_H
#define DEEPPROXY_PROTOCOLS_HTTP_REQUEST_H

#include "base/slice.h"

/*
 * A web browser at a mail port. An attacker may have led it there (ALPACA): the lines after its request are
 * then commands that the attacker wrote, and the browser shows the replies to the attacker's page. So the
 * request line must be told from a command, however harmless the commands would be. Pure functions.
 */

enum {
    /* So many octets of a line suffice to see whether it begins like a request: "OPTIONS /" */
    HTTP_BEGINNING_MAX = 9
};

/*
 * Is the line, without its end, a request line (RFC 9112 section 3): a method, one space, a target, one
 * space, the version; or the beginning of one with any of the methods that a browser uses? No command of
 * IMAP, POP3 or SMTP looks so, unless its only argument is a password: call it only if the first word is not
 * a command.
 */
bool http_is_request(struct slice line);

/*
 * The same for the first octets of a line whose end may never come: does it begin with such a method and
 * target?
 */
bool http_begins_request(struct slice beginning);

#endif
