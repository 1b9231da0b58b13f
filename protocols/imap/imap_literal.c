/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_literal.h"

#include <string.h>

/* Saturates: a number of any length is either right or too large. */
static uint64_t append_digit(uint64_t number, uint8_t digit)
{
    if (number > IMAP_LITERAL_MAX / 10)
        return UINT64_MAX;
    return number * 10 + (uint64_t)(digit - '0');
}

static enum imap_tail_state next_state(struct imap_tail *tail, uint8_t c)
{
    switch (tail->state) {
    case IMAP_TAIL_OPEN:
    case IMAP_TAIL_DIGITS:
        if (ascii_is_digit(c)) {
            tail->octets = append_digit(tail->octets, c);
            return IMAP_TAIL_DIGITS;
        }
        if (tail->state == IMAP_TAIL_OPEN)
            return IMAP_TAIL_NONE;
        tail->plus = c == '+';
        return c == '+' ? IMAP_TAIL_PLUS : c == '}' ? IMAP_TAIL_CLOSED : IMAP_TAIL_NONE;
    case IMAP_TAIL_PLUS:
        return c == '}' ? IMAP_TAIL_CLOSED : IMAP_TAIL_NONE;
    case IMAP_TAIL_CLOSED:
        return c == '\r' ? IMAP_TAIL_CR : IMAP_TAIL_NONE;
    case IMAP_TAIL_CR:
    case IMAP_TAIL_NONE:
        break;
    }
    return IMAP_TAIL_NONE;
}

void imap_tail_feed(struct imap_tail *tail, struct slice part)
{
    if (part.len == 0)
        return;
    const uint8_t *open = memrchr(part.data, '{', part.len);
    size_t i = 0;
    if (open != NULL) {
        *tail = (struct imap_tail){.state = IMAP_TAIL_OPEN};
        i = (size_t)(open - part.data) + 1;
    }
    for (; i < part.len && tail->state != IMAP_TAIL_NONE; i++)
        tail->state = next_state(tail, part.data[i]);
}

bool imap_tail_literal(const struct imap_tail *tail, struct imap_literal *literal)
{
    if (tail->state != IMAP_TAIL_CLOSED && tail->state != IMAP_TAIL_CR)
        return false;
    *literal = (struct imap_literal){.octets = tail->octets, .synchronizing = !tail->plus};
    return true;
}

bool imap_literal_at_end(struct slice text, struct imap_literal *literal)
{
    if (text.len == 0 || text.data[text.len - 1] != '}')
        return false;
    struct imap_tail tail = {0};
    imap_tail_feed(&tail, text);
    return imap_tail_literal(&tail, literal);
}
