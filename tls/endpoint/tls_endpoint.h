/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_ENDPOINT_H
#define DEEPPROXY_TLS_ENDPOINT_H

#include "tls/trust/tls_client_certificate.h"
#include "tls/trust/tls_client_trust.h"
#include "tls/endpoint/tls_context.h"
#include "tls/certificates/tls_keys.h"

/*
 * One end of a TLS connection, without a socket: ciphertext in, plaintext out; plaintext in, ciphertext out.
 * An idle endpoint owns no buffer: what it reads and seals goes through a tls_io that all endpoints of a
 * thread share, and the handshake's state is shed when the handshake is done.
 */

/* The buffers of a thread. An endpoint uses it only within a call; never from two threads at once. */
struct tls_io;

/*
 * `sealed_cap`: octets of ciphertext that the output can hold; see tls_sealed_bound. NULL where memory is
 * short. To be freed after the last endpoint made with it.
 */
struct tls_io *tls_io_new(size_t sealed_cap);
void tls_io_free(struct tls_io **io);

/* What the calls since the last reset want sent to the peer, in order. Valid until the next call with this tls_io. */
struct slice tls_io_output(const struct tls_io *io);
void tls_io_reset(struct tls_io *io);

/* An upper bound of the ciphertext made from `octets` of plaintext in `slices` slices. */
size_t tls_sealed_bound(size_t octets, size_t slices);

enum {
    /* Plaintext that one call of tls_endpoint_receive can give beyond the ciphertext it got: the rest of a record. */
    TLS_PLAIN_SLACK = 18 * 1024,
    /*
     * Ciphertext that is kept while a signature is awaited. A client has nothing to say then, but early data that was not
     * asked for (RFC 8446 4.2.10), of which the library passes 16 KB over; a server may greet already (RFC 8446 section 2).
     */
    TLS_HELD_MAX = 20 * 1024
};

enum tls_state {
    TLS_HANDSHAKING,
    TLS_AWAITS_SIGNATURE, /* handshaking, and the key is somewhere else: see tls_endpoint_wanted */
    TLS_OPEN,
    TLS_PEER_CLOSED, /* from TLS_OPEN: the peer has sent close_notify; nothing more comes, what is sealed still goes */
    TLS_FAILED /* no more calls but for information; an alert may wait in the output */
};

struct tls_endpoint;

/*
 * Names of protocols for ALPN are a static text in the form that RFC 7301 section 3.1 sends them in, each behind an octet
 * with its length: "\x04imap". NULL is no ALPN.
 *
 * A server's are those that it speaks. A client that offers none of them is turned away (no_application_protocol), as it
 * speaks something else, or was led here by somebody who wants its octets misread (ALPACA); one that does not use ALPN is
 * served.
 */

/* What the endpoints of a service have in common besides the context, which all services share. Outlives them. */
struct tls_service {
    const char *protocols;
    struct tls_client_trust *clients; /* NULL: no certificate is ever asked of them */
};

/*
 * NULL where memory is short. `service` may be NULL: neither ALPN nor certificates. The endpoint holds a reference to the
 * context until the handshake is done.
 */
struct tls_endpoint *tls_endpoint_new_server(struct tls_context *context, struct tls_io *io,
                                             const struct tls_service *service);
/* `name` for SNI, or NULL; `protocols` to offer. tls_endpoint_start makes its first flight. */
struct tls_endpoint *tls_endpoint_new_client(struct tls_context *context, struct tls_io *io, const char *name,
                                             const char *protocols);
void tls_endpoint_free(struct tls_endpoint **endpoint);

/* A client's first flight into the output. Nothing for a server. */
void tls_endpoint_start(struct tls_endpoint *endpoint);

/*
 * Takes in all of `ciphertext` and writes the plaintext found in it to `plain`, which has room for
 * ciphertext.len + TLS_PLAIN_SLACK octets. Returns how many were written; the state may have changed.
 */
size_t tls_endpoint_receive(struct tls_endpoint *endpoint, struct slice ciphertext, uint8_t *plain);

/*
 * In TLS_AWAITS_SIGNATURE: which one. `input` is valid until tls_endpoint_signed. What is received meanwhile is kept, up
 * to TLS_HELD_MAX.
 */
struct tls_wanted tls_endpoint_wanted(const struct tls_endpoint *endpoint);

/*
 * Here it is, or, where it is empty, it is not to be had and the handshake fails. Goes on with the handshake, and with what was
 * kept, as tls_endpoint_receive: `plain` has room for TLS_HELD_MAX + TLS_PLAIN_SLACK octets.
 */
size_t tls_endpoint_signed(struct tls_endpoint *endpoint, struct slice signature, uint8_t *plain);

/*
 * Seals slices of plaintext, in order, into the output, which must have room for tls_sealed_bound of them.
 * Small ones share a record. False, and TLS_FAILED, where the library fails.
 */
bool tls_endpoint_seal(struct tls_endpoint *endpoint, const struct slice *slices, size_t count);

/* close_notify into the output (draft section 4.4), once; nothing while handshaking or after a failure. */
void tls_endpoint_close(struct tls_endpoint *endpoint);

enum tls_state tls_endpoint_state(const struct tls_endpoint *endpoint);

/*
 * Why TLS_FAILED: a few words for a log; NULL otherwise. Static, but for those on a server's certificate (tls_backend.h),
 * which live as long as the endpoint, and may have octets of the peer's in them: encode them before they go to a log.
 */
const char *tls_endpoint_failure(const struct tls_endpoint *endpoint);

/* Failures that a program acts on; its words (tls_endpoint_failure) are for a log alone. */
enum tls_failure {
    TLS_FAILURE_NONE, /* the state is not TLS_FAILED */
    TLS_FAILURE_OTHER,
    TLS_FAILURE_CERTIFICATE_REQUIRED, /* the server demands a certificate of its client; TLS 1.3 alone says so */
    TLS_FAILURE_HANDSHAKE_REFUSED,    /* ... and what a server says before TLS 1.3, for this and other reasons */
    TLS_FAILURE_NO_SIGNATURE          /* the key process has not signed */
};

/* Which of these it is: TLS_FAILURE_NONE unless the state is TLS_FAILED. */
enum tls_failure tls_endpoint_failure_kind(const struct tls_endpoint *endpoint);

/* Two of them, by which a server turns a client away that has no certificate; before TLS 1.3 it has no other word. */
#define TLS_CERTIFICATE_REQUIRED "the other side requires a certificate"
#define TLS_HANDSHAKE_REFUSED    "the other side refuses the handshake"

/* ... and what is to be had for either end where it did not get its signature. */
#define TLS_NO_SIGNATURE "no signature was to be had from the key process"

/* What was negotiated; from TLS_OPEN on. All strings live as long as the endpoint. */
struct tls_info {
    const char *version;        /* "TLSv1.3" */
    const char *cipher;         /* registered name, or 0x and four hexadecimal digits (draft section 6) */
    const char *openssl_cipher; /* the name that PROXY v2 wants in its CIPHER TLV */
    const char *server_name;    /* SNI as sent, NULL where none was */
    struct slice protocol;      /* what ALPN has agreed on, empty where it was not used */
    bool resumed;
    /* What a client has shown, in this handshake or in the first one of a resumed session; only where it is good. */
    const struct tls_client_certificate *client_certificate;
};
struct tls_info tls_endpoint_info(const struct tls_endpoint *endpoint);

#endif
