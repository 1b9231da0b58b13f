/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pretls_engine.h"

#include "protocols/counted.h"
#include "protocols/http_request.h"

#include <stdarg.h>

static const struct pretls_dialect *dialect_of(const struct engine *engine)
{
    return protocol_traits(engine->service->protocol)->pretls;
}

void pretls_send(struct engine_out *out, const char *text, ...)
{
    va_list more;
    va_start(more, text);
    for (; text != NULL; text = va_arg(more, const char *))
        engine_out_make_text(out, SIDE_CLIENT, text);
    va_end(more);
}

static void reject_and_close(struct pretls_engine *pretls, const char *words, const char *detail,
                             struct engine_out *out)
{
    dialect_of(&pretls->base)->close(pretls->base.service, words, out);
    engine_fail(&pretls->base, ENGINE_CLIENT_ERROR, detail);
}

static void count_refusal(struct pretls_engine *pretls, struct engine_out *out)
{
    if (++pretls->refusals >= PRETLS_REFUSALS_MAX)
        reject_and_close(pretls, "Too many errors", "too many commands before STARTTLS", out);
}

/*
 * The PROXY protocol's header, version 1, or the line with a NUL alone that is part of the signature of
 * version 2. No mail client sends either.
 */
static bool is_proxy_header(struct slice text)
{
    static const uint8_t of_v2[] = {'\0'};
    return slice_has_prefix(text, "PROXY TCP4 ") || slice_has_prefix(text, "PROXY TCP6 ") ||
           slice_has_prefix(text, "PROXY UNKNOWN") || slice_equals(text, (struct slice){of_v2, sizeof of_v2});
}

/* True if the client, which speaks something else than mail, is told so. */
static bool reject_stranger(struct pretls_engine *pretls, struct slice text, struct engine_out *out)
{
    if (http_is_request(text))
        reject_and_close(pretls, "This is not HTTP", "the client speaks HTTP", out);
    else if (is_proxy_header(text))
        reject_and_close(pretls, "No PROXY header is expected here",
                         "the client sends a header of the PROXY protocol, which no service here expects: "
                         "turn it off in the balancer before this port (HAProxy: send-proxy; nginx: "
                         "proxy_protocol)",
                         out);
    else if (slice_has_prefix(text, "SSH-"))
        reject_and_close(pretls, "This is not SSH", "the client speaks SSH: this port is for mail", out);
    return pretls->base.status.reason != ENGINE_OPEN;
}

static void take_whole_line(struct pretls_engine *pretls, struct slice text, struct engine_out *out)
{
    if (reject_stranger(pretls, text, out))
        return;
    switch (dialect_of(&pretls->base)->take_line(pretls, text, out)) {
    case PRETLS_SERVED:
        return;
    case PRETLS_REFUSED:
        if (pretls->skip > PRETLS_LITERAL_MAX)
            reject_and_close(pretls, "This literal is too large", "a literal is too large", out);
        else
            count_refusal(pretls, out);
        return;
    case PRETLS_STARTTLS:
        engine_fail(&pretls->base, ENGINE_STARTTLS, "the client begins its handshake");
        return;
    case PRETLS_LOGOUT:
        engine_note_ending(&pretls->base, true);
        engine_fail(&pretls->base, ENGINE_LOGOUT, "before STARTTLS");
        return;
    }
}

/* The first octet of a TLS record with a ClientHello (RFC 8446 section 5.1): such a line may never end. */
static bool begins_tls(const struct pretls_engine *pretls, struct slice input)
{
    return !line_reader_is_inside(&pretls->from_client) && input.data[0] == 0x16;
}

static void take_line(struct pretls_engine *pretls, struct slice *input, struct engine_out *out)
{
    struct line line;
    if (begins_tls(pretls, *input)) {
        reject_and_close(pretls, "TLS begins with a command here",
                         "the client begins with TLS, not with STARTTLS", out);
        return;
    }
    switch (line_reader_take(&pretls->from_client, input, PRETLS_LINE_MAX, &line)) {
    case LINE_CUT:
        return;
    case LINE_NO_MEMORY:
        engine_fail(&pretls->base, ENGINE_NO_MEMORY, "no memory for a line of the client");
        return;
    case LINE_TOO_LONG:
        reject_and_close(pretls, "This line is too long", "a line of the client is too long", out);
        return;
    case LINE_WHOLE:
        break;
    }
    take_whole_line(pretls, line.text, out);
    line_reader_done(&pretls->from_client);
}

static size_t feed(struct engine *engine, enum side from, struct slice data, struct engine_out *out)
{
    struct pretls_engine *pretls = (struct pretls_engine *)engine;
    struct slice left = data;
    while (from == SIDE_CLIENT && engine_may_step(engine, left, out)) {
        counted_take(&pretls->skip, &left);
        if (left.len > 0)
            take_line(pretls, &left, out);
    }
    return data.len - left.len;
}

static bool wants(const struct engine *engine, enum side from)
{
    return from == SIDE_CLIENT && engine->status.greeted;
}

/* All zero is right. */
static bool init(struct engine *engine, const struct engine_client *client)
{
    (void)engine;
    (void)client;
    return true;
}

static void greet(struct engine *engine, struct engine_out *out)
{
    dialect_of(engine)->greet(engine->service, out);
}

static void goodbye(struct engine *engine, enum engine_goodbye_reason why, struct engine_out *out)
{
    dialect_of(engine)->goodbye(engine->service, why, out);
}

static void release(struct engine *engine)
{
    line_reader_done(&((struct pretls_engine *)engine)->from_client);
}

const struct engine_ops pretls_engine_ops = {
    .size = sizeof(struct pretls_engine),
    .init = init,
    .greet = greet,
    .feed = feed,
    .wants = wants,
    .goodbye = goodbye,
    .release = release,
};
