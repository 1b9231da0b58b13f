/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_suggest.h"

#include <string.h>

/* No key and no name that is worth a suggestion is longer. */
#define WORD_MAX 64

static bool is_same_letter(char a, char b)
{
    uint8_t left = a == '-' ? '_' : ascii_upper((uint8_t)a);
    uint8_t right = b == '-' ? '_' : ascii_upper((uint8_t)b);
    return left == right;
}

static unsigned lesser_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The edit distance of Damerau and Levenshtein (optimal string alignment), three rows at a time. */
static unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][WORD_MAX + 1] = {{0}};
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = lesser_of(above[j], row[j - 1]) + 1;
            row[j] = lesser_of(row[j], above[j - 1] + (is_same_letter(a[i - 1], b[j - 1]) ? 0 : 1));
            if (i > 1 && j > 1 && is_same_letter(a[i - 1], b[j - 2]) && is_same_letter(a[i - 2], b[j - 1]))
                row[j] = lesser_of(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

static bool begins_with(const char *candidate, const char *word, size_t len)
{
    return len >= 3 && slice_has_prefix(slice_of(candidate), word);
}

const char *cfg_suggest_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t len = strlen(word);
    if (len == 0 || len > WORD_MAX)
        return NULL;
    const char *nearest = NULL;
    unsigned best = (unsigned)len / 5 + 2; /* one mistake, and another for each five letters */
    for (size_t i = 0; i < count; i++) {
        size_t candidate_len = strlen(candidates[i]);
        if (candidate_len > WORD_MAX)
            continue;
        unsigned d = edit_distance(word, len, candidates[i], candidate_len);
        if (begins_with(candidates[i], word, len))
            d = lesser_of(d, 1);
        if (d < best && d < len) {
            best = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}

char *cfg_suggest_list(struct cfg_arena *arena, const char *const *candidates, size_t count)
{
    char *list = cfg_arena_copy(arena, slice_of(""));
    for (size_t i = 0; i < count; i++)
        list = cfg_arena_format(arena, "%s%s\"%s\"", list, i > 0 ? ", " : "", candidates[i]);
    return list;
}
