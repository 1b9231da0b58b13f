/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_lexer.h"

#include <string.h>

static struct slice text_ahead(const struct cfg_lexer *l)
{
    return slice_from(l->text, l->at);
}

/* Takes `len` octets as a token. */
static struct cfg_token take_token(struct cfg_lexer *l, enum cfg_token_kind kind, size_t len)
{
    struct cfg_token token = {
        .kind = kind, .text = slice_sub(l->text, l->at, len), .place = {l->file, l->line}};
    l->at += len;
    return token;
}

static struct cfg_token take_bad(struct cfg_lexer *l, size_t len, const char *wrong)
{
    struct cfg_token token = take_token(l, CFG_TOKEN_BAD, len);
    token.wrong = wrong;
    return token;
}

/* The length of the comment that begins here, or 0; `*open` is set if it has no end. */
static size_t comment_len(struct slice s, bool *open)
{
    *open = false;
    if (slice_has_prefix(s, "#") || slice_has_prefix(s, "//"))
        return slice_find(s, '\n');
    if (!slice_has_prefix(s, "/*"))
        return 0;
    const uint8_t *end = memmem(s.data + 2, s.len - 2, "*/", 2);
    *open = end == NULL;
    return end != NULL ? (size_t)(end - s.data) + 2 : s.len;
}

/* Skips white space and comments; false at a comment that never ends. */
static bool skip_blanks(struct cfg_lexer *l)
{
    while (l->at < l->text.len) {
        bool open = false;
        uint8_t c = l->text.data[l->at];
        size_t len = c != '\0' && strchr(" \t\r\n\f", c) != NULL ? 1 : comment_len(text_ahead(l), &open);
        if (len == 0)
            return true;
        if (open)
            return false;
        for (size_t end = l->at + len; l->at < end; l->at++)
            l->line += l->text.data[l->at] == '\n';
    }
    return true;
}

static struct cfg_token take_string(struct cfg_lexer *l)
{
    struct slice s = text_ahead(l);
    for (size_t i = 1; i < s.len; i++) {
        if (s.data[i] == '"')
            return take_token(l, CFG_TOKEN_STRING, i + 1);
        if (s.data[i] == '\\' && i + 1 < s.len && s.data[i + 1] != '\n')
            i++;
        else if (s.data[i] == '\n')
            return take_bad(l, i, "the string has no closing quotation mark on its line");
        if (s.data[i] < ' ')
            return take_bad(l, i, "there is a control character in the string that begins");
    }
    return take_bad(l, s.len, "the string has no closing quotation mark on its line");
}

static bool is_in(uint8_t c, const char *others)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (c != '\0' && strchr(others, c) != NULL);
}

static size_t run_of(struct slice s, const char *others)
{
    size_t len = 0;
    while (len < s.len && is_in(s.data[len], others))
        len++;
    return len;
}

static size_t digits(struct slice s, size_t at)
{
    size_t end = at;
    while (end < s.len && ascii_is_digit(s.data[end]))
        end++;
    return end - at;
}

static size_t sign(struct slice s, size_t at)
{
    return at < s.len && (s.data[at] == '-' || s.data[at] == '+') ? 1 : 0;
}

/* Nothing, or E [-+] digits; and nothing after it. */
static bool is_exponent(struct slice s)
{
    if (s.len == 0)
        return true;
    size_t at = 1 + sign(s, 1);
    size_t count = digits(s, at);
    return ascii_upper(s.data[0]) == 'E' && count > 0 && at + count == s.len;
}

/* [-+] digits, and then L, LL; or a fraction and an exponent. CFG_TOKEN_BAD if it is anything else. */
static enum cfg_token_kind number_kind(struct slice s)
{
    size_t at = sign(s, 0);
    size_t whole = digits(s, at);
    at += whole;
    struct slice rest = slice_from(s, at);
    if (whole > 0 && (rest.len == 0 || slice_is_word(rest, "L") || slice_is_word(rest, "LL")))
        return CFG_TOKEN_INTEGER;
    if (whole == 0 || rest.data[0] != '.' || digits(s, at + 1) == 0)
        return CFG_TOKEN_BAD;
    at += 1 + digits(s, at + 1);
    return is_exponent(slice_from(s, at)) ? CFG_TOKEN_FLOAT : CFG_TOKEN_BAD;
}

static struct cfg_token take_number(struct cfg_lexer *l)
{
    struct slice word = slice_first(text_ahead(l), run_of(text_ahead(l), "+-._"));
    enum cfg_token_kind kind = number_kind(word);
    if (kind == CFG_TOKEN_BAD)
        return take_bad(l, word.len,
                        "a number is decimal digits alone, and anything else is written in quotation marks");
    return take_token(l, kind, word.len);
}

static struct cfg_token take_name(struct cfg_lexer *l)
{
    struct slice word = slice_first(text_ahead(l), run_of(text_ahead(l), "-_*"));
    bool boolean = slice_is_word(word, "true") || slice_is_word(word, "false");
    return take_token(l, boolean ? CFG_TOKEN_BOOLEAN : CFG_TOKEN_NAME, word.len);
}

static bool is_first_on_line(const struct cfg_lexer *l)
{
    size_t i = l->at;
    while (i > 0 && (l->text.data[i - 1] == ' ' || l->text.data[i - 1] == '\t'))
        i--;
    return i == 0 || l->text.data[i - 1] == '\n';
}

static bool is_blank(struct slice s)
{
    size_t len = 0;
    while (len < s.len && (s.data[len] == ' ' || s.data[len] == '\t'))
        len++;
    return len > 0 && len == s.len;
}

static struct cfg_token take_include(struct cfg_lexer *l)
{
    static const char form[] =
        "@include must be first on a line, with the file's name in quotation marks after it";
    static const char word[] = "@include";
    struct slice s = text_ahead(l);
    s.len = slice_find(s, '\n');
    size_t open = slice_find(s, '"');
    struct slice between = slice_sub(s, sizeof word - 1, open - (sizeof word - 1));
    struct slice path = slice_from(s, open + 1);
    path.len = slice_find(path, '"');
    bool blank = open < s.len && is_blank(between);
    bool closed = open < s.len && open + 1 + path.len < s.len;
    if (!slice_has_prefix(s, word) || !blank || !closed || path.len == 0 || !is_first_on_line(l))
        return take_bad(l, s.len, form);
    struct cfg_token token = take_token(l, CFG_TOKEN_INCLUDE, open + 2 + path.len);
    token.text = path;
    return token;
}

static struct cfg_token take_stray(struct cfg_lexer *l)
{
    uint8_t c = l->text.data[l->at];
    if (c == '\'')
        return take_bad(l, 1, "strings are written in double quotation marks");
    if (c < ' ' || c == 0x7f)
        return take_bad(l, 1, "a control character means nothing here");
    if (c < 0x80)
        return take_bad(l, 1, "this character means nothing outside of quotation marks");
    size_t len = 1;
    while (l->at + len < l->text.len && (l->text.data[l->at + len] & 0xc0) == 0x80)
        len++;
    return take_bad(
        l, len, "this character means nothing here (are they typographic quotation marks? Only \" counts)");
}

struct cfg_token cfg_lexer_next(struct cfg_lexer *lexer)
{
    if (!skip_blanks(lexer))
        return take_bad(lexer, lexer->text.len - lexer->at, "the comment has no end (*/)");
    if (lexer->at == lexer->text.len)
        return take_token(lexer, CFG_TOKEN_END, 0);
    uint8_t c = lexer->text.data[lexer->at];
    if (c == '"')
        return take_string(lexer);
    if (ascii_is_alpha(c) || c == '*')
        return take_name(lexer);
    if (ascii_is_digit(c) || c == '+' || c == '-' || (c == '.' && digits(text_ahead(lexer), 1) > 0))
        return take_number(lexer);
    if (c == '@')
        return take_include(lexer);
    if (c != '\0' && strchr("=:;,{}[]()", c) != NULL)
        return take_token(lexer, CFG_TOKEN_PUNCTUATION, 1);
    return take_stray(lexer);
}

bool cfg_token_is(const struct cfg_token *token, char mark)
{
    return token->kind == CFG_TOKEN_PUNCTUATION && token->text.data[0] == (uint8_t)mark;
}
