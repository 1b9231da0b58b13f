/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/xclient.h"

#include "base/ensure.h"

#include <stdio.h>
#include <string.h>

static const char *const names[XCLIENT_ATTRIBUTES] = {
    [XCLIENT_NAME] = "NAME",         [XCLIENT_REVERSE_NAME] = "REVERSE_NAME",
    [XCLIENT_PORT] = "PORT",         [XCLIENT_PROTO] = "PROTO",
    [XCLIENT_HELO] = "HELO",         [XCLIENT_DESTADDR] = "DESTADDR",
    [XCLIENT_DESTPORT] = "DESTPORT", [XCLIENT_ADDR] = "ADDR",
};

/* XCLIENT_README: the proxy does not know it, which is no error. */
static const char unavailable[] = "[UNAVAILABLE]";

unsigned xclient_offered(struct slice offer)
{
    unsigned offered = 0;
    for (;;) {
        struct slice word = slice_next_word(&offer, ' ');
        if (word.len == 0)
            return offered;
        for (size_t i = 0; i < XCLIENT_ATTRIBUTES; i++)
            offered |= slice_is(word, names[i]) ? 1u << i : 0;
    }
}

/* A value as it stands in the command, at its longest: each octet "+XX". */
enum { ENCODED_MAX = 3 * XCLIENT_VALUE_MAX };

/* RFC 3461 section 4: xchar is any graphic character but "+" and "=". */
static size_t encode_xtext(struct slice value, char into[ENCODED_MAX])
{
    static const char digits[] = "0123456789ABCDEF";
    ENSURE(value.len <= XCLIENT_VALUE_MAX);
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        if (ascii_is_graph(c) && c != '+' && c != '=') {
            into[len++] = (char)c;
            continue;
        }
        into[len++] = '+';
        into[len++] = digits[c >> 4];
        into[len++] = digits[c & 15];
    }
    return len;
}

static size_t encode_text(const char *text, char into[ENCODED_MAX])
{
    return encode_xtext(slice_of(text), into);
}

static size_t encode_address(const char *address, char into[ENCODED_MAX])
{
    char value[sizeof "IPV6:" + ENGINE_ADDRESS_MAX];
    bool v6 = strchr(address, ':') != NULL;
    snprintf(value, sizeof value, "%s%s", v6 ? "IPV6:" : "", address);
    return encode_text(value, into);
}

static size_t encode_port(uint16_t port, char into[ENCODED_MAX])
{
    char value[8];
    snprintf(value, sizeof value, "%u", port);
    return encode_text(value, into);
}

/* A name that would not fit into a command is none: nothing is cut, which would make another one of it. */
static size_t encode_name(struct slice name, char into[ENCODED_MAX])
{
    size_t room = XCLIENT_SMTP_MAX - strlen("XCLIENT HELO=\r\n");
    size_t len = name.len > 0 && name.len <= XCLIENT_VALUE_MAX ? encode_xtext(name, into) : 0;
    return len > 0 && len <= room ? len : encode_text(unavailable, into);
}

static size_t encode(const struct client_identity *identity, const struct xclient_greeting *greeting,
                     enum xclient_attribute attribute, char into[ENCODED_MAX])
{
    switch (attribute) {
    case XCLIENT_NAME:
    case XCLIENT_REVERSE_NAME: /* the proxy asks no resolver, and what one says anybody may have written */
        return encode_text(unavailable, into);
    case XCLIENT_PORT:
        return encode_port(identity->port, into);
    case XCLIENT_PROTO:
        return encode_text(greeting->extended ? "ESMTP" : "SMTP", into);
    case XCLIENT_HELO:
        return encode_name(greeting->name, into);
    case XCLIENT_DESTADDR:
        return encode_address(identity->connected_address, into);
    case XCLIENT_DESTPORT:
        return encode_port(identity->connected_port, into);
    case XCLIENT_ADDR:
        return encode_address(identity->address, into);
    case XCLIENT_ATTRIBUTES:
        break;
    }
    ENSURE(attribute < XCLIENT_ATTRIBUTES);
    return 0;
}

size_t xclient_write_smtp(const struct client_identity *identity, const struct xclient_greeting *greeting,
                          unsigned *left, char into[XCLIENT_SMTP_MAX])
{
    static const char verb[] = "XCLIENT";
    size_t len = sizeof verb - 1;
    if (*left == 0)
        return 0;
    memcpy(into, verb, len);
    for (enum xclient_attribute i = 0; i < XCLIENT_ATTRIBUTES; i++) {
        char value[ENCODED_MAX];
        if ((*left & 1u << i) == 0)
            continue;
        size_t value_len = encode(identity, greeting, i, value);
        size_t name_len = strlen(names[i]);
        if (len + name_len + value_len + strlen(" =\r\n") > XCLIENT_SMTP_MAX)
            break;
        into[len++] = ' ';
        memcpy(into + len, names[i], name_len);
        len += name_len;
        into[len++] = '=';
        memcpy(into + len, value, value_len);
        len += value_len;
        *left &= ~(1u << i);
    }
    ENSURE(len > sizeof verb - 1);
    memcpy(into + len, "\r\n", 2);
    return len + 2;
}

size_t xclient_write_pop3(const struct client_identity *identity, char into[XCLIENT_POP3_MAX])
{
    char address[ENCODED_MAX];
    char id[ENCODED_MAX];
    size_t address_len = encode_text(identity->address, address);
    size_t id_len = encode_text(identity->session_id, id);
    int len = snprintf(into, XCLIENT_POP3_MAX, "XCLIENT ADDR=%.*s PORT=%u SESSION=%.*s\r\n", (int)address_len,
                       address, identity->port, (int)id_len, id);
    ENSURE(len > 0 && len < XCLIENT_POP3_MAX);
    return (size_t)len;
}
