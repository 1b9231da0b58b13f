/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/tls_form.h"

#include <string.h>

enum {
    BLANKS = 64,
    HASH_SHA256 = 32,
    HASH_SHA384 = 48,
    RANDOMS = 64,
    PARAMS_HEADER = 4, /* type, curve(2), length of the point */
    TYPE_NAMED_CURVE = 3
};

static const char context[] = "TLS 1.3, server CertificateVerify";

static bool begins_with_blanks(struct slice input)
{
    for (size_t i = 0; i < BLANKS; i++)
        if (i >= input.len || input.data[i] != ' ')
            return false;
    return true;
}

/* The text's NUL is part of the form. */
static bool is_certificate_verify(struct slice input)
{
    struct slice rest = slice_sub(input, BLANKS, input.len);
    if (rest.len < sizeof context || memcmp(rest.data, context, sizeof context) != 0)
        return false;
    size_t hash = rest.len - sizeof context;
    return hash == HASH_SHA256 || hash == HASH_SHA384;
}

/* Octets of a point on one of the registered curves; 0 for others. */
static size_t point_len(unsigned curve)
{
    switch (curve) {
    case 23: /* secp256r1 */
        return 65;
    case 24: /* secp384r1 */
        return 97;
    case 25: /* secp521r1 */
        return 133;
    case 29: /* x25519 */
        return 32;
    case 30: /* x448 */
        return 56;
    default:
        return 0;
    }
}

static bool is_ecdhe(struct slice input)
{
    struct slice params = slice_sub(input, RANDOMS, input.len);
    if (params.len <= PARAMS_HEADER || params.data[0] != TYPE_NAMED_CURVE)
        return false;
    size_t len = point_len((unsigned)(params.data[1] << 8 | params.data[2]));
    return len == params.data[3] && params.len == PARAMS_HEADER + len;
}

enum tls_form tls_form_of(struct slice input)
{
    /* Never both: what begins like TLS 1.3 must not pass for randoms that somebody chose. */
    if (begins_with_blanks(input))
        return is_certificate_verify(input) ? TLS_FORM_1_3 : TLS_FORM_NONE;
    return is_ecdhe(input) ? TLS_FORM_ECDHE : TLS_FORM_NONE;
}
