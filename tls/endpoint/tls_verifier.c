/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_verifier.h"

#include "tls/endpoint/tls_context_private.h"
#include "tls/tls_report.h"
#include "tls/trust/tls_trust.h"

#include <stdio.h>
#include <stdlib.h>

struct tls_verifier {
    struct tls_trust *trust;
};

struct tls_verifier *tls_verifier_new(const char *ca, const struct tls_report *report)
{
    struct tls_verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL) {
        tls_report_add(report, TLS_NO_SOURCE, true, "no memory to verify certificates");
        return NULL;
    }
    verifier->trust = tls_trust_new(ca, report);
    if (verifier->trust == NULL)
        tls_verifier_free(&verifier);
    return verifier;
}

void tls_verifier_free(struct tls_verifier **verifier)
{
    if (*verifier == NULL)
        return;
    tls_trust_unref(&(*verifier)->trust);
    free(*verifier);
    *verifier = NULL;
}

bool tls_verifier_accepts(const struct tls_verifier *verifier, const struct tls_context *context,
                          size_t index, const char *name, char reason[TLS_VERIFIER_REASON])
{
    struct tls_verdict verdict = {0};
    const struct tls_certificate *certificate = tls_context_store(context)->certificates[index];
    STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
    bool ok = chain != NULL;
    for (size_t i = 0; ok && i < certificate->chain_len; i++)
        ok = sk_CRYPTO_BUFFER_push(chain, certificate->chain[i]) != 0;
    bool accepts = ok && tls_trust_verify(verifier->trust, chain, name, &verdict);
    sk_CRYPTO_BUFFER_free(chain);
    _Static_assert((int)TLS_VERIFIER_REASON >= (int)sizeof verdict.reason, "room for the reason");
    snprintf(reason, TLS_VERIFIER_REASON, "%s", ok ? verdict.reason : "there is no memory to verify it");
    return accepts;
}
