/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/cleartext_engine.h"

#include "protocols/pop3_capa.h"
#include "protocols/pop3_session.h"

/* No timestamp: APOP has no place before TLS, and behind it the backend's own is not shown. */
static void greet(const struct engine_service *service, struct engine_out *out)
{
    cleartext_say(out, "+OK ", service->hostname, " ready, STLS first\r\n", NULL);
}

/* Draft section 11.7: DEEP is announced before login, and may change after STLS. */
static void say_capabilities(const struct engine_service *service, struct engine_out *out)
{
    cleartext_say(out, "+OK Capability list follows\r\nRESP-CODES\r\nSTLS\r\n", NULL);
    pop3_capa_end(service->deep_status, out);
}

static enum cleartext_line refuse(struct engine_out *out, const char *text)
{
    cleartext_say(out, text, "\r\n", NULL);
    return CLEARTEXT_REFUSED;
}

static enum cleartext_line line(struct cleartext_engine *e, struct slice text, struct engine_out *out)
{
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    if (slice_is(text, "CAPA")) {
        say_capabilities(e->base.service, out);
        return CLEARTEXT_SERVED;
    }
    if (slice_is(text, "NOOP")) {
        cleartext_say(out, "+OK\r\n", NULL);
        return CLEARTEXT_SERVED;
    }
    if (slice_is(text, "QUIT")) {
        cleartext_say(out, "+OK Bye\r\n", NULL);
        return CLEARTEXT_LOGOUT;
    }
    if (slice_is(text, "STLS")) {
        cleartext_say(out, "+OK Begin TLS negotiation\r\n", NULL);
        return CLEARTEXT_STARTTLS;
    }
    if (slice_has_prefix(text, "STLS "))
        return refuse(out, "-ERR STLS takes no argument");
    return refuse(out, "-ERR TLS is required here: STLS first");
}

static void farewell(const struct engine_service *service, const char *why, struct engine_out *out)
{
    (void)service;
    cleartext_say(out, "-ERR ", why, ", closing\r\n", NULL);
}

/* A client that said nothing for too long is told nothing (RFC 1939 section 3). */
static void goodbye(const struct engine_service *service, enum engine_farewell why, struct engine_out *out)
{
    (void)service;
    if (why != ENGINE_FAREWELL_TIMEOUT)
        cleartext_say(out, pop3_goodbye_text(why), NULL);
}

const struct cleartext_dialect cleartext_pop3 = {
    .greet = greet,
    .line = line,
    .farewell = farewell,
    .goodbye = goodbye,
};
