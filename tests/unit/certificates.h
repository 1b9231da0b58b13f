/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_CERTIFICATES_H
#define DEEPPROXY_TESTS_CERTIFICATES_H

#include "tls/tls_context.h"

#include <stdbool.h>

/*
 * Test support: an authority, certificates and keys, made when a test runs and written as PEM to a folder
 * that is gone at the end. What is asked for may be wrong on purpose: expired, out of order, with a foreign
 * key. Everything that can't be done ends the test program.
 */
enum certificate_key { CERTIFICATE_P256, CERTIFICATE_RSA };

struct certificate_wish {
    enum certificate_key key;
    const char *names[8]; /* DNS names, NULL behind the last; none: a certificate without names */
    long begins;          /* seconds from now; both 0: an hour ago, for thirty days */
    long ends;
    bool without_issuer;    /* the leaf alone */
    bool issuer_first;      /* the wrong order */
    bool issuer_expired;    /* an authority whose time is over */
    unsigned issuer_times;  /* how often the issuer follows; 0 is once */
    bool foreign_key;       /* the key's file has another key of the same kind */
    const char *passphrase; /* the key's file is encrypted */
};

/* Makes the folder. In main(): tests in processes of their own share it. */
void certificates_open(void);
/* Removes it, with all that is in it. In main() too. */
void certificates_close(void);

/* Two new files; their paths are valid until certificates_close. */
struct tls_certificate_files certificate_make(const struct certificate_wish *wish);

/* A file in the folder with a content of the test's own; its path likewise. */
const char *certificates_write(const char *name, const char *content);
/* A path in the folder where nothing is. */
const char *certificates_path(const char *name);

#endif
