/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz_check.h"
#include "pattern.h"
#include "protocols/deep/deep_status.h"

#include <arpa/inet.h>
#include <string.h>

/*
 * Fuzzes the syntax of a deep-status (draft section 5.3) against its grammar as regular expressions. An
 * offset must be that of the first deep-tag that is wrong.
 */
#define TAG    "[A-Za-z][A-Za-z0-9_-]{0,63}"
#define CIPHER "[A-Za-z][A-Za-z0-9_]*|0[xX][0-9A-Fa-f]{4}"
/* RFC 3986 */
#define REG     "[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}"
#define PCHAR   "[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}"
#define BEHIND  "(:[0-9]*)?(/(" PCHAR ")*)*(\\?([/?]|" PCHAR ")*)?(#([/?]|" PCHAR ")*)?"
#define USER    "(([A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?"
#define SCHEME  "[Hh][Tt][Tt][Pp][Ss]://"
#define NAMED   SCHEME USER "(" REG ")+" BEHIND
#define LITERAL SCHEME USER "\\[[0-9A-Fa-f:.]*]" BEHIND

/* What stands in the brackets is the C library's to judge. */
static bool has_ipv6_literal(struct slice s)
{
    if (!pattern_matches(LITERAL, s))
        return false;
    char text[60];
    struct in6_addr address;
    size_t open = slice_find(s, '[');
    struct slice inner = slice_sub(s, open + 1, slice_find(s, ']') - open - 1);
    if (inner.len >= sizeof text)
        return false;
    memcpy(text, inner.data, inner.len);
    text[inner.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_uri(struct slice s)
{
    return pattern_matches(NAMED, s) || has_ipv6_literal(s);
}

/* draft section 5.3, and where it errs as deep_status.h says. */
static bool is_extension(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        bool first = i == 0 && (ascii_is_alpha(c) || c == '<');
        if (c < 0x21 || c > 0x7e || strchr("\"/\\", c) != NULL || first)
            return false;
    }
    return s.len > 0;
}

static bool is_deep_tag(struct slice s)
{
    if (s.len > 0 && s.data[0] == '<')
        return s.data[s.len - 1] == '>' && is_uri(slice_sub(s, 1, s.len < 2 ? 0 : s.len - 2));
    return pattern_matches(TAG, s) || is_extension(s);
}

/* Offset of the first deep-tag that is none; SIZE_MAX where all are right. */
static size_t first_wrong(struct slice s)
{
    for (size_t at = 0; s.len > 0 && at <= s.len;) {
        struct slice rest = slice_from(s, at);
        struct slice tag = slice_first(rest, slice_find(rest, ' '));
        if (!is_deep_tag(tag))
            return at;
        at += tag.len + 1;
    }
    return SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = {data, size};
    size_t at = SIZE_MAX;
    check(deep_is_security_tag(s) == pattern_matches(TAG, s), "a security tag is what the grammar says");
    check(deep_is_extension(s) == is_extension(s), "an extension is what the grammar says");
    check(deep_is_tls_cipher(s) == pattern_matches("(" CIPHER ")", s),
          "a cipher suite is what the grammar says");
    check(deep_is_https_uri(s) == is_uri(s), "an https URI is what RFC 3986 says");
    bool right = deep_status_check(s, &at) == NULL;
    size_t wrong = first_wrong(s);
    check(right == (s.len <= DEEP_STATUS_MAX && wrong == SIZE_MAX), "a deep-status is what the grammar says");
    check(right || s.len > DEEP_STATUS_MAX || at == wrong, "and what is wrong is found where it is");
    return 0;
}
