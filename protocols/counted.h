/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_COUNTED_H
#define DEEPPROXY_PROTOCOLS_COUNTED_H

#include "base/slice.h"

/*
 * Octets that are counted and not read: an IMAP literal, a BDAT chunk. Takes those that belong to it off the
 * front of `*input`, at most `*left`, subtracts them from `*left` and returns them.
 */
static inline struct slice counted_take(uint64_t *left, struct slice *input)
{
    struct slice part = slice_first(*input, *left < input->len ? (size_t)*left : input->len);
    *input = slice_from(*input, part.len);
    *left -= part.len;
    return part;
}

#endif
