/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/proxy_protocol/proxy_v2.h"

#include "base/ensure.h"
#include "protocols/proxy_protocol/proxy_v2_private.h"

#include <string.h>

const uint8_t proxy_v2_signature[PROXY_V2_SIGNATURE_LEN] = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                                            0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};

/* What is written, and whether something did not fit: then nothing is written any more. */
struct writer {
    uint8_t *data;
    size_t size;
    size_t len;
    bool failed;
};

static void put(struct writer *w, const void *data, size_t len)
{
    w->failed = w->failed || len > w->size - w->len;
    if (w->failed || len == 0)
        return;
    memcpy(w->data + w->len, data, len);
    w->len += len;
}

static void put_octet(struct writer *w, uint8_t octet)
{
    put(w, &octet, 1);
}

static void put_u16(struct writer *w, size_t number)
{
    w->failed = w->failed || number > UINT16_MAX;
    put_octet(w, (uint8_t)(number >> 8));
    put_octet(w, (uint8_t)number);
}

/*
 * Writes a length at its place, now that all that it counts, what follows its two octets, has been written.
 */
static void set_length(struct writer *w, size_t at)
{
    if (w->failed)
        return;
    size_t len = w->len - at - 2;
    w->data[at] = (uint8_t)(len >> 8);
    w->data[at + 1] = (uint8_t)len;
}

static void put_tlv(struct writer *w, uint8_t type, struct slice value)
{
    if (value.len == 0)
        return;
    put_octet(w, type);
    put_u16(w, value.len);
    put(w, value.data, value.len);
}

/* ::ffff:0:0/96 (RFC 4291 section 2.5.5.2) */
static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* A listener on [::] sees clients of IPv4 as mapped addresses. */
static struct proxy_v2_address unmapped(struct proxy_v2_address a)
{
    if (a.family != PROXY_V2_IPV6 || memcmp(a.octets, mapped_prefix, sizeof mapped_prefix) != 0)
        return a;
    memmove(a.octets, a.octets + sizeof mapped_prefix, 4);
    a.family = PROXY_V2_IPV4;
    return a;
}

static struct proxy_v2_address mapped(struct proxy_v2_address a)
{
    if (a.family == PROXY_V2_IPV6)
        return a;
    memmove(a.octets + sizeof mapped_prefix, a.octets, 4);
    memcpy(a.octets, mapped_prefix, sizeof mapped_prefix);
    a.family = PROXY_V2_IPV6;
    return a;
}

/* Behind signature and command: family, a place for the length, and the addresses. */
static void put_addresses(struct writer *w, struct proxy_v2_address client, struct proxy_v2_address proxy)
{
    client = unmapped(client);
    proxy = unmapped(proxy);
    if (client.family == PROXY_V2_UNSPEC || proxy.family == PROXY_V2_UNSPEC) {
        put_octet(w, FAMILY_UNSPEC);
        put_u16(w, 0);
        return;
    }
    bool both_4 = client.family == PROXY_V2_IPV4 && proxy.family == PROXY_V2_IPV4;
    if (!both_4) {
        client = mapped(client);
        proxy = mapped(proxy);
    }
    put_octet(w, both_4 ? FAMILY_TCP4 : FAMILY_TCP6);
    put_u16(w, 0);
    put(w, client.octets, both_4 ? 4 : 16);
    put(w, proxy.octets, both_4 ? 4 : 16);
    put_u16(w, client.port);
    put_u16(w, proxy.port);
}

static void put_tls(struct writer *w, const struct proxy_v2_tls *tls)
{
    ENSURE(tls->version != NULL);
    bool certificate = tls->certificate_conn || tls->certificate_sess;
    /* Zero only for a certificate that was shown and found good: some readers look at nothing else. */
    bool verified = certificate && tls->certificate_verified;
    const uint8_t verify[4] = {0, 0, 0, verified ? 0 : 1};
    put_octet(w, TLV_SSL);
    size_t length_at = w->len;
    put_u16(w, 0);
    put_octet(w, (uint8_t)(CLIENT_SSL | (tls->certificate_conn ? CLIENT_CERT_CONN : 0) |
                           (tls->certificate_sess ? CLIENT_CERT_SESS : 0)));
    put(w, verify, sizeof verify);
    put_tlv(w, TLV_SSL_VERSION, slice_of(tls->version));
    /* Dovecot logs in whoever has a name here, and does not look at `verify`. */
    if (verified && tls->common_name.len <= PROXY_V2_NAME_MAX)
        put_tlv(w, TLV_SSL_CN, tls->common_name);
    if (tls->cipher != NULL)
        put_tlv(w, TLV_SSL_CIPHER, slice_of(tls->cipher));
    set_length(w, length_at);
}

size_t proxy_v2_write(const struct proxy_v2 *header, uint8_t *into, size_t size)
{
    if (header->unique_id.len > PROXY_V2_UNIQUE_ID_MAX)
        return 0;
    struct writer w = {.data = into, .size = size < PROXY_V2_MAX ? size : PROXY_V2_MAX};
    put(&w, proxy_v2_signature, sizeof proxy_v2_signature);
    put_octet(&w, VERSION_2 | (header->local ? COMMAND_LOCAL : COMMAND_PROXY));
    if (header->local) {
        put_octet(&w, FAMILY_UNSPEC);
        put_u16(&w, 0);
        return w.failed ? 0 : w.len;
    }
    put_addresses(&w, header->client, header->proxy);
    put_tlv(&w, TLV_AUTHORITY, header->authority);
    put_tlv(&w, TLV_UNIQUE_ID, header->unique_id);
    if (header->tls != NULL)
        put_tls(&w, header->tls);
    set_length(&w, LENGTH_AT);
    return w.failed ? 0 : w.len;
}
