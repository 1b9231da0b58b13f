/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/proxy_protocol/proxy_reader.h"

#include "base/array.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- headers, as HAProxy's doc/proxy-protocol.txt has them ---- */

#define SIGNATURE "\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A"
#define TCP4      "\xCB\x00\x71\x09\xC0\x00\x02\x01\x12\x67\x03\xE1"
#define TCP6                                                                                                 \
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x09"                                                             \
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\xFF\xFF\x03\xE3"
#define MAPPED                                                                                               \
    "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xCB\x00\x71\x09\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\x00\x02\x01\x12\x67\x03"   \
    "\xE1"
#define TLVS "\x02\x00\x03www\x20\x00\x0F\x01\0\0\0\0\x21\x00\x07TLSv1.3"
#define ZEROS_54                                                                                             \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
    "\0\0\0"
#define ZEROS_216 ZEROS_54 ZEROS_54 ZEROS_54 ZEROS_54
#define LONGEST   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

#define UNKNOWN                                                                                              \
    {                                                                                                        \
        .family = PROXY_V2_UNSPEC                                                                            \
    }
#define V4_CLIENT                                                                                            \
    {                                                                                                        \
        PROXY_V2_IPV4, {203, 0, 113, 9}, 4711                                                                \
    }
#define V4_PROXY                                                                                             \
    {                                                                                                        \
        PROXY_V2_IPV4, {192, 0, 2, 1}, 993                                                                   \
    }
#define V6_CLIENT                                                                                            \
    {                                                                                                        \
        PROXY_V2_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 9}, 65535                                             \
    }
#define V6_PROXY                                                                                             \
    {                                                                                                        \
        PROXY_V2_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, 995                                               \
    }

struct example {
    const char *name;
    const char *octets;
    size_t len;
    struct proxy_v2_address client;
    struct proxy_v2_address proxy;
    bool is_local;
};

#define OCTETS(text) (text), sizeof(text) - 1

static const struct example good[] = {
    {"v1, IPv4", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1 4711 993\r\n"), V4_CLIENT, V4_PROXY, false},
    {"v1, IPv6", OCTETS("PROXY TCP6 2001:db8::9 2001:db8::1 65535 995\r\n"), V6_CLIENT, V6_PROXY, false},
    {"v1, nothing known", OCTETS("PROXY UNKNOWN\r\n"), UNKNOWN, UNKNOWN, false},
    {"v1, text after UNKNOWN", OCTETS("PROXY UNKNOWN " LONGEST " " LONGEST " 65535 65535\r\n"), UNKNOWN,
     UNKNOWN, false},
    {"v1, any text after UNKNOWN", OCTETS("PROXY UNKNOWN  PROXY \x80 TCP4\r\n"), UNKNOWN, UNKNOWN, false},
    {"v1, port 0",
     OCTETS("PROXY TCP4 1.2.3.4 5.6.7.8 0 65535\r\n"),
     {PROXY_V2_IPV4, {1, 2, 3, 4}, 0},
     {PROXY_V2_IPV4, {5, 6, 7, 8}, 65535},
     false},
    {"v2, IPv4", OCTETS(SIGNATURE "\x21\x11\0\x0C" TCP4), V4_CLIENT, V4_PROXY, false},
    {"v2, IPv6", OCTETS(SIGNATURE "\x21\x21\0\x24" TCP6), V6_CLIENT, V6_PROXY, false},
    {"v2, mapped addresses are as they were sent",
     OCTETS(SIGNATURE "\x21\x21\0\x24" MAPPED),
     {PROXY_V2_IPV6, {[10] = 0xff, 0xff, 203, 0, 113, 9}, 4711},
     {PROXY_V2_IPV6, {[10] = 0xff, 0xff, 192, 0, 2, 1}, 993},
     false},
    {"v2, TLVs", OCTETS(SIGNATURE "\x21\x11\0\x24" TCP4 TLVS), V4_CLIENT, V4_PROXY, false},
    {"v2, TLVs that are none", OCTETS(SIGNATURE "\x21\x11\0\x0E" TCP4 "\x20\xFF"), V4_CLIENT, V4_PROXY,
     false},
    {"v2, no family", OCTETS(SIGNATURE "\x21\x00\0\0"), UNKNOWN, UNKNOWN, false},
    {"v2, no family, and TLVs", OCTETS(SIGNATURE "\x21\x00\0\x18" TLVS), UNKNOWN, UNKNOWN, false},
    {"v2, a stream of no family", OCTETS(SIGNATURE "\x21\x01\0\0"), UNKNOWN, UNKNOWN, false},
    {"v2, Unix", OCTETS(SIGNATURE "\x21\x31\0\xD8" ZEROS_216), UNKNOWN, UNKNOWN, false},
    {"v2, LOCAL", OCTETS(SIGNATURE "\x20\x00\0\0"), UNKNOWN, UNKNOWN, true},
    {"v2, LOCAL with addresses", OCTETS(SIGNATURE "\x20\x11\0\x0C" TCP4), UNKNOWN, UNKNOWN, true},
    {"v2, LOCAL of a family that there is not", OCTETS(SIGNATURE "\x20\xFF\0\x01x"), UNKNOWN, UNKNOWN, true},
};

static const struct {
    const char *name;
    const char *octets;
    size_t len;
    enum proxy_fault fault;
} bad[] = {
    {"a bare LF", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1 4711 993\n"), PROXY_FAULT_LINE_END},
    {"a CR in the line", OCTETS("PROXY UNKNOWN \r \r\n"), PROXY_FAULT_LINE_END},
    {"nothing after the word", OCTETS("PROXY \r\n"), PROXY_FAULT_FORM},
    {"two spaces", OCTETS("PROXY  TCP4 203.0.113.9 192.0.2.1 4711 993\r\n"), PROXY_FAULT_FORM},
    {"two spaces between the addresses", OCTETS("PROXY TCP4 203.0.113.9  192.0.2.1 4711 993\r\n"),
     PROXY_FAULT_FORM},
    {"the family in lower case", OCTETS("PROXY tcp4 203.0.113.9 192.0.2.1 4711 993\r\n"), PROXY_FAULT_FAMILY},
    {"another family", OCTETS("PROXY UDP4 203.0.113.9 192.0.2.1 4711 993\r\n"), PROXY_FAULT_FAMILY},
    {"nearly UNKNOWN", OCTETS("PROXY UNKNOWNS\r\n"), PROXY_FAULT_FAMILY},
    {"an IPv6 address as IPv4", OCTETS("PROXY TCP4 2001:db8::9 192.0.2.1 4711 993\r\n"), PROXY_FAULT_ADDRESS},
    {"an IPv4 address as IPv6", OCTETS("PROXY TCP6 2001:db8::9 192.0.2.1 4711 993\r\n"), PROXY_FAULT_ADDRESS},
    {"an address with a zero in front", OCTETS("PROXY TCP4 203.0.113.09 192.0.2.1 4711 993\r\n"),
     PROXY_FAULT_ADDRESS},
    {"an address with a zone", OCTETS("PROXY TCP6 fe80::1%eth0 ::1 4711 993\r\n"), PROXY_FAULT_ADDRESS},
    {"no ports", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1\r\n"), PROXY_FAULT_FORM},
    {"one port", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1 4711\r\n"), PROXY_FAULT_FORM},
    {"three ports", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1 4711 993 1\r\n"), PROXY_FAULT_FORM},
    {"a space at the end", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1 4711 993 \r\n"), PROXY_FAULT_FORM},
    {"an empty port", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1 4711 \r\n"), PROXY_FAULT_PORT},
    {"a port over 65535", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1 65536 993\r\n"), PROXY_FAULT_PORT},
    {"a port that wraps", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1 4294968289 993\r\n"), PROXY_FAULT_PORT},
    {"a port with a zero in front", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1 4711 0993\r\n"),
     PROXY_FAULT_PORT},
    {"a negative port", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1 -1 993\r\n"), PROXY_FAULT_PORT},
    {"a word for a port", OCTETS("PROXY TCP4 203.0.113.9 192.0.2.1 imaps 993\r\n"), PROXY_FAULT_PORT},
    {"a line without an end", OCTETS("PROXY UNKNOWN " ZEROS_216), PROXY_FAULT_LONG_LINE},
    {"v2, version 1", OCTETS(SIGNATURE "\x11\x11\0\x0C" TCP4), PROXY_FAULT_VERSION},
    {"v2, version 3", OCTETS(SIGNATURE "\x31\x11\0\x0C" TCP4), PROXY_FAULT_VERSION},
    {"v2, another command", OCTETS(SIGNATURE "\x22\x11\0\x0C" TCP4), PROXY_FAULT_COMMAND},
    {"v2, datagrams", OCTETS(SIGNATURE "\x21\x12\0\x0C" TCP4), PROXY_FAULT_FAMILY},
    {"v2, a family that there is not", OCTETS(SIGNATURE "\x21\x41\0\x0C" TCP4), PROXY_FAULT_FAMILY},
    {"v2, no room for IPv4", OCTETS(SIGNATURE "\x21\x11\0\x0B" TCP4), PROXY_FAULT_LENGTH},
    {"v2, no room for IPv6", OCTETS(SIGNATURE "\x21\x21\0\x23" TCP6), PROXY_FAULT_LENGTH},
    {"v2, no room for Unix", OCTETS(SIGNATURE "\x21\x31\0\xD7" ZEROS_216), PROXY_FAULT_LENGTH},
    {"v2, one octet over the limit", OCTETS(SIGNATURE "\x21\x11\x3F\xF1" TCP4), PROXY_FAULT_LONG_HEADER},
    {"v2, 64 KB", OCTETS(SIGNATURE "\x21\x11\xFF\xFF" TCP4), PROXY_FAULT_LONG_HEADER},
    {"v2, LOCAL of 64 KB", OCTETS(SIGNATURE "\x20\x00\xFF\xFF" TCP4), PROXY_FAULT_LONG_HEADER},
};

/* No header: what clients begin with. */
static const struct {
    const char *octets;
    size_t len;
    size_t taken;
} absent[] = {
    {OCTETS("\x16\x03\x01\x02\x00\x01"), 1},
    {OCTETS("proxy TCP4 203.0.113.9 192.0.2.1 4711 993\r\n"), 1},
    {OCTETS("POST / HTTP/1.1\r\n"), 2},
    {OCTETS("PROXY\tTCP4"), 6},
    {OCTETS("\r\n\r\n\r\n"), 5},
    {OCTETS("\r\n\r\n\0\r\nQUIT\r\n"), 12},
    {OCTETS("a1 LOGIN"), 1},
};

/* ---- feeding ---- */

static const char client_hello[] = "\x16\x03\x01PROXY ";

/* Feeds what has not been taken, in a block of its own, so that a sanitizer sees each octet too many. */
static size_t feed(struct proxy_reader *reader, const uint8_t *octets, size_t len)
{
    uint8_t *block = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(block);
    if (len > 0)
        memcpy(block, octets, len);
    size_t taken = proxy_reader_feed(reader, (struct slice){block, len});
    free(block);
    ck_assert_uint_le(taken, len);
    return taken;
}

static bool is_over(const struct proxy_reader *reader)
{
    return reader->state != PROXY_READER_UNDECIDED && reader->state != PROXY_READER_READS;
}

/* Feeds all in parts that end at `first`, at `second`, and every `step` octets after that. */
static size_t feed_in_parts(struct proxy_reader *reader, const uint8_t *octets, size_t len, size_t first,
                            size_t second, size_t step)
{
    size_t at = 0;
    size_t taken = 0;
    *reader = (struct proxy_reader){0};
    while (at < len) {
        size_t end = at < first ? first : at < second ? second : at + step;
        end = end < len ? end : len;
        bool was_over = is_over(reader);
        size_t now = feed(reader, octets + at, end - at);
        ck_assert(!was_over || now == 0);
        ck_assert(is_over(reader) || now == end - at);
        taken += now;
        at = end;
    }
    return taken;
}

static void expect_address(const struct proxy_v2_address *is, const struct proxy_v2_address *expected)
{
    ck_assert_int_eq(is->family, expected->family);
    ck_assert_mem_eq(is->octets, expected->octets, sizeof expected->octets);
    ck_assert_uint_eq(is->port, expected->port);
}

static void expect(const struct proxy_reader *reader, const struct example *e)
{
    ck_assert_msg(reader->state == PROXY_READER_DONE, "%s: %s", e->name, proxy_fault_words(reader->fault));
    ck_assert_int_eq(reader->is_local, e->is_local);
    expect_address(&reader->client, &e->client);
    expect_address(&reader->proxy, &e->proxy);
}

/* A header, and what the client sends after it, in one block. */
static uint8_t *with_hello(const char *octets, size_t len, size_t *total)
{
    *total = len + sizeof client_hello - 1;
    uint8_t *all = malloc(*total);
    ck_assert_ptr_nonnull(all);
    memcpy(all, octets, len);
    memcpy(all + len, client_hello, sizeof client_hello - 1);
    return all;
}

START_TEST(reads_headers_in_any_cut)
{
    const struct example *e = &good[_i];
    struct proxy_reader reader;
    size_t total;
    uint8_t *all = with_hello(e->octets, e->len, &total);
    for (size_t first = 0; first <= total; first++)
        for (size_t second = first; second <= total; second += first % 16 == 0 ? 1 : total) {
            ck_assert_uint_eq(feed_in_parts(&reader, all, total, first, second, total), e->len);
            expect(&reader, e);
        }
    ck_assert_uint_eq(feed_in_parts(&reader, all, total, 0, 0, 1), e->len);
    expect(&reader, e);
    free(all);
}
END_TEST

/* As long as something of it is missing it is not done, and what there is makes no difference. */
START_TEST(waits_for_the_whole_header)
{
    const struct example *e = &good[_i];
    for (size_t len = 0; len < e->len; len++) {
        struct proxy_reader reader = {0};
        ck_assert_uint_eq(feed(&reader, (const uint8_t *)e->octets, len), len);
        ck_assert(reader.state == (len < 6 || (e->octets[0] == '\r' && len < 12) ? PROXY_READER_UNDECIDED
                                                                                 : PROXY_READER_READS));
    }
}
END_TEST

START_TEST(refuses_what_is_wrong)
{
    struct proxy_reader reader;
    const uint8_t *octets = (const uint8_t *)bad[_i].octets;
    size_t len = bad[_i].len;
    size_t taken = feed_in_parts(&reader, octets, len, len, len, len);
    ck_assert_int_eq(reader.state, PROXY_READER_REFUSED);
    ck_assert_msg(reader.fault == bad[_i].fault, "%s: %s", bad[_i].name, proxy_fault_words(reader.fault));
    for (size_t first = 0; first <= len; first++) {
        ck_assert_uint_eq(feed_in_parts(&reader, octets, len, first, first, len), taken);
        ck_assert_int_eq(reader.fault, bad[_i].fault);
    }
    ck_assert_uint_eq(feed_in_parts(&reader, octets, len, 0, 0, 1), taken);
    ck_assert_int_eq(reader.fault, bad[_i].fault);
}
END_TEST

/* 107 octets are the longest line (section 2.1), and 16,384 the longest header of version 2. */
START_TEST(limits)
{
    char line[120];
    struct proxy_reader reader;
    for (size_t len = 100; len <= 112; len++) {
        memset(line, 'x', sizeof line);
        memcpy(line, "PROXY UNKNOWN ", 14);
        memcpy(line + len - 2, "\r\n", 2);
        size_t taken = feed_in_parts(&reader, (const uint8_t *)line, len, 0, 0, 1);
        ck_assert_uint_eq(taken, len <= PROXY_V1_MAX ? len : PROXY_V1_MAX);
        ck_assert_int_eq(reader.fault, len <= PROXY_V1_MAX ? PROXY_FAULT_NONE : PROXY_FAULT_LONG_LINE);
        ck_assert_uint_eq(feed_in_parts(&reader, (const uint8_t *)line, len, len, len, len), taken);
    }
    static uint8_t longest[PROXY_READER_MAX + 4];
    memcpy(longest, SIGNATURE "\x21\x11\x3F\xF0" TCP4, 28);
    ck_assert_uint_eq(feed_in_parts(&reader, longest, sizeof longest, 17, 17, 1000), PROXY_READER_MAX);
    ck_assert_int_eq(reader.state, PROXY_READER_DONE);
    ck_assert_uint_eq(reader.client.port, 4711);
}
END_TEST

START_TEST(knows_what_is_no_header)
{
    for (size_t cut = 0; cut <= absent[_i].len; cut++) {
        struct proxy_reader reader;
        const uint8_t *octets = (const uint8_t *)absent[_i].octets;
        size_t taken = feed_in_parts(&reader, octets, absent[_i].len, cut, cut, 1000);
        struct slice held = proxy_reader_held(&reader);
        ck_assert_int_eq(reader.state, PROXY_READER_ABSENT);
        ck_assert_uint_eq(taken, absent[_i].taken);
        ck_assert(slice_equals(held, (struct slice){octets, taken}));
    }
}
END_TEST

/* ---- what our own writers write ---- */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static struct proxy_v2_address draw_address(enum proxy_v2_family family)
{
    struct proxy_v2_address address = {.family = family, .port = (uint16_t)draw(65536)};
    for (size_t i = 0; i < (family == PROXY_V2_IPV4 ? 4u : 16u); i++)
        address.octets[i] = (uint8_t)draw(draw(2) + 255);
    address.octets[0] |= 1; /* no mapped one: the writer makes IPv4 of these */
    return address;
}

START_TEST(reads_what_the_writer_of_version_2_writes)
{
    static uint8_t octets[PROXY_V2_MAX];
    static uint8_t field[256];
    seed = 1;
    memset(field, 'x', sizeof field);
    for (int i = 0; i < 2000; i++) {
        enum proxy_v2_family family = draw(2) == 0 ? PROXY_V2_IPV4 : PROXY_V2_IPV6;
        struct proxy_v2_tls tls = {.version = "TLSv1.3", .cipher = "TLS_AES_128_GCM_SHA256"};
        struct proxy_v2 header = {.local = draw(8) == 0,
                                  .client = draw_address(family),
                                  .proxy = draw_address(family),
                                  .authority = {field, draw(256)},
                                  .unique_id = {field, draw(PROXY_V2_UNIQUE_ID_MAX)},
                                  .tls = draw(2) == 0 ? &tls : NULL};
        size_t len = proxy_v2_write(&header, octets, sizeof octets);
        struct example e = {.name = "written", .is_local = header.local};
        struct proxy_reader reader;
        if (!header.local) {
            e.client = header.client;
            e.proxy = header.proxy;
        }
        ck_assert_uint_eq(feed_in_parts(&reader, octets, len, draw(80), draw(80), 1 + draw(200)), len);
        expect(&reader, &e);
    }
}
END_TEST

START_TEST(reads_what_the_writer_of_version_1_writes)
{
    seed = 2;
    for (int i = 0; i < 2000; i++) {
        char line[PROXY_V1_MAX + 1];
        char client[64];
        char proxy[64];
        struct example e = {.name = "written"};
        bool is_v6 = draw(2) == 0;
        e.client = draw_address(is_v6 ? PROXY_V2_IPV6 : PROXY_V2_IPV4);
        e.proxy = draw_address(e.client.family);
        char *texts[] = {client, proxy};
        const struct proxy_v2_address *addresses[] = {&e.client, &e.proxy};
        for (size_t j = 0; j < 2; j++) {
            const uint8_t *o = addresses[j]->octets;
            if (!is_v6)
                snprintf(texts[j], 64, "%u.%u.%u.%u", o[0], o[1], o[2], o[3]);
            for (size_t k = 0; is_v6 && k < 8; k++)
                snprintf(texts[j] + k * 5, 6, "%02x%02x%s", o[2 * k], o[2 * k + 1], k < 7 ? ":" : "");
        }
        struct proxy_v1 header = {client, proxy, e.client.port, e.proxy.port};
        size_t len = proxy_v1_write(&header, line);
        struct proxy_reader reader;
        ck_assert_uint_eq(
            feed_in_parts(&reader, (const uint8_t *)line, len, draw(80), draw(80), 1 + draw(200)), len);
        expect(&reader, &e);
    }
}
END_TEST

START_TEST(has_words_for_each_fault)
{
    ck_assert_ptr_null(proxy_fault_words(PROXY_FAULT_NONE));
    for (int i = 1; i < PROXY_FAULTS; i++)
        ck_assert_ptr_nonnull(proxy_fault_words((enum proxy_fault)i));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy_reader");
    TCase *tests = tcase_create("reader");
    tcase_add_loop_test(tests, reads_headers_in_any_cut, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tests, waits_for_the_whole_header, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tests, refuses_what_is_wrong, 0, ARRAY_LEN(bad));
    tcase_add_loop_test(tests, knows_what_is_no_header, 0, ARRAY_LEN(absent));
    tcase_add_test(tests, limits);
    tcase_add_test(tests, reads_what_the_writer_of_version_2_writes);
    tcase_add_test(tests, reads_what_the_writer_of_version_1_writes);
    tcase_add_test(tests, has_words_for_each_fault);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
