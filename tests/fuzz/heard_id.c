/* SPDX-License-Identifier: BSD-2-Clause */
#include "heard_id.h"

#include "fuzz_check.h"
#include "heard_identity.h"

struct slice heard_id_quoted(struct slice *rest)
{
    check(rest->len > 0 && rest->data[0] == '"', "ID has quoted strings");
    size_t len = 1;
    while (len < rest->len && rest->data[len] != '"')
        len += rest->data[len] == '\\' ? 2 : 1;
    check(len < rest->len, "ID has quoted strings that end");
    struct slice inner = slice_sub(*rest, 1, len - 1);
    *rest = slice_from(*rest, len + 1);
    return inner;
}

void heard_id_octet(struct slice *rest, uint8_t octet)
{
    check(rest->len > 0 && rest->data[0] == octet, "ID is a list of pairs and one space between strings");
    *rest = slice_from(*rest, 1);
}

/* A synchronising literal, which has something that no quoted string has. */
static struct slice take_literal(struct slice *rest)
{
    size_t at = 1, octets = 0;
    for (; at < rest->len && ascii_is_digit(rest->data[at]); at++)
        octets = octets * 10 + (size_t)(rest->data[at] - '0');
    check(at > 1 && slice_has_prefix(slice_from(*rest, at), "}\r\n"), "ID has literals that are asked for");
    struct slice inner = slice_sub(*rest, at + 3, octets);
    check(inner.len == octets, "ID has literals that end");
    bool needed = false;
    for (size_t i = 0; i < octets; i++)
        needed = needed || inner.data[i] > 0x7f || inner.data[i] == '\r' || inner.data[i] == '\n';
    check(needed && slice_find(inner, '\0') == octets, "ID has literals of CHAR8, where it has to");
    *rest = slice_from(*rest, at + 3 + octets);
    return inner;
}

static struct slice take_string(struct slice *rest)
{
    return slice_has_prefix(*rest, "{") ? take_literal(rest) : heard_id_quoted(rest);
}

static void check_pair(struct slice name, struct slice *rest, const char *cipher,
                       const struct engine_client *client, unsigned *suites)
{
    bool believed = slice_has_prefix(name, "x-");
    if (slice_has_prefix(*rest, "NIL")) {
        check(!slice_is_word(name, "tls") && !believed, "what is believed in ID is the proxy's");
        *rest = slice_from(*rest, 3);
        return;
    }
    struct slice value = take_string(rest);
    if (believed)
        heard_identity_field(client, name, value);
    if (!slice_is_word(name, "tls"))
        return;
    check(slice_equals(value, slice_of(cipher)), "the cipher suite in ID is the proxy's");
    ++*suites;
}

void heard_id_check(struct slice list, const char *cipher, const struct engine_client *client)
{
    unsigned suites = 0, pairs = 0;
    for (uint8_t before = '('; list.len > 0 && list.data[0] != ')'; before = ' ') {
        heard_id_octet(&list, before);
        struct slice name = take_string(&list);
        heard_id_octet(&list, ' ');
        check_pair(name, &list, cipher, client, &suites);
        pairs++;
    }
    heard_id_octet(&list, ')');
    check(list.len == 0, "nothing stands behind ID");
    check(pairs <= 30, "ID has 30 pairs at most");
    check(suites == 1, "ID has the cipher suite once");
}
