/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_KEYS_H
#define DEEPPROXY_TLS_KEYS_H

#include "base/bytes.h"

/*
 * Private keys that are somewhere else, in another process say: here a key is a number and its public half. Who
 * has them makes the signatures, for an endpoint that waits (tls_endpoint_wanted).
 */
enum {
    TLS_SPKI_MAX = 2048, /* RSA with 8192 bits takes 1,062 octets */
    TLS_KEY_ERROR_MAX = 512
};

struct tls_outside_key {
    uint32_t number;
    size_t spki_len;
    uint8_t spki[TLS_SPKI_MAX]; /* SubjectPublicKeyInfo, DER */
    char error
        [TLS_KEY_ERROR_MAX]; /* where it could not be loaded: goes on behind the path ("is encrypted ...") */
};

/* Whose key it is: a server's, which clients are shown the certificate of, or ours as a client of other servers. */
enum tls_key_role { TLS_KEY_OF_SERVER, TLS_KEY_OF_CLIENT };

/* Lives longer than every context that was made with it. */
struct tls_key_source {
    /*
     * Reads the key in a file, which may be encrypted: its passphrase is the first line of another (NULL: there is none).
     * It signs then what an end of TLS in this role does. Only while a context is made, in the thread that makes it.
     */
    bool (*load)(void *arg, const char *path, const char *passphrase_path, enum tls_key_role role,
                 struct tls_outside_key *into);
    /* Is the key there still? If not, the certificate is loaded anew. May be NULL: always. Called as load. */
    bool (*has)(void *arg, uint32_t number);
    /* The last that needed the key has gone; from any thread. */
    void (*release)(void *arg, uint32_t number);
    /*
     * The certificates of a file that has a key as well, without it, as PEM; appended to `into`. False where it has none, or
     * can't be read, with words in `error` (TLS_KEY_ERROR_MAX) that go on behind the path. Called as load.
     */
    bool (*read_chain)(void *arg, const char *path, struct bytes *into, char *error);
    void *arg;
};

/* A signature that an endpoint waits for. */
struct tls_wanted {
    uint32_t key;
    uint16_t
        algorithm; /* SignatureScheme of RFC 8446 4.2.3; 0xFF01: RSA over MD5 and SHA-1, in TLS 1.0 and 1.1 */
    struct slice input; /* what is signed, before it is hashed */
};

/* In TLS 1.2 a client signs all that was said: both chains, and the server's list of authorities, are in it. */
enum { TLS_WANTED_INPUT_MAX = 32 * 1024 };

#endif
