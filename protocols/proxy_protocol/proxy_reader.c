/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/proxy_protocol/proxy_reader.h"

#include "base/array.h"
#include "base/ensure.h"
#include "protocols/proxy_protocol/proxy_reader_private.h"
#include "protocols/proxy_protocol/proxy_v2_private.h"

#include <string.h>

static const char *const words[] = {
    [PROXY_FAULT_NONE] = NULL,
    [PROXY_FAULT_LONG_LINE] = "version 1: no CRLF within 107 octets",
    [PROXY_FAULT_LINE_END] = "version 1: the line does not end with CRLF",
    [PROXY_FAULT_FORM] = "version 1: the line is not \"PROXY TCP4 CLIENT PROXY PORT PORT\"",
    [PROXY_FAULT_FAMILY] = "neither TCP over IPv4 nor over IPv6, nor unknown",
    [PROXY_FAULT_ADDRESS] = "version 1: an address is none of its family",
    [PROXY_FAULT_PORT] = "version 1: a port is not a number up to 65535",
    [PROXY_FAULT_VERSION] = "the signature of version 2, and another version",
    [PROXY_FAULT_COMMAND] = "version 2: the command is neither LOCAL nor PROXY",
    [PROXY_FAULT_LENGTH] = "version 2: its length has no room for its addresses",
    [PROXY_FAULT_LONG_HEADER] = "version 2: longer than 16384 octets",
};
_Static_assert(ARRAY_LEN(words) == PROXY_FAULTS, "words for each fault");
_Static_assert(PROXY_READER_MAX == 16384 && PROXY_V1_MAX == 107, "as the words have it");

const char *proxy_fault_words(enum proxy_fault fault)
{
    return words[fault];
}

struct slice proxy_reader_held(const struct proxy_reader *reader)
{
    return (struct slice){reader->held, reader->held_len};
}

void proxy_reader_hold(struct proxy_reader *reader, struct slice data)
{
    ENSURE(data.len <= sizeof reader->held - reader->held_len);
    if (data.len > 0)
        memcpy(reader->held + reader->held_len, data.data, data.len);
    reader->held_len += data.len;
}

void proxy_reader_refuse(struct proxy_reader *reader, enum proxy_fault fault)
{
    reader->fault = fault;
    reader->state = PROXY_READER_REFUSED;
}

/* What a header begins with: no client of TLS, and none that begins in the clear, sends one of them. */
static const struct signature {
    const uint8_t *octets;
    size_t len;
} signatures[] = {{proxy_v1_prefix, PROXY_V1_PREFIX_LEN}, {proxy_v2_signature, PROXY_V2_SIGNATURE_LEN}};

/* The version that the octets held can still be of; NULL: of none. */
static const struct signature *find_signature(const struct proxy_reader *reader)
{
    for (size_t i = 0; i < ARRAY_LEN(signatures); i++)
        if (reader->held_len <= signatures[i].len &&
            memcmp(signatures[i].octets, reader->held, reader->held_len) == 0)
            return &signatures[i];
    return NULL;
}

/* Takes octets up to the end of a signature, or up to the first that is of none. */
static size_t feed_signature(struct proxy_reader *reader, struct slice data)
{
    size_t taken = 0;
    while (taken < data.len && reader->state == PROXY_READER_UNDECIDED) {
        proxy_reader_hold(reader, slice_sub(data, taken++, 1));
        const struct signature *found = find_signature(reader);
        if (found == NULL)
            reader->state = PROXY_READER_ABSENT;
        else if (reader->held_len == found->len)
            reader->state = PROXY_READER_READS;
    }
    return taken;
}

size_t proxy_reader_feed(struct proxy_reader *reader, struct slice data)
{
    size_t taken = reader->state == PROXY_READER_UNDECIDED ? feed_signature(reader, data) : 0;
    if (reader->state != PROXY_READER_READS)
        return taken;
    struct slice rest = slice_from(data, taken);
    bool is_v1 = reader->held[0] == proxy_v1_prefix[0];
    return taken + (is_v1 ? proxy_reader_feed_v1(reader, rest) : proxy_reader_feed_v2(reader, rest));
}
