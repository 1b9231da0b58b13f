/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/xclient.h"

#include "base/ensure.h"

#include <stdio.h>
#include <string.h>

static const char *const names[XCLIENT_ATTRIBUTES] = {
    [XCLIENT_NAME] = "NAME",         [XCLIENT_REVERSE_NAME] = "REVERSE_NAME",
    [XCLIENT_PORT] = "PORT",         [XCLIENT_PROTO] = "PROTO",
    [XCLIENT_HELO] = "HELO",         [XCLIENT_DESTADDR] = "DESTADDR",
    [XCLIENT_DESTPORT] = "DESTPORT", [XCLIENT_LOGIN] = "LOGIN",
    [XCLIENT_ADDR] = "ADDR",
};

/* All else at its longest takes 222 octets of XCLIENT_SMTP_MAX. */
enum { NAME_AND_LOGIN_MAX = 288 };

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
            offered |= slice_is_word(word, names[i]) ? 1u << i : 0;
    }
}

/*
 * RFC 3461 section 4: xchar is any graphic character but "+" and "=". 0 if the value would be longer than
 * XCLIENT_VALUE_MAX: nothing is cut, which would make another value of it.
 */
static size_t encode_xtext(struct slice value, char into[XCLIENT_VALUE_MAX])
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        bool as_is = ascii_is_graph(c) && c != '+' && c != '=';
        if (len + (as_is ? 1 : 3) > XCLIENT_VALUE_MAX)
            return 0;
        into[len++] = (char)(as_is ? c : '+');
        if (as_is)
            continue;
        into[len++] = digits[c >> 4];
        into[len++] = digits[c & 15];
    }
    return len;
}

static size_t encode_text(const char *text, char into[XCLIENT_VALUE_MAX])
{
    return encode_xtext(slice_of(text), into);
}

static size_t encode_address(const char *address, char into[XCLIENT_VALUE_MAX])
{
    char value[sizeof "IPV6:" + ENGINE_ADDRESS_MAX];
    bool v6 = strchr(address, ':') != NULL;
    snprintf(value, sizeof value, "%s%s", v6 ? "IPV6:" : "", address);
    return encode_text(value, into);
}

static size_t encode_port(uint16_t port, char into[XCLIENT_VALUE_MAX])
{
    char value[8];
    snprintf(value, sizeof value, "%u", port);
    return encode_text(value, into);
}

/* 0: the client has none. */
static size_t encode_login(const struct client_identity *identity, char into[XCLIENT_VALUE_MAX])
{
    return identity->login != NULL ? encode_text(identity->login, into) : 0;
}

/* The client greets again after XCLIENT: if the line has no room for name and login, nothing is lost. */
static size_t encode_name(const struct client_identity *identity, struct slice name,
                          char into[XCLIENT_VALUE_MAX])
{
    char login[XCLIENT_VALUE_MAX];
    size_t len = encode_xtext(name, into);
    bool fits = len + encode_login(identity, login) <= NAME_AND_LOGIN_MAX;
    return len > 0 && fits ? len : encode_text(unavailable, into);
}

static size_t encode(const struct client_identity *identity, const struct xclient_greeting *greeting,
                     enum xclient_attribute attribute, char into[XCLIENT_VALUE_MAX])
{
    switch (attribute) {
    case XCLIENT_NAME:
    case XCLIENT_REVERSE_NAME: /* the proxy asks no resolver: anybody may have written what that returns */
        return encode_text(unavailable, into);
    case XCLIENT_PORT:
        return encode_port(identity->port, into);
    case XCLIENT_PROTO:
        return encode_text(greeting->extended ? "ESMTP" : "SMTP", into);
    case XCLIENT_HELO:
        return encode_name(identity, greeting->name, into);
    case XCLIENT_DESTADDR:
        return encode_address(identity->connected_address, into);
    case XCLIENT_DESTPORT:
        return encode_port(identity->connected_port, into);
    case XCLIENT_LOGIN:
        return encode_login(identity, into);
    case XCLIENT_ADDR:
        return encode_address(identity->address, into);
    case XCLIENT_ATTRIBUTES:
        break;
    }
    ENSURE(attribute < XCLIENT_ATTRIBUTES);
    return 0;
}

static size_t put(char into[XCLIENT_SMTP_MAX], size_t at, const char *octets, size_t len)
{
    ENSURE(len <= XCLIENT_SMTP_MAX - at);
    memcpy(into + at, octets, len);
    return at + len;
}

bool xclient_tells_login(const struct client_identity *identity, unsigned offered)
{
    char value[XCLIENT_VALUE_MAX];
    return (offered & 1u << XCLIENT_LOGIN) != 0 && encode_login(identity, value) > 0;
}

size_t xclient_write_smtp(const struct client_identity *identity, const struct xclient_greeting *greeting,
                          unsigned offered, char into[XCLIENT_SMTP_MAX])
{
    size_t len = put(into, 0, "XCLIENT", strlen("XCLIENT"));
    for (enum xclient_attribute i = 0; i < XCLIENT_ATTRIBUTES; i++) {
        char value[XCLIENT_VALUE_MAX];
        if ((offered & 1u << i) == 0 || (i == XCLIENT_LOGIN && !xclient_tells_login(identity, offered)))
            continue;
        size_t value_len = encode(identity, greeting, i, value);
        len = put(into, len, " ", 1);
        len = put(into, len, names[i], strlen(names[i]));
        len = put(into, len, "=", 1);
        len = put(into, len, value, value_len);
    }
    return put(into, len, "\r\n", 2);
}

size_t xclient_write_pop3(const struct client_identity *identity, char into[XCLIENT_POP3_MAX])
{
    char address[XCLIENT_VALUE_MAX];
    char id[XCLIENT_VALUE_MAX];
    size_t address_len = encode_text(identity->address, address);
    size_t id_len = encode_text(identity->session_id, id);
    int len = snprintf(into, XCLIENT_POP3_MAX, "XCLIENT ADDR=%.*s PORT=%u SESSION=%.*s\r\n", (int)address_len,
                       address, identity->port, (int)id_len, id);
    ENSURE(len > 0 && len < XCLIENT_POP3_MAX);
    return (size_t)len;
}
