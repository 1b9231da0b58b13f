/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_protocol.h"
#include "protocols/pop3/pop3_reply.h"

static void refuse(struct starttls_client *request, const struct line *line)
{
    starttls_add_greeting(request, line->whole);
    starttls_refuse(request, "the server's greeting is -ERR");
}

static void take_greeting(struct starttls_client *request, const struct line *line, struct engine_out *out)
{
    enum pop3_indicator indicator = pop3_indicator_of(line->text);
    if (indicator == POP3_INDICATOR_OK)
        starttls_ask(request, STARTTLS_STEP_CONSENT, "STLS\r\n", out);
    else if (indicator == POP3_INDICATOR_ERR)
        refuse(request, line);
    else
        starttls_fail(request, "the server's greeting is not POP3: does it begin with TLS? Then tls = { mode "
                               "= \"implicit\" } is meant for it");
}

static void take_consent(struct starttls_client *request, enum pop3_indicator indicator)
{
    if (indicator == POP3_INDICATOR_OK)
        starttls_go_on(request);
    else
        starttls_fail(request, indicator == POP3_INDICATOR_ERR ? "the server refuses STLS"
                                                               : "the server's answer to STLS is not POP3");
}

/* A server without CAPA has replied as well. */
static void take_proof(struct starttls_client *request, const struct line *line)
{
    enum pop3_indicator indicator = pop3_indicator_of(line->text);
    if (request->in_reply) {
        if (slice_is_word(line->text, "."))
            starttls_go_on(request);
        return;
    }
    request->in_reply = indicator == POP3_INDICATOR_OK;
    if (indicator == POP3_INDICATOR_ERR)
        starttls_go_on(request);
    else if (!request->in_reply)
        starttls_fail(request, "the server's answer to CAPA over TLS is not POP3");
}

static void take_line(struct starttls_client *request, const struct line *line, struct engine_out *out)
{
    if (request->step == STARTTLS_STEP_GREETING)
        take_greeting(request, line, out);
    else if (request->step == STARTTLS_STEP_CONSENT)
        take_consent(request, pop3_indicator_of(line->text));
    else
        take_proof(request, line);
}

const struct starttls_client_dialect pop3_starttls_client = {
    .line = take_line,
    .proof = "CAPA\r\n",
    .greeting = "+OK % ready\r\n",
    .greeting_before_identity = "+OK [XCLIENT] ",
};
