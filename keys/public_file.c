/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/public_file.h"

#include "keys/chain_text.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#ifndef OPENSSL_IS_BORINGSSL
#include <openssl/ocsp.h>
#endif

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- certificates ---- */

/* NULL if it is no certificate, or if it has an octet more. */
static X509 *decode(const uint8_t *der, long len)
{
    const uint8_t *at = der;
    X509 *certificate = d2i_X509(NULL, &at, len);
    if (certificate == NULL || at == der + len)
        return certificate;
    X509_free(certificate);
    return NULL;
}

enum step { STEP_DONE, STEP_END, STEP_FAILED };

/* From one block to the next. */
static enum step copy_next(BIO *from, BIO *to)
{
    char *name = NULL;
    char *header = NULL;
    uint8_t *der = NULL;
    long len = 0;
    if (!PEM_read_bio(from, &name, &header, &der, &len))
        return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? STEP_END : STEP_FAILED;
    X509 *certificate = decode(der, len);
    bool ok = certificate != NULL && PEM_write_bio_X509(to, certificate);
    X509_free(certificate);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    return ok ? STEP_DONE : STEP_FAILED;
}

static bool copy_all(BIO *from, BIO *to)
{
    enum step step;
    do
        step = copy_next(from, to);
    while (step == STEP_DONE);
    ERR_clear_error();
    return step == STEP_END;
}

static bool take_encoded(BIO *encoded, uint8_t *into, size_t cap, size_t *used)
{
    char *text = NULL;
    long len = BIO_get_mem_data(encoded, &text);
    if (len < 0 || (size_t)len > cap)
        return false;
    if (len > 0)
        memcpy(into, text, (size_t)len);
    *used = (size_t)len;
    return true;
}

/* Only blocks that are certificates by their boundaries are decoded: others may be keys. */
bool public_file_certificates(struct slice pem, uint8_t *into, size_t cap, size_t *used)
{
    size_t len = 0;
    *used = 0;
    if (!chain_text_take(pem, into, cap, &len))
        return false;
    BIO *from = BIO_new_mem_buf(into, (int)len);
    BIO *to = BIO_new(BIO_s_mem());
    bool ok = from != NULL && to != NULL && copy_all(from, to) && take_encoded(to, into, cap, used);
    BIO_free(from);
    BIO_free(to);
    return ok;
}

/* ---- OCSP ---- */

#ifdef OPENSSL_IS_BORINGSSL
/* BoringSSL has no decoder. */
bool public_file_ocsp(struct slice der, uint8_t *into, size_t cap, size_t *used)
{
    (void)der;
    (void)into;
    (void)cap;
    *used = 0;
    return false;
}
#else
static bool encode(OCSP_RESPONSE *response, uint8_t *into, size_t cap, size_t *used)
{
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
    int len = basic != NULL ? i2d_OCSP_RESPONSE(response, NULL) : 0;
    OCSP_BASICRESP_free(basic);
    if (len <= 0 || (size_t)len > cap)
        return false;
    *used = (size_t)i2d_OCSP_RESPONSE(response, &into);
    return true;
}

bool public_file_ocsp(struct slice der, uint8_t *into, size_t cap, size_t *used)
{
    const uint8_t *at = der.data;
    *used = 0;
    OCSP_RESPONSE *response =
        der.len > 0 && der.len <= LONG_MAX ? d2i_OCSP_RESPONSE(NULL, &at, (long)der.len) : NULL;
    bool ok = response != NULL && at == der.data + der.len && encode(response, into, cap, used);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return ok;
}
#endif
