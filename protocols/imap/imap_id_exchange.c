/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_id_exchange.h"

#include "protocols/counted.h"
#include "protocols/imap/imap_client.h"
#include "protocols/imap/imap_id.h"

static const char *hold_part(struct imap_engine *imap, struct slice text, const struct imap_literal *literal)
{
    static const char too_long[] = "BAD This ID is too long";
    if (literal != NULL && literal->octets > IMAP_ID_VALUE_MAX)
        return too_long;
    if (imap->client_held.len + text.len + 2 > IMAP_ID_COMMAND_MAX)
        return too_long;
    if (!bytes_append(&imap->client_held, text, IMAP_ID_COMMAND_MAX) ||
        (literal != NULL && !bytes_append(&imap->client_held, slice_of("\r\n"), IMAP_ID_COMMAND_MAX)))
        imap_fail_memory(imap);
    return NULL;
}

void imap_id_exchange_line(struct imap_engine *imap, struct slice text, const struct imap_literal *literal,
                           struct engine_out *out)
{
    if (literal == NULL && imap->client_held.len == 0) {
        imap_id_exchange_finish(imap, text, out);
        return;
    }
    const char *wrong = hold_part(imap, text, literal);
    struct slice held = imap->client_held.len > 0 ? bytes_view(&imap->client_held) : text;
    if (wrong != NULL) {
        imap_client_reject_error(imap, imap_command_tag(held), wrong, literal, out);
        bytes_free(&imap->client_held);
    } else if (literal == NULL) {
        imap_id_exchange_finish(imap, held, out);
    } else {
        if (literal->synchronizing)
            imap_send(imap, slice_of("+ Go on\r\n"), out);
        imap->client_left = literal->octets;
        imap_move_client(imap, imap->client_left > 0 ? IMAP_CLIENT_ID_LITERAL : IMAP_CLIENT_ID_REST);
    }
}

void imap_id_exchange_literal(struct imap_engine *imap, struct slice *input)
{
    struct slice part = counted_take(&imap->client_left, input);
    /* The limit leaves room for one literal more than the lines: each is at most IMAP_ID_VALUE_MAX. */
    if (!bytes_append(&imap->client_held, part, IMAP_ID_COMMAND_MAX + IMAP_ID_VALUE_MAX))
        imap_fail_memory(imap);
    if (imap->client_left == 0)
        imap_move_client(imap, IMAP_CLIENT_ID_REST);
}

/* Puts an ID command with these parameters together. False if memory is short. */
static bool make_id(const struct imap_engine *imap, struct slice tag, struct slice params, struct bytes *made)
{
    return bytes_append(made, tag, IMAP_ID_COMMAND_MAX) &&
           bytes_append(made, slice_of(" ID "), IMAP_ID_COMMAND_MAX) &&
           imap_id_append(made, params, imap->base.client.tls_cipher, imap->base.identity_unsent) &&
           bytes_append(made, slice_of("\r\n"), IMAP_ID_COMMAND_MAX);
}

/*
 * Sends the held ID up to the end of its next line, whose quoted strings have no line end. If that line ends
 * in a literal's announcement, the literal is sent when the backend has asked for it.
 */
static void send_held_id(struct imap_engine *imap, struct engine_out *out)
{
    struct slice rest = slice_from(bytes_view(&imap->client_held), (size_t)imap->client_left);
    size_t len = (size_t)imap->client_left + slice_find(rest, '\n') + 1;
    struct slice part = slice_first(bytes_view(&imap->client_held), len);
    struct imap_literal literal;
    bool has_literal = imap_literal_at_end(slice_first(part, part.len - 2), &literal);
    engine_out_make(out, SIDE_BACKEND, part);
    bytes_drop(&imap->client_held, len);
    imap->client_left = has_literal ? literal.octets : 0;
    if (!has_literal) {
        imap->cipher_sent = true;
        imap_move_client(imap, IMAP_CLIENT_REPLY);
    } else if (imap->client != IMAP_CLIENT_GO_AHEAD) {
        imap_move_client(imap, IMAP_CLIENT_GO_AHEAD);
    }
}

void imap_id_exchange_go_ahead(struct imap_engine *imap, struct engine_out *out)
{
    send_held_id(imap, out);
}

static void forward_id(struct imap_engine *imap, const struct imap_command *c, struct engine_out *out)
{
    struct bytes made = {0};
    if (!make_id(imap, c->tag, c->args, &made)) {
        bytes_free(&made);
        imap_fail_memory(imap);
        return;
    }
    imap_client_track(imap, IMAP_COMMAND_ID, c->tag);
    imap->id_replied = false;
    imap->nonsync_literal = true; /* the client waits for no "+" */
    bytes_free(&imap->client_held);
    imap->client_held = made;
    imap->client_left = 0;
    send_held_id(imap, out);
}

static void reply_id(struct imap_engine *imap, struct slice tag, struct engine_out *out)
{
    imap_send_id(imap, true, out);
    imap_reply(imap, tag, "OK ID completed", out);
}

static bool knows_no_id(const struct imap_engine *imap)
{
    return imap->id_support == IMAP_ID_ABSENT || imap->id_support == IMAP_ID_REFUSED;
}

void imap_id_exchange_finish(struct imap_engine *imap, struct slice text, struct engine_out *out)
{
    struct imap_command c = imap_command_parse(text);
    const char *wrong = imap_id_check(c.args);
    if (wrong != NULL) {
        imap_client_reject_error(imap, c.tag, wrong, NULL, out);
        bytes_free(&imap->client_held);
        return;
    }
    imap_id_report(c.args, &imap->base);
    if (knows_no_id(imap)) {
        reply_id(imap, c.tag, out);
        imap_move_client(imap, IMAP_CLIENT_COMMAND);
    } else if (imap->unanswered > 0) {
        imap_client_hold_command(imap, text);
        return;
    } else {
        forward_id(imap, &c, out);
        return;
    }
    bytes_free(&imap->client_held);
}

/* Nothing in it takes a literal. */
static void send_own(struct imap_engine *imap, struct engine_out *out)
{
    struct bytes made = {0};
    if (make_id(imap, slice_of(imap->base.client.nonce), slice_of("NIL"), &made)) {
        engine_out_make(out, SIDE_BACKEND, bytes_view(&made));
        imap->cipher_sent = true;
        imap->own = IMAP_OWN_ID;
    } else {
        imap_fail_memory(imap);
    }
    bytes_free(&made);
}

/*
 * If the backend has to know who the client is (identity = native), a login waits until it has replied OK to
 * an ID that says so: otherwise it would take the client for the proxy. It is sent that ID even if it has
 * announced none.
 */
static bool knows_client(struct imap_engine *imap, struct engine_out *out)
{
    if (imap->base.identity_unsent == NULL || imap->base.status.authenticated)
        return true;
    if (knows_no_id(imap))
        imap_id_exchange_fail(imap, out);
    else if (imap->own == IMAP_OWN_NONE)
        send_own(imap, out);
    return false;
}

/*
 * A greeting need not have capabilities (RFC 3501 section 7.1), nor does a client have to ask for them. Once
 * the backend has been sent an ID they make no difference.
 */
static bool ask_for_id_support(struct imap_engine *imap, struct engine_out *out)
{
    if (imap->id_support != IMAP_ID_UNKNOWN || imap->cipher_sent)
        return false;
    engine_out_make_text(out, SIDE_BACKEND, imap->base.client.nonce);
    engine_out_make_text(out, SIDE_BACKEND, " CAPABILITY\r\n");
    imap->own = IMAP_OWN_CAPABILITY;
    return true;
}

void imap_id_exchange_fail(struct imap_engine *imap, struct engine_out *out)
{
    if (!imap->client_in_response)
        imap_send(imap, slice_of("* BYE [UNAVAILABLE] The mail server is not available, try again later\r\n"),
                  out);
    engine_fail(&imap->base, ENGINE_BACKEND_REFUSED,
                "the server does not accept ID, by which it would learn who the client is");
}

bool imap_id_exchange_before_login(struct imap_engine *imap, struct engine_out *out)
{
    if (!knows_client(imap, out))
        return false;
    if (imap->base.status.authenticated)
        return true;
    if (ask_for_id_support(imap, out))
        return false;
    if (imap->id_support == IMAP_ID_ANNOUNCED && !imap->cipher_sent)
        send_own(imap, out);
    return engine_is_open(&imap->base);
}

void imap_id_exchange_after_preauth(struct imap_engine *imap, struct engine_out *out)
{
    if (ask_for_id_support(imap, out))
        return;
    if (imap->id_support == IMAP_ID_ANNOUNCED)
        send_own(imap, out);
    else if (imap->base.identity_unsent != NULL)
        engine_warn(&imap->base,
                    "the server has no ID, by which identity = native would tell it who its clients "
                    "are: it takes all of them for the proxy");
}

static void own_id_done(struct imap_engine *imap, struct engine_out *out)
{
    if (imap->status == IMAP_STATUS_OK) {
        client_identity_free(&imap->base.identity_unsent);
        return;
    }
    imap->id_support = IMAP_ID_REFUSED;
    if (imap->base.identity_unsent != NULL)
        imap_id_exchange_fail(imap, out);
}

void imap_id_exchange_own_done(struct imap_engine *imap, struct engine_out *out)
{
    bool was_id = imap->own == IMAP_OWN_ID;
    imap->own = IMAP_OWN_NONE;
    if (was_id) {
        own_id_done(imap, out);
        return;
    }
    if (imap->id_support == IMAP_ID_UNKNOWN)
        imap->id_support = IMAP_ID_ABSENT; /* it has been asked once */
    if (imap->base.status.authenticated)
        imap_id_exchange_after_preauth(imap, out);
}

/* A backend that never announced ID may not know it (Courier replies NO); the proxy does. */
static bool is_ours_to_reply(const struct imap_engine *imap)
{
    return imap->status != IMAP_STATUS_OK && imap->id_support != IMAP_ID_ANNOUNCED;
}

bool imap_id_exchange_reply_begins(struct imap_engine *imap, struct engine_out *out)
{
    if (imap->status == IMAP_STATUS_OK && !imap->id_replied)
        imap_send_id(imap, false,
                     out); /* "Servers MUST provide this information in response to an ID command" */
    return is_ours_to_reply(imap);
}

void imap_id_exchange_reply_done(struct imap_engine *imap, struct engine_out *out)
{
    if (imap->status == IMAP_STATUS_OK)
        client_identity_free(&imap->base.identity_unsent); /* it was in it */
    if (!is_ours_to_reply(imap))
        return;
    if (imap->client != IMAP_CLIENT_GO_AHEAD) /* else it is the literal that was refused */
        imap->id_support = IMAP_ID_REFUSED;
    reply_id(imap, (struct slice){imap->tag, imap->tag_len}, out);
}
