/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_signing.h"

#include "tls/endpoint/tls_peer.h"

#include <stdlib.h>
#include <string.h>

void tls_signing_free(struct tls_signing **signing)
{
    if (*signing == NULL)
        return;
    bytes_free(&(*signing)->held);
    free(*signing);
    *signing = NULL;
}

static enum ssl_private_key_result_t ask(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                         uint16_t algorithm, const uint8_t *in, size_t in_len)
{
    struct tls_signing **signing = tls_endpoint_signing(ssl);
    (void)out;
    (void)out_len;
    (void)max_out;
    if (in_len > TLS_WANTED_INPUT_MAX) {
        tls_endpoint_blame(ssl, "chains and list of authorities are too long for a client's signature in TLS "
                                "1.2 (32 KB in all)");
        return ssl_private_key_failure;
    }
    if (*signing != NULL)
        return ssl_private_key_failure;
    *signing = calloc(1, sizeof **signing + in_len);
    if (*signing == NULL) {
        tls_endpoint_blame(ssl, "no memory for a signature");
        return ssl_private_key_failure;
    }
    (*signing)->algorithm = algorithm;
    (*signing)->input_len = in_len;
    memcpy((*signing)->input, in, in_len);
    return ssl_private_key_retry;
}

static enum ssl_private_key_result_t complete(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out)
{
    const struct tls_signing *signing = *tls_endpoint_signing(ssl);
    if (signing->progress == TLS_SIGNING_ASKED)
        return ssl_private_key_retry;
    if (signing->progress == TLS_SIGNING_REFUSED || signing->signature.len > max_out)
        return ssl_private_key_failure;
    memcpy(out, signing->signature.data, signing->signature.len);
    *out_len = signing->signature.len;
    return ssl_private_key_success;
}

/* For suites whose key exchange is static RSA: RFC 9325 section 4.1 rules them out, and so does tls_policy.c. */
static enum ssl_private_key_result_t decrypt(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                             const uint8_t *in, size_t in_len)
{
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)max_out;
    (void)in;
    (void)in_len;
    return ssl_private_key_failure;
}

const SSL_PRIVATE_KEY_METHOD tls_signing_method = {.sign = ask, .decrypt = decrypt, .complete = complete};
