/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_turn.h"

#include "base/ensure.h"

/* Reply codes of RFC 5321 section 4.2.3, enhanced ones of RFC 3463 and RFC 4954 section 6. */
static const struct answer {
    const char *code;
    bool names_host; /* RFC 5321 section 4.2: 421 is followed by the domain */
    const char *text;
    const char *last_detail; /* of a last word: what the log says */
} answers[SMTP_TURN_LAST + 1] = {
    [SMTP_ANSWER_OK] = {"250 2.0.0 ", false, "OK", NULL},
    [SMTP_ANSWER_CLIENT_SYNTAX] = {"501 5.5.4 ", false, "Syntax: CLIENT name=value ...", NULL},
    [SMTP_ANSWER_TLS_ACTIVE] = {"503 5.5.1 ", false, "TLS is active already", NULL},
    [SMTP_ANSWER_NOT_IMPLEMENTED] = {"502 5.5.1 ", false, "Command not implemented", NULL},
    [SMTP_ANSWER_MECHANISM] = {"504 5.5.4 ", false, "Unrecognized authentication type", NULL},
    [SMTP_ANSWER_GREET_FIRST] = {"503 5.5.1 ", false, "Send EHLO first", NULL},
    [SMTP_ANSWER_SYNTAX] = {"500 5.5.2 ", false, "Syntax error", NULL},
    [SMTP_ANSWER_RSET_SYNTAX] = {"501 5.5.4 ", false, "Syntax: RSET", NULL},
    [SMTP_ANSWER_IN_MESSAGE] = {"503 5.5.1 ", false, "A message is under way, use RSET", NULL},
    [SMTP_ANSWER_TOO_LONG] = {"500 5.5.2 ", false, "Line too long", NULL},
    [SMTP_ANSWER_CHUNK_SYNTAX] = {"501 5.5.4 ", false, "Syntax: BDAT count [LAST]", NULL},
    [SMTP_ANSWER_CHUNK_TOO_BIG] = {"552 5.3.4 ", false, "Chunk too big", NULL},
    [SMTP_ANSWER_CHUNK_LOST] = {"503 5.5.1 ", false, "A chunk before this one was refused, use RSET", NULL},
    [SMTP_ANSWER_AUTH_GO_AHEAD] = {"334 ", false, "", NULL},
    [SMTP_ANSWER_AUTH_DONE] = {"235 2.7.0 ", false, "Authentication successful", NULL},
    [SMTP_ANSWER_AUTH_AGAIN] = {"503 5.5.1 ", false, "Authenticated already", NULL},
    [SMTP_ANSWER_AUTH_SYNTAX] = {"501 5.5.2 ", false, "Syntax: AUTH mechanism [base64]", NULL},
    [SMTP_ANSWER_AUTH_CANCELLED] = {"501 5.7.0 ", false, "Authentication cancelled", NULL},
    [SMTP_ANSWER_AUTH_OTHER] = {"535 5.7.8 ", false, "The client certificate is not for that user", NULL},
    [SMTP_ANSWER_TOO_MANY_ERRORS] = {"421 4.7.0 ", true, "Too many errors", "too many refused commands"},
    [SMTP_ANSWER_NOT_SMTP] = {"421 4.7.0 ", true, "This is not SMTP", "the client speaks HTTP"},
    [SMTP_ANSWER_ENDLESS] = {"421 4.7.0 ", true, "Line too long", "a line of the client never ends"},
    [SMTP_ANSWER_BARE_LF] = {"550 5.6.11 ", false, "Bare LF in the message, where lines end with CRLF",
                             "a bare LF in a message"},
    [SMTP_ANSWER_BACKEND_FAILED] = {"421 4.3.0 ", true, "The mail server made a mistake, try again later",
                                    NULL},
};

_Static_assert(SMTP_TURNS_MAX <= UINT8_MAX, "first and count of the ring are octets");
_Static_assert(SMTP_TURN_LAST <= UINT8_MAX, "a turn is kept in an octet");

void smtp_turns_add(struct smtp_turns *turns, enum smtp_turn turn)
{
    ENSURE(smtp_turns_have_room(turns, 1));
    turns->ring[(turns->first + turns->count) % SMTP_TURNS_MAX] = (uint8_t)turn;
    turns->count++;
}

enum smtp_turn smtp_turns_first(const struct smtp_turns *turns)
{
    return turns->count > 0 ? (enum smtp_turn)turns->ring[turns->first] : SMTP_TURN_NONE;
}

enum smtp_turn smtp_turns_take(struct smtp_turns *turns)
{
    enum smtp_turn turn = smtp_turns_first(turns);
    if (turn != SMTP_TURN_NONE) {
        turns->first = (uint8_t)((turns->first + 1) % SMTP_TURNS_MAX);
        turns->count--;
    }
    return turn;
}

size_t smtp_turns_count(const struct smtp_turns *turns, enum smtp_turn turn)
{
    size_t found = 0;
    for (size_t i = 0; i < turns->count; i++)
        found += turns->ring[(turns->first + i) % SMTP_TURNS_MAX] == turn;
    return found;
}

bool smtp_turns_have_room(const struct smtp_turns *turns, size_t more)
{
    return turns->count + more <= SMTP_TURNS_MAX;
}

bool smtp_turn_is_answer(enum smtp_turn turn)
{
    return turn >= SMTP_ANSWER_FIRST;
}

bool smtp_turn_is_last_word(enum smtp_turn turn)
{
    return turn >= SMTP_ANSWER_TOO_MANY_ERRORS;
}

const char *smtp_turn_last_detail(enum smtp_turn turn)
{
    ENSURE(smtp_turn_is_last_word(turn) && answers[turn].last_detail != NULL);
    return answers[turn].last_detail;
}

void smtp_turn_let_out(enum smtp_turn answer, const char *hostname, struct engine_out *out)
{
    ENSURE(smtp_turn_is_answer(answer));
    const struct answer *a = &answers[answer];
    engine_out_make_text(out, SIDE_CLIENT, a->code);
    if (a->names_host) {
        engine_out_make_text(out, SIDE_CLIENT, hostname);
        engine_out_make_text(out, SIDE_CLIENT, " ");
    }
    engine_out_make_text(out, SIDE_CLIENT, a->text);
    engine_out_make_text(out, SIDE_CLIENT, "\r\n");
}
