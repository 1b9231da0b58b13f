/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_command.h"

#include "base/array.h"

#include "protocols/http_request.h"
#include "protocols/limits.h"
#include "protocols/sasl_mechanism.h"

struct command {
    const char *keyword;
    enum pop3_slot alone; /* if there is no argument ... */
    enum pop3_slot with;  /* ... and if there is one */
};

static const struct command commands[] = {
    /* RFC 1939 */
    {"APOP", POP3_AWAIT_LOGIN, POP3_AWAIT_LOGIN},
    {"DELE", POP3_AWAIT_LINE, POP3_AWAIT_LINE},
    {"LIST", POP3_AWAIT_LINES, POP3_AWAIT_LINE},
    {"NOOP", POP3_AWAIT_LINE, POP3_AWAIT_LINE},
    {"PASS", POP3_AWAIT_LOGIN, POP3_AWAIT_LOGIN},
    {"QUIT", POP3_AWAIT_QUIT, POP3_AWAIT_QUIT},
    {"RETR", POP3_AWAIT_LINES, POP3_AWAIT_LINES},
    {"RSET", POP3_AWAIT_LINE, POP3_AWAIT_LINE},
    {"STAT", POP3_AWAIT_LINE, POP3_AWAIT_LINE},
    {"TOP", POP3_AWAIT_LINES, POP3_AWAIT_LINES},
    {"UIDL", POP3_AWAIT_LINES, POP3_AWAIT_LINE},
    {"USER", POP3_AWAIT_LINE, POP3_AWAIT_LINE},
    /* RFC 2449 section 5, RFC 5034 section 4, RFC 6856 sections 2 and 3 */
    {"CAPA", POP3_AWAIT_CAPA, POP3_AWAIT_CAPA},
    {"AUTH", POP3_AWAIT_MECHANISMS, POP3_AWAIT_SASL},
    {"UTF8", POP3_AWAIT_LINE, POP3_AWAIT_LINE},
    {"LANG", POP3_AWAIT_LINES, POP3_AWAIT_LINE},
    /* RFC 2595: the client is on TLS. Dovecot and Zimbra believe the others of proxies alone. */
    {"STLS", POP3_OWN_TLS_ACTIVE, POP3_OWN_TLS_ACTIVE},
    {"XCLIENT", POP3_OWN_UNKNOWN, POP3_OWN_UNKNOWN},
    {"XOIP", POP3_OWN_UNKNOWN, POP3_OWN_UNKNOWN},
};

static const struct command *find_command(struct slice keyword)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (slice_is_word(keyword, commands[i].keyword))
            return &commands[i];
    return NULL;
}

/* The characters of a keyword. */
static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alpha(s.data[i]) && !ascii_is_digit(s.data[i]) && s.data[i] != '-' && s.data[i] != '_')
            return false;
    return s.len > 0;
}

/* No server can read it as two lines: without NUL and CR. */
static bool is_one_line(struct slice text)
{
    return slice_find(text, '\0') == text.len && slice_find(text, '\r') == text.len;
}

/* White space alone is no argument: most servers would skip it. */
static bool has_argument(struct slice rest)
{
    for (size_t i = 0; i < rest.len; i++)
        if (rest.data[i] != ' ' && rest.data[i] != '\t')
            return true;
    return false;
}

static enum pop3_slot slot_of_auth(struct slice rest, bool external)
{
    switch (sasl_mechanism_judge(slice_next_word(&rest, ' '), external)) {
    case SASL_MECHANISM_PASSES:
        return POP3_AWAIT_SASL;
    case SASL_MECHANISM_BINDS_CHANNEL:
        return POP3_OWN_BINDS_CHANNEL;
    case SASL_MECHANISM_EXTERNAL:
        return POP3_OWN_EXTERNAL;
    case SASL_MECHANISM_MALFORMED:
        break;
    }
    return POP3_OWN_SYNTAX;
}

enum pop3_slot pop3_command_slot(struct slice text, bool external)
{
    struct slice keyword = slice_first(text, slice_find(text, ' '));
    struct slice rest = slice_from(text, keyword.len);
    if (!is_name(keyword) || !is_one_line(rest))
        return POP3_OWN_SYNTAX;
    const struct command *command = find_command(keyword);
    enum pop3_slot slot = command == NULL      ? POP3_AWAIT_LINE
                          : has_argument(rest) ? command->with
                                               : command->alone;
    if (slot == POP3_AWAIT_SASL)
        return slot_of_auth(rest, external);
    if (command == NULL && http_is_request(text))
        return POP3_CLOSE_NOT_POP3;
    return text.len + LINE_END_LEN > POP3_COMMAND_MAX ? POP3_OWN_TOO_LONG : slot;
}
