/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_FAILURE_H
#define DEEPPROXY_TLS_FAILURE_H

#include "base/slice.h"

/*
 * Why a TLS connection has failed: a value for the program to act on and to count by, and words for a log.
 * Everything here is static, and the number of values is fixed: no peer can make a new one.
 */
enum tls_failure {
    TLS_FAILURE_NONE, /* nothing has failed */
    TLS_FAILURE_OTHER,
    /* The client speaks something else, in the clear. */
    TLS_FAILURE_PROXY_HEADER,
    TLS_FAILURE_HTTP,
    TLS_FAILURE_SSH,
    TLS_FAILURE_CLEARTEXT, /* a mail protocol, or another one with text */
    TLS_FAILURE_NOT_TLS,   /* octets that are neither text nor TLS */
    /* The two ends have nothing in common. */
    TLS_FAILURE_VERSION,
    TLS_FAILURE_CIPHER,
    TLS_FAILURE_GROUP,
    TLS_FAILURE_SIGNATURE,
    TLS_FAILURE_ALPN,
    TLS_FAILURE_NAME,               /* no certificate for the name that is asked for (SNI) */
    TLS_FAILURE_CLIENT_CERTIFICATE, /* the client shows none, or one that is not accepted */
    TLS_FAILURE_NO_SIGNATURE,       /* the key process has made no signature */
    TLS_FAILURE_CLOSED,             /* the peer has sent close_notify in the handshake */
    TLS_FAILURE_PROBE,              /* a health check that never completes a handshake */
    /* The peer's alerts about a certificate. */
    TLS_FAILURE_UNKNOWN_CA,
    TLS_FAILURE_BAD_CERTIFICATE,
    TLS_FAILURE_CERTIFICATE_UNSUPPORTED,
    TLS_FAILURE_CERTIFICATE_REVOKED,
    TLS_FAILURE_CERTIFICATE_EXPIRED,
    TLS_FAILURE_CERTIFICATE_UNKNOWN,
    /* The server requires a certificate of its client. Only TLS 1.3 has an alert for that. */
    TLS_FAILURE_CERTIFICATE_REQUIRED,
    /* The peer rejects the handshake: before TLS 1.3 for want of a certificate, or for another reason. */
    TLS_FAILURE_HANDSHAKE_REFUSED,
    TLS_FAILURE_ALERT, /* any other alert of the peer's */
    TLS_FAILURES       /* how many */
};

/* The failure's name for metrics, such as "unknown_ca" or "no-common-version". */
const char *tls_failure_name(enum tls_failure failure);

/*
 * Two reasons with which a server rejects a client that sends no certificate; before TLS 1.3 there is no
 * better alert.
 */
#define TLS_CERTIFICATE_REQUIRED "the other side requires a certificate (alert certificate_required)"
#define TLS_HANDSHAKE_REFUSED    "the other side refuses the handshake (alert handshake_failure)"

/* The reason, at either end, if the key process has made no signature. */
#define TLS_NO_SIGNATURE "no signature was to be had from the key process"

/* What is known of a failure. */
struct tls_failure_words {
    int reason; /* the library's reason code */
    enum tls_failure kind;
    const char *text;
};

/* For the library's reason code, the codes of received alerts included; NULL if it has no row. */
const struct tls_failure_words *tls_failure_find(int reason);

enum {
    /* The library reads so many octets before it knows that there is no record of TLS. */
    TLS_BEGINNING_LEN = 5
};

/*
 * What does a client speak that begins with these TLS_BEGINNING_LEN octets, or fewer, in place of a
 * ClientHello? The text says what to set. NULL if they are no text, and no header of the PROXY protocol.
 */
const struct tls_failure_words *tls_failure_of_cleartext(struct slice beginning);

/*
 * Is it a ClientHello of a health check that never completes a handshake, whatever the server's reply is?
 * NULL if it is not one of those that are known: HAProxy's "option ssl-hello-chk", which offers SSL 3.0.
 */
const struct tls_failure_words *tls_failure_of_probe(struct slice hello);

enum {
    TLS_CLEAR_ALERT_LEN = 7, /* a record's header, level and description (RFC 8446 sections 5.1 and 6) */
    TLS_NO_ALERT = -1
};

/*
 * The description, if these octets are a record with an alert that is not encrypted; TLS_NO_ALERT if not.
 * OpenSSL's clients send such an alert after a ServerHello of TLS 1.3 if they reject the certificate. Nobody
 * has authenticated it: it explains a failure, and is never the reason of one.
 */
int tls_failure_clear_alert(struct slice record);

#endif
