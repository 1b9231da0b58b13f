/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SASL_LINE_H
#define DEEPPROXY_PROTOCOLS_SASL_LINE_H

#include "base/slice.h"

/*
 * True for a line, without its end, that may pass in a SASL exchange: base64, or the "*" that ends it (RFC
 * 3501 section 6.2.2, RFC 5034 section 4, RFC 4954 section 4). Nothing else may pass. A backend that has just
 * ended the exchange by itself (Dovecot does after a minute) takes the line for a command: a client that
 * waits for that moment could send XCLIENT or the like past the proxy. Base64 has no space, so it is no
 * command with an argument.
 */
bool sasl_line_is_sound(struct slice text);

#endif
