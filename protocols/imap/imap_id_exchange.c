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

static void forward_id(struct imap_engine *imap, const struct imap_command *c, struct engine_out *out)
{
    imap_client_track(imap, IMAP_COMMAND_ID, c->tag);
    imap->cipher_sent = true;
    imap->id_replied = false;
    engine_out_make(out, SIDE_BACKEND, c->tag);
    engine_out_make_text(out, SIDE_BACKEND, " ID ");
    imap_id_forward(c->args, imap->base.client.tls_cipher, imap->base.identity_unsent, out);
    engine_out_make_text(out, SIDE_BACKEND, "\r\n");
    imap_move_client(imap, IMAP_CLIENT_REPLY);
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
    }
    bytes_free(&imap->client_held);
}

static void send_own(struct imap_engine *imap, struct engine_out *out)
{
    engine_out_make_text(out, SIDE_BACKEND, imap->base.client.nonce);
    engine_out_make_text(out, SIDE_BACKEND, " ID ");
    imap_id_forward(slice_of("NIL"), imap->base.client.tls_cipher, imap->base.identity_unsent, out);
    engine_out_make_text(out, SIDE_BACKEND, "\r\n");
    imap->cipher_sent = true;
    imap->own_id_pending = true;
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
    else if (!imap->own_id_pending)
        send_own(imap, out);
    return false;
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
    if (imap->id_support == IMAP_ID_ANNOUNCED && !imap->cipher_sent && !imap->base.status.authenticated)
        send_own(imap, out);
    return true;
}

void imap_id_exchange_after_preauth(struct imap_engine *imap, struct engine_out *out)
{
    if (imap->id_support == IMAP_ID_ANNOUNCED)
        send_own(imap, out);
    else if (imap->base.identity_unsent != NULL)
        engine_warn(&imap->base,
                    "the server has no ID, by which identity = native would tell it who its clients "
                    "are: it takes all of them for the proxy");
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
    imap->id_support = IMAP_ID_REFUSED;
    reply_id(imap, (struct slice){imap->tag, imap->tag_len}, out);
}
