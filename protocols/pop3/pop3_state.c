/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_state.h"

#include "base/array.h"
#include "base/state_machine.h"
#include "protocols/pop3/pop3_private.h"

static const char *const client_names[] = {
    [POP3_CLIENT_COMMAND] = "command",   [POP3_CLIENT_SASL_LINE] = "sasl-line",
    [POP3_CLIENT_GREETING] = "greeting", [POP3_CLIENT_LOGIN] = "login",
    [POP3_CLIENT_QUIT] = "quit",         [POP3_CLIENT_DONE] = "done",
};

static const unsigned client_moves[] = {
    [POP3_CLIENT_COMMAND] = STATE(POP3_CLIENT_LOGIN) | STATE(POP3_CLIENT_QUIT) | STATE(POP3_CLIENT_DONE),
    [POP3_CLIENT_SASL_LINE] = STATE(POP3_CLIENT_LOGIN) | STATE(POP3_CLIENT_COMMAND) | STATE(POP3_CLIENT_DONE),
    [POP3_CLIENT_GREETING] = STATE(POP3_CLIENT_COMMAND),
    [POP3_CLIENT_LOGIN] = STATE(POP3_CLIENT_SASL_LINE) | STATE(POP3_CLIENT_COMMAND),
    [POP3_CLIENT_QUIT] = STATE(POP3_CLIENT_COMMAND) | STATE(POP3_CLIENT_DONE),
    [POP3_CLIENT_DONE] = 0,
};
STATE_MACHINE_ASSERT(client_names, client_moves, POP3_CLIENT_DONE);

static const char *const backend_names[] = {
    [POP3_BACKEND_GREETING] = "greeting", [POP3_BACKEND_XCLIENT] = "xclient",
    [POP3_BACKEND_REPLY] = "reply",       [POP3_BACKEND_BODY] = "body",
    [POP3_BACKEND_CAPA] = "capa",         [POP3_BACKEND_MECHANISMS] = "mechanisms",
    [POP3_BACKEND_DONE] = "done",
};

static const unsigned backend_moves[] = {
    [POP3_BACKEND_GREETING] = STATE(POP3_BACKEND_REPLY) | STATE(POP3_BACKEND_XCLIENT),
    [POP3_BACKEND_XCLIENT] = STATE(POP3_BACKEND_REPLY),
    [POP3_BACKEND_REPLY] = STATE(POP3_BACKEND_BODY) | STATE(POP3_BACKEND_CAPA) |
                           STATE(POP3_BACKEND_MECHANISMS) | STATE(POP3_BACKEND_DONE),
    [POP3_BACKEND_BODY] = STATE(POP3_BACKEND_REPLY),
    [POP3_BACKEND_CAPA] = STATE(POP3_BACKEND_REPLY),
    [POP3_BACKEND_MECHANISMS] = STATE(POP3_BACKEND_REPLY),
    [POP3_BACKEND_DONE] = 0,
};
STATE_MACHINE_ASSERT(backend_names, backend_moves, POP3_BACKEND_DONE);

static const struct state_machine client_machine = {"pop3-client", client_names, client_moves,
                                                    ARRAY_LEN(client_names), NULL};
static const struct state_machine backend_machine = {"pop3-backend", backend_names, backend_moves,
                                                     ARRAY_LEN(backend_names), NULL};

void pop3_move_client(struct pop3_engine *pop3, enum pop3_client_state to)
{
    pop3->client =
        (enum pop3_client_state)state_machine_move(&client_machine, pop3->base.trace, pop3, pop3->client, to);
}

void pop3_move_backend(struct pop3_engine *pop3, enum pop3_backend_state to)
{
    pop3->backend = (enum pop3_backend_state)state_machine_move(&backend_machine, pop3->base.trace, pop3,
                                                                pop3->backend, to);
}
