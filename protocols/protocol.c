/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/protocol.h"

#include "base/array.h"
#include "base/ensure.h"
#include "protocols/protocol_private.h"

static const struct protocol_traits *const rows[] = {
    [PROTOCOL_IMAP] = &imap_protocol,
    [PROTOCOL_POP3] = &pop3_protocol,
    [PROTOCOL_SUBMISSION] = &submission_protocol,
};
_Static_assert(ARRAY_LEN(rows) == PROTOCOLS, "a row for each protocol");

const struct protocol_traits *protocol_traits(enum protocol protocol)
{
    ENSURE(protocol < PROTOCOLS);
    return rows[protocol];
}
