/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/sasl_line.h"

bool sasl_line_is_sound(struct slice text)
{
    if (slice_is_word(text, "*"))
        return true;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '+' && c != '/' && c != '=')
            return false;
    }
    return true;
}
