/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/sign_input.h"

#include <string.h>

enum {
    BLANKS = 64,
    HASH_SHA256 = 32,
    HASH_SHA384 = 48,
    RANDOMS = 64,
    PARAMS_HEADER = 4, /* type, curve(2), length of the point */
    TYPE_NAMED_CURVE = 3,
    MESSAGE_HEADER = 4, /* type, length(3) */
    VERSION_1_2 = 0x0303,
    /*
     * No server signs this much (two randoms and a point of P-521: 201), and no transcript, with its
     * certificates, less.
     */
    TRANSCRIPT_MIN = 256
};

/* With their NUL, which is part of the form. */
static const char server_context[] = "TLS 1.3, server CertificateVerify";
static const char client_context[] = "TLS 1.3, client CertificateVerify";
_Static_assert(sizeof server_context == sizeof client_context, "the hash has the same offset in both");

/* RFC 5246 section 7.3, up to the CertificateVerify. */
static const uint8_t transcript[] = {
    1,  /* client_hello */
    2,  /* server_hello */
    11, /* certificate: the server's */
    12, /* server_key_exchange */
    13, /* certificate_request */
    14, /* server_hello_done */
    11, /* certificate: the client's */
    16, /* client_key_exchange */
};

static bool begins_with_blanks(struct slice input)
{
    for (size_t i = 0; i < BLANKS; i++)
        if (i >= input.len || input.data[i] != ' ')
            return false;
    return true;
}

static enum sign_input_kind certificate_verify_of(struct slice input)
{
    struct slice rest = slice_from(input, BLANKS);
    size_t len = sizeof server_context;
    if (rest.len != len + HASH_SHA256 && rest.len != len + HASH_SHA384)
        return SIGN_INPUT_UNKNOWN;
    if (memcmp(rest.data, server_context, len) == 0)
        return SIGN_INPUT_TLS13_SERVER;
    return memcmp(rest.data, client_context, len) == 0 ? SIGN_INPUT_TLS13_CLIENT : SIGN_INPUT_UNKNOWN;
}

/* Octets of a point on a registered curve; 0 for any other. */
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
    struct slice params = slice_from(input, RANDOMS);
    if (params.len <= PARAMS_HEADER || params.data[0] != TYPE_NAMED_CURVE)
        return false;
    size_t len = point_len((unsigned)(params.data[1] << 8 | params.data[2]));
    return len == params.data[3] && params.len == PARAMS_HEADER + len;
}

/* Takes a message of this type off the front. False if there is none. */
static bool take_message(struct slice *rest, uint8_t type, struct slice *body)
{
    if (rest->len < MESSAGE_HEADER || rest->data[0] != type)
        return false;
    size_t len = (size_t)(rest->data[1] << 16 | rest->data[2] << 8 | rest->data[3]);
    if (len > rest->len - MESSAGE_HEADER)
        return false;
    *body = slice_sub(*rest, MESSAGE_HEADER, len);
    *rest = slice_from(*rest, MESSAGE_HEADER + len);
    return true;
}

static bool begins_with_version(struct slice hello)
{
    return hello.len > 2 && (hello.data[0] << 8 | hello.data[1]) == VERSION_1_2;
}

static bool is_transcript(struct slice input)
{
    for (size_t i = 0; i < sizeof transcript; i++) {
        struct slice body;
        bool is_hello = i < 2;
        if (!take_message(&input, transcript[i], &body) || (is_hello && !begins_with_version(body)))
            return false;
    }
    return input.len == 0;
}

enum sign_input_kind sign_input_kind_of(struct slice input)
{
    /*
     * An input that begins like TLS 1.3, or is as long as a transcript, must not pass for randoms that an
     * attacker chose.
     */
    if (begins_with_blanks(input))
        return certificate_verify_of(input);
    if (input.len >= TRANSCRIPT_MIN)
        return is_transcript(input) ? SIGN_INPUT_TRANSCRIPT : SIGN_INPUT_UNKNOWN;
    return is_ecdhe(input) ? SIGN_INPUT_ECDHE : SIGN_INPUT_UNKNOWN;
}

bool sign_input_fits_role(enum sign_input_kind form, enum sign_role role)
{
    bool is_server = form == SIGN_INPUT_TLS13_SERVER || form == SIGN_INPUT_ECDHE;
    return form != SIGN_INPUT_UNKNOWN && is_server == (role == SIGN_AS_SERVER);
}
