/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_BACKEND_H
#define DEEPPROXY_TLS_BACKEND_H

#include "tls/endpoint/tls_endpoint.h"

/*
 * TLS towards a backend: the client's end, which verifies the server. A server's certificate must be valid
 * now, be meant for servers, have the server's name among its subjectAltNames, and lead to one of the
 * authorities or be in their file itself. The common name does not count, and a wildcard is a whole leftmost
 * label (RFC 9525). If the certificate fails any of these, the handshake fails: the server gets an alert, and
 * tls_endpoint_failure has the reason for the operator.
 */
struct tls_backend_settings {
    const char *ca;                    /* PEM file of the authorities; may be NULL if nothing is verified */
    bool verify;                       /* false: any certificate is accepted */
    struct tls_certificate_files own;  /* to send to a server that asks for one; all NULL: none */
    const struct tls_key_source *keys; /* has the key of `own`; NULL: it is read into this process */
    uint16_t min_version;              /* TLS_1_0 to TLS_1_3; below 1.2 with the suites of those days */
    /*
     * Other contexts for backends: authorities and a certificate that one of them has of the same files are
     * not read again, if these are unchanged.
     */
    struct tls_context *const *others;
    size_t other_count;
};

/* The source of a problem with `own`, in a report. Any other problem has TLS_NO_SOURCE. */
enum { TLS_BACKEND_OWN_CERTIFICATE = 0 };

/*
 * Makes the context for all servers with these settings, which are used only within the call, but for `keys`,
 * which outlives the context. The caller owns one reference. NULL if an error was reported. Reads files, and
 * so may block.
 */
MUST_CHECK struct tls_context *tls_context_new_backend(const struct tls_backend_settings *settings,
                                                       const struct tls_report *report);

/* Writes what the context sends to servers that ask. False, and nothing written, if it has no certificate. */
MUST_CHECK bool tls_context_own_certificate(const struct tls_context *context,
                                            struct tls_certificate_info *into);

/*
 * Whether the files of the context are as they were when they were read, and its key is still in its source.
 * `now` in seconds since 1970.
 */
bool tls_context_backend_is_fresh(const struct tls_context *context, int64_t now);

/*
 * Sessions to resume, in slots. A slot is for one server (one name and one context) and one thread; if
 * another server gets it, what it has is forgotten. It keeps the last TLS_RESUMPTION_KEPT sessions. One of
 * TLS 1.3 is used once (RFC 8446 appendix C.4). None is used after one of the certificates that it began
 * with has expired, as a resumed handshake verifies no certificate.
 */
enum {
    TLS_RESUMPTION_KEPT = 2,
    TLS_RESUMPTION_PAUSE = 3600 /* seconds; see tls_endpoint_give_up_resumption */
};
struct tls_resumption;

/*
 * Makes empty slots, and holds a reference to the context. NULL if memory is short. The caller frees it,
 * after the last endpoint that uses it.
 */
MUST_CHECK struct tls_resumption *tls_resumption_new(struct tls_context *context, size_t slots);

/* Frees it with its sessions, and sets the pointer to NULL. */
void tls_resumption_free(struct tls_resumption **resumption);

/* One server. The strings and the resumption outlive the endpoint. */
struct tls_backend_server {
    const char *name;                  /* a DNS name, sent as SNI, or a numeric address, never sent */
    const char *protocols;             /* for ALPN, in the form of tls_endpoint.h; NULL: ALPN is not used */
    struct tls_resumption *resumption; /* NULL: no session is resumed */
    size_t slot;                       /* of the resumption */
    uint64_t owner;                    /* whose slot that is: a number of this server and name alone */
};

/*
 * Makes an endpoint for one connection to the server. Call tls_endpoint_start next. The endpoint holds a
 * reference to the context; the caller frees it with tls_endpoint_free. NULL if memory is short. If the
 * server asks for a certificate whose key is in a source, the state becomes TLS_AWAITS_SIGNATURE.
 */
MUST_CHECK struct tls_endpoint *tls_endpoint_new_backend(struct tls_context *context, struct tls_io *io,
                                                         const struct tls_backend_server *server);

/* Has the handshake failed as the server's certificate was rejected? The reason is tls_endpoint_failure. */
bool tls_endpoint_server_is_untrusted(const struct tls_endpoint *endpoint);

/*
 * Call it if the server has ended the handshake, by an alert or by closing the connection. True if it did so
 * after it was offered a session: a new handshake with a new endpoint may succeed. The slot's sessions are
 * then forgotten, and the slot keeps none for TLS_RESUMPTION_PAUSE. (A Dovecot that verifies certificates of
 * clients is such a server: it sets no session id context, so its library aborts each resumption.)
 */
MUST_CHECK bool tls_endpoint_give_up_resumption(struct tls_endpoint *endpoint);

#endif
