/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_command.h"

#include "base/array.h"

#include "protocols/http_request.h"
#include "protocols/limits.h"

static const struct {
    const char *word;
    enum smtp_verb verb;
} verbs[] = {
    {"EHLO", SMTP_VERB_EHLO},       {"HELO", SMTP_VERB_HELO},        {"AUTH", SMTP_VERB_AUTH},
    {"MAIL", SMTP_VERB_MAIL},       {"NOOP", SMTP_VERB_NOOP},        {"RSET", SMTP_VERB_RSET},
    {"DATA", SMTP_VERB_DATA},       {"BDAT", SMTP_VERB_BDAT},        {"BURL", SMTP_VERB_BURL},
    {"CLIENT", SMTP_VERB_CLIENT},   {"QUIT", SMTP_VERB_QUIT},        {"STARTTLS", SMTP_VERB_STARTTLS},
    {"XCLIENT", SMTP_VERB_TRUSTED}, {"XFORWARD", SMTP_VERB_TRUSTED},
};

/* Postfix takes a tab for a space. */
static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct slice smtp_next_word(struct slice *rest)
{
    size_t start = 0;
    while (start < rest->len && is_blank(rest->data[start]))
        start++;
    size_t end = start;
    while (end < rest->len && !is_blank(rest->data[end]))
        end++;
    struct slice word = slice_sub(*rest, start, end - start);
    *rest = slice_from(*rest, end);
    return word;
}

/* RFC 5321 section 4.1.1 has letters alone; extensions (X-EXPS, XEXCH50) have used digits and hyphens too. */
static size_t verb_len(struct slice line)
{
    size_t len = 0;
    while (len < line.len &&
           (ascii_is_alpha(line.data[len]) || ascii_is_digit(line.data[len]) || line.data[len] == '-'))
        len++;
    return len;
}

static enum smtp_verb find_verb(struct slice word)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (slice_is_word(word, verbs[i].word))
            return verbs[i].verb;
    return SMTP_VERB_OTHER;
}

/* Has it an octet that some server takes for the end of a line, or of a string? */
static bool is_ambiguous(struct slice line)
{
    return slice_find(line, '\r') < line.len || slice_find(line, '\0') < line.len;
}

struct smtp_command smtp_command_parse(struct slice line)
{
    struct smtp_command command = {.verb = SMTP_VERB_MALFORMED, .arguments = {line.data, 0}};
    size_t len = verb_len(line);
    bool ends_well = len == line.len || is_blank(line.data[len]);
    /* Some servers skip blanks before a verb, or an empty line without a reply: neither is sent to one. */
    if (len == 0 || !ascii_is_alpha(line.data[0]) || !ends_well || is_ambiguous(line))
        return command;
    command.verb = find_verb(slice_first(line, len));
    if (command.verb == SMTP_VERB_OTHER && http_is_request(line))
        command.verb = SMTP_VERB_HTTP;
    command.arguments = slice_from(line, len);
    return command;
}

size_t smtp_command_limit(struct slice beginning, size_t sasl_max)
{
    bool auth = beginning.len > 4 && slice_has_prefix(beginning, "AUTH") && is_blank(beginning.data[4]);
    size_t with_response = sasl_max + SMTP_AUTH_WORDS_MAX;
    return auth && with_response > SMTP_COMMAND_MAX ? with_response : SMTP_COMMAND_MAX;
}

bool smtp_burl_is_last(struct slice arguments)
{
    smtp_next_word(&arguments);
    return slice_is_word(smtp_next_word(&arguments), "LAST");
}

struct slice smtp_without_blanks(struct slice s)
{
    while (s.len > 0 && is_blank(s.data[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

bool smtp_has_no_words(struct slice arguments)
{
    return smtp_next_word(&arguments).len == 0;
}

/* What follows the path: a quoted local part may have blanks and ">" in it. */
static struct slice parameters_of_mail(struct slice arguments)
{
    bool quoted = false;
    size_t at = slice_find(arguments, '<');
    for (; at < arguments.len && (quoted || arguments.data[at] != '>'); at++) {
        if (arguments.data[at] == '"')
            quoted = !quoted;
        else if (quoted && arguments.data[at] == '\\')
            at++;
    }
    return slice_from(arguments, at + 1);
}

bool smtp_mail_is_utf8(struct slice arguments)
{
    struct slice rest = parameters_of_mail(arguments);
    for (;;) {
        struct slice word = smtp_next_word(&rest);
        if (word.len == 0 || slice_is_word(word, "SMTPUTF8"))
            return word.len > 0;
    }
}

static bool parse_size(struct slice digits, uint64_t *size)
{
    if (digits.len == 0)
        return false;
    *size = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (!ascii_is_digit(digits.data[i]))
            return false;
        uint64_t digit = (uint64_t)(digits.data[i] - '0');
        if (*size > (UINT64_MAX - digit) / 10)
            return false;
        *size = *size * 10 + digit;
    }
    return true;
}

bool smtp_chunk_parse(struct slice arguments, struct smtp_chunk *chunk)
{
    struct slice size = smtp_next_word(&arguments);
    struct slice marker = smtp_next_word(&arguments);
    struct slice more = smtp_next_word(&arguments);
    chunk->last = marker.len > 0;
    return parse_size(size, &chunk->size) && (marker.len == 0 || slice_is_word(marker, "LAST")) &&
           more.len == 0;
}
