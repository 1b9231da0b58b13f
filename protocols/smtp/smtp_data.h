/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_DATA_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_DATA_H

#include "protocols/engine_out.h"

/*
 * A message sent by DATA (RFC 5321 section 4.1.1.4) on its way from the client to the backend. It ends with
 * CRLF.CRLF and with nothing else. As servers differ in what they take for a line end (SMTP smuggling,
 * CVE-2023-51764), it is sent on in a form in which all of them see the end at the same place as the proxy:
 *   - a bare LF is sent as CRLF, and a dot after it is doubled;
 *   - a dot alone between two line ends of any kind, of which one is not CRLF (bare CR is one kind), is
 *     doubled;
 *   - a NUL between dot and line end is ignored for these rules, as some servers drop it; a dot between a
 *     line end and a NUL is doubled, as others (OpenSMTPD) end a line's text there.
 * Everything else, all of a well-formed message, passes as it came: scanned with memchr, not copied.
 */

/* What comes before the message's next octet. */
enum smtp_data_state {
    SMTP_DATA_LINE,    /* CRLF, or nothing yet */
    SMTP_DATA_TEXT,    /* anything within a line */
    SMTP_DATA_CR,      /* CR */
    SMTP_DATA_LF,      /* a bare LF, which was sent as CRLF */
    SMTP_DATA_ODD,     /* a bare CR and NULs, or a line end and NULs */
    SMTP_DATA_DOT,     /* CRLF and a dot */
    SMTP_DATA_DOT_CR,  /* CRLF, a dot, and a CR that is held until the next octet */
    SMTP_DATA_ODD_DOT, /* a dot that some server sees at the beginning of a line */
    SMTP_DATA_END,     /* the whole message */
    /* A message with a bare LF, if those are refused: no more of it is sent. */
    SMTP_DATA_SKIP_LINE, /* LF */
    SMTP_DATA_SKIP_TEXT,
    SMTP_DATA_SKIP_DOT, /* LF and a dot */
    SMTP_DATA_SKIP_DOT_CR,
    SMTP_DATA_REFUSED /* the whole of that message */
};

/*
 * Takes octets of the message and sends them to the backend. Returns how many it has taken: fewer than all if
 * the message has ended (`*state` is SMTP_DATA_END or SMTP_DATA_REFUSED then), or if `out` has no room for
 * another step. Begin with SMTP_DATA_LINE.
 *
 * If bare LFs are refused, nothing is sent from the first one on: the message's end never reaches the
 * backend, so that it delivers nothing. The rest is skipped up to what any server takes for an end (LF or
 * CRLF, a dot, LF or CRLF): the client may be one that writes bare LFs throughout, and gets its reply only
 * after the whole message.
 */
size_t smtp_data_take(enum smtp_data_state *state, struct slice s, bool refuses_bare_lf,
                      struct engine_out *out);

#endif
