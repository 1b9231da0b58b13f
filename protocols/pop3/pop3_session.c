/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_session.h"

#include "base/array.h"
#include "base/ensure.h"

#define MOVE(state) (1u << (state))

void pop3_move_client(struct pop3_engine *pop3, enum client_state to)
{
    static const unsigned allowed[] = {
        [CLIENT_COMMAND] = MOVE(CLIENT_LOGIN) | MOVE(CLIENT_QUIT) | MOVE(CLIENT_DONE),
        [CLIENT_SASL_LINE] = MOVE(CLIENT_LOGIN) | MOVE(CLIENT_COMMAND) | MOVE(CLIENT_DONE),
        [CLIENT_GREETING] = MOVE(CLIENT_COMMAND),
        [CLIENT_LOGIN] = MOVE(CLIENT_SASL_LINE) | MOVE(CLIENT_COMMAND),
        [CLIENT_QUIT] = MOVE(CLIENT_COMMAND) | MOVE(CLIENT_DONE),
        [CLIENT_DONE] = 0,
    };
    _Static_assert(ARRAY_LEN(allowed) == CLIENT_DONE + 1, "a row for each state");
    ENSURE((allowed[pop3->client] & MOVE(to)) != 0);
    pop3->client = to;
}

void pop3_move_backend(struct pop3_engine *pop3, enum backend_state to)
{
    static const unsigned allowed[] = {
        [BACKEND_GREETING] = MOVE(BACKEND_REPLY) | MOVE(BACKEND_XCLIENT),
        [BACKEND_XCLIENT] = MOVE(BACKEND_REPLY),
        [BACKEND_REPLY] =
            MOVE(BACKEND_BODY) | MOVE(BACKEND_CAPA) | MOVE(BACKEND_MECHANISMS) | MOVE(BACKEND_DONE),
        [BACKEND_BODY] = MOVE(BACKEND_REPLY),
        [BACKEND_CAPA] = MOVE(BACKEND_REPLY),
        [BACKEND_MECHANISMS] = MOVE(BACKEND_REPLY),
        [BACKEND_DONE] = 0,
    };
    _Static_assert(ARRAY_LEN(allowed) == BACKEND_DONE + 1, "a row for each state");
    ENSURE((allowed[pop3->backend] & MOVE(to)) != 0);
    pop3->backend = to;
}

bool pop3_is_open(const struct pop3_engine *pop3)
{
    return pop3->base.status.reason == ENGINE_OPEN;
}

bool pop3_wants_client(const struct pop3_engine *pop3)
{
    return (pop3->client == CLIENT_COMMAND || pop3->client == CLIENT_SASL_LINE) &&
           !pop3_pending_is_full(&pop3->pending);
}

static const char *last_word_reason(enum pop3_answer answer)
{
    return answer == POP3_END_HTTP     ? "the client speaks HTTP"
           : answer == POP3_END_LENGTH ? "a line of the client is too long"
                                       : "too many refused commands";
}

/* Gives the own answers whose turn it is. All that can be pending together fit into a step, as one slice. */
static void give_own_answers(struct pop3_engine *pop3, struct engine_out *out)
{
    while (pop3_is_open(pop3) && !pop3_pending_is_empty(&pop3->pending)) {
        enum pop3_answer answer = pop3_pending_first(&pop3->pending);
        if (!pop3_answer_is_own(answer))
            return;
        pop3_pending_drop(&pop3->pending);
        engine_out_make_text(out, SIDE_CLIENT, pop3_answer_text(answer));
        if (pop3_answer_is_last(answer))
            engine_fail(&pop3->base, ENGINE_CLIENT_ERROR, last_word_reason(answer));
    }
}

/* The answer takes its place behind those that are pending; behind the last word nothing more is read. */
void pop3_refuse(struct pop3_engine *pop3, enum pop3_answer answer, struct engine_out *out)
{
    pop3->refusals++;
    if (pop3->refusals >= POP3_REFUSALS_MAX && !pop3_answer_is_last(answer))
        answer = POP3_END_REFUSALS;
    pop3_pending_add(&pop3->pending, answer);
    if (pop3_answer_is_last(answer))
        pop3_move_client(pop3, CLIENT_DONE);
    give_own_answers(pop3, out);
}

void pop3_finish_answer(struct pop3_engine *pop3, struct engine_out *out)
{
    pop3_pending_drop(&pop3->pending);
    give_own_answers(pop3, out);
}
