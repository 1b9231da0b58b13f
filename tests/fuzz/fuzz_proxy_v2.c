/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz_check.h"
#include "protocols/proxy_protocol/proxy_v2.h"

#include <string.h>

/*
 * Fuzzes the writer of PROXY headers: the input says what a header has, and what is written is parsed back by
 * a reader that knows nothing of the writer (haproxy's proxy-protocol.txt, section 2.2).
 */

/* ---- what goes in ---- */

static uint8_t take_octet(struct slice *input)
{
    uint8_t octet = input->len > 0 ? input->data[0] : 0;
    *input = slice_from(*input, 1);
    return octet;
}

static struct slice take_field(struct slice *input)
{
    size_t len = take_octet(input);
    struct slice field = slice_first(*input, len);
    *input = slice_from(*input, len);
    return field;
}

static struct proxy_v2_address take_address(struct slice *input)
{
    struct proxy_v2_address a = {.family = (enum proxy_v2_family)(take_octet(input) % 3)};
    bool map = a.family == PROXY_V2_IPV6 && take_octet(input) % 4 == 0;
    for (size_t i = 0; i < (a.family == PROXY_V2_IPV4 ? 4u : 16u); i++)
        a.octets[i] = map && i < 10 ? 0 : map && i < 12 ? 0xff : take_octet(input);
    a.port = (uint16_t)(take_octet(input) * 256 + take_octet(input));
    return a;
}

/* A C string of at most 63 octets. */
static const char *take_string(struct slice *input, char text[64])
{
    struct slice field = take_field(input);
    size_t len = field.len < 63 ? field.len : 63;
    if (len > 0)
        memcpy(text, field.data, len);
    text[len] = '\0';
    return text;
}

/* ---- what comes out ---- */

static unsigned number(struct slice s, size_t at)
{
    check(at + 2 <= s.len, "a header that goes on where it says so");
    return s.data[at] * 256u + s.data[at + 1];
}

/* Takes a TLV off the front and checks it; an empty value stands for one that must not be there. */
static void expect_tlv(struct slice *rest, uint8_t type, struct slice value)
{
    if (value.len == 0)
        return;
    check(rest->len >= 3 && rest->data[0] == type, "the TLV that was asked for");
    size_t len = number(*rest, 1);
    check(slice_equals(slice_sub(*rest, 3, len), value) && rest->len >= 3 + len, "with its value");
    *rest = slice_from(*rest, 3 + len);
}

static void expect_tls(struct slice *rest, const struct proxy_v2_tls *tls)
{
    check(rest->len >= 8 && rest->data[0] == 0x20, "a TLV for TLS");
    struct slice inner = slice_sub(*rest, 3, number(*rest, 1));
    *rest = slice_from(*rest, 3 + inner.len);
    unsigned flags = 1u | (tls->certificate_conn ? 2u : 0) | (tls->certificate_sess ? 4u : 0);
    bool verified = (tls->certificate_conn || tls->certificate_sess) && tls->certificate_verified;
    check(inner.len >= 5 && inner.data[0] == flags, "whether there was a certificate");
    check(memcmp(inner.data + 1, verified ? "\0\0\0\0" : "\0\0\0\1", 4) == 0, "whether it was good");
    inner = slice_from(inner, 5);
    expect_tlv(&inner, 0x21, slice_of(tls->version));
    if (verified && tls->common_name.len <= 256)
        expect_tlv(&inner, 0x22, tls->common_name);
    expect_tlv(&inner, 0x23, slice_of(tls->cipher != NULL ? tls->cipher : ""));
    check(inner.len == 0, "and nothing else of TLS");
}

/* An address of IPv4 as IPv6 has it, so that both can be compared. */
static void as_ipv6(const uint8_t *octets, bool v4, uint8_t into[16])
{
    memset(into, 0, 10);
    memset(into + 10, 0xff, 2);
    memcpy(into + (v4 ? 12 : 0), octets, v4 ? 4 : 16);
}

static void expect_address(const uint8_t *octets, unsigned port, bool v4, const struct proxy_v2_address *a)
{
    uint8_t came[16], went[16];
    as_ipv6(octets, v4, came);
    as_ipv6(a->octets, a->family == PROXY_V2_IPV4, went);
    check(memcmp(came, went, 16) == 0 && port == a->port, "the address that was given");
}

static bool is_mapped(const struct proxy_v2_address *a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return a->family == PROXY_V2_IPV4 || memcmp(a->octets, prefix, sizeof prefix) == 0;
}

static void expect_addresses(struct slice *rest, uint8_t family, const struct proxy_v2 *header)
{
    if (header->client.family == PROXY_V2_UNSPEC || header->proxy.family == PROXY_V2_UNSPEC) {
        check(family == 0x00, "no family where one is not known");
        return;
    }
    bool v4 = is_mapped(&header->client) && is_mapped(&header->proxy);
    size_t len = v4 ? 4 : 16;
    check(family == (v4 ? 0x11 : 0x21), "the family of both addresses");
    check(rest->len >= 2 * len + 4, "both addresses");
    expect_address(rest->data, number(*rest, 2 * len), v4, &header->client);
    expect_address(rest->data + len, number(*rest, 2 * len + 2), v4, &header->proxy);
    *rest = slice_from(*rest, 2 * len + 4);
}

static void read_back(struct slice octets, const struct proxy_v2 *header)
{
    check(octets.len >= 16 && memcmp(octets.data, "\r\n\r\n\0\r\nQUIT\n", 12) == 0, "a signature");
    check(octets.data[12] == (header->local ? 0x20 : 0x21), "version and command");
    check(number(octets, 14) == octets.len - 16, "a length that is its own");
    struct slice rest = slice_from(octets, 16);
    if (header->local) {
        check(rest.len == 0 && octets.data[13] == 0, "LOCAL says nothing");
        return;
    }
    expect_addresses(&rest, octets.data[13], header);
    expect_tlv(&rest, 0x02, header->authority);
    expect_tlv(&rest, 0x05, header->unique_id);
    if (header->tls != NULL)
        expect_tls(&rest, header->tls);
    check(rest.len == 0, "and nothing else");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {data, size};
    char version[64], cipher[64];
    uint8_t flags = take_octet(&input);
    struct proxy_v2_tls tls = {
        .certificate_conn = flags & 1, .certificate_sess = flags & 2, .certificate_verified = flags & 4};
    struct proxy_v2 header = {.local = flags % 32 == 31, .tls = flags & 32 ? &tls : NULL};
    header.client = take_address(&input);
    header.proxy = take_address(&input);
    header.authority = take_field(&input);
    header.unique_id = take_field(&input);
    tls.version = take_string(&input, version);
    tls.cipher = flags & 64 ? take_string(&input, cipher) : NULL;
    tls.common_name = flags & 16 ? slice_first(input, 260) : take_field(&input);
    /* In a block of its own, of any size up to more than is needed: what is written must stay in it. */
    size_t room = flags & 128 ? PROXY_V2_MAX : take_octet(&input) * 8u;
    uint8_t *block = malloc(room > 0 ? room : 1);
    check(block != NULL, "memory for the fuzzer itself");
    size_t len = proxy_v2_write(&header, block, room);
    check(len <= room && len <= PROXY_V2_MAX, "a header within its limits");
    if (len > 0)
        read_back((struct slice){block, len}, &header);
    else
        check(room < PROXY_V2_MAX || header.unique_id.len > PROXY_V2_UNIQUE_ID_MAX, "room is enough");
    free(block);
    return 0;
}
