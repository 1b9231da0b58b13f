/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_SETTINGS_H
#define DEEPPROXY_TLS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a server's context (tls/endpoint/tls_context.h) is made from, as plain values. Nothing here is read
 * from a file or checked. The caller owns all strings, arrays and objects; they are used only while the
 * context is made, unless a field says otherwise.
 */
struct tls_context;
struct tls_key_source;
struct tls_ticket_keys;

/* The paths of one certificate. The chain and the key may be in the same file. */
struct tls_certificate_files {
    const char *chain;      /* PEM, the leaf first */
    const char *key;        /* PEM: PKCS#8, SEC 1 or PKCS#1 */
    const char *passphrase; /* a file whose first line decrypts the key; NULL: the key is not encrypted */
    const char *ocsp;       /* a response to staple, DER; NULL: CHAIN.ocsp, if that file exists */
};

struct tls_settings {
    /*
     * The first certificate is the default: it is sent to clients whose SNI matches no certificate. If the
     * list is empty it is the one for `hostname`, or else the one whose path is the first and that is not
     * self-signed.
     */
    const struct tls_certificate_files *certificates;
    size_t certificate_count;
    const char *const *directories; /* folders of certificates; tls_directory.h says which files are read */
    size_t directory_count;
    const char *passphrase; /* as in tls_certificate_files, for all keys in these folders; NULL: none */
    const char *hostname;   /* this host's name; NULL: none */
    bool strict_sni;        /* reject clients that send no SNI, or a name that no certificate has */
    /* Certificates whose files have not changed are taken from this context; NULL: all are read. */
    struct tls_context *previous;
    /*
     * Paths of chains, sorted by strcmp. The certificates that `previous` has of them are used again even if
     * their files have changed. Those of a folder that it does not have are left out.
     */
    const char *const *retained;
    size_t retained_count;
    uint16_t min_version; /* TLS_1_0 to TLS_1_3 */
    uint16_t max_version;
    /* TLS 1.2 and older, in OpenSSL's syntax; NULL: the suites of RFC 9325 section 4.2 */
    const char *ciphers;
    const char *groups; /* "X25519:P-256"; NULL: those of tls_policy.h */
    bool session_tickets;
    /* The context holds a reference. NULL: keys of the library's own, different for each context. */
    struct tls_ticket_keys *ticket_keys;
    /* Has the private keys, and outlives the context. NULL: keys are read into this process. */
    const struct tls_key_source *keys;
};

#endif
