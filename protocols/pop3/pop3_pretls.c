/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_capa.h"
#include "protocols/pop3/pop3_protocol.h"
#include "protocols/pop3/pop3_session.h"

/* No timestamp: APOP has no place before TLS, and behind it the backend's own is not shown. */
static void greet(const struct engine_service *service, struct engine_out *out)
{
    pretls_say(out, "+OK ", service->hostname, " ready, STLS first\r\n", NULL);
}

/* Draft section 11.7: DEEP is announced before login, and may change after STLS. */
static void say_capabilities(const struct engine_service *service, struct engine_out *out)
{
    pretls_say(out, "+OK Capability list follows\r\nRESP-CODES\r\nSTLS\r\n", NULL);
    pop3_capa_end(service->deep_status, out);
}

static enum pretls_line refuse(struct engine_out *out, const char *text)
{
    pretls_say(out, text, "\r\n", NULL);
    return PRETLS_REFUSED;
}

static enum pretls_line line(struct pretls_engine *e, struct slice text, struct engine_out *out)
{
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    if (slice_is_word(text, "CAPA")) {
        say_capabilities(e->base.service, out);
        return PRETLS_SERVED;
    }
    if (slice_is_word(text, "NOOP")) {
        pretls_say(out, "+OK\r\n", NULL);
        return PRETLS_SERVED;
    }
    if (slice_is_word(text, "QUIT")) {
        pretls_say(out, "+OK Bye\r\n", NULL);
        return PRETLS_LOGOUT;
    }
    if (slice_is_word(text, "STLS")) {
        pretls_say(out, "+OK Begin TLS negotiation\r\n", NULL);
        return PRETLS_STARTTLS;
    }
    if (slice_has_prefix(text, "STLS "))
        return refuse(out, "-ERR STLS takes no argument");
    return refuse(out, "-ERR TLS is required here: STLS first");
}

static void farewell(const struct engine_service *service, const char *why, struct engine_out *out)
{
    (void)service;
    pretls_say(out, "-ERR ", why, ", closing\r\n", NULL);
}

/* A client that said nothing for too long is told nothing (RFC 1939 section 3). */
static void goodbye(const struct engine_service *service, enum engine_farewell why, struct engine_out *out)
{
    (void)service;
    if (why != ENGINE_FAREWELL_TIMEOUT)
        pretls_say(out, pop3_goodbye_text(why), NULL);
}

const struct pretls_dialect pop3_pretls = {
    .greet = greet,
    .line = line,
    .farewell = farewell,
    .goodbye = goodbye,
};
