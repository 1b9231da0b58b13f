/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/chain_text.h"

#include <string.h>

static const char begin[] = "-----BEGIN CERTIFICATE-----";
static const char end[] = "-----END CERTIFICATE-----";
static const char private_key[] = "PRIVATE KEY-----";
static const char boundary[] = "-----";

/* The offset of the text; the slice's length if it is not there. */
static size_t find(struct slice in, const char *text)
{
    const uint8_t *place = in.len > 0 ? memmem(in.data, in.len, text, strlen(text)) : NULL;
    return place != NULL ? (size_t)(place - in.data) : in.len;
}

bool chain_text_has_key(struct slice pem)
{
    return find(pem, private_key) < pem.len;
}

/*
 * A line end and base64 (RFC 7468 section 3), and nothing that another reader might take for the begin of a
 * key.
 */
static bool is_base64(struct slice body)
{
    size_t blanks = 0;
    while (blanks < body.len && (body.data[blanks] == ' ' || body.data[blanks] == '\t'))
        blanks++;
    if (blanks == body.len || (body.data[blanks] != '\r' && body.data[blanks] != '\n'))
        return false;
    static const char others[] = "+/= \t\r\n";
    for (size_t i = 0; i < body.len; i++)
        if (!ascii_is_alpha(body.data[i]) && !ascii_is_digit(body.data[i]) &&
            memchr(others, body.data[i], sizeof others - 1) == NULL)
            return false;
    return true;
}

bool chain_text_take(struct slice pem, uint8_t *into, size_t cap, size_t *used)
{
    *used = 0;
    for (;;) {
        pem = slice_from(pem, find(pem, begin));
        if (pem.len == 0)
            return true;
        /* The end must be this block's own: there could be a key between it and the end of another block. */
        struct slice body = slice_from(pem, sizeof begin - 1);
        size_t body_len = find(body, boundary);
        struct slice close = slice_sub(body, body_len, sizeof end - 1);
        size_t len = sizeof begin - 1 + body_len + close.len;
        if (!is_base64(slice_first(body, body_len)) || !slice_equals(close, slice_of(end)) ||
            len + 1 > cap - *used)
            return false;
        memcpy(into + *used, pem.data, len);
        into[*used + len] = '\n';
        *used += len + 1;
        pem = slice_from(pem, len);
    }
}
