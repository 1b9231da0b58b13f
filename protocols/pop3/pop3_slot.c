/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_slot.h"

#include "base/array.h"
#include "base/ensure.h"
#include "protocols/sasl_mechanism.h"

static const char *own_text(enum pop3_slot slot)
{
    static const char *const texts[] = {
        [POP3_OWN_TLS_ACTIVE] = "TLS is already in use",
        [POP3_OWN_UNKNOWN] = "Unknown command",
        [POP3_OWN_SYNTAX] = "Not a POP3 command",
        [POP3_OWN_TOO_LONG] = "Command line too long",
        [POP3_CLOSE_TOO_LONG] = "Line too long, closing",
        [POP3_CLOSE_NOT_POP3] = "This is a POP3 server, closing",
        [POP3_CLOSE_TOO_MANY_ERRORS] = "Too many bad commands, closing",
    };
    _Static_assert(ARRAY_LEN(texts) == POP3_CLOSE_TOO_MANY_ERRORS + 1, "a text for each own reply");
    if (slot == POP3_OWN_BINDS_CHANNEL)
        return sasl_mechanism_why(SASL_MECHANISM_BINDS_CHANNEL);
    return slot == POP3_OWN_EXTERNAL ? sasl_mechanism_why(SASL_MECHANISM_EXTERNAL) : texts[slot];
}

bool pop3_slot_is_own(enum pop3_slot slot)
{
    return slot >= POP3_OWN_TLS_ACTIVE;
}

bool pop3_slot_closes(enum pop3_slot slot)
{
    return slot >= POP3_CLOSE_TOO_LONG;
}

const char *pop3_slot_close_detail(enum pop3_slot slot)
{
    ENSURE(pop3_slot_closes(slot));
    return slot == POP3_CLOSE_NOT_POP3   ? "the client speaks HTTP"
           : slot == POP3_CLOSE_TOO_LONG ? "a line of the client is too long"
                                         : "too many refused commands";
}

void pop3_slot_send(enum pop3_slot slot, struct engine_out *out)
{
    ENSURE(pop3_slot_is_own(slot));
    engine_out_make_text(out, SIDE_CLIENT, "-ERR ");
    engine_out_make_text(out, SIDE_CLIENT, own_text(slot));
    engine_out_make_text(out, SIDE_CLIENT, "\r\n");
}
