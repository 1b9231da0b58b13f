/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_usage.h"

#include "base/array.h"
#include "tls/tls_version.h"

struct known {
    uint16_t number;
    const char *name;
};

static const struct known versions[] = {
    {TLS_1_0, "TLSv1"}, {TLS_1_1, "TLSv1.1"}, {TLS_1_2, "TLSv1.2"}, {TLS_1_3, "TLSv1.3"}};

/* All that the library has with forward secrecy (tls_policy.h). */
static const struct known ciphers[] = {
    {0x1301, "TLS_AES_128_GCM_SHA256"},
    {0x1302, "TLS_AES_256_GCM_SHA384"},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256"},
    {0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    {0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
    {0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
    {0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
    {0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
    {0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
    {0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"},
    {0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"},
    {0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"},
    {0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"},
    {0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"},
    {0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"},
};

static const struct known groups[] = {
    {29, "X25519"}, {23, "P-256"}, {24, "P-384"}, {25, "P-521"}, {0x11ec, "X25519MLKEM768"}, {21, "P-224"}};

_Static_assert(ARRAY_LEN(versions) + 1 == TLS_USAGE_VERSIONS, "and others");
_Static_assert(ARRAY_LEN(ciphers) + 1 == TLS_USAGE_CIPHERS, "and others");
_Static_assert(ARRAY_LEN(groups) + 1 == TLS_USAGE_GROUPS, "and others");

/* `count` if it is not among them. */
static unsigned find(const struct known *known, unsigned count, uint16_t number)
{
    unsigned at = 0;
    while (at < count && known[at].number != number)
        at++;
    return at;
}

static const char *name_of(const struct known *known, size_t count, size_t at)
{
    return at < count ? known[at].name : "other";
}

struct tls_usage tls_usage_of(uint16_t version, uint16_t cipher, uint16_t group)
{
    return (struct tls_usage){.version = find(versions, ARRAY_LEN(versions), version),
                              .cipher = find(ciphers, ARRAY_LEN(ciphers), cipher),
                              .group = find(groups, ARRAY_LEN(groups), group)};
}

const char *tls_usage_version_name(size_t version)
{
    return name_of(versions, ARRAY_LEN(versions), version);
}

const char *tls_usage_cipher_name(size_t cipher)
{
    return name_of(ciphers, ARRAY_LEN(ciphers), cipher);
}

const char *tls_usage_group_name(size_t group)
{
    return name_of(groups, ARRAY_LEN(groups), group);
}
