/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/deep/https_uri.h"

#include "base/ip_literal.h"

#include <string.h>

static bool is_hex(uint8_t c)
{
    uint8_t upper = ascii_upper(c);
    return ascii_is_digit(c) || (upper >= 'A' && upper <= 'F');
}

static bool is_one_of(uint8_t c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* Only unreserved, sub-delims and pct-encoded (section 2), and what else this part may have. */
static bool has_only(struct slice s, const char *besides)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        if (c == '%') {
            if (i + 2 >= s.len || !is_hex(s.data[i + 1]) || !is_hex(s.data[i + 2]))
                return false;
            i += 2;
        } else if (!ascii_is_alpha(c) && !ascii_is_digit(c) && !is_one_of(c, "-._~!$&'()*+,;=") &&
                   !is_one_of(c, besides)) {
            return false;
        }
    }
    return true;
}

/* Takes what comes before the first of these octets off the front. */
static struct slice take_until(struct slice *rest, const char *ends)
{
    size_t len = 0;
    while (len < rest->len && !is_one_of(rest->data[len], ends))
        len++;
    struct slice part = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return part;
}

static bool is_digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_digit(s.data[i]))
            return false;
    return true;
}

static bool is_authority(struct slice s)
{
    size_t at = slice_find(s, '@');
    if (at < s.len) {
        if (!has_only(slice_first(s, at), ":"))
            return false;
        s = slice_from(s, at + 1);
    }
    bool literal = slice_has_prefix(s, "[");
    struct slice rest = literal ? slice_from(s, 1) : s;
    struct slice host = take_until(&rest, literal ? "]" : ":");
    if (literal && rest.len == 0)
        return false;
    rest = slice_from(rest, literal ? 1 : 0);
    bool port = rest.len == 0 || (rest.data[0] == ':' && is_digits(slice_from(rest, 1)));
    return port && (literal ? ip_literal_is_ipv6(host) : host.len > 0 && has_only(host, ""));
}

bool https_uri_is_valid(struct slice s)
{
    static const char scheme[] = "https://";
    if (!slice_has_prefix(s, scheme))
        return false;
    struct slice rest = slice_from(s, sizeof scheme - 1);
    struct slice authority = take_until(&rest, "/?#");
    struct slice path = take_until(&rest, "?#");
    struct slice query = take_until(&rest, "#");
    struct slice fragment = slice_from(rest, 1);
    return is_authority(authority) && has_only(path, "/:@") && has_only(slice_from(query, 1), "/?:@") &&
           has_only(fragment, "/?:@");
}
