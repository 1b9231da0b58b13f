/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_duration.h"

#include "base/array.h"

#include <inttypes.h>

static const struct {
    const char *name;
    uint64_t milliseconds;
} units[] = {{"h", 3600 * 1000}, {"min", 60 * 1000}, {"s", 1000}, {"ms", 1}};

enum { UNITS = ARRAY_LEN(units) };

const char *cfg_duration_parse(struct slice text, uint64_t *milliseconds)
{
    uint64_t number = 0;
    size_t digits = 0;
    for (; digits < text.len && ascii_is_digit(text.data[digits]); digits++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.data[digits] - '0'), &number))
            return "the time is too long";
    if (digits == 0)
        return "it does not begin with a number";
    struct slice unit = slice_from(text, digits);
    if (unit.len == 0)
        return "the unit is missing";
    if (unit.data[0] == ' ')
        unit = slice_from(unit, 1);
    for (size_t i = 0; i < UNITS; i++)
        if (slice_equals(unit, slice_of(units[i].name)))
            return __builtin_mul_overflow(number, units[i].milliseconds, milliseconds)
                       ? "the time is too long"
                       : NULL;
    return "the unit is unknown";
}

const char *cfg_duration_of_seconds(int64_t seconds, uint64_t *milliseconds)
{
    if (seconds < 0)
        return "a time can't be negative";
    return __builtin_mul_overflow((uint64_t)seconds, 1000, milliseconds) ? "the time is too long" : NULL;
}

char *cfg_duration_text(struct cfg_arena *arena, uint64_t milliseconds)
{
    size_t unit = 0;
    while (unit < UNITS - 1 && (milliseconds == 0 || milliseconds % units[unit].milliseconds != 0))
        unit++;
    return cfg_arena_format(arena, "%" PRIu64 " %s", milliseconds / units[unit].milliseconds,
                            units[unit].name);
}
