/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_backend.h"

#include "base/ensure.h"
#include "protocols/pop3/pop3_capa.h"
#include "protocols/pop3/pop3_reply.h"
#include "protocols/xclient.h"

#define XCLIENT_REMEDY " (Dovecot: login_trusted_networks)"

/* RFC 2449 section 4 has 512 octets, but a SASL challenge may be as long as the client's answer. */
static size_t reply_line_max(const struct pop3_engine *pop3)
{
    return engine_sasl_max(&pop3->base) + POP3_CHALLENGE_WORDS_MAX;
}

/*
 * The backend has made a mistake. The client gets words if it cannot take them for content: not before the
 * greeting, as another backend may still serve it, not inside a multi-line reply, and not after the backend's
 * last word.
 */
static void fail_backend(struct pop3_engine *pop3, const char *detail, struct engine_out *out)
{
    if (pop3->backend == POP3_BACKEND_REPLY)
        engine_out_make_text(out, SIDE_CLIENT,
                             "-ERR [SYS/TEMP] The mail server made a mistake, try again later\r\n");
    engine_fail(&pop3->base, ENGINE_BACKEND_ERROR, detail);
}

/* The backend knows what it has to know: the client is greeted, and may send commands. */
static void greet_client(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    if (!pop3->base.service->starttls)
        pop3_greeting_send(line, out);
    engine_note_greeted(&pop3->base);
    pop3_move_backend(pop3, POP3_BACKEND_REPLY);
    pop3_move_client(pop3, POP3_CLIENT_COMMAND);
}

/*
 * A backend that accepts no XCLIENT from the proxy would take every client for the proxy. So might one that
 * has not replied to it yet: the client is greeted only after that.
 */
static void send_xclient(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    char command[XCLIENT_POP3_MAX];
    if (!pop3_greeting_offers_xclient(line->text)) {
        fail_backend(pop3, "the backend's greeting offers no XCLIENT" XCLIENT_REMEDY, out);
        return;
    }
    if (!bytes_append(&pop3->greeting, line->whole, reply_line_max(pop3))) {
        engine_fail(&pop3->base, ENGINE_NO_MEMORY, "no memory for the backend's greeting");
        return;
    }
    size_t len = xclient_write_pop3(pop3->base.identity_unsent, command);
    engine_out_make(out, SIDE_BACKEND, (struct slice){(const uint8_t *)command, len});
    client_identity_free(&pop3->base.identity_unsent);
    pop3_move_backend(pop3, POP3_BACKEND_XCLIENT);
}

static void take_xclient_reply(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    if (pop3_indicator_of(line->text) != POP3_INDICATOR_OK) {
        engine_fail(&pop3->base, ENGINE_BACKEND_REFUSED, "the backend refuses XCLIENT" XCLIENT_REMEDY);
        return;
    }
    struct line greeting = line_of_whole(bytes_view(&pop3->greeting));
    greet_client(pop3, &greeting, out);
    bytes_free(&pop3->greeting);
}

static void take_greeting(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    switch (pop3_indicator_of(line->text)) {
    case POP3_INDICATOR_OK:
        pop3->apop = slice_find(line->text, '<') < slice_find(line->text, '>');
        if (pop3->base.identity_unsent != NULL)
            send_xclient(pop3, line, out);
        else
            greet_client(pop3, line, out);
        return;
    case POP3_INDICATOR_ERR:
        engine_add_refusal(&pop3->base, "-ERR", slice_from(line->text, sizeof "-ERR" - 1), true);
        engine_fail(&pop3->base, ENGINE_BACKEND_REFUSED, "the backend's greeting is -ERR");
        return;
    case POP3_INDICATOR_CHALLENGE:
    case POP3_INDICATOR_NONE:
        fail_backend(pop3, "the backend's greeting is not POP3", out);
        return;
    }
}

/*
 * An unsolicited reply. Dovecot and others send -ERR before they close an idle connection: it goes to the
 * client as the backend's last word. The client would take any other one for the reply to its next command.
 */
static void take_unsolicited(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    if (pop3_indicator_of(line->text) != POP3_INDICATOR_ERR) {
        fail_backend(pop3, "unsolicited reply of the backend", out);
        return;
    }
    line_send(line, SIDE_CLIENT, out);
    engine_note_last_word(&pop3->base);
    pop3_move_backend(pop3, POP3_BACKEND_DONE);
    pop3_move_client(pop3, POP3_CLIENT_DONE);
}

/* RFC 1939 section 6 has the server close in any case, but one that replies -ERR may go on. */
static void note_quit_result(struct pop3_engine *pop3, bool ok)
{
    if (ok) {
        engine_note_last_word(&pop3->base);
        pop3_move_client(pop3, POP3_CLIENT_DONE);
        pop3_move_backend(pop3, POP3_BACKEND_DONE);
    } else {
        engine_note_ending(&pop3->base, false);
        pop3_move_client(pop3, POP3_CLIENT_COMMAND);
    }
}

/* The replies of one line that move a state. */
static void note_result(struct pop3_engine *pop3, enum pop3_slot slot, bool ok)
{
    if (ok && (slot == POP3_AWAIT_LOGIN || slot == POP3_AWAIT_SASL))
        engine_note_login(&pop3->base, true);
    if (slot == POP3_AWAIT_SASL || slot == POP3_AWAIT_LOGIN)
        pop3_move_client(pop3, POP3_CLIENT_COMMAND);
    if (slot == POP3_AWAIT_QUIT)
        note_quit_result(pop3, ok);
}

/* Begins the rest of a multi-line reply; false if the reply is one line. */
static bool open_lines(struct pop3_engine *pop3, enum pop3_slot slot)
{
    switch (slot) {
    case POP3_AWAIT_LINES:
        pop3_move_backend(pop3, POP3_BACKEND_BODY);
        pop3->end_matched = POP3_END_AFTER_LINE;
        return true;
    case POP3_AWAIT_CAPA:
        pop3_move_backend(pop3, POP3_BACKEND_CAPA);
        pop3->capa_login = false;
        return true;
    case POP3_AWAIT_MECHANISMS:
        pop3_move_backend(pop3, POP3_BACKEND_MECHANISMS);
        return true;
    default:
        return false;
    }
}

static void take_challenge(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    if (pop3->client != POP3_CLIENT_LOGIN || pop3_first_slot(pop3) != POP3_AWAIT_SASL) {
        fail_backend(pop3, "unsolicited challenge of the backend", out);
        return;
    }
    line_send(line, SIDE_CLIENT, out);
    pop3_move_client(pop3, POP3_CLIENT_SASL_LINE);
}

/* The last line of a reply, or the first of several. */
static void take_result(struct pop3_engine *pop3, const struct line *line, bool ok, struct engine_out *out)
{
    enum pop3_slot slot = pop3_first_slot(pop3);
    if (ok && pop3->client == POP3_CLIENT_SASL_LINE) {
        fail_backend(pop3, "the backend accepted a login without the client's response", out);
        return;
    }
    if (!ok && slot == POP3_AWAIT_CAPA)
        pop3_capa_instead(engine_deep_status(&pop3->base), out);
    else
        line_send(line, SIDE_CLIENT, out);
    note_result(pop3, slot, ok);
    if (!ok || !open_lines(pop3, slot))
        pop3_finish_reply(pop3, out);
}

static void take_reply(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    if (reply_queue_is_empty(&pop3->replies)) {
        take_unsolicited(pop3, line, out);
        return;
    }
    switch (pop3_indicator_of(line->text)) {
    case POP3_INDICATOR_OK:
    case POP3_INDICATOR_ERR:
        take_result(pop3, line, pop3_indicator_of(line->text) == POP3_INDICATOR_OK, out);
        return;
    case POP3_INDICATOR_CHALLENGE:
        take_challenge(pop3, line, out);
        return;
    case POP3_INDICATOR_NONE:
        fail_backend(pop3, "the backend's reply is neither +OK nor -ERR", out);
        return;
    }
}

/* The DEEP status can only be shown when the list has ended: the backend's may be anywhere in it. */
static void take_capability(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    struct slice rest = line->text;
    struct slice keyword = slice_next_word(&rest, ' ');
    if (slice_is_word(keyword, "DEEP"))
        engine_merge_deep(&pop3->base, rest);
    if (slice_is_word(keyword, "USER") ||
        (slice_is_word(keyword, "SASL") && slice_next_word(&rest, ' ').len > 0))
        pop3->capa_login = true;
    pop3_capa_send(line, pop3->base.client.external, out);
}

static void end_capabilities(struct pop3_engine *pop3, struct engine_out *out)
{
    pop3_capa_end(engine_deep_status(&pop3->base), out);
    engine_forget_merged(&pop3->base);
    if (!pop3->capa_login && !pop3->apop && !pop3->base.status.authenticated)
        engine_warn(
            &pop3->base,
            "the server has neither USER nor SASL, so that nobody can log in: " ENGINE_REMEDY_CLEARTEXT);
}

static void take_list_line(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    bool is_capa = pop3->backend == POP3_BACKEND_CAPA;
    if (!slice_is_word(line->text, ".")) {
        if (is_capa)
            take_capability(pop3, line, out);
        else
            pop3_mechanism_send(line, pop3->base.client.external, out);
        return;
    }
    if (is_capa)
        end_capabilities(pop3, out);
    else
        line_send(line, SIDE_CLIENT, out);
    pop3_move_backend(pop3, POP3_BACKEND_REPLY);
    pop3_finish_reply(pop3, out);
}

static void take_backend_line(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    switch (pop3->backend) {
    case POP3_BACKEND_GREETING:
        take_greeting(pop3, line, out);
        return;
    case POP3_BACKEND_XCLIENT:
        take_xclient_reply(pop3, line, out);
        return;
    case POP3_BACKEND_REPLY:
        take_reply(pop3, line, out);
        return;
    case POP3_BACKEND_CAPA:
    case POP3_BACKEND_MECHANISMS:
        take_list_line(pop3, line, out);
        return;
    case POP3_BACKEND_DONE:
        fail_backend(pop3, "the backend sent more after its last reply", out);
        return;
    case POP3_BACKEND_BODY:
        break;
    }
    ENSURE(pop3->backend != POP3_BACKEND_BODY);
}

/* Message content: only its end is looked for, and nothing is copied. */
static void pass_body(struct pop3_engine *pop3, struct slice *input, struct engine_out *out)
{
    size_t end = pop3_end_find(&pop3->end_matched, *input);
    size_t len = end > 0 ? end : input->len;
    engine_out_pass(out, SIDE_CLIENT, slice_first(*input, len));
    *input = slice_from(*input, len);
    if (end > 0) {
        pop3_move_backend(pop3, POP3_BACKEND_REPLY);
        pop3_finish_reply(pop3, out);
    }
}

static void take_step(struct pop3_engine *pop3, struct slice *input, struct engine_out *out)
{
    if (pop3->backend == POP3_BACKEND_BODY) {
        pass_body(pop3, input, out);
        return;
    }
    struct line line;
    switch (line_reader_take(&pop3->from_backend, input, reply_line_max(pop3), &line)) {
    case LINE_CUT:
        return;
    case LINE_NO_MEMORY:
        engine_fail(&pop3->base, ENGINE_NO_MEMORY, "no memory for a line of the backend");
        return;
    case LINE_TOO_LONG:
        fail_backend(pop3, "a line of the backend is too long", out);
        return;
    case LINE_WHOLE:
        break;
    }
    take_backend_line(pop3, &line, out);
    line_reader_done(&pop3->from_backend);
}

size_t pop3_backend_feed(struct pop3_engine *pop3, struct slice data, struct engine_out *out)
{
    struct slice left = data;
    while (engine_may_step(&pop3->base, left, out))
        take_step(pop3, &left, out);
    return data.len - left.len;
}
