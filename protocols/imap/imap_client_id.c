/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_client_id.h"

#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_id.h"

static const char *hold(struct imap_engine *e, struct slice text, const struct imap_literal *literal)
{
    static const char too_long[] = "BAD This ID is too long";
    if (literal != NULL && literal->octets > IMAP_ID_VALUE_MAX)
        return too_long;
    if (e->client_held.len + text.len + 2 > IMAP_ID_COMMAND_MAX)
        return too_long;
    if (!bytes_append(&e->client_held, text, IMAP_ID_COMMAND_MAX) ||
        (literal != NULL && !bytes_append(&e->client_held, slice_of("\r\n"), IMAP_ID_COMMAND_MAX)))
        imap_no_memory(e);
    return NULL;
}

void imap_client_id_line(struct imap_engine *e, struct slice text, const struct imap_literal *literal,
                         struct engine_out *out)
{
    if (literal == NULL && e->client_held.len == 0) {
        imap_client_id_finish(e, text, out);
        return;
    }
    const char *wrong = hold(e, text, literal);
    struct slice held = e->client_held.len > 0 ? bytes_view(&e->client_held) : text;
    if (wrong != NULL) {
        imap_command_wrong(e, imap_command_tag(held), wrong, literal, out);
        bytes_free(&e->client_held);
    } else if (literal == NULL) {
        imap_client_id_finish(e, held, out);
    } else {
        if (literal->synchronizing)
            imap_say(e, slice_of("+ Go on\r\n"), out);
        e->client_left = literal->octets;
        imap_client_move(&e->client, e->client_left > 0 ? IMAP_CLIENT_ID_LITERAL : IMAP_CLIENT_ID_REST);
    }
}

void imap_client_id_literal(struct imap_engine *e, struct slice *input)
{
    size_t len = e->client_left < input->len ? (size_t)e->client_left : input->len;
    struct slice part = slice_first(*input, len);
    *input = slice_from(*input, len);
    e->client_left -= len;
    /* The limit leaves room for one literal more than the lines: each is at most IMAP_ID_VALUE_MAX. */
    if (!bytes_append(&e->client_held, part, IMAP_ID_COMMAND_MAX + IMAP_ID_VALUE_MAX))
        imap_no_memory(e);
    if (e->client_left == 0)
        imap_client_move(&e->client, IMAP_CLIENT_ID_REST);
}

static void forward(struct imap_engine *e, const struct imap_command_line *c, struct engine_out *out)
{
    imap_command_track(e, IMAP_COMMAND_ID, c->tag);
    e->tls_told = true;
    e->id_replied = false;
    engine_out_make(out, SIDE_BACKEND, c->tag);
    engine_out_make_text(out, SIDE_BACKEND, " ID ");
    imap_id_forward(c->args, e->base.client.tls_cipher, e->base.untold, out);
    engine_out_make_text(out, SIDE_BACKEND, "\r\n");
    imap_client_move(&e->client, IMAP_CLIENT_ANSWER);
}

static void answer(struct imap_engine *e, struct slice tag, struct engine_out *out)
{
    imap_say_id(e, true, out);
    imap_answer(e, tag, "OK ID completed", out);
}

static bool knows_no_id(const struct imap_engine *e)
{
    return e->id == IMAP_ID_ABSENT || e->id == IMAP_ID_REFUSED;
}

void imap_client_id_finish(struct imap_engine *e, struct slice text, struct engine_out *out)
{
    struct imap_command_line c = imap_command_line_parse(text);
    const char *wrong = imap_id_check(c.args);
    if (wrong != NULL) {
        imap_command_wrong(e, c.tag, wrong, NULL, out);
        bytes_free(&e->client_held);
        return;
    }
    imap_id_report(c.args, &e->base);
    if (knows_no_id(e)) {
        answer(e, c.tag, out);
        imap_client_move(&e->client, IMAP_CLIENT_COMMAND);
    } else if (e->unanswered > 0) {
        imap_command_drain(e, text);
        return;
    } else {
        forward(e, &c, out);
    }
    bytes_free(&e->client_held);
}

static void send_own(struct imap_engine *e, struct engine_out *out)
{
    engine_out_make_text(out, SIDE_BACKEND, e->base.client.nonce);
    engine_out_make_text(out, SIDE_BACKEND, " ID ");
    imap_id_forward(slice_of("NIL"), e->base.client.tls_cipher, e->base.untold, out);
    engine_out_make_text(out, SIDE_BACKEND, "\r\n");
    e->tls_told = true;
    e->own_id_pending = true;
}

/*
 * Where the backend is to know who the client is (identity = native) a login waits until it has said OK to that: one
 * that does not would take the client for the proxy. Whether it has ID is then tried out where it has not said so.
 */
static bool has_been_told(struct imap_engine *e, struct engine_out *out)
{
    if (e->base.untold == NULL || e->base.status.authenticated)
        return true;
    if (knows_no_id(e))
        imap_client_id_untold(e, out);
    else if (!e->own_id_pending)
        send_own(e, out);
    return false;
}

void imap_client_id_untold(struct imap_engine *e, struct engine_out *out)
{
    if (!e->open)
        imap_say(e, slice_of("* BYE [UNAVAILABLE] The mail server is not available, try again later\r\n"),
                 out);
    engine_fail(&e->base, ENGINE_BACKEND_REFUSED,
                "the server takes no ID, by which it would learn who the client is");
}

bool imap_client_id_before_login(struct imap_engine *e, struct engine_out *out)
{
    if (!has_been_told(e, out))
        return false;
    if (e->id == IMAP_ID_ANNOUNCED && !e->tls_told && !e->base.status.authenticated)
        send_own(e, out);
    return true;
}

void imap_client_id_after_preauth(struct imap_engine *e, struct engine_out *out)
{
    if (e->id == IMAP_ID_ANNOUNCED)
        send_own(e, out);
    else if (e->base.untold != NULL)
        engine_warn(&e->base,
                    "the server has no ID, by which identity = native would tell it who its clients "
                    "are: it takes all of them for the proxy");
}

/* A backend that never announced ID may not know it (Courier says NO); the proxy does. */
static bool is_ours_to_answer(const struct imap_engine *e)
{
    return e->status != IMAP_STATUS_OK && e->id != IMAP_ID_ANNOUNCED;
}

bool imap_client_id_answer_begins(struct imap_engine *e, struct engine_out *out)
{
    if (e->status == IMAP_STATUS_OK && !e->id_replied)
        imap_say_id(e, false, out); /* "Servers MUST provide this information in response to an ID command" */
    return is_ours_to_answer(e);
}

void imap_client_id_answered(struct imap_engine *e, struct engine_out *out)
{
    if (e->status == IMAP_STATUS_OK)
        client_identity_free(&e->base.untold); /* it was in it */
    if (!is_ours_to_answer(e))
        return;
    e->id = IMAP_ID_REFUSED;
    answer(e, (struct slice){e->tag, e->tag_len}, out);
}
