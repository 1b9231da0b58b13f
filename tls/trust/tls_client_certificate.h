/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CLIENT_CERTIFICATE_H
#define DEEPPROXY_TLS_CLIENT_CERTIFICATE_H

/*
 * What is kept of a client's certificate for as long as its session lasts: who it says that the client is, in words
 * that a log and a backend can have. Immutable. It says nothing about whether that is true: see tls_client_trust.h.
 */
enum {
    TLS_CLIENT_SUBJECT_MAX = 256, /* with the NUL. Longer ones are cut, and end in "..." */
    TLS_CLIENT_NAME_MAX = 256,    /* octets of a name. Longer ones are none: a cut one would be another's */
    TLS_CLIENT_SERIAL_MAX = 41,   /* 20 octets in hexadecimal (RFC 5280 section 4.1.2.2), and a NUL */
    TLS_FINGERPRINT_MAX = 65
};

struct tls_client_certificate {
    const char *subject;     /* the distinguished name (RFC 4514), in printable ASCII; "" where it is empty */
    const char *common_name; /* its only CN: UTF-8 without control characters; NULL: none, several, no such */
    const char *email;       /* the only rfc822Name of its subjectAltName, in graphic ASCII; NULL likewise */
    char serial[TLS_CLIENT_SERIAL_MAX];    /* "0A3F"; "" where it is longer than RFC 5280 lets it be */
    char fingerprint[TLS_FINGERPRINT_MAX]; /* SHA-256 of it all, in hexadecimal */
    char text[];                           /* where the first three stand */
};

#endif
