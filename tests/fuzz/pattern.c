/* SPDX-License-Identifier: BSD-2-Clause */
#include "pattern.h"

#include "fuzz_check.h"

#include <regex.h>
#include <string.h>

enum { PATTERNS_MAX = 32 };

static const regex_t *compiled(const char *pattern, int flags)
{
    static struct {
        const char *pattern;
        int flags;
        regex_t regex;
    } cache[PATTERNS_MAX];
    static size_t count;
    for (size_t i = 0; i < count; i++)
        if (cache[i].pattern == pattern && cache[i].flags == flags)
            return &cache[i].regex;
    check(count < PATTERNS_MAX, "room for one pattern more");
    cache[count].pattern = pattern;
    cache[count].flags = flags;
    check(regcomp(&cache[count].regex, pattern, flags) == 0, "a pattern that compiles");
    return &cache[count++].regex;
}

static bool matches(const char *pattern, int flags, struct slice s)
{
    if (slice_find(s, '\0') < s.len)
        return false;
    char *text = strndup(s.len > 0 ? (const char *)s.data : "", s.len);
    check(text != NULL, "memory for the fuzzer itself");
    /* Brackets of the C library may not match them, and no grammar here tells them from other octets. */
    for (size_t i = 0; i < s.len; i++)
        text[i] = (char)(s.data[i] > 0x7f ? 0x7f : text[i]);
    regmatch_t found;
    bool all = regexec(compiled(pattern, flags), text, 1, &found, 0) == 0 && found.rm_so == 0 &&
               (size_t)found.rm_eo == s.len;
    free(text);
    return all;
}

bool pattern_matches(const char *pattern, struct slice s)
{
    return matches(pattern, REG_EXTENDED, s);
}

bool pattern_matches_word(const char *pattern, struct slice s)
{
    return matches(pattern, REG_EXTENDED | REG_ICASE, s);
}
