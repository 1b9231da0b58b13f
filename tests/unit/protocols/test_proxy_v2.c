/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "protocols/proxy_protocol/proxy_v2.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

/* ---- octets as the specification has them ---- */

#define SIGNATURE "\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A"

static const struct proxy_v2_address unknown = {.family = PROXY_V2_UNSPEC};
static const struct proxy_v2_address v4_client = {PROXY_V2_IPV4, {203, 0, 113, 9}, 4711};
static const struct proxy_v2_address v4_proxy = {PROXY_V2_IPV4, {192, 0, 2, 1}, 993};
static const struct proxy_v2_address v6_client = {PROXY_V2_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 9}, 65535};
static const struct proxy_v2_address v6_proxy = {PROXY_V2_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, 995};
static const struct proxy_v2_address mapped_client = {
    PROXY_V2_IPV6, {[10] = 0xff, 0xff, 203, 0, 113, 9}, 4711};
static const struct proxy_v2_address mapped_proxy = {PROXY_V2_IPV6, {[10] = 0xff, 0xff, 192, 0, 2, 1}, 993};

static const struct proxy_v2_tls tls13 = {.version = "TLSv1.3", .cipher = "TLS_AES_128_GCM_SHA256"};
static const struct proxy_v2_tls tls12 = {.version = "TLSv1.2",
                                          .cipher = "ECDHE-RSA-AES128-GCM-SHA256",
                                          .certificate_conn = true,
                                          .certificate_sess = true,
                                          .certificate_verified = true};
#define NAME "J\xC3\xB6rg, joe@example.com"
static const struct proxy_v2_tls named = {
    .version = "TLSv1.3",
    .cipher = "TLS_AES_128_GCM_SHA256",
    .certificate_conn = true,
    .certificate_sess = true,
    .certificate_verified = true,
    .common_name = {(const uint8_t *)NAME, sizeof NAME - 1},
};
static const struct proxy_v2_tls resumed = {
    .version = "TLSv1.2",
    .certificate_sess = true,
    .certificate_verified = true,
    .common_name = {(const uint8_t *)"joe", 3},
};
static const struct proxy_v2_tls named_and_bad = {
    .version = "TLSv1.2",
    .certificate_conn = true,
    .certificate_sess = true,
    .common_name = {(const uint8_t *)"joe", 3},
};
static const struct proxy_v2_tls named_without_one = {
    .version = "TLSv1.2",
    .certificate_verified = true,
    .common_name = {(const uint8_t *)"joe", 3},
};
static const uint8_t long_name[PROXY_V2_NAME_MAX + 1];
static const struct proxy_v2_tls named_too_long = {
    .version = "TLSv1.2",
    .certificate_sess = true,
    .certificate_verified = true,
    .common_name = {long_name, sizeof long_name},
};
static const struct proxy_v2_tls bad_certificate = {.version = "TLSv1.2", .certificate_sess = true};
static const struct proxy_v2_tls verified_nothing = {.version = "TLSv1.3", .certificate_verified = true};

#define TCP4_OCTETS      "\xCB\x00\x71\x09\xC0\x00\x02\x01\x12\x67\x03\xE1"
#define V6_CLIENT_OCTETS "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x09"
#define V6_PROXY_OCTETS  "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01"

struct example {
    const char *name;
    const struct proxy_v2_address *client;
    const struct proxy_v2_address *proxy;
    struct proxy_v2 rest;
    const char *octets;
    size_t len;
};

#define OCTETS(text) .octets = (text), .len = sizeof(text) - 1
#define SLICE(text)                                                                                          \
    {                                                                                                        \
        (const uint8_t *)(text), sizeof(text) - 1                                                            \
    }

static const struct example examples[] = {
    {.name = "TCP over IPv4",
     .client = &v4_client,
     .proxy = &v4_proxy,
     OCTETS(SIGNATURE "\x21\x11\x00\x0C" TCP4_OCTETS)},
    {.name = "TCP over IPv6",
     .client = &v6_client,
     .proxy = &v6_proxy,
     OCTETS(SIGNATURE "\x21\x21\x00\x24" V6_CLIENT_OCTETS V6_PROXY_OCTETS "\xFF\xFF\x03\xE3")},
    {.name = "IPv4 mapped into IPv6 is IPv4",
     .client = &mapped_client,
     .proxy = &mapped_proxy,
     OCTETS(SIGNATURE "\x21\x11\x00\x0C" TCP4_OCTETS)},
    {.name = "one of them mapped, the other plain IPv4",
     .client = &mapped_client,
     .proxy = &v4_proxy,
     OCTETS(SIGNATURE "\x21\x11\x00\x0C" TCP4_OCTETS)},
    {.name = "IPv4 beside IPv6 is mapped",
     .client = &v4_client,
     .proxy = &v6_proxy,
     OCTETS(SIGNATURE "\x21\x21\x00\x24"
                      "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xCB\x00\x71\x09" V6_PROXY_OCTETS "\x12\x67\x03\xE3")},
    {.name = "mapped beside IPv6 stays mapped",
     .client = &v6_client,
     .proxy = &mapped_proxy,
     OCTETS(SIGNATURE "\x21\x21\x00\x24" V6_CLIENT_OCTETS "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\x00\x02\x01"
                      "\xFF\xFF\x03\xE1")},
    {.name = "addresses not known",
     .client = &v4_client,
     .proxy = &unknown,
     OCTETS(SIGNATURE "\x21\x00\x00\x00")},
    {.name = "addresses not known, but TLVs",
     .client = &unknown,
     .proxy = &v4_proxy,
     .rest = {.authority = SLICE("mail")},
     OCTETS(SIGNATURE "\x21\x00\x00\x07\x02\x00\x04mail")},
    {.name = "LOCAL says nothing else",
     .client = &v4_client,
     .proxy = &v4_proxy,
     .rest = {.local = true, .authority = SLICE("mail"), .tls = &tls13},
     OCTETS(SIGNATURE "\x20\x00\x00\x00")},
    {.name = "all TLVs, TLS 1.3 without a certificate of the client's: verify is 1 in network order",
     .client = &v4_client,
     .proxy = &v4_proxy,
     .rest = {.authority = SLICE("mail.example.com"), .unique_id = SLICE("s1"), .tls = &tls13},
     OCTETS(SIGNATURE "\x21\x11\x00\x4F" TCP4_OCTETS "\x02\x00\x10mail.example.com"
                      "\x05\x00\x02s1"
                      "\x20\x00\x28\x01\x00\x00\x00\x01"
                      "\x21\x00\x07TLSv1.3"
                      "\x23\x00\x16TLS_AES_128_GCM_SHA256")},
    {.name = "TLS 1.2 with a good certificate of the client's: verify is 0",
     .client = &v4_client,
     .proxy = &v4_proxy,
     .rest = {.tls = &tls12},
     OCTETS(SIGNATURE "\x21\x11\x00\x3C" TCP4_OCTETS "\x20\x00\x2D\x07\x00\x00\x00\x00"
                      "\x21\x00\x07TLSv1.2"
                      "\x23\x00\x1B"
                      "ECDHE-RSA-AES128-GCM-SHA256")},
    {.name = "a certificate that was not found good, and no cipher",
     .client = &v4_client,
     .proxy = &v4_proxy,
     .rest = {.tls = &bad_certificate},
     OCTETS(SIGNATURE "\x21\x11\x00\x1E" TCP4_OCTETS "\x20\x00\x0F\x05\x00\x00\x00\x01"
                      "\x21\x00\x07TLSv1.2")},
    {.name = "the name of a good certificate, shown in this connection",
     .client = &v4_client,
     .proxy = &v4_proxy,
     .rest = {.tls = &named},
     OCTETS(SIGNATURE "\x21\x11\x00\x50" TCP4_OCTETS "\x20\x00\x41\x07\x00\x00\x00\x00"
                      "\x21\x00\x07TLSv1.3"
                      "\x22\x00\x16" NAME "\x23\x00\x16TLS_AES_128_GCM_SHA256")},
    {.name = "the name of one that was shown in an earlier connection of the session",
     .client = &v4_client,
     .proxy = &v4_proxy,
     .rest = {.tls = &resumed},
     OCTETS(SIGNATURE "\x21\x11\x00\x24" TCP4_OCTETS "\x20\x00\x15\x05\x00\x00\x00\x00"
                      "\x21\x00\x07TLSv1.2"
                      "\x22\x00\x03joe")},
    {.name = "no name of a certificate that was not found good",
     .client = &v4_client,
     .proxy = &v4_proxy,
     .rest = {.tls = &named_and_bad},
     OCTETS(SIGNATURE "\x21\x11\x00\x1E" TCP4_OCTETS "\x20\x00\x0F\x07\x00\x00\x00\x01"
                      "\x21\x00\x07TLSv1.2")},
    {.name = "no name without a certificate",
     .client = &v4_client,
     .proxy = &v4_proxy,
     .rest = {.tls = &named_without_one},
     OCTETS(SIGNATURE "\x21\x11\x00\x1E" TCP4_OCTETS "\x20\x00\x0F\x01\x00\x00\x00\x01"
                      "\x21\x00\x07TLSv1.2")},
    {.name = "no name that is too long, and not a part of it",
     .client = &v4_client,
     .proxy = &v4_proxy,
     .rest = {.tls = &named_too_long},
     OCTETS(SIGNATURE "\x21\x11\x00\x1E" TCP4_OCTETS "\x20\x00\x0F\x05\x00\x00\x00\x00"
                      "\x21\x00\x07TLSv1.2")},
    {.name = "verified without a certificate is not verified",
     .client = &v4_client,
     .proxy = &v4_proxy,
     .rest = {.tls = &verified_nothing},
     OCTETS(SIGNATURE "\x21\x11\x00\x1E" TCP4_OCTETS "\x20\x00\x0F\x01\x00\x00\x00\x01"
                      "\x21\x00\x07TLSv1.3")},
};

static size_t write_example(const struct example *e, uint8_t *into, size_t size)
{
    struct proxy_v2 header = e->rest;
    header.client = *e->client;
    header.proxy = *e->proxy;
    return proxy_v2_write(&header, into, size);
}

START_TEST(writes_what_the_specification_has)
{
    const struct example *e = &examples[_i];
    uint8_t got[PROXY_V2_MAX];
    size_t len = write_example(e, got, sizeof got);
    ck_assert_msg(len == e->len, "%s: %zu octets, not %zu", e->name, e->len, len);
    ck_assert_msg(memcmp(got, e->octets, len) == 0, "%s: other octets", e->name);
}
END_TEST

START_TEST(fits_exactly_or_not_at_all)
{
    const struct example *e = &examples[_i];
    for (size_t size = 0; size <= e->len + 1; size++) {
        uint8_t *exact = malloc(size > 0 ? size : 1); /* a sanitizer sees what goes beyond */
        ck_assert_uint_eq(write_example(e, exact, size), size < e->len ? 0 : e->len);
        free(exact);
    }
}
END_TEST

/* ---- a reader of its own ---- */

struct parsed {
    bool valid;
    uint8_t command;
    uint8_t family;
    struct slice addresses;
    struct slice tlvs[256];
    uint8_t client;
    uint32_t verify;
    struct slice ssl_tlvs[256];
};

static size_t number(const uint8_t *p, size_t octets)
{
    size_t n = 0;
    while (octets-- > 0)
        n = n * 256 + *p++;
    return n;
}

static bool parse_tlvs(const uint8_t *p, size_t left, struct slice *into)
{
    while (left > 0) {
        if (left < 3 || number(p + 1, 2) > left - 3 || into[p[0]].data != NULL)
            return false;
        size_t len = number(p + 1, 2);
        into[p[0]] = (struct slice){p + 3, len};
        p += 3 + len;
        left -= 3 + len;
    }
    return true;
}

static struct parsed parse(const uint8_t *p, size_t len)
{
    struct parsed got = {0};
    if (len < 16 || memcmp(p, SIGNATURE, 12) != 0 || p[12] >> 4 != 2 || number(p + 14, 2) != len - 16)
        return got;
    got.command = p[12] & 15;
    got.family = p[13];
    size_t addresses = got.family == 0x11 ? 12 : got.family == 0x21 ? 36 : 0;
    if (addresses > len - 16)
        return got;
    got.addresses = (struct slice){p + 16, addresses};
    got.valid = parse_tlvs(p + 16 + addresses, len - 16 - addresses, got.tlvs);
    struct slice ssl = got.tlvs[0x20];
    if (ssl.len == 0)
        return got;
    got.valid = got.valid && ssl.len >= 5 && parse_tlvs(ssl.data + 5, ssl.len - 5, got.ssl_tlvs);
    got.client = ssl.data[0];
    got.verify = (uint32_t)number(ssl.data + 1, 4);
    return got;
}

START_TEST(a_reader_finds_what_was_written)
{
    struct proxy_v2 header = {.client = v6_client,
                              .proxy = v6_proxy,
                              .authority = slice_of("pop.example.com"),
                              .unique_id = slice_of("0123456789abcdef"),
                              .tls = &tls12};
    uint8_t octets[PROXY_V2_MAX];
    struct parsed got = parse(octets, proxy_v2_write(&header, octets, sizeof octets));
    ck_assert(got.valid);
    ck_assert_uint_eq(got.command, 1);
    ck_assert_uint_eq(got.family, 0x21);
    ck_assert_mem_eq(got.addresses.data, v6_client.octets, 16);
    ck_assert_mem_eq(got.addresses.data + 16, v6_proxy.octets, 16);
    ck_assert_uint_eq(number(got.addresses.data + 32, 2), 65535);
    ck_assert_uint_eq(number(got.addresses.data + 34, 2), 995);
    ck_assert(slice_equals(got.tlvs[0x02], header.authority));
    ck_assert(slice_equals(got.tlvs[0x05], header.unique_id));
    ck_assert_uint_eq(got.client, 7);
    ck_assert_uint_eq(got.verify, 0);
    ck_assert(slice_equals(got.ssl_tlvs[0x21], slice_of("TLSv1.2")));
    ck_assert(slice_equals(got.ssl_tlvs[0x23], slice_of("ECDHE-RSA-AES128-GCM-SHA256")));
}
END_TEST

/* ---- limits ---- */

static size_t write_with(size_t authority, size_t unique_id, uint8_t *into, size_t size)
{
    static uint8_t filler[4096];
    memset(filler, 'x', sizeof filler);
    struct proxy_v2_tls tls = tls12;
    tls.common_name = (struct slice){filler, PROXY_V2_NAME_MAX};
    struct proxy_v2 header = {.client = v6_client,
                              .proxy = v6_proxy,
                              .authority = {filler, authority},
                              .unique_id = {filler, unique_id},
                              .tls = &tls};
    return proxy_v2_write(&header, into, size);
}

START_TEST(the_longest_parts_fit)
{
    uint8_t octets[PROXY_V2_MAX];
    size_t len = write_with(255, PROXY_V2_UNIQUE_ID_MAX, octets, sizeof octets);
    ck_assert_uint_gt(len, 255 + PROXY_V2_UNIQUE_ID_MAX);
    struct parsed got = parse(octets, len);
    ck_assert(got.valid);
    ck_assert_uint_eq(got.tlvs[0x05].len, PROXY_V2_UNIQUE_ID_MAX);
}
END_TEST

START_TEST(a_longer_unique_id_is_refused)
{
    uint8_t octets[PROXY_V2_MAX];
    ck_assert_uint_eq(write_with(0, PROXY_V2_UNIQUE_ID_MAX + 1, octets, sizeof octets), 0);
}
END_TEST

START_TEST(never_more_than_its_limit)
{
    uint8_t octets[3000];
    size_t rest = write_with(1, 0, octets, sizeof octets) - 1;
    ck_assert_uint_eq(write_with(PROXY_V2_MAX - rest, 0, octets, sizeof octets), PROXY_V2_MAX);
    ck_assert(parse(octets, PROXY_V2_MAX).valid);
    ck_assert_uint_eq(write_with(PROXY_V2_MAX - rest + 1, 0, octets, sizeof octets), 0);
}
END_TEST

int main(void)
{
    int count = (int)(ARRAY_LEN(examples));
    TCase *tcase = tcase_create("proxy_v2");
    tcase_add_loop_test(tcase, writes_what_the_specification_has, 0, count);
    tcase_add_loop_test(tcase, fits_exactly_or_not_at_all, 0, count);
    tcase_add_test(tcase, a_reader_finds_what_was_written);
    tcase_add_test(tcase, the_longest_parts_fit);
    tcase_add_test(tcase, a_longer_unique_id_is_refused);
    tcase_add_test(tcase, never_more_than_its_limit);
    Suite *suite = suite_create("proxy_v2");
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
