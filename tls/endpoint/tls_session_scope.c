/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_session_scope.h"

#include "base/slice.h"

#include <openssl/sha.h>
#include <openssl/ssl.h>

_Static_assert(SHA256_DIGEST_LENGTH <= SSL_MAX_SID_CTX_LENGTH, "a digest fits");

bool tls_session_scope_set(SSL *ssl, const char *server_name)
{
    uint8_t scope[SHA256_DIGEST_LENGTH];
    SHA256_CTX hash;
    size_t len = 0;
    const uint8_t *before = SSL_get0_session_id_context(ssl, &len);
    if (before == NULL)
        return false;
    SHA256_Init(&hash);
    /* The length tells where the context ends and the name begins. */
    SHA256_Update(&hash, &(uint8_t){(uint8_t)len}, 1);
    SHA256_Update(&hash, before, len);
    for (const char *at = server_name; at != NULL && *at != '\0'; at++) {
        uint8_t sign = ascii_upper((uint8_t)*at); /* names compare without case (RFC 4343) */
        SHA256_Update(&hash, &sign, 1);
    }
    SHA256_Final(scope, &hash);
    return SSL_set_session_id_context(ssl, scope, sizeof scope) == 1;
}
