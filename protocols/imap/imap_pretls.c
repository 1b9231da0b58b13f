/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_goodbye.h"
#include "protocols/imap/imap_literal.h"
#include "protocols/imap/imap_protocol.h"

/* RFC 3501 section 6.2.1 and 7.2.1: no AUTH=, and LOGIN is refused. */
#define CAPABILITIES "IMAP4rev1 STARTTLS LOGINDISABLED"

static void greet(const struct engine_service *service, struct engine_out *out)
{
    pretls_send(out, "* OK [CAPABILITY " CAPABILITIES "] ", service->hostname, " ready, STARTTLS first\r\n",
                NULL);
}

static void answer(struct slice tag, const char *text, struct engine_out *out)
{
    engine_out_make(out, SIDE_CLIENT, tag.len > 0 ? tag : slice_of("*"));
    pretls_send(out, " ", text, "\r\n", NULL);
}

static enum pretls_line reject(struct slice tag, const char *text, struct engine_out *out)
{
    answer(tag, text, out);
    return PRETLS_REFUSED;
}

/* A command without an argument; one with trailing octets is none. */
static enum pretls_line serve(struct pretls_engine *pretls, const struct imap_command *c,
                              struct engine_out *out)
{
    if (slice_is_word(c->name, "CAPABILITY")) {
        pretls_send(out, "* CAPABILITY " CAPABILITIES "\r\n", NULL);
        answer(c->tag, "OK CAPABILITY completed", out);
        return PRETLS_SERVED;
    }
    if (slice_is_word(c->name, "NOOP")) {
        answer(c->tag, "OK NOOP completed", out);
        return PRETLS_SERVED;
    }
    if (c->kind == IMAP_COMMAND_LOGOUT) {
        pretls_send(out, "* BYE ", pretls->base.service->hostname, " logging out\r\n", NULL);
        answer(c->tag, "OK LOGOUT completed", out);
        return PRETLS_LOGOUT;
    }
    answer(c->tag, "OK Begin TLS negotiation now", out);
    return PRETLS_STARTTLS;
}

static bool is_served(const struct imap_command *c)
{
    return slice_is_word(c->name, "CAPABILITY") || slice_is_word(c->name, "NOOP") ||
           c->kind == IMAP_COMMAND_LOGOUT || c->kind == IMAP_COMMAND_STARTTLS;
}

static enum pretls_line take_command(struct pretls_engine *pretls, struct slice text, bool has_literal,
                                     struct engine_out *out)
{
    struct imap_command c = imap_command_parse(text);
    if (imap_has_forbidden_octet(text))
        return reject(c.tag, "BAD NUL and bare CR have no place in a command", out);
    if (c.wrong != NULL)
        return reject(c.tag, c.wrong, out);
    if (!is_served(&c)) /* RFC 5530 section 3 */
        return reject(c.tag, "NO [PRIVACYREQUIRED] TLS is required here: STARTTLS first", out);
    if (has_literal || c.tag.len + 1 + c.name.len < text.len)
        return reject(c.tag, "BAD This command takes no argument", out);
    return serve(pretls, &c, out);
}

/*
 * The synchronising literal of a rejected command never comes. A non-synchronising one does: it is skipped,
 * and what follows it belongs to the same command.
 */
static enum pretls_line take_line(struct pretls_engine *pretls, struct slice text, struct engine_out *out)
{
    struct imap_literal literal;
    bool has_literal = imap_literal_at_end(text, &literal);
    bool is_rest = pretls->rest_of_refused;
    enum pretls_line what = is_rest ? PRETLS_SERVED : take_command(pretls, text, has_literal, out);
    pretls->rest_of_refused = has_literal && !literal.synchronizing;
    if (!pretls->rest_of_refused)
        return what;
    bool too_large = literal.octets > PRETLS_LITERAL_MAX;
    pretls->skip = too_large ? (uint64_t)PRETLS_LITERAL_MAX + 1 : literal.octets;
    return too_large ? PRETLS_REFUSED : what;
}

static void close_session(const struct engine_service *service, const char *why, struct engine_out *out)
{
    pretls_send(out, "* BYE ", service->hostname, ": ", why, "\r\n", NULL);
}

const struct pretls_dialect imap_pretls = {
    .greet = greet,
    .take_line = take_line,
    .close = close_session,
    .goodbye = imap_goodbye_send,
};
