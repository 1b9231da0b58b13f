/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_slot.h"

#include "base/ensure.h"

/* Reply codes of RFC 5321 section 4.2.3, enhanced ones of RFC 3463 and RFC 4954 section 6. */
static const struct own_reply {
    const char *code;
    bool names_host; /* RFC 5321 section 4.2: 421 is followed by the domain */
    const char *text;
    const char *close_detail; /* if the session ends with it: what the log says */
} replies[SMTP_SLOT_LAST + 1] = {
    [SMTP_OWN_OK] = {"250 2.0.0 ", false, "OK", NULL},
    [SMTP_OWN_CLIENT_SYNTAX] = {"501 5.5.4 ", false, "Syntax: CLIENT name=value ...", NULL},
    [SMTP_OWN_TLS_ACTIVE] = {"503 5.5.1 ", false, "TLS is active already", NULL},
    [SMTP_OWN_NOT_IMPLEMENTED] = {"502 5.5.1 ", false, "Command not implemented", NULL},
    [SMTP_OWN_MECHANISM] = {"504 5.5.4 ", false, "Unrecognized authentication type", NULL},
    [SMTP_OWN_GREET_FIRST] = {"503 5.5.1 ", false, "Send EHLO first", NULL},
    [SMTP_OWN_SYNTAX] = {"500 5.5.2 ", false, "Syntax error", NULL},
    [SMTP_OWN_RSET_SYNTAX] = {"501 5.5.4 ", false, "Syntax: RSET", NULL},
    [SMTP_OWN_IN_MESSAGE] = {"503 5.5.1 ", false, "A message is under way, use RSET", NULL},
    [SMTP_OWN_TOO_LONG] = {"500 5.5.2 ", false, "Line too long", NULL},
    [SMTP_OWN_CHUNK_SYNTAX] = {"501 5.5.4 ", false, "Syntax: BDAT count [LAST]", NULL},
    [SMTP_OWN_CHUNK_TOO_BIG] = {"552 5.3.4 ", false, "Chunk too big", NULL},
    [SMTP_OWN_CHUNK_LOST] = {"503 5.5.1 ", false, "A chunk before this one was refused, use RSET", NULL},
    [SMTP_OWN_AUTH_GO_AHEAD] = {"334 ", false, "", NULL},
    [SMTP_OWN_AUTH_DONE] = {"235 2.7.0 ", false, "Authentication successful", NULL},
    [SMTP_OWN_AUTH_AGAIN] = {"503 5.5.1 ", false, "Authenticated already", NULL},
    [SMTP_OWN_AUTH_SYNTAX] = {"501 5.5.2 ", false, "Syntax: AUTH mechanism [base64]", NULL},
    [SMTP_OWN_AUTH_CANCELLED] = {"501 5.7.0 ", false, "Authentication cancelled", NULL},
    [SMTP_OWN_AUTH_OTHER] = {"535 5.7.8 ", false, "The client certificate is not for that user", NULL},
    [SMTP_CLOSE_TOO_MANY_ERRORS] = {"421 4.7.0 ", true, "Too many errors", "too many refused commands"},
    [SMTP_CLOSE_NOT_SMTP] = {"421 4.7.0 ", true, "This is not SMTP", "the client speaks HTTP"},
    [SMTP_CLOSE_ENDLESS] = {"421 4.7.0 ", true, "Line too long", "a line of the client never ends"},
    [SMTP_CLOSE_BARE_LF] = {"550 5.6.11 ", false, "Bare LF in the message, where lines end with CRLF",
                            "a bare LF in a message"},
    [SMTP_CLOSE_BACKEND_FAILED] = {"421 4.3.0 ", true, "The mail server made a mistake, try again later",
                                   NULL},
};

_Static_assert(SMTP_SLOT_LAST <= UINT8_MAX, "a slot is an octet");

bool smtp_slot_is_own(enum smtp_slot slot)
{
    return slot >= SMTP_OWN_FIRST;
}

bool smtp_slot_closes(enum smtp_slot slot)
{
    return slot >= SMTP_CLOSE_TOO_MANY_ERRORS;
}

const char *smtp_slot_close_detail(enum smtp_slot slot)
{
    ENSURE(smtp_slot_closes(slot) && replies[slot].close_detail != NULL);
    return replies[slot].close_detail;
}

void smtp_slot_send(enum smtp_slot slot, const char *hostname, struct engine_out *out)
{
    ENSURE(smtp_slot_is_own(slot));
    const struct own_reply *reply = &replies[slot];
    engine_out_make_text(out, SIDE_CLIENT, reply->code);
    if (reply->names_host) {
        engine_out_make_text(out, SIDE_CLIENT, hostname);
        engine_out_make_text(out, SIDE_CLIENT, " ");
    }
    engine_out_make_text(out, SIDE_CLIENT, reply->text);
    engine_out_make_text(out, SIDE_CLIENT, "\r\n");
}
