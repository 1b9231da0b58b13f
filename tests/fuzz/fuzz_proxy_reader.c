/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz_check.h"
#include "protocols/proxy_protocol/proxy_reader.h"

#include <string.h>

/*
 * Fuzzes the reader of PROXY headers. The first octet says how the input is cut: whole and cut, it must come
 * to the same, and never take an octet of the client's. Where a header ends is found once more by a reading
 * of its own (haproxy's proxy-protocol.txt, sections 2.1 and 2.2), and a header of version 1 must be the one
 * that its addresses are written as.
 */

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* Feeds all in parts of `step` octets, each in a block of its own. Returns how many were taken. */
static size_t feed(struct proxy_reader *reader, struct slice input, size_t step)
{
    size_t taken = 0;
    for (size_t at = 0; at < input.len; at += step) {
        struct slice part = slice_sub(input, at, step);
        uint8_t *block = malloc(part.len);
        check(block != NULL, "memory for the fuzzer itself");
        memcpy(block, part.data, part.len);
        bool is_over = reader->state > PROXY_READER_READS;
        size_t now = proxy_reader_feed(reader, (struct slice){block, part.len});
        free(block);
        check(now <= part.len && (!is_over || now == 0), "no more than there is, and nothing after the end");
        check(now == part.len || reader->state > PROXY_READER_READS, "all of it, as long as it goes on");
        taken += now;
    }
    return taken;
}

/* Where a header that is complete and right must end; 0: there is none. */
static size_t find_end(struct slice input)
{
    if (input.len >= 6 && memcmp(input.data, "PROXY ", 6) == 0) {
        size_t lf = slice_find(input, '\n');
        return lf < input.len && lf > 0 && input.data[lf - 1] == '\r' && lf < 107 ? lf + 1 : 0;
    }
    if (input.len < 16 || memcmp(input.data, signature, 12) != 0)
        return 0;
    size_t end = 16 + input.data[14] * 256u + input.data[15];
    return end <= input.len && end <= 16384 ? end : 0;
}

static void check_state(const struct proxy_reader *reader, struct slice input, size_t taken)
{
    size_t end = find_end(input);
    bool is_v2 = input.len >= 12 && memcmp(input.data, signature, 12) == 0;
    switch (reader->state) {
    case PROXY_READER_DONE:
        check(end > 0 && taken == end, "a header to its end");
        check(reader->client.family == reader->proxy.family, "two addresses of one family");
        check(!reader->is_local || (is_v2 && (input.data[12] & 15) == 0), "LOCAL only if it is there");
        check(!reader->is_local || reader->client.family == PROXY_V2_UNSPEC, "LOCAL has no address");
        break;
    case PROXY_READER_ABSENT:
        check(end == 0 && taken <= 12, "no header");
        check(slice_equals(proxy_reader_held(reader), slice_first(input, taken)), "its octets are kept");
        break;
    case PROXY_READER_REFUSED:
        check(taken <= 107 && proxy_fault_words(reader->fault) != NULL, "early, and with words");
        break;
    case PROXY_READER_UNDECIDED:
    case PROXY_READER_READS:
        check(end == 0 && taken == input.len, "something is missing");
        break;
    }
}

/* A line of version 1 with IPv4 has one spelling alone. */
static void check_line(const struct proxy_reader *reader, struct slice input, size_t taken)
{
    char line[128];
    const uint8_t *c = reader->client.octets;
    const uint8_t *p = reader->proxy.octets;
    if (reader->state != PROXY_READER_DONE || input.data[0] != 'P' || reader->client.family != PROXY_V2_IPV4)
        return;
    snprintf(line, sizeof line, "PROXY TCP4 %u.%u.%u.%u %u.%u.%u.%u %u %u\r\n", c[0], c[1], c[2], c[3], p[0],
             p[1], p[2], p[3], reader->client.port, reader->proxy.port);
    check(slice_equals(slice_first(input, taken), slice_of(line)), "what the line says");
}

static bool is_same(const struct proxy_v2_address *a, const struct proxy_v2_address *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(a->octets, b->octets, sizeof a->octets) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_reader whole = {0};
    struct proxy_reader cut = {0};
    if (size == 0)
        return 0;
    struct slice input = {data + 1, size - 1};
    size_t taken = feed(&whole, input, input.len > 0 ? input.len : 1);
    check(feed(&cut, input, 1 + data[0] % 32u) == taken, "the same in any cut");
    check(cut.state == whole.state && cut.fault == whole.fault && cut.is_local == whole.is_local,
          "the same end in any cut");
    check(is_same(&cut.client, &whole.client) && is_same(&cut.proxy, &whole.proxy),
          "the same addresses in any cut");
    check_state(&whole, input, taken);
    check_line(&whole, input, taken);
    return 0;
}
