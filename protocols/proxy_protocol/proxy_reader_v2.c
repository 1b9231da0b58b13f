/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/proxy_protocol/proxy_reader_private.h"
#include "protocols/proxy_protocol/proxy_v2_private.h"

#include <string.h>

_Static_assert(FIXED_LEN + TCP6_LEN <= PROXY_READER_HELD_MAX, "room for all that is held");

static size_t number_at(const struct proxy_reader *reader, size_t at)
{
    return (size_t)reader->held[at] << 8 | reader->held[at + 1];
}

/*
 * How many octets of addresses the family has. For one whose addresses are of no use here they are passed
 * over as TLVs are. SIZE_MAX: it is none of a stream, or not in the specification, which has receivers drop
 * such connections (section 2.2).
 */
static size_t addresses_of(uint8_t family)
{
    switch (family) {
    case FAMILY_UNSPEC:
    case FAMILY_UNSPEC_STREAM:
        return 0;
    case FAMILY_TCP4:
        return TCP4_LEN;
    case FAMILY_TCP6:
        return TCP6_LEN;
    case FAMILY_UNIX_STREAM:
        return UNIX_LEN;
    default:
        return SIZE_MAX;
    }
}

static enum proxy_fault check_fixed(const struct proxy_reader *reader)
{
    uint8_t command = reader->held[COMMAND_AT];
    size_t len = number_at(reader, LENGTH_AT);
    if ((command & VERSION_MASK) != VERSION_2)
        return PROXY_FAULT_VERSION;
    if ((command & COMMAND_MASK) > COMMAND_PROXY)
        return PROXY_FAULT_COMMAND;
    if (len > PROXY_READER_MAX - FIXED_LEN)
        return PROXY_FAULT_LONG_HEADER;
    if ((command & COMMAND_MASK) == COMMAND_LOCAL)
        return PROXY_FAULT_NONE; /* its family must be ignored */
    size_t addresses = addresses_of(reader->held[FAMILY_AT]);
    if (addresses == SIZE_MAX)
        return PROXY_FAULT_FAMILY;
    return addresses > len ? PROXY_FAULT_LENGTH : PROXY_FAULT_NONE;
}

/* The part of fixed length is there: it tells what follows. */
static void read_fixed(struct proxy_reader *reader)
{
    enum proxy_fault fault = check_fixed(reader);
    if (fault != PROXY_FAULT_NONE) {
        proxy_reader_refuse(reader, fault);
        return;
    }
    uint8_t family = reader->held[FAMILY_AT];
    reader->is_local = (reader->held[COMMAND_AT] & COMMAND_MASK) == COMMAND_LOCAL;
    bool is_read = !reader->is_local && (family == FAMILY_TCP4 || family == FAMILY_TCP6);
    size_t addresses = is_read ? addresses_of(family) : 0;
    reader->wanted = FIXED_LEN + addresses;
    reader->unread = number_at(reader, LENGTH_AT) - addresses;
}

static void read_addresses(struct proxy_reader *reader)
{
    size_t len = reader->wanted - FIXED_LEN;
    if (len == 0)
        return;
    size_t each = len == TCP4_LEN ? 4 : 16;
    const uint8_t *at = reader->held + FIXED_LEN;
    reader->client.family = reader->proxy.family = len == TCP4_LEN ? PROXY_V2_IPV4 : PROXY_V2_IPV6;
    memcpy(reader->client.octets, at, each);
    memcpy(reader->proxy.octets, at + each, each);
    reader->client.port = (uint16_t)number_at(reader, FIXED_LEN + 2 * each);
    reader->proxy.port = (uint16_t)number_at(reader, FIXED_LEN + 2 * each + 2);
}

/* Holds octets until there are `count` in all. Returns how many it has taken. */
static size_t hold_up_to(struct proxy_reader *reader, struct slice data, size_t count)
{
    struct slice taken = slice_first(data, count - reader->held_len);
    proxy_reader_hold(reader, taken);
    return taken.len;
}

size_t proxy_reader_feed_v2(struct proxy_reader *reader, struct slice data)
{
    size_t taken = 0;
    if (reader->wanted == 0) {
        taken = hold_up_to(reader, data, FIXED_LEN);
        if (reader->held_len == FIXED_LEN)
            read_fixed(reader);
    }
    if (reader->wanted == 0 || reader->state == PROXY_READER_REFUSED)
        return taken;
    taken += hold_up_to(reader, slice_from(data, taken), reader->wanted);
    if (reader->held_len < reader->wanted)
        return taken;
    struct slice passed = slice_first(slice_from(data, taken), reader->unread);
    reader->unread -= passed.len;
    if (reader->unread == 0) {
        read_addresses(reader);
        reader->state = PROXY_READER_DONE;
    }
    return taken + passed.len;
}
