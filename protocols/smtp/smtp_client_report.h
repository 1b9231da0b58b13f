/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_CLIENT_REPORT_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_CLIENT_REPORT_H

#include "protocols/engine_private.h"

/*
 * The CLIENT command of draft section 7.3, by which a client says what it is and which security tags it has
 * latched:
 *   deep-cmd = "CLIENT" 1*(SP deep-parameter)
 *   deep-parameter = name / version / latch / latch-fail / security-tags / tls / future-extension
 * Its keywords compare without regard to case (RFC 5234 section 2.3). One that the draft defines has the
 * draft's syntax; that esmtp-param would take "latch=!" as a future extension is not meant. Blanks at the end
 * of the line are no error (RFC 5321 section 4.1.1). `arguments` is always what stands behind the verb.
 */

bool smtp_client_report_is_valid(struct slice arguments);

/* Keeps what the client reports, of valid arguments; commas between tags become spaces, as ID has them. */
void smtp_client_report_record(struct engine *engine, struct slice arguments);

/*
 * Makes the command for a backend that knows it: first the cipher suite, which takes the place of any that
 * the client has claimed, then the client's own parameters as far as the 512 octets of a command go (RFC 5321
 * section 4.5.3.1.4). Valid arguments, or none at all.
 */
void smtp_client_report_send(struct slice arguments, const char *tls_cipher, struct engine_out *out);

#endif
