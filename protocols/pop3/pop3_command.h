/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_COMMAND_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_COMMAND_H

#include "base/slice.h"
#include "protocols/pop3/pop3_slot.h"

/*
 * What a client's command line asks for, and whether it may reach the backend. Pure functions over slices.
 *
 * A line does not pass if a backend could read it in another way than the proxy does: one that begins with a
 * space, or has a NUL, a bare CR, or anything but letters, digits, "-" and "_" in its keyword. Commands that
 * the proxy does not know pass: the backend replies to them as it likes.
 */
/*
 * The slot that a command takes: POP3_AWAIT_* if it goes to the backend, POP3_OWN_* or POP3_CLOSE_* if the
 * proxy replies. `text`: the line without its end; `external` as in sasl_mechanism.h.
 */
enum pop3_slot pop3_command_slot(struct slice text, bool external);

#endif
