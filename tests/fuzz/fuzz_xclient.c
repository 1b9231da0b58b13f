/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "fuzz_check.h"
#include "protocols/xclient.h"

#include <string.h>

/*
 * Fuzzes the writer of XCLIENT, and the reader of its offer: the input is one octet that says whether the
 * client greets with EHLO, the backend's line of attributes, an LF, and the name of the client's greeting.
 * What is written is read back by a reader that knows nothing of the writer: Postfix's rules of
 * XCLIENT_README, and xtext of RFC 3461.
 */

#define LOGIN "joe+tag=1@example.com"

static const struct client_identity who = {"2001:db8::1", "192.0.2.1", "session-1",
                                           4711,          465,         (char[]){LOGIN}};

/* What the backend may be told, in the order in which the writer has it; HELO's value is the greeting's. */
static const struct known {
    const char *name;
    const char *value;
} known[] = {
    {"NAME", "[UNAVAILABLE]"},
    {"REVERSE_NAME", "[UNAVAILABLE]"},
    {"PORT", "4711"},
    {"PROTO", NULL},
    {"HELO", NULL},
    {"DESTADDR", "192.0.2.1"},
    {"DESTPORT", "465"},
    {"LOGIN", LOGIN},
    {"ADDR", "IPV6:2001:db8::1"},
};

enum { KNOWN = ARRAY_LEN(known) };

static bool is_offered(struct slice offer, const char *name)
{
    size_t begin = 0;
    for (size_t i = 0; i <= offer.len; i++) {
        if (i < offer.len && offer.data[i] != ' ')
            continue;
        if (slice_is_word(slice_sub(offer, begin, i - begin), name))
            return true;
        begin = i + 1;
    }
    return false;
}

static unsigned hex(uint8_t c)
{
    check(ascii_is_digit(c) || (c >= 'A' && c <= 'F'), "xtext has capital digits behind +");
    return (unsigned)(ascii_is_digit(c) ? c - '0' : c - 'A' + 10);
}

/* Takes an attribute's value off the front, decoded; the room is that of a value at its longest. */
static struct slice take_value(struct slice *rest, uint8_t into[XCLIENT_VALUE_MAX])
{
    size_t at = 0, len = 0;
    while (at < rest->len && rest->data[at] != ' ') {
        uint8_t c = rest->data[at];
        check(ascii_is_graph(c) && c != '=', "xtext has graphic characters alone, and no =");
        if (c == '+') {
            check(at + 2 < rest->len, "xtext has two digits behind +");
            c = (uint8_t)(hex(rest->data[at + 1]) * 16 + hex(rest->data[at + 2]));
            at += 2;
        }
        at++;
        check(at <= XCLIENT_VALUE_MAX, "a value has 255 octets at most, as it is encoded");
        into[len++] = c;
    }
    *rest = slice_from(*rest, at);
    return (struct slice){into, len};
}

static size_t encoded_len(struct slice name)
{
    size_t len = 0;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        len += c > 0x20 && c < 0x7f && c != '+' && c != '=' ? 1 : 3;
    }
    return len;
}

static struct slice expected_value(const struct known *k, const struct xclient_greeting *greeting)
{
    if (k->value != NULL)
        return slice_of(k->value);
    if (strcmp(k->name, "PROTO") == 0)
        return slice_of(greeting->extended ? "ESMTP" : "SMTP");
    size_t len = encoded_len(greeting->name);
    bool fits = len + encoded_len(slice_of(LOGIN)) <= 288;
    return len == 0 || len > 255 || !fits ? slice_of("[UNAVAILABLE]") : greeting->name;
}

static void check_smtp(struct slice offer, const struct xclient_greeting *greeting)
{
    char command[XCLIENT_SMTP_MAX];
    size_t len = xclient_write_smtp(&who, greeting, xclient_offered(offer), command);
    struct slice rest = {(const uint8_t *)command, len};
    check(len <= 512 && len > 2 && memcmp(command + len - 2, "\r\n", 2) == 0, "a line of 512 octets at most");
    rest.len -= 2;
    check(slice_is_word(slice_first(rest, 7), "XCLIENT"), "that is XCLIENT");
    rest = slice_from(rest, 7);
    for (size_t i = 0; i < KNOWN; i++) {
        uint8_t value[XCLIENT_VALUE_MAX];
        if (!is_offered(offer, known[i].name))
            continue;
        size_t name_len = strlen(known[i].name);
        check(rest.len > 0 && rest.data[0] == ' ', "attributes stand behind one space");
        check(slice_equals(slice_sub(rest, 1, name_len), slice_of(known[i].name)),
              "each that is offered, in order");
        check(rest.len > 1 + name_len && rest.data[1 + name_len] == '=', "with a value");
        rest = slice_from(rest, 2 + name_len);
        check(slice_equals(take_value(&rest, value), expected_value(&known[i], greeting)),
              "which is the proxy's");
    }
    check(rest.len == 0, "and no other");
}

static void check_pop3(void)
{
    char command[XCLIENT_POP3_MAX];
    size_t len = xclient_write_pop3(&who, command);
    check(slice_equals((struct slice){(const uint8_t *)command, len},
                       slice_of("XCLIENT ADDR=2001:db8::1 PORT=4711 SESSION=session-1\r\n")),
          "POP3 has no prefix");
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct slice input = {data, size};
    bool extended = size == 0 || data[0] != 'H';
    input = slice_from(input, 1);
    size_t end = slice_find(input, '\n');
    struct xclient_greeting greeting = {slice_from(input, end + 1), extended};
    check_smtp(slice_first(input, end), &greeting);
    check_pop3();
    return 0;
}
