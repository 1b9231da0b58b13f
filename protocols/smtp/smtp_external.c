/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_external.h"

#include "protocols/xclient.h"

#include <string.h>

enum { AUTHZID_MAX = 512 }; /* longer than any login that XCLIENT takes */

void smtp_external_begin(struct smtp_engine *smtp)
{
    struct client_identity *identity = smtp->base.identity_unsent;
    if (identity->login == NULL)
        return;
    if (!xclient_tells_login(identity, smtp->xclient_offered)) {
        engine_warn(&smtp->base,
                    "the server accepts no LOGIN by XCLIENT, so that a client certificate is no login there: "
                    "let it know SASL (Postfix: smtpd_sasl_auth_enable), or take login out of "
                    "client_certificates");
        return;
    }
    smtp->login = identity->login;
    identity->login = NULL;
    engine_note_login(&smtp->base, true);
}

enum smtp_auth_shown smtp_external_shown(const struct smtp_engine *smtp)
{
    if (smtp->login != NULL)
        return SMTP_AUTH_HIDDEN;
    return smtp->base.client.external ? SMTP_AUTH_WITH_EXTERNAL : SMTP_AUTH_WITHOUT_EXTERNAL;
}

void smtp_external_announce(const struct smtp_engine *smtp, struct engine_out *out)
{
    if (smtp->login != NULL)
        engine_out_make_text(out, SIDE_CLIENT, "250-AUTH EXTERNAL\r\n");
}

static int base64_digit(uint8_t c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* RFC 4648 section 4. False if it is not base64, or is too long to be a login. */
static bool decode(struct slice text, uint8_t into[AUTHZID_MAX], size_t *len)
{
    size_t padding = 0;
    uint32_t bits = 0;
    *len = 0;
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=')
        padding++;
    if (text.len % 4 != 0 || text.len / 4 * 3 > AUTHZID_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = i < text.len - padding ? base64_digit(text.data[i]) : 0;
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        for (int shift = 16; i % 4 == 3 && shift >= 0; shift -= 8)
            into[(*len)++] = (uint8_t)(bits >> shift);
    }
    *len -= padding;
    return true;
}

/*
 * The authorization identity: empty is the certificate's own (RFC 4422 appendix A.2), and nobody else's will
 * do.
 */
static void take_response(struct smtp_engine *smtp, struct slice response, struct engine_out *out)
{
    uint8_t octets[AUTHZID_MAX];
    size_t len;
    if (!decode(response, octets, &len)) {
        smtp_reject(smtp, SMTP_OWN_AUTH_SYNTAX, out);
    } else if (len > 0 && !slice_equals((struct slice){octets, len}, slice_of(smtp->login))) {
        smtp_reject(smtp, SMTP_OWN_AUTH_OTHER, out);
    } else {
        smtp->external_done = true;
        smtp_reply(smtp, SMTP_OWN_AUTH_DONE, out);
    }
}

void smtp_external_take_auth(struct smtp_engine *smtp, struct slice arguments, struct engine_out *out)
{
    struct slice mechanism = smtp_next_word(&arguments);
    struct slice response = smtp_next_word(&arguments);
    bool has_more = smtp_next_word(&arguments).len > 0;
    if (mechanism.len == 0 || has_more) {
        smtp_reject(smtp, SMTP_OWN_AUTH_SYNTAX, out);
    } else if (!slice_is_word(mechanism, "EXTERNAL")) {
        smtp_reject(smtp, SMTP_OWN_MECHANISM, out);
    } else if (smtp->external_done) { /* RFC 4954 section 4 */
        smtp_reject(smtp, SMTP_OWN_AUTH_AGAIN, out);
    } else if (response.len > 0) {
        take_response(smtp, slice_is_word(response, "=") ? slice_of("") : response, out);
    } else {
        smtp_reply(smtp, SMTP_OWN_AUTH_GO_AHEAD, out);
        smtp_move_client(smtp, SMTP_CLIENT_EXTERNAL);
    }
}

void smtp_external_take_line(struct smtp_engine *smtp, struct slice text, struct engine_out *out)
{
    smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
    if (slice_is_word(text, "*"))
        smtp_reply(smtp, SMTP_OWN_AUTH_CANCELLED, out);
    else
        take_response(smtp, text, out);
}
