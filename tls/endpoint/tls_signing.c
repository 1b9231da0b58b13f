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

static enum ssl_private_key_result_t request(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                             uint16_t algorithm, const uint8_t *in, size_t in_len)
{
    struct tls_signing **signing = tls_endpoint_signing(ssl);
    (void)out;
    (void)out_len;
    (void)max_out;
    if (in_len > TLS_SIGN_INPUT_MAX) {
        tls_endpoint_set_failure(
            ssl, "certificates and list of authorities are too long for a client's signature in "
                 "TLS 1.2 (more than 32 KB in all)");
        return ssl_private_key_failure;
    }
    if (*signing != NULL)
        return ssl_private_key_failure;
    *signing = calloc(1, sizeof **signing + in_len);
    if (*signing == NULL) {
        tls_endpoint_set_failure(ssl, "no memory for a signature");
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
    if (signing->progress == TLS_SIGNING_REQUESTED)
        return ssl_private_key_retry;
    if (signing->progress == TLS_SIGNING_REFUSED || signing->signature.len > max_out)
        return ssl_private_key_failure;
    memcpy(out, signing->signature.data, signing->signature.len);
    *out_len = signing->signature.len;
    return ssl_private_key_success;
}

/* For suites with static RSA key exchange: RFC 9325 section 4.1 forbids them, and so does tls_policy.c. */
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

/* The key of a certificate that has none in this process. */
static const SSL_PRIVATE_KEY_METHOD method = {.sign = request, .decrypt = decrypt, .complete = complete};

bool tls_signing_set_certificate(SSL *ssl, const struct tls_certificate *certificate)
{
    bool is_external = certificate->keys != NULL;
    if (is_external)
        tls_endpoint_set_key_number(ssl, certificate->key_number);
    return SSL_set_chain_and_key(ssl, certificate->chain, certificate->chain_len,
                                 is_external ? NULL : certificate->key, is_external ? &method : NULL) &&
           (certificate->ocsp.len == 0 ||
            SSL_set_ocsp_response(ssl, certificate->ocsp.data, certificate->ocsp.len));
}
