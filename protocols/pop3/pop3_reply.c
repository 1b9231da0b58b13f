/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_reply.h"

#include <string.h>

static const char end_mark[] = "\r\n.\r\n";
enum {
    END_LEN = sizeof end_mark - 1,
    END_DOT = 2, /* the index of the dot in it */
    /*
     * Dots of a chunk that are looked at one by one. An encoded attachment has none, and memchr is twenty
     * times as fast as memmem then; text has many, and memmem takes over.
     */
    END_DOTS_TRIED = 8
};

enum pop3_indicator pop3_indicator_of(struct slice text)
{
    if (slice_has_prefix(text, "+OK"))
        return POP3_INDICATOR_OK;
    if (slice_has_prefix(text, "-ERR"))
        return POP3_INDICATOR_ERR;
    if (slice_is_word(text, "+") || slice_has_prefix(text, "+ "))
        return POP3_INDICATOR_CHALLENGE;
    return POP3_INDICATOR_NONE;
}

static bool take_xclient_code(struct slice *rest)
{
    *rest = slice_from(*rest, strlen("+OK"));
    return slice_is_word(slice_next_word(rest, ' '), "[XCLIENT]");
}

bool pop3_greeting_offers_xclient(struct slice text)
{
    return take_xclient_code(&text);
}

void pop3_greeting_send(const struct line *line, struct engine_out *out)
{
    struct slice rest = line->text;
    if (!take_xclient_code(&rest)) {
        line_send(line, SIDE_CLIENT, out);
        return;
    }
    engine_out_make_text(out, SIDE_CLIENT, "+OK");
    engine_out_make(out, SIDE_CLIENT, rest);
    engine_out_make_text(out, SIDE_CLIENT, "\r\n");
}

/*
 * What is matched of the end after one more octet: the mark's only proper prefix that can begin anew is its
 * CR.
 */
static uint8_t match_octet(uint8_t matched, uint8_t octet)
{
    if (octet == (uint8_t)end_mark[matched])
        return (uint8_t)(matched + 1);
    return octet == '\r' ? 1 : 0;
}

/* Offset after the first end mark that lies in `s` as a whole; 0 if there is none. */
static size_t find_whole_end(struct slice s)
{
    size_t from = END_DOT;
    for (int dots = 0; dots < END_DOTS_TRIED; dots++) {
        from += slice_find(slice_from(s, from), '.');
        if (from + END_LEN - END_DOT > s.len)
            return 0;
        if (memcmp(s.data + from - END_DOT, end_mark, END_LEN) == 0)
            return from - END_DOT + END_LEN;
        from++;
    }
    struct slice rest = slice_from(s, from - END_DOT);
    const uint8_t *end = memmem(rest.data, rest.len, end_mark, END_LEN);
    return end != NULL ? (size_t)(end - s.data) + END_LEN : 0;
}

size_t pop3_end_find(uint8_t *matched, struct slice s)
{
    /* An end that began in the last chunk is over within END_LEN - 1 octets of this one. */
    for (size_t i = 0; i < s.len && i < END_LEN - 1; i++) {
        *matched = match_octet(*matched, s.data[i]);
        if (*matched == END_LEN)
            return i + 1;
    }
    if (s.len < END_LEN)
        return 0;
    size_t end = find_whole_end(s);
    if (end > 0)
        return end;
    *matched = 0;
    for (size_t i = s.len - (END_LEN - 1); i < s.len; i++)
        *matched = match_octet(*matched, s.data[i]);
    return 0;
}
