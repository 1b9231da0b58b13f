/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/proxy_protocol/proxy_reader_private.h"

#include "base/ip_literal.h"

const uint8_t proxy_v1_prefix[PROXY_V1_PREFIX_LEN] = {'P', 'R', 'O', 'X', 'Y', ' '};

/* Takes a word and the space after it. False if there is no such word. */
static bool take_word(struct slice *rest, struct slice *word)
{
    size_t len = slice_find(*rest, ' ');
    *word = slice_first(*rest, len);
    bool ok = len > 0 && len < rest->len;
    *rest = slice_from(*rest, len + 1);
    return ok;
}

/* Section 2.1: zeros in front are not allowed. */
static bool read_port(struct slice text, uint16_t *port)
{
    unsigned number;
    bool ok = slice_read_decimal(text, UINT16_MAX, &number);
    *port = (uint16_t)number;
    return ok;
}

static bool read_address(struct slice text, struct proxy_v2_address *address)
{
    return address->family == PROXY_V2_IPV4 ? ip_literal_read_ipv4(text, address->octets)
                                            : ip_literal_read_ipv6(text, address->octets);
}

/* "192.0.2.9 192.0.2.1 4711 993" */
static enum proxy_fault read_addresses(struct proxy_reader *reader, struct slice rest,
                                       enum proxy_v2_family family)
{
    struct slice client;
    struct slice proxy;
    struct slice client_port;
    reader->client.family = reader->proxy.family = family;
    if (!take_word(&rest, &client) || !take_word(&rest, &proxy) || !take_word(&rest, &client_port) ||
        slice_find(rest, ' ') < rest.len)
        return PROXY_FAULT_FORM;
    if (!read_address(client, &reader->client) || !read_address(proxy, &reader->proxy))
        return PROXY_FAULT_ADDRESS;
    return read_port(client_port, &reader->client.port) && read_port(rest, &reader->proxy.port)
               ? PROXY_FAULT_NONE
               : PROXY_FAULT_PORT;
}

/* The line without "PROXY " and CRLF. Whatever follows UNKNOWN has no meaning (section 2.1). */
static enum proxy_fault read_line(struct proxy_reader *reader, struct slice line)
{
    struct slice rest = line;
    struct slice family = slice_next_word(&rest, ' ');
    rest = slice_from(line, family.len + 1);
    if (family.len == 0 || family.data != line.data)
        return PROXY_FAULT_FORM;
    if (slice_equals(family, slice_of("UNKNOWN")))
        return PROXY_FAULT_NONE;
    if (slice_equals(family, slice_of("TCP4")))
        return read_addresses(reader, rest, PROXY_V2_IPV4);
    return slice_equals(family, slice_of("TCP6")) ? read_addresses(reader, rest, PROXY_V2_IPV6)
                                                  : PROXY_FAULT_FAMILY;
}

static void end_line(struct proxy_reader *reader)
{
    struct slice line = slice_from(proxy_reader_held(reader), PROXY_V1_PREFIX_LEN);
    bool is_ended = line.len >= 2 && line.data[line.len - 2] == '\r' &&
                    slice_find(line, '\r') == line.len - 2; /* CR is in no other place */
    enum proxy_fault fault =
        is_ended ? read_line(reader, slice_first(line, line.len - 2)) : PROXY_FAULT_LINE_END;
    if (fault != PROXY_FAULT_NONE)
        proxy_reader_refuse(reader, fault);
    else
        reader->state = PROXY_READER_DONE;
}

size_t proxy_reader_feed_v1(struct proxy_reader *reader, struct slice data)
{
    size_t room = PROXY_V1_MAX - reader->held_len;
    size_t lf = slice_find(data, '\n');
    struct slice taken = slice_first(data, lf < data.len ? lf + 1 : data.len);
    bool fits = taken.len <= room;
    taken = slice_first(taken, room);
    proxy_reader_hold(reader, taken);
    if (!fits || (lf == data.len && taken.len == room))
        proxy_reader_refuse(reader, PROXY_FAULT_LONG_LINE);
    else if (lf < data.len)
        end_line(reader);
    return taken.len;
}
