/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_string.h"

#include "protocols/imap/imap_literal.h"

#include <stdio.h>
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
    return ascii_is_graph(c) && strchr("(){%*\"\\,", c) == NULL;
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

static bool fits_quotes(struct slice octets)
{
    for (size_t i = 0; i < octets.len; i++)
        if (octets.data[i] > 0x7f || octets.data[i] == '\r' || octets.data[i] == '\n')
            return false;
    return true;
}

static bool append_octet(struct bytes *into, uint8_t c, size_t limit)
{
    return bytes_append(into, (struct slice){&c, 1}, limit);
}

static bool append_quoted(struct bytes *into, struct slice octets, size_t limit)
{
    bool ok = append_octet(into, '"', limit);
    for (size_t i = 0; ok && i < octets.len; i++) {
        uint8_t c = octets.data[i];
        if (c == '"' || c == '\\')
            ok = append_octet(into, '\\', limit);
        ok = ok && append_octet(into, c != '\0' ? c : '?', limit);
    }
    return ok && append_octet(into, '"', limit);
}

static bool append_literal(struct bytes *into, struct slice octets, size_t limit)
{
    char announcement[32];
    snprintf(announcement, sizeof announcement, "{%zu}\r\n", octets.len);
    bool ok = bytes_append(into, slice_of(announcement), limit);
    for (size_t i = 0; ok && i < octets.len; i++)
        ok = append_octet(into, octets.data[i] != '\0' ? octets.data[i] : '?', limit);
    return ok;
}

bool imap_string_append(struct bytes *into, struct slice octets, size_t limit)
{
    return fits_quotes(octets) ? append_quoted(into, octets, limit) : append_literal(into, octets, limit);
}
