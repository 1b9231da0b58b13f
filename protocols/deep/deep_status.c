/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/deep/deep_status.h"

#include "base/ensure.h"
#include "protocols/deep/https_uri.h"

#include <string.h>

const char *const deep_registered_tags[DEEP_REGISTERED_TAGS] = {"tls11", "tls12", "tls-cert",
                                                                "tls-dane-tlsa"};

bool deep_is_security_tag(struct slice s)
{
    if (s.len == 0 || s.len > DEEP_TAG_MAX || !ascii_is_alpha(s.data[0]))
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (!ascii_is_alpha(s.data[i]) && !ascii_is_digit(s.data[i]) && s.data[i] != '-' && s.data[i] != '_')
            return false;
    return true;
}

static bool is_hex(uint8_t c)
{
    uint8_t upper = ascii_upper(c);
    return ascii_is_digit(c) || (upper >= 'A' && upper <= 'F');
}

bool deep_is_https_uri(struct slice s)
{
    return https_uri_is_valid(s);
}

static bool is_extchar(uint8_t c)
{
    return ascii_is_graph(c) && c != '"' && c != '/' && c != '\\' && c != '<' && !ascii_is_alpha(c);
}

bool deep_is_extension(struct slice s)
{
    if (s.len == 0 || !is_extchar(s.data[0]))
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (!is_extchar(s.data[i]) && !ascii_is_alpha(s.data[i]) && s.data[i] != '<')
            return false;
    return true;
}

bool deep_is_tls_cipher(struct slice s)
{
    if (s.len == 6 && slice_has_prefix(s, "0x")) {
        for (size_t i = 2; i < s.len; i++)
            if (!is_hex(s.data[i]))
                return false;
        return true;
    }
    if (s.len == 0 || !ascii_is_alpha(s.data[0]))
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (!ascii_is_alpha(s.data[i]) && !ascii_is_digit(s.data[i]) && s.data[i] != '_')
            return false;
    return true;
}

static const char *check_tag(struct slice tag)
{
    if (tag.len == 0)
        return "deep-tags are separated by one space";
    if (tag.data[0] == '<') {
        bool closed = tag.len > 2 && tag.data[tag.len - 1] == '>';
        if (!closed || !deep_is_https_uri(slice_sub(tag, 1, tag.len - 2)))
            return "what stands in angle brackets must be an https URI (RFC 3986)";
        return NULL;
    }
    if (ascii_is_alpha(tag.data[0]) && !deep_is_security_tag(tag))
        return "a security tag is a letter and at most 63 letters, digits, \"-\" or \"_\"";
    if (!ascii_is_alpha(tag.data[0]) && !deep_is_extension(tag))
        return "an extension is printable ASCII without quotation mark, slash, backslash and space";
    return NULL;
}

const char *deep_status_check(struct slice s, size_t *at)
{
    *at = 0;
    if (s.len == 0)
        return NULL;
    if (s.len > DEEP_STATUS_MAX)
        return "the DEEP status is longer than 400 octets and would not fit into an SMTP reply line";
    for (;;) {
        struct slice rest = slice_from(s, *at);
        struct slice tag = slice_first(rest, slice_find(rest, ' '));
        const char *wrong = check_tag(tag);
        if (wrong != NULL)
            return wrong;
        if (tag.len == rest.len)
            return NULL;
        *at += tag.len + 1;
    }
}

static bool is_same_tag(struct slice a, struct slice b)
{
    return slice_equals_nocase(a, b) && a.len > 0 && ascii_is_alpha(a.data[0]);
}

bool deep_status_has(const char *status, struct slice word)
{
    struct slice rest = slice_of(status);
    for (struct slice next; (next = slice_next_word(&rest, ' ')).len > 0;)
        if (slice_equals_nocase(next, word))
            return true;
    return false;
}

/* Has the status this already? It has at most one URL. */
static bool has_tag(struct slice status, struct slice tag)
{
    struct slice word;
    while ((word = slice_next_word(&status, ' ')).len > 0) {
        bool both_urls = word.data[0] == '<' && tag.data[0] == '<';
        if (both_urls || is_same_tag(word, tag) || slice_equals(word, tag))
            return true;
    }
    return false;
}

void deep_status_merge(const char *own, struct slice backends, char into[DEEP_STATUS_MAX + 1])
{
    size_t len = strlen(own);
    ENSURE(len <= DEEP_STATUS_MAX);
    memcpy(into, own, len);
    struct slice tag;
    while ((tag = slice_next_word(&backends, ' ')).len > 0) {
        if (check_tag(tag) != NULL || has_tag((struct slice){(const uint8_t *)into, len}, tag))
            continue;
        size_t space = len > 0 ? 1 : 0;
        if (tag.len + space > DEEP_STATUS_MAX - len)
            break;
        memset(into + len, ' ', space);
        memcpy(into + len + space, tag.data, tag.len);
        len += space + tag.len;
    }
    into[len] = '\0';
}
