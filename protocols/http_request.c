/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/http_request.h"

#include "base/array.h"

static bool begins_target(struct slice s)
{
    return s.len > 0 && (s.data[0] == '/' || s.data[0] == '*');
}

bool http_begins_request(struct slice beginning)
{
    static const char *const methods[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                          "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    struct slice method = slice_first(beginning, slice_find(beginning, ' '));
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (slice_equals(method, slice_of(methods[i]))) /* RFC 9110 section 9.1: the case counts */
            return begins_target(slice_from(beginning, method.len + 1));
    return false;
}

/* "HTTP/1.1"; HTTP/2 has a request line too, which opens its preface (RFC 9113 section 3.4). */
static bool is_version(struct slice s)
{
    static const char name[] = "HTTP/";
    struct slice number = slice_from(s, sizeof name - 1);
    return slice_has_prefix(s, name) && number.len > 0 && number.len <= 3 && ascii_is_digit(number.data[0]);
}

/* RFC 9112 section 3.2: a path, a URI, an authority with its port, or "*" */
static bool is_target(struct slice s)
{
    return begins_target(s) || slice_find(s, ':') < s.len;
}

bool http_is_request(struct slice line)
{
    if (http_begins_request(line))
        return true;
    struct slice method = slice_first(line, slice_find(line, ' '));
    struct slice rest = slice_from(line, method.len + 1);
    struct slice target = slice_first(rest, slice_find(rest, ' '));
    return method.len > 0 && is_target(target) && is_version(slice_from(rest, target.len + 1));
}
