/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_capa.h"
#include "protocols/pop3/pop3_goodbye.h"
#include "protocols/pop3/pop3_protocol.h"

/* No timestamp: APOP has no place before TLS, and after it the backend's own is not shown. */
static void greet(const struct engine_service *service, struct engine_out *out)
{
    pretls_send(out, "+OK ", service->hostname, " ready, STLS first\r\n", NULL);
}

/* Draft section 11.7: DEEP is announced before login, and may change after STLS. */
static void send_capabilities(const struct engine_service *service, struct engine_out *out)
{
    pretls_send(out, "+OK Capability list follows\r\nRESP-CODES\r\nSTLS\r\n", NULL);
    pop3_capa_end(service->deep_status, out);
}

static enum pretls_line reject(struct engine_out *out, const char *text)
{
    pretls_send(out, text, "\r\n", NULL);
    return PRETLS_REFUSED;
}

static enum pretls_line take_line(struct pretls_engine *pretls, struct slice text, struct engine_out *out)
{
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    if (slice_is_word(text, "CAPA")) {
        send_capabilities(pretls->base.service, out);
        return PRETLS_SERVED;
    }
    if (slice_is_word(text, "NOOP")) {
        pretls_send(out, "+OK\r\n", NULL);
        return PRETLS_SERVED;
    }
    if (slice_is_word(text, "QUIT")) {
        pretls_send(out, "+OK Bye\r\n", NULL);
        return PRETLS_LOGOUT;
    }
    if (slice_is_word(text, "STLS")) {
        pretls_send(out, "+OK Begin TLS negotiation\r\n", NULL);
        return PRETLS_STARTTLS;
    }
    if (slice_has_prefix(text, "STLS "))
        return reject(out, "-ERR STLS takes no argument");
    return reject(out, "-ERR TLS is required here: STLS first");
}

static void close_session(const struct engine_service *service, const char *why, struct engine_out *out)
{
    (void)service;
    pretls_send(out, "-ERR ", why, ", closing\r\n", NULL);
}

/* A client that has just been idle for too long gets nothing (RFC 1939 section 3). */
static void goodbye(const struct engine_service *service, enum engine_goodbye_reason why,
                    struct engine_out *out)
{
    (void)service;
    if (why != ENGINE_GOODBYE_TIMEOUT)
        pop3_goodbye_send(why, out);
}

const struct pretls_dialect pop3_pretls = {
    .greet = greet,
    .take_line = take_line,
    .close = close_session,
    .goodbye = goodbye,
};
