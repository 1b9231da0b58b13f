/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/trust/tls_client_check.h"

#include "base/ensure.h"
#include "tls/trust/tls_client_trust_private.h"

#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>

#include <stdatomic.h>
#include <stdlib.h>

struct tls_client_check {
    struct tls_client_trust *trust; /* NULL after the handshake */
    struct tls_client_certificate *certificate;
    const char *failure;
};

/*
 * The index under which an SSL object keeps its check. 0 is the library's own, and means here that none was
 * made yet.
 */
static atomic_int data_index;

static void free_check(void *parent, void *data, CRYPTO_EX_DATA *ex_data, int index, long number,
                       void *pointer)
{
    (void)parent;
    (void)ex_data;
    (void)index;
    (void)number;
    (void)pointer;
    struct tls_client_check *check = data;
    if (check == NULL)
        return;
    tls_client_trust_unref(&check->trust);
    tls_client_certificate_free(&check->certificate);
    free(check);
}

/* Threads that call this at the same time each make an index; the first one stays. */
static bool make_data_index(void)
{
    int none = 0;
    if (atomic_load(&data_index) != none)
        return true;
    int made = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_check);
    ENSURE(made != none);
    if (made > none)
        atomic_compare_exchange_strong(&data_index, &none, made);
    return made > none;
}

static struct tls_client_check *of(const SSL *ssl)
{
    int index = atomic_load_explicit(&data_index, memory_order_acquire);
    return index != 0 ? SSL_get_ex_data(ssl, index) : NULL;
}

/* After a handshake without a certificate the SSL object is as if none had been asked for. */
static void drop(SSL *ssl)
{
    struct tls_client_check *check = of(ssl);
    SSL_set_ex_data(ssl, data_index, NULL);
    free_check(NULL, check, NULL, 0, 0, NULL);
}

static enum ssl_verify_result_t verify(SSL *ssl, uint8_t *alert)
{
    struct tls_client_check *check = of(ssl);
    check->failure = tls_client_trust_verify(check->trust, SSL_get0_peer_certificates(ssl), alert);
    return check->failure == NULL ? ssl_verify_ok : ssl_verify_invalid;
}

bool tls_client_check_begin(SSL *ssl, struct tls_client_trust *trust)
{
    struct tls_client_check *check = calloc(1, sizeof *check);
    STACK_OF(CRYPTO_BUFFER) *names = tls_client_trust_names(trust);
    if (check == NULL || names == NULL || !make_data_index() || !SSL_set_ex_data(ssl, data_index, check)) {
        free(check);
        sk_CRYPTO_BUFFER_pop_free(names, CRYPTO_BUFFER_free);
        return false;
    }
    check->trust = tls_client_trust_ref(trust);
    SSL_set0_client_CAs(ssl, names);
    SSL_set_max_cert_list(ssl, TLS_CLIENT_CHAIN_OCTETS);
    SSL_set_custom_verify(
        ssl, SSL_VERIFY_PEER | (tls_client_trust_is_required(trust) ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        verify);
    /*
     * Tickets of services with another trust, or none, are not accepted: a full handshake asks for the
     * certificate.
     */
    return SSL_set_session_id_context(ssl, tls_client_trust_id(trust), TLS_CLIENT_TRUST_ID_MAX) == 1;
}

static bool fail(SSL *ssl, struct tls_client_check *check, const char *reason, uint8_t alert)
{
    check->failure = reason;
    SSL_send_fatal_alert(ssl, alert);
    ERR_clear_error();
    return false;
}

/*
 * The library has verified a certificate of this handshake; one in a ticket was verified in an earlier one.
 */
static bool check_chain(SSL *ssl, struct tls_client_check *check, const STACK_OF(CRYPTO_BUFFER) * chain)
{
    uint8_t alert = SSL_AD_BAD_CERTIFICATE;
    const char *reason =
        SSL_session_reused(ssl) ? tls_client_trust_verify(check->trust, chain, &alert) : NULL;
    if (reason != NULL)
        return fail(ssl, check, reason, alert);
    check->certificate = tls_client_certificate_read(sk_CRYPTO_BUFFER_value(chain, 0));
    if (check->certificate == NULL)
        return fail(ssl, check, "no memory for the client certificate", SSL_AD_INTERNAL_ERROR);
    tls_client_trust_unref(&check->trust);
    return true;
}

bool tls_client_check_finish(SSL *ssl)
{
    struct tls_client_check *check = of(ssl);
    const STACK_OF(CRYPTO_BUFFER) *chain = check != NULL ? SSL_get0_peer_certificates(ssl) : NULL;
    if (check == NULL)
        return true;
    if (chain != NULL && sk_CRYPTO_BUFFER_num(chain) > 0)
        return check_chain(ssl, check, chain);
    /* The library fails such a handshake earlier. Should it not do so, this check is the one that counts. */
    if (tls_client_trust_is_required(check->trust))
        return fail(ssl, check, "client shows no certificate", SSL_AD_CERTIFICATE_REQUIRED);
    drop(ssl);
    return true;
}

const char *tls_client_check_failure(const SSL *ssl)
{
    const struct tls_client_check *check = of(ssl);
    return check != NULL ? check->failure : NULL;
}

const struct tls_client_certificate *tls_client_check_certificate(const SSL *ssl)
{
    const struct tls_client_check *check = of(ssl);
    return check != NULL ? check->certificate : NULL;
}
