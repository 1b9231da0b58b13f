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

static void check_pair(struct slice name, struct slice *rest, const char *cipher,
                       const struct engine_client *client, unsigned *suites)
{
    bool believed = slice_has_prefix(name, "x-");
    if (slice_has_prefix(*rest, "NIL")) {
        check(!slice_is_word(name, "tls") && !believed, "what is believed in ID is the proxy's");
        *rest = slice_from(*rest, 3);
        return;
    }
    struct slice value = heard_id_quoted(rest);
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
        struct slice name = heard_id_quoted(&list);
        heard_id_octet(&list, ' ');
        check_pair(name, &list, cipher, client, &suites);
        pairs++;
    }
    heard_id_octet(&list, ')');
    check(list.len == 0, "nothing stands behind ID");
    check(pairs <= 30, "ID has 30 pairs at most");
    check(suites == 1, "ID has the cipher suite once");
}
