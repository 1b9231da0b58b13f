/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_command.h"

#include "base/array.h"

#include "protocols/imap/imap_response.h"
#include "protocols/imap/imap_string.h"

#include <string.h>

/* ASTRING-CHAR without "+" (RFC 3501 section 9) */
static bool is_tag_char(uint8_t c)
{
    return ascii_is_graph(c) && strchr("(){%*\"\\+", c) == NULL;
}

struct slice imap_command_tag(struct slice text)
{
    size_t len = 0;
    while (len < text.len && len <= IMAP_TAG_MAX && is_tag_char(text.data[len]))
        len++;
    bool ended = len == text.len || text.data[len] == ' ';
    return slice_first(text, ended && len <= IMAP_TAG_MAX ? len : 0);
}

static bool is_name(struct slice word)
{
    if (word.len == 0 || !ascii_is_alpha(word.data[0]))
        return false;
    for (size_t i = 1; i < word.len; i++)
        if (!ascii_is_alpha(word.data[i]) && !ascii_is_digit(word.data[i]) &&
            (word.data[i] == '\0' || strchr(".-_", word.data[i]) == NULL))
            return false;
    return true;
}

static enum imap_command_kind kind_of(struct slice name)
{
    static const struct {
        const char *name;
        enum imap_command_kind kind;
    } kinds[] = {{"LOGIN", IMAP_COMMAND_LOGIN},
                 {"AUTHENTICATE", IMAP_COMMAND_AUTHENTICATE},
                 {"UNAUTHENTICATE", IMAP_COMMAND_UNAUTHENTICATE},
                 {"ID", IMAP_COMMAND_ID},
                 {"IDLE", IMAP_COMMAND_IDLE},
                 {"LOGOUT", IMAP_COMMAND_LOGOUT},
                 {"STARTTLS", IMAP_COMMAND_STARTTLS},
                 {"COMPRESS", IMAP_COMMAND_COMPRESS}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (slice_is_word(name, kinds[i].name))
            return kinds[i].kind;
    return IMAP_COMMAND_OTHER;
}

struct imap_command imap_command_parse(struct slice text)
{
    struct imap_command c = {.tag = imap_command_tag(text)};
    if (c.tag.len == 0) {
        c.wrong = "BAD A command begins with a tag";
        return c;
    }
    struct slice rest = slice_from(text, c.tag.len + 1);
    size_t end = 0;
    while (end < rest.len && rest.data[end] != ' ' && rest.data[end] != '\r')
        end++;
    c.name = slice_first(rest, end);
    c.args = slice_from(rest, end + 1);
    if (is_name(c.name))
        c.kind = kind_of(c.name);
    else
        c.wrong = "BAD A tag is followed by one space and a command";
    return c;
}

bool imap_has_forbidden_octet(struct slice text)
{
    return slice_find(text, '\0') < text.len || slice_find(text, '\r') < text.len;
}

enum sasl_mechanism imap_authenticate_judge(struct slice args, bool external)
{
    struct imap_string mechanism;
    if (!imap_string_take(&args, &mechanism) || (args.len > 0 && args.data[0] != ' '))
        return SASL_MECHANISM_MALFORMED;
    return sasl_mechanism_judge(mechanism.inner, external);
}
