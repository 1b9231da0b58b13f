/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_command.h"
#include "protocols/smtp/smtp_protocol.h"
#include "protocols/smtp/smtp_session.h"

static void greet(const struct engine_service *service, struct engine_out *out)
{
    pretls_say(out, "220 ", service->hostname, " ESMTP ready, STARTTLS first\r\n", NULL);
}

static enum pretls_line serve(struct engine_out *out, const char *text)
{
    pretls_say(out, text, "\r\n", NULL);
    return PRETLS_SERVED;
}

static enum pretls_line refuse(struct engine_out *out, const char *text)
{
    pretls_say(out, text, "\r\n", NULL);
    return PRETLS_REFUSED;
}

static enum pretls_line hello(const char *hostname, const struct smtp_command *command,
                              struct engine_out *out)
{
    if (smtp_has_no_words(command->arguments))
        return refuse(out, "501 5.5.4 Syntax: EHLO hostname");
    if (command->verb == SMTP_HELO)
        pretls_say(out, "250 ", hostname, "\r\n", NULL);
    else
        pretls_say(out, "250-", hostname, "\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n", NULL);
    return PRETLS_SERVED;
}

static enum pretls_line begin_tls(struct slice arguments, struct engine_out *out)
{
    if (!smtp_has_no_words(
            arguments)) /* RFC 3207 section 4; blanks alone are none (RFC 5321 section 4.1.1) */
        return refuse(out, "501 5.5.4 STARTTLS takes no parameters");
    pretls_say(out, "220 2.0.0 Ready to start TLS\r\n", NULL);
    return PRETLS_STARTTLS;
}

/* RFC 3207 section 4: 530 for all but NOOP, EHLO, STARTTLS and QUIT. */
static enum pretls_line line(struct pretls_engine *e, struct slice text, struct engine_out *out)
{
    const char *hostname = e->base.service->hostname;
    struct smtp_command command = smtp_command_parse(text);
    switch (command.verb) {
    case SMTP_EHLO:
    case SMTP_HELO:
        return hello(hostname, &command, out);
    case SMTP_STARTTLS:
        return begin_tls(command.arguments, out);
    case SMTP_QUIT:
        pretls_say(out, "221 2.0.0 ", hostname, " closing the connection\r\n", NULL);
        return PRETLS_LOGOUT;
    case SMTP_MALFORMED:
        return refuse(out, "500 5.5.2 Syntax error");
    default:
        break;
    }
    if (slice_is_word(slice_first(text, text.len - command.arguments.len), "NOOP"))
        return serve(out, "250 2.0.0 OK");
    return refuse(out, "530 5.7.0 Must issue a STARTTLS command first");
}

static void farewell(const struct engine_service *service, const char *why, struct engine_out *out)
{
    pretls_say(out, "421 4.7.0 ", service->hostname, " ", why, "\r\n", NULL);
}

static void goodbye(const struct engine_service *service, enum engine_farewell why, struct engine_out *out)
{
    smtp_let_out_goodbye(service, why, out);
}

const struct pretls_dialect smtp_pretls = {
    .greet = greet,
    .line = line,
    .farewell = farewell,
    .goodbye = goodbye,
};
