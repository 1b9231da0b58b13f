/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_CLIENT_PKI_H
#define DEEPPROXY_TESTS_CLIENT_PKI_H

#include <openssl/x509.h>

#include <stdbool.h>

/*
 * Test support: authorities, client certificates by them and lists of what they have revoked, in memory.
 * Files go into the folder of certificates.h. What can't be done ends the test program. Times are in seconds
 * from PKI_NOW, a day in 2026 that has nothing to do with the clock.
 */
#define PKI_NOW 1795597205LL
#define PKI_DAY 86400L

struct identity {
    X509 *certificate;
    EVP_PKEY *key;
    const struct identity *issuer; /* NULL: itself */
    struct identity *next;         /* in the list of all */
};

struct identity_wish {
    const struct identity *issuer; /* NULL: self-signed */
    bool is_authority;
    const char *names[4];   /* CNs of the subject */
    const char *emails[4];  /* rfc822Names of the subjectAltName; "" is one without octets */
    const char *other_name; /* a DNS name beside them */
    int usage;              /* NID of an extended key usage; 0: any */
    long begins;            /* both 0: yesterday to in thirty days */
    long ends;
    long serial; /* 0: one of its own */
};

/* Valid until pki_close, which frees all of them: in main(). */
const struct identity *pki_make(const struct identity_wish *wish);
void pki_close(void);

/* A file with the certificates; up to 4, NULL after the last. Its path lives as long as the folder. */
const char *pki_write(const char *name, const struct identity *const identities[]);

struct revocation_wish {
    const struct identity *issuer;
    const struct identity *revoked[4];
    long ends; /* nextUpdate; 0: in a day */
    bool foreign_key;
};
const char *pki_write_revoked(const char *name, const struct revocation_wish *wishes, size_t count);

#endif
