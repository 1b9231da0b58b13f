/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_backend.h"

#include "protocols/counted.h"
#include "protocols/imap/imap_capability.h"
#include "protocols/imap/imap_client.h"
#include "protocols/imap/imap_id.h"
#include "protocols/imap/imap_id_exchange.h"

#include <string.h>

/* ---- what is known of the backend ---- */

static void note_id_support(struct imap_engine *imap, bool announced)
{
    if (announced && imap->id_support != IMAP_ID_REFUSED)
        imap->id_support = IMAP_ID_ANNOUNCED;
    else if (imap->id_support == IMAP_ID_UNKNOWN)
        imap->id_support = IMAP_ID_ABSENT;
}

/* ---- the end of a response ---- */

static bool is_own_tag(const struct imap_engine *imap, struct slice tag)
{
    return imap->own != IMAP_OWN_NONE && slice_equals(tag, slice_of(imap->base.client.nonce));
}

static bool is_tag_of_command(const struct imap_engine *imap, struct slice tag)
{
    return imap->command != IMAP_COMMAND_NONE && slice_equals(tag, (struct slice){imap->tag, imap->tag_len});
}

/* The response is whole: what it changes, and then what had to wait for its end. */
static void finish_response(struct imap_engine *imap, struct engine_out *out)
{
    bool swallowed = imap->swallow;
    imap->client_in_response = imap->swallow = false;
    imap_move_backend(imap, IMAP_BACKEND_RESPONSE);
    if (imap->kind == IMAP_RESPONSE_GO_AHEAD)
        imap_client_go_ahead(imap, out);
    else if (imap->kind == IMAP_RESPONSE_TAGGED && imap->is_reply_to_command)
        imap_client_command_done(imap, out);
    else if (imap->kind == IMAP_RESPONSE_TAGGED && swallowed)
        imap_id_exchange_own_done(imap, out);
    else if (imap->kind == IMAP_RESPONSE_TAGGED)
        imap_client_reply_done(imap);
    imap_send_pending(imap, out);
    imap_client_resume(imap, out);
}

/* ---- responses that are held until they are whole ---- */

static struct slice without_line_end(struct slice line)
{
    size_t len = line.len - 1;
    return slice_first(line, len > 0 && line.data[len - 1] == '\r' ? len - 1 : len);
}

static struct slice words_of_list(const struct imap_engine *imap, struct slice line, size_t list)
{
    struct slice words = slice_from(without_line_end(line), list);
    if (imap->kind != IMAP_RESPONSE_CAPABILITY)
        words.len = slice_find(words, ']');
    return words;
}

static void note_capabilities(struct imap_engine *imap, struct imap_capabilities has)
{
    note_id_support(imap, has.id);
    if (has.login_disabled && !imap->base.status.authenticated)
        engine_warn(
            &imap->base,
            "the server refuses every login on this connection (LOGINDISABLED): " ENGINE_REMEDY_CLEARTEXT);
}

static void send_list(struct imap_engine *imap, struct slice line, size_t list, struct engine_out *out)
{
    struct slice words = words_of_list(imap, line, list);
    if (imap->swallow) {
        note_capabilities(imap, imap_capability_read(words));
        return;
    }
    engine_out_make(out, SIDE_CLIENT, slice_first(line, list));
    note_capabilities(imap, imap_capability_edit(words, imap->base.client.external, out));
    engine_out_make(out, SIDE_CLIENT, slice_from(line, list + words.len));
}

/*
 * What was merged stays: Cyrus answers a second ID with nothing, and clients must not find a tag taken back.
 */
static void send_id(struct imap_engine *imap, struct slice held, struct engine_out *out)
{
    struct slice params = slice_from(without_line_end(held), imap->list_offset);
    imap_id_learn_status(params, &imap->base);
    if (imap->swallow || !engine_is_open(&imap->base))
        return;
    engine_out_make(out, SIDE_CLIENT, slice_first(held, imap->list_offset));
    engine_out_make_text(out, SIDE_CLIENT, " ");
    imap_id_reply(params, engine_deep_status(&imap->base), out);
    engine_out_make_text(out, SIDE_CLIENT, "\r\n");
    if (imap->command == IMAP_COMMAND_ID)
        imap->id_replied = true;
}

/*
 * A code that tells the client something of the server, and not why: its capabilities, which are not those of
 * the proxy, and another server (RFC 2221), to which the client would go past the proxy.
 */
static bool is_code_for_proxies(struct slice text)
{
    return slice_has_prefix(text, "[CAPABILITY") || slice_has_prefix(text, "[REFERRAL");
}

static void keep_refusal(struct imap_engine *imap, struct slice line)
{
    struct slice text = slice_from(without_line_end(line), sizeof "* BYE " - 1);
    if (is_code_for_proxies(text))
        text = slice_from(text, slice_find(text, ']') + 2);
    engine_add_refusal(&imap->base, "* BYE ", text.len > 0 ? text : slice_of("The mail server refuses"),
                       true);
}

/*
 * The client never sees a greeting that refuses service or is not IMAP, as another backend may do better.
 * After STARTTLS it sees none at all, and PREAUTH is refused: an attacker uses it to keep a client from
 * STARTTLS (RFC 9051 section 7.1.4), and nobody has logged in to such a session.
 */
static void take_greeting(struct imap_engine *imap, struct slice line, struct engine_out *out)
{
    struct imap_response r = imap_response_classify(line);
    bool is_status = r.kind == IMAP_RESPONSE_STATUS;
    if (is_status && r.status == IMAP_STATUS_BYE) {
        keep_refusal(imap, line);
        engine_fail(&imap->base, ENGINE_BACKEND_REFUSED, "the backend's greeting is BYE");
        return;
    }
    if (!is_status || (r.status != IMAP_STATUS_OK && r.status != IMAP_STATUS_PREAUTH)) {
        imap_fail_backend(imap, "the backend's greeting is not one of IMAP", out);
        return;
    }
    if (imap->base.service->starttls && r.status == IMAP_STATUS_PREAUTH) {
        engine_fail(&imap->base, ENGINE_BACKEND_REFUSED, "the backend greets with PREAUTH after STARTTLS");
        return;
    }
    engine_note_greeted(&imap->base);
    engine_note_login(&imap->base, r.status == IMAP_STATUS_PREAUTH);
    imap->kind = IMAP_RESPONSE_STATUS;
    bool shown = !imap->base.service->starttls; /* else the client has been greeted */
    if (r.list_offset > 0 && shown)
        send_list(imap, line, r.list_offset, out);
    else if (r.list_offset > 0)
        note_capabilities(imap, imap_capability_read(words_of_list(imap, line, r.list_offset)));
    else if (shown)
        engine_out_make(out, SIDE_CLIENT, line);
    finish_response(imap, out);
    if (r.status == IMAP_STATUS_PREAUTH)
        imap_id_exchange_after_preauth(imap, out);
}

static void send_held(struct imap_engine *imap, struct engine_out *out)
{
    struct bytes held = imap->backend_held;
    imap->backend_held = (struct bytes){0};
    if (imap->backend == IMAP_BACKEND_GREETING) {
        take_greeting(imap, bytes_view(&held), out);
    } else {
        if (imap->backend == IMAP_BACKEND_HELD_ID)
            send_id(imap, bytes_view(&held), out);
        else
            send_list(imap, bytes_view(&held), imap->list_offset, out);
        finish_response(imap, out);
    }
    bytes_free(&held);
}

static bool hold(struct imap_engine *imap, struct slice part, struct engine_out *out)
{
    bool is_id = imap->backend == IMAP_BACKEND_HELD_ID || imap->backend == IMAP_BACKEND_HELD_LITERAL;
    size_t limit = is_id ? IMAP_HELD_ID_MAX : IMAP_HELD_LINE_MAX;
    if (part.len > limit || imap->backend_held.len > limit - part.len)
        imap_fail_backend(imap, "the backend's response is too long", out);
    else if (!bytes_append(&imap->backend_held, part, limit))
        imap_fail_memory(imap);
    return engine_is_open(&imap->base);
}

/* Takes the part of the input that belongs to the current line; `*ended`: its LF is there. */
static struct slice take_line_part(struct slice *input, bool *ended)
{
    size_t end = slice_find(*input, '\n');
    *ended = end < input->len;
    struct slice part = slice_first(*input, end + (*ended ? 1 : 0));
    *input = slice_from(*input, part.len);
    return part;
}

static void hold_line(struct imap_engine *imap, struct slice *input, struct engine_out *out)
{
    bool ended;
    struct slice part = take_line_part(input, &ended);
    if (!hold(imap, part, out) || !ended)
        return;
    struct slice held = bytes_view(&imap->backend_held);
    struct slice line = slice_from(held, imap->line_start);
    struct imap_literal literal;
    if (imap->backend != IMAP_BACKEND_HELD_ID || !imap_literal_at_end(without_line_end(line), &literal) ||
        !literal.synchronizing) {
        imap->line_start = 0;
        send_held(imap, out);
        return;
    }
    imap->backend_left = literal.octets;
    imap->line_start = held.len;
    if (literal.octets > 0)
        imap_move_backend(imap, IMAP_BACKEND_HELD_LITERAL);
}

static void hold_literal(struct imap_engine *imap, struct slice *input, struct engine_out *out)
{
    if (!hold(imap, counted_take(&imap->backend_left, input), out) || imap->backend_left > 0)
        return;
    imap->line_start = imap->backend_held.len;
    imap_move_backend(imap, IMAP_BACKEND_HELD_ID);
}

/* ---- responses that pass ---- */

static void send_part(struct imap_engine *imap, struct slice part, bool made, struct engine_out *out)
{
    if (imap->swallow)
        return;
    imap->client_in_response = true;
    if (made)
        engine_out_make(out, SIDE_CLIENT, part);
    else
        engine_out_pass(out, SIDE_CLIENT, part);
}

static void pass_text(struct imap_engine *imap, struct slice *input, struct engine_out *out)
{
    bool ended;
    send_part(imap, take_line_part(input, &ended), false, out);
    if (ended)
        finish_response(imap, out);
}

/*
 * Most lines come whole and end in no literal: they cost a search for their end and a look at the octets
 * before it.
 */
static bool may_end_in_literal(const struct imap_engine *imap, struct slice text)
{
    return imap->backend_tail.state != IMAP_TAIL_NONE || slice_has_suffix(text, "}") ||
           slice_has_suffix(text, "}\r");
}

static bool line_ends_in_literal(struct imap_engine *imap, struct slice text, struct imap_literal *literal)
{
    if (!may_end_in_literal(imap, text))
        return false;
    imap_tail_feed(&imap->backend_tail, text);
    return imap_tail_literal(&imap->backend_tail, literal) && literal->synchronizing;
}

static void pass_data(struct imap_engine *imap, struct slice *input, struct engine_out *out)
{
    bool ended;
    struct slice part = take_line_part(input, &ended);
    send_part(imap, part, false, out);
    if (!ended) {
        imap_tail_feed(&imap->backend_tail, part);
        return;
    }
    struct imap_literal literal;
    bool found = line_ends_in_literal(imap, slice_first(part, part.len - 1), &literal);
    imap->backend_tail = (struct imap_tail){0};
    if (!found) {
        finish_response(imap, out);
    } else if (literal.octets > IMAP_LITERAL_MAX) {
        imap_fail_backend(imap, "the backend's literal is too large", out);
    } else if (literal.octets > 0) {
        imap->backend_left = literal.octets;
        imap_move_backend(imap, IMAP_BACKEND_LITERAL);
    }
}

static void pass_literal(struct imap_engine *imap, struct slice *input, struct engine_out *out)
{
    send_part(imap, counted_take(&imap->backend_left, input), false, out);
    if (imap->backend_left == 0)
        imap_move_backend(imap, IMAP_BACKEND_DATA);
}

/* ---- the beginning of a response ---- */

static enum imap_backend_state begin_tagged(struct imap_engine *imap, const struct imap_response *r,
                                            struct engine_out *out)
{
    if (is_own_tag(imap, r->tag)) {
        imap->swallow = true;
        return r->list_offset > 0 && imap->own == IMAP_OWN_CAPABILITY ? IMAP_BACKEND_HELD_STATUS
                                                                      : IMAP_BACKEND_TEXT;
    }
    imap->is_reply_to_command = is_tag_of_command(imap, r->tag);
    if (imap->is_reply_to_command && imap->command == IMAP_COMMAND_ID)
        imap->swallow = imap_id_exchange_reply_begins(imap, out);
    return r->list_offset > 0 && !imap->swallow ? IMAP_BACKEND_HELD_STATUS : IMAP_BACKEND_TEXT;
}

static enum imap_backend_state begin_status(struct imap_engine *imap, const struct imap_response *r)
{
    if (r->status == IMAP_STATUS_BYE)
        engine_note_last_word(&imap->base);
    return r->list_offset > 0 ? IMAP_BACKEND_HELD_STATUS : IMAP_BACKEND_TEXT;
}

static enum imap_backend_state begin_response(struct imap_engine *imap, const struct imap_response *r,
                                              struct engine_out *out)
{
    imap->kind = r->kind;
    imap->status = r->status;
    imap->list_offset = r->list_offset;
    imap->is_reply_to_command = false;
    switch (r->kind) {
    case IMAP_RESPONSE_GO_AHEAD:
        imap->swallow = imap->client == IMAP_CLIENT_GO_AHEAD && imap->nonsync_literal;
        return IMAP_BACKEND_TEXT;
    case IMAP_RESPONSE_STATUS:
        return begin_status(imap, r);
    case IMAP_RESPONSE_TAGGED:
        return begin_tagged(imap, r, out);
    case IMAP_RESPONSE_CAPABILITY:
        imap->swallow = imap->own == IMAP_OWN_CAPABILITY;
        return IMAP_BACKEND_HELD_LIST;
    case IMAP_RESPONSE_ID:
        imap->swallow = imap->own == IMAP_OWN_ID;
        return imap->swallow && !imap->base.service->deep_merge ? IMAP_BACKEND_DATA : IMAP_BACKEND_HELD_ID;
    case IMAP_RESPONSE_DATA:
        return IMAP_BACKEND_DATA;
    case IMAP_RESPONSE_UNDECIDED:
    case IMAP_RESPONSE_TEXT:
        break;
    }
    return IMAP_BACKEND_TEXT;
}

static void flush_head(struct imap_engine *imap, struct engine_out *out)
{
    if (imap->backend == IMAP_BACKEND_DATA)
        imap_tail_feed(&imap->backend_tail, bytes_view(&imap->backend_held));
    if (imap->backend == IMAP_BACKEND_DATA || imap->backend == IMAP_BACKEND_TEXT) {
        send_part(imap, bytes_view(&imap->backend_held), true, out);
        bytes_free(&imap->backend_held);
    }
}

/* Classifies the response by its first octets. Takes them from the input only if they do not suffice. */
static void take_head(struct imap_engine *imap, struct slice *input, struct engine_out *out)
{
    uint8_t joined[IMAP_HEAD_MAX];
    struct slice part = slice_first(*input, sizeof joined);
    struct slice head = part;
    size_t held = imap->backend_held.len;
    if (held > 0) {
        part = slice_first(part, sizeof joined - held);
        memcpy(joined, imap->backend_held.data, held);
        memcpy(joined + held, part.data, part.len);
        head = (struct slice){joined, held + part.len};
    }
    struct imap_response r = imap_response_classify(head);
    if (r.kind == IMAP_RESPONSE_UNDECIDED) {
        *input = slice_from(*input, part.len);
        if (!bytes_append(&imap->backend_held, part, sizeof joined))
            imap_fail_memory(imap);
        return;
    }
    imap_move_backend(imap, begin_response(imap, &r, out));
    flush_head(imap, out);
}

static void take_step(struct imap_engine *imap, struct slice *input, struct engine_out *out)
{
    switch (imap->backend) {
    case IMAP_BACKEND_RESPONSE:
        take_head(imap, input, out);
        break;
    case IMAP_BACKEND_DATA:
        pass_data(imap, input, out);
        break;
    case IMAP_BACKEND_TEXT:
        pass_text(imap, input, out);
        break;
    case IMAP_BACKEND_LITERAL:
        pass_literal(imap, input, out);
        break;
    case IMAP_BACKEND_HELD_LITERAL:
        hold_literal(imap, input, out);
        break;
    default:
        hold_line(imap, input, out);
    }
}

size_t imap_backend_feed(struct imap_engine *imap, struct slice data, struct engine_out *out)
{
    struct slice left = data;
    while (engine_may_step(&imap->base, left, out))
        take_step(imap, &left, out);
    return data.len - left.len;
}
