/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_BACKEND_H
#define DEEPPROXY_TLS_BACKEND_H

#include "tls/endpoint/tls_endpoint.h"

/*
 * TLS towards a backend: the client's end of it, which knows whom to believe. A server's certificate must lead to one of
 * the authorities (or be in their file itself), be valid now and meant for servers, and have the server's name among its
 * subjectAltNames (RFC 9525: the common name does not count; a wildcard is a whole leftmost label). Anything else ends the
 * handshake, with an alert to the server and words for the operator (tls_endpoint_failure).
 */
struct tls_backend_settings {
    const char *ca; /* PEM file, the authorities; NULL only where nothing is verified */
    bool verify;
    struct tls_certificate_files own;  /* to show to a server that asks; NULL, NULL: nothing */
    const struct tls_key_source *keys; /* that has its key; NULL: it is read into this process */
    uint16_t min_version;              /* TLS_1_2 or TLS_1_3 */
};

/*
 * A context for all servers that these settings are for. NULL where an error was reported: at index
 * TLS_BACKEND_OWN_CERTIFICATE for `own`, at TLS_NO_SOURCE for the rest. Files are read here, never later.
 */
enum { TLS_BACKEND_OWN_CERTIFICATE = 0 };
struct tls_context *tls_context_new_backend(const struct tls_backend_settings *settings,
                                            const struct tls_report *report);

/* What is shown to servers that ask; false where there is nothing. */
bool tls_context_own_certificate(const struct tls_context *context, struct tls_certificate_info *into);

/* Its files are as they were when they were read, and its key is where it was. `now` in seconds since 1970. */
bool tls_context_backend_is_fresh(const struct tls_context *context, int64_t now);

/*
 * Sessions to resume, in slots: each is for one server (its name and context), and for one thread. A slot keeps the last
 * TLS_RESUMPTION_KEPT; one of TLS 1.3 is used once (RFC 8446 appendix C.4), and none longer than the certificates that it was
 * begun with are valid, as those are not looked at again.
 */
enum { TLS_RESUMPTION_KEPT = 2, TLS_RESUMPTION_PAUSE = 3600 /* seconds */ };
struct tls_resumption;

/* Empty. It holds a reference to the context. NULL where memory is short. To be freed after the last endpoint that uses it. */
struct tls_resumption *tls_resumption_new(struct tls_context *context, size_t slots);
void tls_resumption_free(struct tls_resumption **resumption);

/* One server. The strings and the resumption outlive the endpoint. */
struct tls_backend_server {
    const char *name;      /* a DNS name, sent as SNI, or a numeric address, which is not */
    const char *protocols; /* to offer by ALPN, as tls_endpoint.h has it; NULL: none */
    struct tls_resumption *resumption;
    size_t slot;
};

/*
 * tls_endpoint_start makes its first flight. The endpoint holds a reference to the context. NULL where memory is short. A server
 * that asks for a certificate whose key is in a source makes it TLS_AWAITS_SIGNATURE.
 */
struct tls_endpoint *tls_endpoint_new_backend(struct tls_context *context, struct tls_io *io,
                                              const struct tls_backend_server *server);

/*
 * Of an endpoint whose server has ended the handshake, by an alert or without a word: true where it was offered a session, and
 * answered with that. Another handshake may go well then, as its sessions are forgotten, and none is kept for
 * TLS_RESUMPTION_PAUSE. (A Dovecot that verifies certificates of clients is such a server: it resumes nothing, as it has told
 * its library no session id context, and the library ends the handshake.)
 */
bool tls_endpoint_give_up_resumption(struct tls_endpoint *endpoint);

#endif
