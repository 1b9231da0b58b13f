/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_string.h"

#include "protocols/imap/imap_literal.h"

#include <string.h>

static bool take_quoted(struct slice *rest, struct imap_string *s)
{
    for (size_t i = 1; i < rest->len; i++) {
        uint8_t c = rest->data[i];
        if (c == '\r' || c == '\n')
            return false;
        if (c == '\\')
            i++;
        if (c != '"')
            continue;
        *s = (struct imap_string){IMAP_STRING_QUOTED, slice_first(*rest, i + 1), slice_sub(*rest, 1, i - 1)};
        *rest = slice_from(*rest, i + 1);
        return true;
    }
    return false;
}

static bool take_literal(struct slice *rest, struct imap_string *s)
{
    size_t end = slice_find(*rest, '\n');
    struct slice line = slice_first(*rest, end);
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    struct slice digits = slice_from(line, line.data[0] == '~' ? 2 : 1);
    struct imap_literal literal;
    /* The announcement is all that is left of its line: no second one, no atom in between. */
    if (slice_find(digits, '{') < digits.len || !imap_literal_at_end(line, &literal))
        return false;
    if (end == rest->len || literal.octets > rest->len - end - 1)
        return false;
    size_t octets = (size_t)literal.octets;
    *s = (struct imap_string){IMAP_STRING_LITERAL, slice_first(*rest, end + 1 + octets),
                              slice_sub(*rest, end + 1, octets)};
    *rest = slice_from(*rest, end + 1 + octets);
    return true;
}

static bool is_atom_char(uint8_t c)
{
    return ascii_is_graph(c) && strchr("(){%*\"\\", c) == NULL;
}

static bool take_atom(struct slice *rest, struct imap_string *s)
{
    size_t len = 0;
    while (len < rest->len && is_atom_char(rest->data[len]))
        len++;
    struct slice word = slice_first(*rest, len);
    *s = (struct imap_string){slice_is_word(word, "NIL") ? IMAP_STRING_NIL : IMAP_STRING_ATOM, word, word};
    *rest = slice_from(*rest, len);
    return len > 0;
}

bool imap_string_take(struct slice *rest, struct imap_string *s)
{
    if (rest->len == 0)
        return false;
    if (rest->data[0] == '"')
        return take_quoted(rest, s);
    if (slice_has_prefix(*rest, "{") || slice_has_prefix(*rest, "~{"))
        return take_literal(rest, s);
    return take_atom(rest, s);
}

size_t imap_string_decode(const struct imap_string *s, uint8_t *into, size_t cap)
{
    size_t len = 0;
    if (s->form == IMAP_STRING_NIL)
        return 0;
    for (size_t i = 0; i < s->inner.len; i++) {
        if (s->form == IMAP_STRING_QUOTED && s->inner.data[i] == '\\')
            i++;
        if (len < cap)
            into[len] = s->inner.data[i];
        len++;
    }
    return len;
}

void imap_string_quote(struct slice octets, enum side to, struct engine_out *out)
{
    engine_out_make_text(out, to, "\"");
    for (size_t i = 0; i < octets.len; i++) {
        uint8_t c = octets.data[i];
        if (c == '"' || c == '\\')
            engine_out_make_text(out, to, "\\");
        if (c == '\r' || c == '\n' || c == '\0' || c > 0x7f)
            c = '?';
        engine_out_make(out, to, (struct slice){&c, 1});
    }
    engine_out_make_text(out, to, "\"");
}
