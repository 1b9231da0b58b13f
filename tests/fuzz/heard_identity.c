/* SPDX-License-Identifier: BSD-2-Clause */
#include "heard_identity.h"

#include "base/array.h"

#include "fuzz_check.h"

#include <string.h>

/* Has what is so called this value? */
static bool is_true(const struct engine_client *client, struct slice name, struct slice value)
{
    char port[8], connected_port[8];
    snprintf(port, sizeof port, "%u", client->port);
    snprintf(connected_port, sizeof connected_port, "%u", client->connected_port);
    const char *const truth[][2] = {
        {"LOGIN", client->login != NULL ? client->login : ""},
        {"x-originating-ip", client->address},
        {"x-originating-port", port},
        {"x-connected-ip", client->connected_address},
        {"x-connected-port", connected_port},
        {"x-session-id", client->session_id},
        {"x-proxy-ttl", "6"},
        {"ADDR", client->address},
        {"PORT", port},
        {"DESTADDR", client->connected_address},
        {"DESTPORT", connected_port},
        {"SESSION", client->session_id},
        {"NAME", "[UNAVAILABLE]"},
        {"REVERSE_NAME", "[UNAVAILABLE]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(truth); i++)
        if (slice_equals(name, slice_of(truth[i][0])))
            return value.len > 0 && slice_equals(value, slice_of(truth[i][1]));
    return false;
}

void heard_identity_field(const struct engine_client *client, struct slice name, struct slice value)
{
    check(client != NULL, "no field of ID that backends believe of a proxy");
    check(is_true(client, name, value), "a field that backends believe is the proxy's");
}

static struct slice value_of(struct slice word, struct slice *name)
{
    *name = slice_first(word, slice_find(word, '='));
    check(name->len < word.len, "an attribute of XCLIENT has a value");
    return slice_from(word, name->len + 1);
}

void heard_identity_pop3(const struct engine_client *client, struct slice words)
{
    struct slice word, name;
    check(client != NULL, "no XCLIENT passes");
    while ((word = slice_next_word(&words, ' ')).len > 0) {
        struct slice value = value_of(word, &name);
        check(is_true(client, name, value), "an attribute of XCLIENT is the proxy's");
    }
}

/* RFC 3461 section 4: what a client called itself may say nothing but itself. */
static bool is_xtext(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] < '!' || s.data[i] > '~' || s.data[i] == '=')
            return false;
    return s.len > 0;
}

static bool is_true_to_postfix(const struct engine_client *client, struct slice name, struct slice value)
{
    static const char v6[] = "IPV6:";
    if (slice_is_word(name, "HELO"))
        return is_xtext(value);
    if (slice_is_word(name, "PROTO"))
        return slice_is_word(value, "SMTP") || slice_is_word(value, "ESMTP");
    if (slice_has_prefix(value, v6))
        value = slice_from(value, sizeof v6 - 1);
    return !slice_is_word(name, "SESSION") && is_true(client, name, value);
}

void heard_identity_smtp(const struct engine_client *client, struct slice words)
{
    struct slice word, name = {0};
    check(client != NULL, "no XCLIENT passes");
    check(words.len + sizeof "XCLIENT\r\n" <= 512 + 1, "an XCLIENT has 512 octets at most");
    while ((word = slice_next_word(&words, ' ')).len > 0) {
        check(!slice_is_word(name, "ADDR"), "the address is the last attribute");
        struct slice value = value_of(word, &name);
        check(is_true_to_postfix(client, name, value), "an attribute of XCLIENT is the proxy's");
    }
    check(slice_is_word(name, "ADDR"), "an XCLIENT has the address");
}
