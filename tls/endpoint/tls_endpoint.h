/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_ENDPOINT_H
#define DEEPPROXY_TLS_ENDPOINT_H

#include "tls/certificates/tls_keys.h"
#include "tls/endpoint/tls_context.h"
#include "tls/endpoint/tls_failure.h"
#include "tls/trust/tls_client_certificate.h"
#include "tls/trust/tls_client_trust.h"

/*
 * One end of a TLS connection, without a socket: ciphertext in, plaintext out; plaintext in, ciphertext out.
 * It reads no clock and starts no timer. An idle endpoint owns no buffer: what it reads and seals goes
 * through a tls_io, which all endpoints of a thread share, and it frees the handshake's state after the
 * handshake.
 */

/* The buffers of a thread. Endpoints use them only within a call. Never used by two threads at once. */
struct tls_io;

/*
 * `sealed_cap`: how many octets of sealed plaintext the output can hold, see tls_sealed_bound; room for
 * handshakes and alerts is added. NULL if memory is short. The caller frees it, after the last endpoint that
 * was made with it.
 */
MUST_CHECK struct tls_io *tls_io_new(size_t sealed_cap);

/* Wipes what is left of plaintext in it, frees it, and sets the pointer to NULL. */
void tls_io_free(struct tls_io **io);

/*
 * The ciphertext to send to the peer, in order: what all calls since the last tls_io_reset have written.
 * Valid until the next call with this tls_io.
 */
struct slice tls_io_output(const struct tls_io *io);

/* Empties the output. Call it after the output was sent or queued. */
void tls_io_reset(struct tls_io *io);

/* An upper bound, in octets, of the ciphertext for `octets` of plaintext in `slices` slices. */
size_t tls_sealed_bound(size_t octets, size_t slices);

enum {
    /*
     * Octets of plaintext that one tls_endpoint_receive can return beyond the ciphertext it got: the rest of
     * a record.
     */
    TLS_PLAIN_SLACK = 18 * 1024,
    /*
     * Octets of ciphertext that are buffered while a signature is awaited. A client has nothing to send then
     * but early data that nobody asked for (RFC 8446 section 4.2.10), of which the library skips 16 KB; a
     * server may already send its greeting (RFC 8446 section 2).
     */
    TLS_HELD_MAX = 20 * 1024
};

enum tls_state {
    TLS_HANDSHAKING,
    TLS_AWAITS_SIGNATURE, /* in the handshake, and the key is somewhere else: see tls_endpoint_sign_request */
    TLS_OPEN,
    /* after TLS_OPEN: the peer has sent close_notify. Nothing more is received; sealing still works */
    TLS_PEER_CLOSED,
    TLS_FAILED /* only calls for information are allowed; the output may have an alert to send */
};

struct tls_endpoint;

/*
 * Names of protocols for ALPN are a static string in the form in which RFC 7301 section 3.1 sends them:
 * before each name an octet with its length, "\x04imap". NULL: ALPN is not used.
 *
 * A server's list has the protocols that it speaks. It rejects a client that offers none of them
 * (no_application_protocol): the client speaks something else, or an attacker redirected it here to have its
 * octets misread (ALPACA). It accepts a client that does not use ALPN.
 */

/*
 * A health check of this program's own offers this name beside that of the service, which is the one that is
 * selected. No service speaks it.
 */
#define TLS_PROBE_PROTOCOL "\x11x-deepproxy-probe"

/*
 * What the connections of one service (a listener) have in common, besides the context, which all services
 * share. It outlives its endpoints.
 */
struct tls_service_settings {
    const char *protocols;            /* for ALPN, as above */
    struct tls_client_trust *clients; /* NULL: clients are not asked for certificates */
};

/*
 * Makes a server's endpoint. `service` NULL: neither ALPN nor client certificates. The endpoint holds a
 * reference to the context until the handshake is done. The caller frees the endpoint. NULL if memory is
 * short.
 */
MUST_CHECK struct tls_endpoint *tls_endpoint_new_server(struct tls_context *context, struct tls_io *io,
                                                        const struct tls_service_settings *service);

/*
 * Makes a client's endpoint. `name` is sent as SNI (NULL: no SNI); `protocols` are offered by ALPN. Call
 * tls_endpoint_start next. The endpoint holds a reference to the context. The caller frees the endpoint. NULL
 * if memory is short.
 */
MUST_CHECK struct tls_endpoint *tls_endpoint_new_client(struct tls_context *context, struct tls_io *io,
                                                        const char *name, const char *protocols);

/* Frees the endpoint, and sets the pointer to NULL. Sends nothing: see tls_endpoint_close. */
void tls_endpoint_free(struct tls_endpoint **endpoint);

/*
 * Writes a client's first flight into the output. Does nothing for a server. The state may become TLS_FAILED.
 */
void tls_endpoint_start(struct tls_endpoint *endpoint);

/*
 * Consumes all of `ciphertext`, and writes the plaintext in it to `plain`, which has room for ciphertext.len
 * + TLS_PLAIN_SLACK octets. Returns how many octets it wrote. Look at the state after each call: it may have
 * changed, and the output may have something to send.
 */
size_t tls_endpoint_receive(struct tls_endpoint *endpoint, struct slice ciphertext, uint8_t *plain);

/*
 * In TLS_AWAITS_SIGNATURE: the signature that the handshake needs. Its `input` is valid until
 * tls_endpoint_signed. Until then, what is received is buffered; the endpoint fails if that is more than
 * TLS_HELD_MAX.
 */
struct tls_sign_request tls_endpoint_sign_request(const struct tls_endpoint *endpoint);

/*
 * In TLS_AWAITS_SIGNATURE: hands in the signature (it may be freed after the call), or an empty slice if none
 * can be had, which fails the handshake. Continues the handshake with what was buffered, like
 * tls_endpoint_receive: `plain` has room for TLS_HELD_MAX + TLS_PLAIN_SLACK octets; returns how many it
 * wrote.
 */
size_t tls_endpoint_signed(struct tls_endpoint *endpoint, struct slice signature, uint8_t *plain);

/*
 * In TLS_OPEN or TLS_PEER_CLOSED: seals slices of plaintext, in order, into the output, which must have room
 * for their tls_sealed_bound. Small slices share a record. False, and TLS_FAILED, if the library fails.
 */
MUST_CHECK bool tls_endpoint_seal(struct tls_endpoint *endpoint, const struct slice *slices, size_t count);

/*
 * Writes close_notify into the output (draft section 4.4), the first time that it is called. Does nothing in
 * a handshake or after a failure.
 */
void tls_endpoint_close(struct tls_endpoint *endpoint);

/* The state now. */
enum tls_state tls_endpoint_state(const struct tls_endpoint *endpoint);

/*
 * In TLS_FAILED the reason, in a few words for a log; NULL otherwise. The text is static, except for reasons
 * about a server's certificate (tls_backend.h): those live as long as the endpoint and may contain octets of
 * the peer's, so encode them before they are logged.
 */
const char *tls_endpoint_failure(const struct tls_endpoint *endpoint);

/*
 * The failure as a value that a program acts on: the texts of tls_endpoint_failure are only for a log.
 * TLS_FAILURE_NONE if the state is not TLS_FAILED. An endpoint towards a backend (tls_backend.h) has only
 * TLS_FAILURE_OTHER.
 */
enum tls_failure tls_endpoint_failure_kind(const struct tls_endpoint *endpoint);

/* What the handshake has negotiated; from TLS_OPEN on. All strings live as long as the endpoint. */
struct tls_info {
    const char *version;        /* "TLSv1.3" */
    const char *cipher;         /* its registered name, or 0x and four hexadecimal digits (draft section 6) */
    const char *openssl_cipher; /* OpenSSL's name, for the CIPHER TLV of PROXY v2 */
    const char *server_name;    /* the SNI as it was sent; NULL: none was sent */
    struct slice protocol;      /* the protocol that ALPN selected; empty: ALPN was not used */
    bool resumed;
    bool is_probe; /* the client has offered TLS_PROBE_PROTOCOL */
    /*
     * The certificate that the client has sent in this handshake, or in the first one of a resumed session.
     * NULL if there is none, or if it was not accepted.
     */
    const struct tls_client_certificate *client_certificate;
};

/* Before TLS_OPEN all fields but server_name may be empty. */
struct tls_info tls_endpoint_info(const struct tls_endpoint *endpoint);

#endif
