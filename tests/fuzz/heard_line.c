/* SPDX-License-Identifier: BSD-2-Clause */
#include "heard_line.h"

#include "fuzz_check.h"

#include <string.h>

bool line_add(struct bytes *line, uint8_t octet)
{
    check(bytes_append(line, (struct slice){&octet, 1}, NO_LIMIT), "memory for the fuzzer itself");
    return octet == '\n';
}

struct slice line_text(const struct bytes *line)
{
    struct slice text = bytes_view(line);
    check(text.len >= 2 && text.data[text.len - 2] == '\r', "no bare LF ends a command");
    text.len -= 2;
    check(slice_find(text, '\r') == text.len, "no bare CR is in a command");
    check(slice_find(text, '\0') == text.len, "no NUL is in a command");
    return text;
}

bool is_sasl_text(struct slice text)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    for (size_t i = 0; i < text.len; i++)
        if (memchr(base64, text.data[i], sizeof base64 - 1) == NULL)
            return slice_is_word(text, "*");
    return true;
}

static struct slice without_quotes(struct slice s)
{
    bool quoted = s.len >= 2 && s.data[0] == '"' && s.data[s.len - 1] == '"';
    return quoted ? slice_sub(s, 1, s.len - 2) : s;
}

bool mechanism_may_pass(struct slice arguments, bool external)
{
    while (arguments.len > 0 && (arguments.data[0] == ' ' || arguments.data[0] == '\t'))
        arguments = slice_from(arguments, 1);
    struct slice mechanism = without_quotes(take_word(&arguments));
    for (size_t i = 0; i < mechanism.len; i++) {
        uint8_t c = mechanism.data[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return !slice_has_suffix(mechanism, "-PLUS") && (external || !slice_is_word(mechanism, "EXTERNAL"));
}

struct slice take_word(struct slice *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->data[len] != ' ' && rest->data[len] != '\t')
        len++;
    struct slice word = slice_first(*rest, len);
    *rest = slice_from(*rest, len + 1);
    return word;
}
