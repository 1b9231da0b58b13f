/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_COMMAND_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_COMMAND_H

#include "base/slice.h"
#include "protocols/pop3/pop3_pending.h"

/*
 * What a client's command line asks for, and whether it may go to the backend. Pure functions over slices.
 *
 * A line that a backend could read in another way than the proxy does not pass: none that begins with a space
 * or has a NUL, a bare CR or anything but letters, digits, "-" and "_" in its keyword. Commands that nobody
 * here knows pass: the backend says what it makes of them.
 */
enum {
    POP3_COMMAND_MAX = 255, /* RFC 2449 section 4, with CRLF */
    POP3_SASL_LINE_MAX =
        12288 /* a line of an AUTH exchange, and AUTH with an initial response: RFC 5034 section 4
                 frees them from the limit above without a figure, RFC 4954 section 4 has this one */
};

/*
 * The answer that a command will get: by the backend it is to be forwarded to, or by the proxy. Without line end;
 * `external` as in sasl_mechanism.h.
 */
enum pop3_answer pop3_command_answer(struct slice text, bool external);

#endif
