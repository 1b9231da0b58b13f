/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/sasl_mechanism.h"

/* RFC 4422 section 3.1, in any case as servers take it; without its limit of 20, which some exceed. */
static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return name.len > 0;
}

enum sasl_mechanism sasl_mechanism_judge(struct slice name, bool external)
{
    if (!is_name(name))
        return SASL_MECHANISM_MALFORMED;
    if (slice_has_suffix(name, "-PLUS"))
        return SASL_MECHANISM_BINDS_CHANNEL;
    if (slice_is_word(name, "EXTERNAL") && !external)
        return SASL_MECHANISM_EXTERNAL;
    return SASL_MECHANISM_PASSES;
}

bool sasl_mechanism_is_shown(struct slice name, bool external)
{
    return !slice_has_suffix(name, "-PLUS") && (external || !slice_is_word(name, "EXTERNAL"));
}
