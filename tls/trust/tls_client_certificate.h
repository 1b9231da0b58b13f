/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CLIENT_CERTIFICATE_H
#define DEEPPROXY_TLS_CLIENT_CERTIFICATE_H

/*
 * The identity in a client's certificate, as text that a log and a backend can take. It is kept as long as
 * the session, and never changes. Whether the certificate is to be trusted is not decided here: see
 * tls_client_trust.h.
 */
enum {
    TLS_CLIENT_SUBJECT_MAX = 256, /* octets with the NUL; a longer subject is cut, and ends in "..." */
    /* octets of a name; a longer name is left out: a cut one could be somebody else's */
    TLS_CLIENT_NAME_MAX = 256,
    TLS_CLIENT_SERIAL_MAX = 41, /* 20 octets in hexadecimal (RFC 5280 section 4.1.2.2), and a NUL */
    TLS_FINGERPRINT_MAX = 65    /* SHA-256 in hexadecimal, and a NUL */
};

/* In one block of memory: the strings live as long as the struct. */
struct tls_client_certificate {
    const char *subject; /* the distinguished name (RFC 4514), in printable ASCII; "" if it is empty */
    /*
     * The only CN of the subject: UTF-8 without control characters. NULL if there is none, several, or one
     * that is neither.
     */
    const char *common_name;
    /* The only rfc822Name of the subjectAltName, in graphic ASCII; NULL in the same cases. */
    const char *email;
    char serial[TLS_CLIENT_SERIAL_MAX];    /* "0A3F"; "" if it is longer than RFC 5280 allows */
    char fingerprint[TLS_FINGERPRINT_MAX]; /* SHA-256 of the whole certificate */
    char text[];                           /* the memory of the first three */
};

#endif
