/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_response.h"

#include "protocols/imap/imap_capability.h"
#include "protocols/imap/imap_client_id.h"
#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_id.h"

#include <string.h>

/* ---- what is known of the backend ---- */

static void learn_id(struct imap_engine *e, bool announced)
{
    if (announced && e->id != IMAP_ID_REFUSED)
        e->id = IMAP_ID_ANNOUNCED;
    else if (e->id == IMAP_ID_UNKNOWN)
        e->id = IMAP_ID_ABSENT;
}

/* ---- the end of a response ---- */

static void own_id_answered(struct imap_engine *e, struct engine_out *out)
{
    e->own_id_pending = false;
    if (e->status == IMAP_STATUS_OK) {
        client_identity_free(&e->base.untold);
        return;
    }
    e->id = IMAP_ID_REFUSED;
    if (e->base.untold != NULL)
        imap_client_id_untold(e, out);
}

static bool is_own_tag(const struct imap_engine *e, struct slice tag)
{
    return e->own_id_pending && slice_equals(tag, slice_of(e->base.client.nonce));
}

static bool is_tag_of_command(const struct imap_engine *e, struct slice tag)
{
    return e->command != IMAP_COMMAND_NONE && slice_equals(tag, (struct slice){e->tag, e->tag_len});
}

/* What comes of a response once it is whole, and of what had to wait for its end. */
static void finish_response(struct imap_engine *e, struct engine_out *out)
{
    bool swallowed = e->swallow;
    e->open = e->swallow = false;
    imap_backend_move(&e->backend, IMAP_BACKEND_RESPONSE);
    if (e->kind == IMAP_RESPONSE_GO_AHEAD)
        imap_command_go_ahead(e);
    else if (e->kind == IMAP_RESPONSE_TAGGED && e->answers)
        imap_command_answered(e, out);
    else if (e->kind == IMAP_RESPONSE_TAGGED && swallowed)
        own_id_answered(e, out);
    else if (e->kind == IMAP_RESPONSE_TAGGED)
        imap_command_settled(e);
    imap_answers_due(e, out);
    imap_command_resume(e, out);
}

/* ---- responses that are held until they are whole ---- */

static struct slice without_line_end(struct slice line)
{
    size_t len = line.len - 1;
    return slice_first(line, len > 0 && line.data[len - 1] == '\r' ? len - 1 : len);
}

static struct slice words_of_list(const struct imap_engine *e, struct slice line, size_t list)
{
    struct slice words = slice_sub(without_line_end(line), list, line.len);
    if (e->kind != IMAP_RESPONSE_CAPABILITY)
        words.len = slice_find(words, ']');
    return words;
}

static void learn(struct imap_engine *e, struct imap_capabilities has)
{
    learn_id(e, has.id);
    if (has.login_disabled && !e->base.status.authenticated)
        engine_warn(
            &e->base,
            "the server refuses every login on this connection (LOGINDISABLED): " ENGINE_REMEDY_CLEARTEXT);
}

static void let_out_list(struct imap_engine *e, struct slice line, size_t list, struct engine_out *out)
{
    struct slice words = words_of_list(e, line, list);
    engine_out_make(out, SIDE_CLIENT, slice_first(line, list));
    learn(e, imap_capability_edit(words, e->base.client.external, out));
    engine_out_make(out, SIDE_CLIENT, slice_from(line, list + words.len));
}

/* What was merged stays: Cyrus answers a second ID with nothing, and clients are not to find a promise taken back. */
static void let_out_id(struct imap_engine *e, struct slice held, struct engine_out *out)
{
    struct slice params = slice_sub(without_line_end(held), e->list, held.len);
    imap_id_learn_status(params, &e->base);
    if (e->swallow || e->base.status.reason != ENGINE_OPEN)
        return;
    engine_out_make(out, SIDE_CLIENT, slice_first(held, e->list));
    engine_out_make_text(out, SIDE_CLIENT, " ");
    imap_id_reply(params, engine_deep_status(&e->base), out);
    engine_out_make_text(out, SIDE_CLIENT, "\r\n");
    if (e->command == IMAP_COMMAND_ID)
        e->id_replied = true;
}

/*
 * A greeting that is none, and one that says no, are never shown: another backend may do better. Behind STARTTLS none
 * is, and PREAUTH is no greeting: it is how an attacker keeps a client from STARTTLS (RFC 9051 section 7.1.4), and a
 * session that nobody has logged in to.
 */
static void greet(struct imap_engine *e, struct slice line, struct engine_out *out)
{
    struct imap_response r = imap_classify(line);
    bool is_status = r.kind == IMAP_RESPONSE_STATUS;
    if (is_status && r.status == IMAP_STATUS_BYE) {
        engine_fail(&e->base, ENGINE_BACKEND_REFUSED, "the backend's greeting says BYE");
        return;
    }
    if (!is_status || (r.status != IMAP_STATUS_OK && r.status != IMAP_STATUS_PREAUTH)) {
        imap_backend_error(e, "the backend's greeting is not one of IMAP", out);
        return;
    }
    if (e->base.service->starttls && r.status == IMAP_STATUS_PREAUTH) {
        engine_fail(&e->base, ENGINE_BACKEND_REFUSED, "the backend greets with PREAUTH behind STARTTLS");
        return;
    }
    e->base.status.authenticated = r.status == IMAP_STATUS_PREAUTH;
    e->base.status.greeted = true;
    e->kind = IMAP_RESPONSE_STATUS;
    bool shown = !e->base.service->starttls; /* else the client has been greeted */
    if (r.list > 0 && shown)
        let_out_list(e, line, r.list, out);
    else if (r.list > 0)
        learn(e, imap_capability_read(words_of_list(e, line, r.list)));
    else if (shown)
        engine_out_make(out, SIDE_CLIENT, line);
    finish_response(e, out);
    if (r.status == IMAP_STATUS_PREAUTH)
        imap_client_id_after_preauth(e, out);
}

static void let_out_held(struct imap_engine *e, struct engine_out *out)
{
    struct bytes held = e->backend_held;
    e->backend_held = (struct bytes){0};
    if (e->backend == IMAP_BACKEND_GREETING) {
        greet(e, bytes_view(&held), out);
    } else {
        if (e->backend == IMAP_BACKEND_HELD_ID)
            let_out_id(e, bytes_view(&held), out);
        else
            let_out_list(e, bytes_view(&held), e->list, out);
        finish_response(e, out);
    }
    bytes_free(&held);
}

static bool hold(struct imap_engine *e, struct slice part, struct engine_out *out)
{
    bool is_id = e->backend == IMAP_BACKEND_HELD_ID || e->backend == IMAP_BACKEND_HELD_LITERAL;
    size_t limit = is_id ? IMAP_HELD_ID_MAX : IMAP_HELD_LINE_MAX;
    if (part.len > limit || e->backend_held.len > limit - part.len)
        imap_backend_error(e, "the backend's response is too long", out);
    else if (!bytes_append(&e->backend_held, part, limit))
        imap_no_memory(e);
    return e->base.status.reason == ENGINE_OPEN;
}

/* The part of the input that belongs to the current line; `*ended` where its LF is there. */
static struct slice take_line_part(struct slice *input, bool *ended)
{
    size_t end = slice_find(*input, '\n');
    *ended = end < input->len;
    struct slice part = slice_first(*input, end + (*ended ? 1 : 0));
    *input = slice_from(*input, part.len);
    return part;
}

static void hold_line(struct imap_engine *e, struct slice *input, struct engine_out *out)
{
    bool ended;
    struct slice part = take_line_part(input, &ended);
    if (!hold(e, part, out) || !ended)
        return;
    struct slice held = bytes_view(&e->backend_held);
    struct slice line = slice_from(held, e->line_start);
    struct imap_literal literal;
    if (e->backend != IMAP_BACKEND_HELD_ID || !imap_literal_at_end(without_line_end(line), &literal) ||
        !literal.synchronizing) {
        e->line_start = 0;
        let_out_held(e, out);
        return;
    }
    e->backend_left = literal.octets;
    e->line_start = held.len;
    if (literal.octets > 0)
        imap_backend_move(&e->backend, IMAP_BACKEND_HELD_LITERAL);
}

static struct slice take_octets(struct imap_engine *e, struct slice *input)
{
    size_t len = e->backend_left < input->len ? (size_t)e->backend_left : input->len;
    struct slice part = slice_first(*input, len);
    *input = slice_from(*input, len);
    e->backend_left -= len;
    return part;
}

static void hold_literal(struct imap_engine *e, struct slice *input, struct engine_out *out)
{
    if (!hold(e, take_octets(e, input), out) || e->backend_left > 0)
        return;
    e->line_start = e->backend_held.len;
    imap_backend_move(&e->backend, IMAP_BACKEND_HELD_ID);
}

/* ---- responses that pass ---- */

static void let_through(struct imap_engine *e, struct slice part, bool made, struct engine_out *out)
{
    if (e->swallow)
        return;
    e->open = true;
    if (made)
        engine_out_make(out, SIDE_CLIENT, part);
    else
        engine_out_pass(out, SIDE_CLIENT, part);
}

static void pass_text(struct imap_engine *e, struct slice *input, struct engine_out *out)
{
    bool ended;
    let_through(e, take_line_part(input, &ended), false, out);
    if (ended)
        finish_response(e, out);
}

/* Most lines come whole and end in no literal: they cost a search for their end and a look at the octets before it. */
static bool may_end_in_literal(const struct imap_engine *e, struct slice text)
{
    return e->backend_tail.state != IMAP_TAIL_NONE || slice_has_suffix(text, "}") ||
           slice_has_suffix(text, "}\r");
}

static bool line_ends_in_literal(struct imap_engine *e, struct slice text, struct imap_literal *literal)
{
    if (!may_end_in_literal(e, text))
        return false;
    imap_tail_feed(&e->backend_tail, text);
    return imap_tail_literal(&e->backend_tail, literal) && literal->synchronizing;
}

static void pass_data(struct imap_engine *e, struct slice *input, struct engine_out *out)
{
    bool ended;
    struct slice part = take_line_part(input, &ended);
    let_through(e, part, false, out);
    if (!ended) {
        imap_tail_feed(&e->backend_tail, part);
        return;
    }
    struct imap_literal literal;
    bool found = line_ends_in_literal(e, slice_first(part, part.len - 1), &literal);
    e->backend_tail = (struct imap_tail){0};
    if (!found) {
        finish_response(e, out);
    } else if (literal.octets > IMAP_LITERAL_MAX) {
        imap_backend_error(e, "the backend's literal is too large", out);
    } else if (literal.octets > 0) {
        e->backend_left = literal.octets;
        imap_backend_move(&e->backend, IMAP_BACKEND_LITERAL);
    }
}

static void pass_literal(struct imap_engine *e, struct slice *input, struct engine_out *out)
{
    let_through(e, take_octets(e, input), false, out);
    if (e->backend_left == 0)
        imap_backend_move(&e->backend, IMAP_BACKEND_DATA);
}

/* ---- the beginning of a response ---- */

static enum imap_backend_state begin_tagged(struct imap_engine *e, const struct imap_response *r,
                                            struct engine_out *out)
{
    if (is_own_tag(e, r->tag)) {
        e->swallow = true;
        return IMAP_BACKEND_TEXT;
    }
    e->answers = is_tag_of_command(e, r->tag);
    if (e->answers && e->command == IMAP_COMMAND_ID)
        e->swallow = imap_client_id_answer_begins(e, out);
    return r->list > 0 && !e->swallow ? IMAP_BACKEND_HELD_STATUS : IMAP_BACKEND_TEXT;
}

static enum imap_backend_state begin_status(struct imap_engine *e, const struct imap_response *r)
{
    if (r->status == IMAP_STATUS_BYE)
        e->base.status.ending = e->base.status.last_word = true;
    return r->list > 0 ? IMAP_BACKEND_HELD_STATUS : IMAP_BACKEND_TEXT;
}

static enum imap_backend_state begin(struct imap_engine *e, const struct imap_response *r,
                                     struct engine_out *out)
{
    e->kind = r->kind;
    e->status = r->status;
    e->list = r->list;
    e->answers = false;
    switch (r->kind) {
    case IMAP_RESPONSE_GO_AHEAD:
        e->swallow = e->client == IMAP_CLIENT_GO_AHEAD && e->silent_go_ahead;
        return IMAP_BACKEND_TEXT;
    case IMAP_RESPONSE_STATUS:
        return begin_status(e, r);
    case IMAP_RESPONSE_TAGGED:
        return begin_tagged(e, r, out);
    case IMAP_RESPONSE_CAPABILITY:
        return IMAP_BACKEND_HELD_LIST;
    case IMAP_RESPONSE_ID:
        e->swallow = e->own_id_pending;
        return e->swallow && !e->base.service->deep_merge ? IMAP_BACKEND_DATA : IMAP_BACKEND_HELD_ID;
    case IMAP_RESPONSE_DATA:
        return IMAP_BACKEND_DATA;
    case IMAP_RESPONSE_UNDECIDED:
    case IMAP_RESPONSE_TEXT:
        break;
    }
    return IMAP_BACKEND_TEXT;
}

static void flush_head(struct imap_engine *e, struct engine_out *out)
{
    if (e->backend == IMAP_BACKEND_DATA)
        imap_tail_feed(&e->backend_tail, bytes_view(&e->backend_held));
    if (e->backend == IMAP_BACKEND_DATA || e->backend == IMAP_BACKEND_TEXT) {
        let_through(e, bytes_view(&e->backend_held), true, out);
        bytes_free(&e->backend_held);
    }
}

/* Decides by the first octets; takes none from the input unless they decide nothing. */
static void decide(struct imap_engine *e, struct slice *input, struct engine_out *out)
{
    uint8_t joined[IMAP_HEAD_MAX];
    struct slice part = slice_first(*input, sizeof joined);
    struct slice head = part;
    size_t held = e->backend_held.len;
    if (held > 0) {
        part = slice_first(part, sizeof joined - held);
        memcpy(joined, e->backend_held.data, held);
        memcpy(joined + held, part.data, part.len);
        head = (struct slice){joined, held + part.len};
    }
    struct imap_response r = imap_classify(head);
    if (r.kind == IMAP_RESPONSE_UNDECIDED) {
        *input = slice_from(*input, part.len);
        if (!bytes_append(&e->backend_held, part, sizeof joined))
            imap_no_memory(e);
        return;
    }
    imap_backend_move(&e->backend, begin(e, &r, out));
    flush_head(e, out);
}

static void step(struct imap_engine *e, struct slice *input, struct engine_out *out)
{
    switch (e->backend) {
    case IMAP_BACKEND_RESPONSE:
        decide(e, input, out);
        break;
    case IMAP_BACKEND_DATA:
        pass_data(e, input, out);
        break;
    case IMAP_BACKEND_TEXT:
        pass_text(e, input, out);
        break;
    case IMAP_BACKEND_LITERAL:
        pass_literal(e, input, out);
        break;
    case IMAP_BACKEND_HELD_LITERAL:
        hold_literal(e, input, out);
        break;
    default:
        hold_line(e, input, out);
    }
}

size_t imap_response_feed(struct imap_engine *e, struct slice data, struct engine_out *out)
{
    struct slice input = data;
    while (input.len > 0 && e->base.status.reason == ENGINE_OPEN && engine_out_has_room(out))
        step(e, &input, out);
    return data.len - input.len;
}
