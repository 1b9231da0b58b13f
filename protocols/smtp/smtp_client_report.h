/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_CLIENT_REPORT_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_CLIENT_REPORT_H

#include "protocols/engine_private.h"

/*
 * The CLIENT command of draft section 7.3, by which a client reports what it is and which security tags it
 * has latched:
 *   deep-cmd = "CLIENT" 1*(SP deep-parameter)
 *   deep-parameter = name / version / latch / latch-fail / security-tags / tls / future-extension
 * Its keywords compare without regard to case (RFC 5234 section 2.3). One that the draft defines has the
 * draft's syntax; that esmtp-param would take "latch=!" as a future extension is not meant. Blanks at the end
 * of the line are no error (RFC 5321 section 4.1.1). `arguments` is always what follows the verb.
 */

/* Do the arguments have that syntax? */
bool smtp_client_report_is_valid(struct slice arguments);

/*
 * Keeps what valid arguments report (engine_set_report). Commas between tags become spaces, as ID has them.
 */
void smtp_client_report_record(struct engine *engine, struct slice arguments);

/*
 * Sends the command to a backend that knows it: first the cipher suite, in place of any that the client has
 * claimed, then the client's own parameters, as many as fit into the 512 octets of a command (RFC 5321
 * section 4.5.3.1.4). The arguments are valid, or empty.
 */
void smtp_client_report_send(struct slice arguments, const char *tls_cipher, struct engine_out *out);

#endif
