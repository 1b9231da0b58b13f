/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CONTEXT_H
#define DEEPPROXY_TLS_CONTEXT_H

#include "base/slice.h"
#include "tls/certificates/tls_keys.h"
#include "tls/tickets/tls_ticket_keys.h"

/*
 * What all TLS sessions of a listener have in common: certificates with their keys, versions, cipher suites,
 * ticket keys. Made once, immutable and safe to use from all threads; endpoints hold a reference of their
 * own. Nothing here touches a socket. Files are read when the context is made, never later.
 */
struct tls_context;

/* Paths. A PEM file with the chain, leaf first, and one with its key (PKCS#8, SEC 1 or PKCS#1); they may be the same. */
struct tls_certificate_files {
    const char *chain;
    const char *key;
    const char *passphrase; /* its first line opens an encrypted key; NULL: none does */
    const char
        *ocsp; /* a response to staple, in DER; NULL: it is looked for at the chain's path and ".ocsp" */
};

enum { TLS_1_0 = 0x0301, TLS_1_1 = 0x0302, TLS_1_2 = 0x0303, TLS_1_3 = 0x0304 };

struct tls_settings {
    const struct tls_certificate_files *certificates; /* the first is for clients whose SNI fits none */
    size_t certificate_count;
    const char *const *directories; /* folders of certificates; see tls_directory.h for what is read there */
    size_t directory_count;
    const char *passphrase; /* for encrypted keys in them */
    bool strict_sni; /* clients that ask for a name which no certificate has, or for none, are turned away */
    struct tls_context
        *previous; /* certificates are taken from it where their files have not changed; may be NULL */
    const char *const
        *kept; /* paths of chains, in order: what it has of them stays, whatever the files are now, and
                                 what of a folder it has not is left out */
    size_t kept_count;
    uint16_t min_version; /* TLS_1_0 ... TLS_1_3 */
    uint16_t max_version;
    const char *ciphers; /* TLS 1.2 and older, OpenSSL's syntax; NULL: the suites of RFC 9325 section 4.2 */
    const char *groups;  /* "X25519:P-256"; NULL: see tls_policy.h */
    bool session_tickets;
    /* The context holds a reference; NULL: the library's keys, for each context its own. */
    struct tls_ticket_keys *ticket_keys;
    const struct tls_key_source
        *keys; /* where private keys are; NULL: in this process, read from their files */
};

/*
 * Where problems go: all that are found, not only the first. `source` is an index into the settings' list of
 * certificates and, behind its end, into that of directories; or TLS_NO_SOURCE for what concerns the other
 * settings. A problem that is no error is a warning.
 */
enum { TLS_NO_SOURCE = -1 };
struct tls_report {
    void (*say)(void *arg, int source, bool is_error, const char *text);
    void *arg;
    long long now; /* seconds since 1970, for validity; 0: don't check it */
};

/* NULL where an error was reported. One reference is the caller's. */
struct tls_context *tls_context_new_server(const struct tls_settings *settings,
                                           const struct tls_report *report);

/*
 * For the client's end of a connection, as tests and a probe of one's own listener need it: any certificate
 * will do.
 */
struct tls_context *tls_context_new_client(uint16_t min_version, uint16_t max_version);

struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context **context);

/* Do both serve the very same certificates? Contexts of servers. */
bool tls_context_same_certificates(const struct tls_context *a, const struct tls_context *b);

/* What there is to know of a certificate; strings live as long as the context. */
struct tls_certificate_info {
    const char *path; /* of the chain */
    const char *key_path;
    char *const *names;
    size_t name_count;
    int64_t begins; /* seconds since 1970 */
    int64_t ends;
    bool self_signed;
};
size_t tls_context_certificate_count(const struct tls_context *context);
/* How many of them stay from before, as their files could not be used when the context was made. */
size_t tls_context_stale_count(const struct tls_context *context);
struct tls_certificate_info tls_context_certificate(const struct tls_context *context, size_t index);

/*
 * The certificates that clients may be shown which ask for a name, as it may stand in a certificate, wildcard and all (NULL: the
 * default ones): indexes, at most `max`; how many.
 */
size_t tls_context_find(const struct tls_context *context, const char *name, size_t indexes[], size_t max);

/* Does the certificate match a TLSA record, as zone files have it (RFC 6698 section 2.2)? False where it is none. */
bool tls_context_matches_tlsa(const struct tls_context *context, size_t index, const char *record);
bool tls_is_tlsa(const char *record);

/* Is there a suite with a key of 128 bits or more that this version of TLS, or a later one, would use? */
bool tls_context_is_strong(const struct tls_context *context, uint16_t version);

/* The library and its version, static. */
const char *tls_library_name(void);

#endif
