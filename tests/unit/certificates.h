/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_CERTIFICATES_H
#define DEEPPROXY_TESTS_CERTIFICATES_H

#include "tls/endpoint/tls_context.h"

#include <stdbool.h>

/*
 * Test support: an authority, certificates and keys, made when a test runs and written as PEM to a folder
 * that is removed at the end. A certificate may be wrong on purpose: expired, out of order, with a foreign
 * key. Everything that can't be done ends the test program.
 */
enum certificate_key { CERTIFICATE_P256, CERTIFICATE_RSA, CERTIFICATE_RSA_1024 };

struct certificate_wish {
    enum certificate_key key;
    const char *names[8];     /* DNS names, NULL after the last; none: a certificate without names */
    const char *addresses[2]; /* numeric ones, likewise */
    long begins;              /* seconds from now; both 0: an hour ago, for thirty days */
    long ends;
    bool without_issuer;     /* the leaf alone */
    bool issuer_first;       /* the wrong order */
    bool issuer_expired;     /* an authority whose time is over */
    unsigned issuer_times;   /* how often the issuer follows; 0 is once */
    bool self_signed;        /* the leaf is its own issuer, and alone */
    bool unknown_issuer;     /* an authority of the same name, with another key */
    bool for_clients;        /* the leaf's extended key usage has clients alone */
    bool foreign_key;        /* the key's file has another key of the same kind */
    const char *passphrase;  /* the key's file is encrypted */
    const char *common_name; /* NULL: the first name */
    bool sha1;               /* the leaf's signature is over SHA-1 */
    /*
     * more of the leaf's, as in OpenSSL's configuration: "keyUsage", "digitalSignature"; NULL after the
     * last
     */
    const char *extensions[4][2];
};

/* Makes the folder. In main(): tests in processes of their own share it. */
void certificates_open(void);
/* Removes it, with all that is in it. In main() too. */
void certificates_close(void);

/* What a leaf has: its kind of key, and its DNS names, each after a space. */
struct certificate_facts {
    enum certificate_key key;
};
struct certificate_facts certificate_facts(struct slice der, char *names, size_t cap);

/* A file of the contents of others, in their order; NULL after the last. */
const char *certificates_join(const char *name, const char *const parts[]);

/* A folder in the folder. */
const char *certificates_folder(const char *name);

/*
 * What is asked for, in files of these names: in the folder, or in one of its folders. NULL for the key: none
 * is written.
 */
struct tls_certificate_files certificate_make_at(const struct certificate_wish *wish, const char *chain,
                                                 const char *key);

/* An OCSP response for the last certificate that was made; what is wrong with it is asked for as well. */
struct ocsp_wish {
    bool revoked;
    bool other_certificate; /* about another serial number */
    bool other_signer;      /* not the issuer's signature */
    bool delegated;         /* signed by a responder that the issuer has certified ... */
    bool not_for_ocsp;      /* ... for something else */
    bool endless;           /* no nextUpdate */
    bool refused;           /* "unauthorized" in place of an answer */
    long begins;            /* seconds from now; both 0: an hour ago, for a day */
    long ends;
};
void certificates_write_ocsp(const char *path, const struct ocsp_wish *wish);

/* Two new files; their paths are valid until certificates_close. */
struct tls_certificate_files certificate_make(const struct certificate_wish *wish);

/* A file with the authority's certificate, or with the one whose time is over. */
const char *certificates_authority(bool expired);

/* A file in the folder with a content of the test's own; its path likewise. */
const char *certificates_write(const char *name, const char *content);
/* The path of a file in the folder that does not exist. */
const char *certificates_path(const char *name);

#endif
