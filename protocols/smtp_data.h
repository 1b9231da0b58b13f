/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_DATA_H
#define DEEPPROXY_PROTOCOLS_SMTP_DATA_H

#include "protocols/engine_out.h"

/*
 * The message behind DATA (RFC 5321 section 4.1.1.4) on its way from the client to the backend. It ends with
 * CRLF.CRLF and with nothing else; and as servers differ in what they take for a line end (SMTP smuggling,
 * CVE-2023-51764), it leaves in a form in which all of them see the end where the proxy does:
 *   - a bare LF goes on as CRLF, and a dot behind it is doubled;
 *   - a dot alone between two line ends of any kind, of which one is not CRLF (bare CR is one kind), is
 * doubled;
 *   - a NUL counts as nothing when it is decided what a dot stands between: some servers drop it.
 * Everything else, all of a well-formed message, passes as it came: scanned with memchr, not copied.
 */

/* What the message's next octet stands behind. */
enum smtp_data_state {
    SMTP_DATA_LINE,    /* CRLF, or nothing yet */
    SMTP_DATA_TEXT,    /* anything within a line */
    SMTP_DATA_CR,      /* CR */
    SMTP_DATA_LF,      /* a bare LF, which went on as CRLF */
    SMTP_DATA_ODD,     /* a bare CR and NULs, or a line end and NULs */
    SMTP_DATA_DOT,     /* CRLF and a dot */
    SMTP_DATA_DOT_CR,  /* CRLF, a dot, and a CR that is held until the next octet */
    SMTP_DATA_ODD_DOT, /* a dot that some server sees at the beginning of a line */
    SMTP_DATA_END      /* the whole message */
};

/*
 * Takes octets of the message and lets them out to the backend; returns how many it has taken: fewer than all
 * where the message ended (`*state` is SMTP_DATA_END then) or `out` has no room for another step. Begin with
 * SMTP_DATA_LINE.
 */
size_t smtp_data_take(enum smtp_data_state *state, struct slice s, struct engine_out *out);

#endif
