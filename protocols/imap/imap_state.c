/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_state.h"

#include "base/array.h"
#include "base/state_machine.h"
#include "protocols/imap/imap_private.h"

static const char *const client_names[] = {
    [IMAP_CLIENT_COMMAND] = "command",
    [IMAP_CLIENT_HELD] = "held",
    [IMAP_CLIENT_GO_AHEAD] = "go-ahead",
    [IMAP_CLIENT_LITERAL] = "literal",
    [IMAP_CLIENT_REST] = "rest",
    [IMAP_CLIENT_REPLY] = "reply",
    [IMAP_CLIENT_SASL] = "sasl",
    [IMAP_CLIENT_IDLE] = "idle",
    [IMAP_CLIENT_ID_LITERAL] = "id-literal",
    [IMAP_CLIENT_ID_REST] = "id-rest",
    [IMAP_CLIENT_SKIP_LITERAL] = "skip-literal",
    [IMAP_CLIENT_SKIP_LINE] = "skip-line",
};

static const unsigned client_moves[] = {
    [IMAP_CLIENT_COMMAND] = STATE(IMAP_CLIENT_COMMAND) | STATE(IMAP_CLIENT_HELD) |
                            STATE(IMAP_CLIENT_GO_AHEAD) | STATE(IMAP_CLIENT_REPLY) |
                            STATE(IMAP_CLIENT_ID_LITERAL) | STATE(IMAP_CLIENT_ID_REST) |
                            STATE(IMAP_CLIENT_SKIP_LITERAL) | STATE(IMAP_CLIENT_SKIP_LINE),
    [IMAP_CLIENT_HELD] = STATE(IMAP_CLIENT_COMMAND),
    [IMAP_CLIENT_GO_AHEAD] = STATE(IMAP_CLIENT_LITERAL) | STATE(IMAP_CLIENT_REST) | STATE(IMAP_CLIENT_SASL) |
                             STATE(IMAP_CLIENT_IDLE) | STATE(IMAP_CLIENT_COMMAND) | STATE(IMAP_CLIENT_REPLY) |
                             STATE(IMAP_CLIENT_SKIP_LITERAL) | STATE(IMAP_CLIENT_SKIP_LINE),
    [IMAP_CLIENT_LITERAL] = STATE(IMAP_CLIENT_REST),
    [IMAP_CLIENT_REST] = STATE(IMAP_CLIENT_GO_AHEAD) | STATE(IMAP_CLIENT_REPLY) | STATE(IMAP_CLIENT_COMMAND) |
                         STATE(IMAP_CLIENT_SKIP_LITERAL) | STATE(IMAP_CLIENT_SKIP_LINE),
    [IMAP_CLIENT_REPLY] = STATE(IMAP_CLIENT_COMMAND),
    [IMAP_CLIENT_SASL] = STATE(IMAP_CLIENT_GO_AHEAD) | STATE(IMAP_CLIENT_COMMAND),
    [IMAP_CLIENT_IDLE] = STATE(IMAP_CLIENT_COMMAND),
    [IMAP_CLIENT_ID_LITERAL] = STATE(IMAP_CLIENT_ID_REST),
    [IMAP_CLIENT_ID_REST] = STATE(IMAP_CLIENT_ID_REST) | STATE(IMAP_CLIENT_ID_LITERAL) |
                            STATE(IMAP_CLIENT_COMMAND) | STATE(IMAP_CLIENT_HELD) | STATE(IMAP_CLIENT_REPLY) |
                            STATE(IMAP_CLIENT_GO_AHEAD) | STATE(IMAP_CLIENT_SKIP_LITERAL) |
                            STATE(IMAP_CLIENT_SKIP_LINE),
    [IMAP_CLIENT_SKIP_LITERAL] = STATE(IMAP_CLIENT_SKIP_LINE),
    [IMAP_CLIENT_SKIP_LINE] =
        STATE(IMAP_CLIENT_SKIP_LINE) | STATE(IMAP_CLIENT_SKIP_LITERAL) | STATE(IMAP_CLIENT_COMMAND),
};
STATE_MACHINE_ASSERT(client_names, client_moves, IMAP_CLIENT_SKIP_LINE);

static const char *const backend_names[] = {
    [IMAP_BACKEND_GREETING] = "greeting",
    [IMAP_BACKEND_RESPONSE] = "response",
    [IMAP_BACKEND_DATA] = "data",
    [IMAP_BACKEND_TEXT] = "text",
    [IMAP_BACKEND_LITERAL] = "literal",
    [IMAP_BACKEND_HELD_STATUS] = "held-status",
    [IMAP_BACKEND_HELD_LIST] = "held-list",
    [IMAP_BACKEND_HELD_ID] = "held-id",
    [IMAP_BACKEND_HELD_LITERAL] = "held-literal",
};

static const unsigned backend_moves[] = {
    [IMAP_BACKEND_GREETING] = STATE(IMAP_BACKEND_RESPONSE),
    [IMAP_BACKEND_RESPONSE] = STATE(IMAP_BACKEND_DATA) | STATE(IMAP_BACKEND_TEXT) |
                              STATE(IMAP_BACKEND_HELD_STATUS) | STATE(IMAP_BACKEND_HELD_LIST) |
                              STATE(IMAP_BACKEND_HELD_ID),
    [IMAP_BACKEND_DATA] =
        STATE(IMAP_BACKEND_LITERAL) | STATE(IMAP_BACKEND_DATA) | STATE(IMAP_BACKEND_RESPONSE),
    [IMAP_BACKEND_TEXT] = STATE(IMAP_BACKEND_RESPONSE),
    [IMAP_BACKEND_LITERAL] = STATE(IMAP_BACKEND_DATA),
    [IMAP_BACKEND_HELD_STATUS] = STATE(IMAP_BACKEND_RESPONSE),
    [IMAP_BACKEND_HELD_LIST] = STATE(IMAP_BACKEND_RESPONSE),
    [IMAP_BACKEND_HELD_ID] =
        STATE(IMAP_BACKEND_HELD_LITERAL) | STATE(IMAP_BACKEND_HELD_ID) | STATE(IMAP_BACKEND_RESPONSE),
    [IMAP_BACKEND_HELD_LITERAL] = STATE(IMAP_BACKEND_HELD_ID),
};
STATE_MACHINE_ASSERT(backend_names, backend_moves, IMAP_BACKEND_HELD_LITERAL);

static const struct state_machine client_machine = {"imap-client", client_names, client_moves,
                                                    ARRAY_LEN(client_names), NULL};
static const struct state_machine backend_machine = {"imap-backend", backend_names, backend_moves,
                                                     ARRAY_LEN(backend_names), NULL};

void imap_move_client(struct imap_engine *imap, enum imap_client_state to)
{
    imap->client =
        (enum imap_client_state)state_machine_move(&client_machine, imap->base.trace, imap, imap->client, to);
}

void imap_move_backend(struct imap_engine *imap, enum imap_backend_state to)
{
    imap->backend = (enum imap_backend_state)state_machine_move(&backend_machine, imap->base.trace, imap,
                                                                imap->backend, to);
}
