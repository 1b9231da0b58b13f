/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_command.h"
#include "protocols/smtp/smtp_goodbye.h"
#include "protocols/smtp/smtp_protocol.h"

static void greet(const struct engine_service *service, struct engine_out *out)
{
    pretls_send(out, "220 ", service->hostname, " ESMTP ready, STARTTLS first\r\n", NULL);
}

static enum pretls_line serve(struct engine_out *out, const char *text)
{
    pretls_send(out, text, "\r\n", NULL);
    return PRETLS_SERVED;
}

static enum pretls_line reject(struct engine_out *out, const char *text)
{
    pretls_send(out, text, "\r\n", NULL);
    return PRETLS_REFUSED;
}

static enum pretls_line hello(const char *hostname, const struct smtp_command *command,
                              struct engine_out *out)
{
    if (smtp_has_no_words(command->arguments))
        return reject(out, "501 5.5.4 Syntax: EHLO hostname");
    if (command->verb == SMTP_VERB_HELO)
        pretls_send(out, "250 ", hostname, "\r\n", NULL);
    else
        pretls_send(out, "250-", hostname, "\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n", NULL);
    return PRETLS_SERVED;
}

static enum pretls_line begin_tls(struct slice arguments, struct engine_out *out)
{
    /* RFC 3207 section 4; blanks alone are none (RFC 5321 section 4.1.1) */
    if (!smtp_has_no_words(arguments))
        return reject(out, "501 5.5.4 STARTTLS takes no parameters");
    pretls_send(out, "220 2.0.0 Ready to start TLS\r\n", NULL);
    return PRETLS_STARTTLS;
}

/* RFC 3207 section 4: 530 for all but NOOP, EHLO, STARTTLS and QUIT. */
static enum pretls_line take_line(struct pretls_engine *pretls, struct slice text, struct engine_out *out)
{
    const char *hostname = pretls->base.service->hostname;
    struct smtp_command command = smtp_command_parse(text);
    switch (command.verb) {
    case SMTP_VERB_EHLO:
    case SMTP_VERB_HELO:
        return hello(hostname, &command, out);
    case SMTP_VERB_STARTTLS:
        return begin_tls(command.arguments, out);
    case SMTP_VERB_QUIT:
        pretls_send(out, "221 2.0.0 ", hostname, " closing the connection\r\n", NULL);
        return PRETLS_LOGOUT;
    case SMTP_VERB_MALFORMED:
        return reject(out, "500 5.5.2 Syntax error");
    default:
        break;
    }
    if (slice_is_word(slice_first(text, text.len - command.arguments.len), "NOOP"))
        return serve(out, "250 2.0.0 OK");
    return reject(out, "530 5.7.0 Must issue a STARTTLS command first");
}

static void close_session(const struct engine_service *service, const char *why, struct engine_out *out)
{
    pretls_send(out, "421 4.7.0 ", service->hostname, " ", why, "\r\n", NULL);
}

const struct pretls_dialect smtp_pretls = {
    .greet = greet,
    .take_line = take_line,
    .close = close_session,
    .goodbye = smtp_goodbye_send,
};
