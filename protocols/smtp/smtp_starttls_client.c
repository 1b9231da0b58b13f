/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_protocol.h"
#include "protocols/smtp/smtp_reply.h"

static bool is_refusal(unsigned code)
{
    return code / 100 == 4 || code / 100 == 5;
}

static void end_greeting(struct starttls_client *request, unsigned code, struct engine_out *out)
{
    if (is_refusal(code)) {
        starttls_refuse(request, "the server's greeting refuses service");
        return;
    }
    if (code != 220) {
        starttls_fail(request, "the server's greeting has a wrong code");
        return;
    }
    engine_out_make_text(out, SIDE_BACKEND, "EHLO ");
    engine_out_make_text(out, SIDE_BACKEND, request->service->hostname);
    starttls_ask(request, STARTTLS_STEP_OFFER, "\r\n", out);
}

static void end_offer(struct starttls_client *request, unsigned code, struct engine_out *out)
{
    if (code != 250)
        starttls_fail(request, "the server refuses EHLO, and so STARTTLS");
    else if (!request->offered)
        starttls_fail(request, "the server offers no STARTTLS");
    else
        starttls_ask(request, STARTTLS_STEP_CONSENT, "STARTTLS\r\n", out);
}

static void end_reply(struct starttls_client *request, unsigned code, struct engine_out *out)
{
    request->in_reply = false;
    if (request->step == STARTTLS_STEP_GREETING)
        end_greeting(request, code, out);
    else if (code == 421)
        starttls_fail(request, "the server replies 421, and closes");
    else if (request->step == STARTTLS_STEP_OFFER)
        end_offer(request, code, out);
    else if (request->step == STARTTLS_STEP_CONSENT && code != 220)
        starttls_fail(request, "the server refuses STARTTLS");
    else
        starttls_go_on(request);
}

static void take_line(struct starttls_client *request, const struct line *line, struct engine_out *out)
{
    struct smtp_reply reply;
    if (!smtp_reply_parse(line->text, &reply)) {
        starttls_fail(request, request->step == STARTTLS_STEP_GREETING
                                   ? "the server's greeting is not SMTP: does it begin with TLS? Then tls = "
                                     "{ mode = \"implicit\" } is meant for it"
                                   : "the server's line is no SMTP reply");
        return;
    }
    if (request->in_reply && reply.code != request->reply_code) { /* RFC 5321 section 4.2.1 */
        starttls_fail(request, "the lines of a reply have different codes");
        return;
    }
    struct slice rest = reply.text;
    bool is_offer = request->step == STARTTLS_STEP_OFFER && request->in_reply && reply.code == 250;
    if (is_offer && slice_is_word(slice_next_word(&rest, ' '), "STARTTLS"))
        request->offered = true;
    request->in_reply = !reply.last;
    request->reply_code = reply.code;
    if (request->step == STARTTLS_STEP_GREETING && is_refusal(reply.code))
        starttls_add_greeting(request, line->whole);
    if (reply.last)
        end_reply(request, reply.code, out);
}

const struct starttls_client_dialect smtp_starttls_client = {
    .line = take_line,
    .proof = "NOOP\r\n",
    .greeting = "220 % ESMTP ready\r\n",
};
