/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_ehlo.h"

#include "base/array.h"

#include "protocols/sasl_mechanism.h"

/*
 * The first are not for this client. The dialogue of the others is not SMTP's any more, and this engine could
 * not follow it: PRDR (Exim) answers one message with a reply for each recipient, CHECKPOINT (RFC 1845) has
 * 355 in reply to MAIL, X-EXPS is Exchange's AUTH and X-ANONYMOUSTLS its STARTTLS, octets that are counted
 * follow XEXCH50, and after ATRN (RFC 2645) and TURN (RFC 5321 F.1) the sides change roles.
 */
static const char *const hidden[] = {
    "STARTTLS", "XCLIENT",    "XFORWARD", "PIPECONNECT", "X_PIPE_CONNECT", "PIPE_CONNECT", "DEEP",
    "PRDR",     "CHECKPOINT", "X-EXPS",   "XEXCH50",     "X-ANONYMOUSTLS", "ATRN",         "TURN"};

static void send_line(struct slice text, struct engine_out *out)
{
    engine_out_make_text(out, SIDE_CLIENT, "250-");
    engine_out_make(out, SIDE_CLIENT, text);
    engine_out_make_text(out, SIDE_CLIENT, "\r\n");
}

void smtp_ehlo_begin(struct smtp_ehlo *ehlo, struct slice text, struct engine_out *out)
{
    *ehlo = (struct smtp_ehlo){0};
    send_line(text, out);
}

static bool is_hidden(struct slice keyword)
{
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        if (slice_is_word(keyword, hidden[i]))
            return true;
    return slice_has_prefix(keyword, "X-EXPS=");
}

static void note(struct smtp_ehlo *ehlo, struct slice keyword)
{
    ehlo->pipelining = ehlo->pipelining || slice_is_word(keyword, "PIPELINING");
    ehlo->chunking = ehlo->chunking || slice_is_word(keyword, "CHUNKING");
    ehlo->deep = ehlo->deep || slice_is_word(keyword, "DEEP");
}

bool smtp_ehlo_mechanisms(struct slice text, struct slice *mechanisms)
{
    struct slice rest = text;
    struct slice keyword = slice_next_word(&rest, ' ');
    *mechanisms = slice_from(text, (size_t)(keyword.data - text.data) + sizeof "AUTH=" - 1);
    return slice_is_word(keyword, "AUTH") || slice_has_prefix(keyword, "AUTH=");
}

static void send_mechanisms(struct smtp_ehlo *ehlo, struct slice text, struct slice mechanisms,
                            enum smtp_auth_shown shown, struct engine_out *out)
{
    struct slice rest = mechanisms;
    size_t start = text.len - mechanisms.len; /* the part up to the separator */
    bool begun = false;
    ehlo->auth = true;
    for (;;) {
        struct slice mechanism = slice_next_word(&rest, ' ');
        if (mechanism.len == 0)
            break;
        ehlo->mechanisms = true;
        if (shown == SMTP_AUTH_HIDDEN ||
            !sasl_mechanism_is_shown(mechanism, shown == SMTP_AUTH_WITH_EXTERNAL))
            continue;
        engine_out_make_text(out, SIDE_CLIENT, begun ? " " : "250-");
        if (!begun)
            engine_out_make(out, SIDE_CLIENT, slice_first(text, start));
        engine_out_make(out, SIDE_CLIENT, mechanism);
        begun = true;
    }
    if (begun)
        engine_out_make_text(out, SIDE_CLIENT, "\r\n");
}

void smtp_ehlo_line(struct smtp_ehlo *ehlo, struct slice text, enum smtp_auth_shown shown,
                    struct engine_out *out)
{
    struct slice rest = text;
    struct slice keyword = slice_next_word(&rest, ' ');
    struct slice mechanisms;
    note(ehlo, keyword);
    if (keyword.len == 0 || is_hidden(keyword))
        return;
    if (smtp_ehlo_mechanisms(text, &mechanisms))
        send_mechanisms(ehlo, text, mechanisms, shown, out);
    else
        send_line(text, out);
}

void smtp_ehlo_end(const char *deep_status, struct engine_out *out)
{
    engine_out_make_text(out, SIDE_CLIENT, *deep_status != '\0' ? "250 DEEP " : "250 DEEP");
    engine_out_make_text(out, SIDE_CLIENT, deep_status);
    engine_out_make_text(out, SIDE_CLIENT, "\r\n");
}
