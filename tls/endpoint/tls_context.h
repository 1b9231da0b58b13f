/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CONTEXT_H
#define DEEPPROXY_TLS_CONTEXT_H

#include "base/must_check.h"
#include "base/slice.h"
#include "tls/certificates/tls_keys.h"
#include "tls/tickets/tls_ticket_keys.h"
#include "tls/tls_report.h"
#include "tls/tls_settings.h"
#include "tls/tls_version.h"

/*
 * What many TLS connections have in common: certificates with their keys, versions, cipher suites, ticket
 * keys. A context is made once and never changes. It is safe to use from all threads, and counted by
 * reference: each endpoint holds one. Files are read when the context is made, never later. Nothing here
 * touches a socket.
 */
struct tls_context;

/*
 * Makes the context of a server from its settings. The caller owns one reference. NULL if an error was
 * reported; warnings are reported too. Reads files, and so may block.
 */
MUST_CHECK struct tls_context *tls_context_new_server(const struct tls_settings *settings,
                                                      const struct tls_report *report);

/*
 * Makes the context of a client that accepts any certificate: for tests, and for a probe of one's own
 * listener. Versions as in tls_version.h. The caller owns one reference. NULL if memory is short, or if no
 * version is left.
 */
MUST_CHECK struct tls_context *tls_context_new_client(uint16_t min_version, uint16_t max_version);

/* Adds a reference, and returns the context. */
struct tls_context *tls_context_ref(struct tls_context *context);

/* Drops a reference, and sets the pointer to NULL. The last one frees the context. */
void tls_context_unref(struct tls_context **context);

/* Whether two contexts of servers have the very same certificates, in the same order. */
bool tls_context_same_certificates(const struct tls_context *a, const struct tls_context *b);

/* One certificate. The strings live as long as the context. */
struct tls_certificate_info {
    const char *path; /* of the chain's file */
    const char *key_path;
    char *const *names; /* DNS names; a wildcard keeps its "*" */
    size_t name_count;
    int64_t begins; /* validity of the leaf, in seconds since 1970 */
    int64_t ends;
    bool self_signed;
};

/* How many certificates a server's context has: indexes are below this. */
size_t tls_context_certificate_count(const struct tls_context *context);

/*
 * How many of them come from the previous context, because their files could not be used when this one was
 * made.
 */
size_t tls_context_stale_count(const struct tls_context *context);

/* The certificate at an index. */
struct tls_certificate_info tls_context_certificate(const struct tls_context *context, size_t index);

/*
 * The index of a server's default certificate, for clients that ask for no name or for one that no
 * certificate has. Another one with the same name is sent to a client that can't verify this kind of key.
 */
size_t tls_context_default(const struct tls_context *context);

/*
 * The certificates that a client may be sent if it asks for `name`, in the form of a certificate's name, with
 * or without a wildcard (NULL: the default ones). Writes their indexes, at most `max`; returns how many it
 * wrote.
 */
size_t tls_context_find(const struct tls_context *context, const char *name, size_t indexes[], size_t max);

/*
 * Whether the certificate at an index matches a TLSA record in the form of zone files (RFC 6698 section 2.2).
 * False if the text is no such record.
 */
bool tls_context_matches_tlsa(const struct tls_context *context, size_t index, const char *record);

/* Whether a text is a TLSA record in the form of zone files. */
bool tls_is_tlsa(const char *record);

/* Whether `version`, or a later one that the context allows, has a suite with a key of 128 bits or more. */
bool tls_context_is_strong(const struct tls_context *context, uint16_t version);

/* The TLS library and its version; static. */
const char *tls_library_name(void);

#endif
