/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_state.h"

#include "base/array.h"
#include "base/state_machine.h"
#include "protocols/smtp/smtp_private.h"

static const char *const client_names[] = {
    [SMTP_CLIENT_COMMAND] = "command",     [SMTP_CLIENT_LINE_END] = "line-end",
    [SMTP_CLIENT_SASL_LINE] = "sasl-line", [SMTP_CLIENT_SASL_LINE_END] = "sasl-line-end",
    [SMTP_CLIENT_EXTERNAL] = "external",   [SMTP_CLIENT_MESSAGE] = "message",
    [SMTP_CLIENT_CHUNK] = "chunk",         [SMTP_CLIENT_REFUSED_CHUNK] = "refused-chunk",
    [SMTP_CLIENT_NOTHING] = "nothing",     [SMTP_CLIENT_GREETING] = "greeting",
    [SMTP_CLIENT_REPLY] = "reply",         [SMTP_CLIENT_HELD] = "held",
    [SMTP_CLIENT_XCLIENT] = "xclient",
};

static const unsigned client_moves[] = {
    [SMTP_CLIENT_COMMAND] = STATE(SMTP_CLIENT_LINE_END) | STATE(SMTP_CLIENT_CHUNK) |
                            STATE(SMTP_CLIENT_REFUSED_CHUNK) | STATE(SMTP_CLIENT_NOTHING) |
                            STATE(SMTP_CLIENT_REPLY) | STATE(SMTP_CLIENT_HELD) | STATE(SMTP_CLIENT_XCLIENT) |
                            STATE(SMTP_CLIENT_EXTERNAL),
    [SMTP_CLIENT_LINE_END] = STATE(SMTP_CLIENT_COMMAND) | STATE(SMTP_CLIENT_NOTHING),
    [SMTP_CLIENT_SASL_LINE] = STATE(SMTP_CLIENT_REPLY) | STATE(SMTP_CLIENT_SASL_LINE_END),
    [SMTP_CLIENT_SASL_LINE_END] = STATE(SMTP_CLIENT_REPLY) | STATE(SMTP_CLIENT_NOTHING),
    [SMTP_CLIENT_EXTERNAL] = STATE(SMTP_CLIENT_COMMAND),
    [SMTP_CLIENT_MESSAGE] = STATE(SMTP_CLIENT_COMMAND) | STATE(SMTP_CLIENT_NOTHING),
    [SMTP_CLIENT_CHUNK] = STATE(SMTP_CLIENT_COMMAND),
    [SMTP_CLIENT_REFUSED_CHUNK] = STATE(SMTP_CLIENT_COMMAND),
    [SMTP_CLIENT_NOTHING] = 0,
    [SMTP_CLIENT_GREETING] = STATE(SMTP_CLIENT_COMMAND),
    [SMTP_CLIENT_REPLY] =
        STATE(SMTP_CLIENT_COMMAND) | STATE(SMTP_CLIENT_SASL_LINE) | STATE(SMTP_CLIENT_MESSAGE),
    [SMTP_CLIENT_HELD] = STATE(SMTP_CLIENT_COMMAND),
    [SMTP_CLIENT_XCLIENT] = STATE(SMTP_CLIENT_COMMAND),
};
STATE_MACHINE_ASSERT(client_names, client_moves, SMTP_CLIENT_XCLIENT);

static const struct state_machine client_machine = {"smtp-client", client_names, client_moves,
                                                    ARRAY_LEN(client_names), NULL};

void smtp_move_client(struct smtp_engine *smtp, enum smtp_client_state to)
{
    smtp->client =
        (enum smtp_client_state)state_machine_move(&client_machine, smtp->base.trace, smtp, smtp->client, to);
}
