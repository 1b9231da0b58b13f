/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_KEYS_H
#define DEEPPROXY_TLS_KEYS_H

#include "base/bytes.h"
#include "tls/tls_file.h"

/*
 * External keys: private keys that are not in this process, but in a key source, which may be another
 * process. Here such a key is a number and its public half. If a handshake needs its signature, the endpoint
 * waits (tls_endpoint_sign_request) until the caller has had the source sign.
 */
enum {
    TLS_SPKI_MAX = 2048,     /* octets; RSA with 8192 bits takes 1,062 */
    TLS_KEY_ERROR_MAX = 512, /* octets of an error, with its NUL */
    /*
     * Octets. A client signs the whole handshake in TLS 1.2: both chains, and the server's list of
     * authorities.
     */
    TLS_SIGN_INPUT_MAX = 32 * 1024
};

struct tls_external_key {
    uint32_t number;
    size_t spki_len;
    uint8_t spki[TLS_SPKI_MAX]; /* SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), DER */
    /* why it could not be loaded; a message has it after the path: "is encrypted ..." */
    char error[TLS_KEY_ERROR_MAX];
};

/*
 * Which end of TLS a key signs for: a server, towards its clients, or a client, towards the servers of a
 * pool.
 */
enum tls_key_role { TLS_KEY_OF_SERVER, TLS_KEY_OF_CLIENT };

/* What a path leads to, at the end of all symbolic links. */
struct tls_key_source_look {
    bool is_seen; /* false only in a list: that path must be asked for by itself */
    bool is_there;
    bool is_folder;
    struct tls_file_mark mark; /* of a regular file; all zero for anything else */
};

/* A key source, as functions that its owner provides. It outlives every context that was made with it. */
struct tls_key_source {
    /*
     * Loads the key in the file at `path`, to sign for this role and no other. An encrypted key is decrypted
     * with the first line of the file at `passphrase_path` (NULL: there is none). Called only while a context
     * is made, in the thread that makes it; may block. False with into->error on failure; `into` has the
     * number and the public half otherwise.
     */
    bool (*load)(void *arg, const char *path, const char *passphrase_path, enum tls_key_role role,
                 struct tls_external_key *into);
    /*
     * Whether the source still has the key. If not, its certificate is loaded again. NULL: it always has.
     * Called as load.
     */
    bool (*has)(void *arg, uint32_t number);
    /* The last certificate with this key was freed. Called from any thread; must not block for long. */
    void (*release)(void *arg, uint32_t number);
    /*
     * Appends to `into`, as PEM, the certificates of a file that also has a key, and never the key. False,
     * with a reason in `error` (TLS_KEY_ERROR_MAX) that a message has after the path, if there are none or
     * the file can't be read. Called as load.
     */
    bool (*read_chain)(void *arg, const char *path, struct bytes *into, char *error);
    /*
     * The rest is for files and folders that this process may not read (EACCES), and perhaps the source's
     * may. NULL: it has no right of its own. Called as load; `error` as in read_chain.
     *
     * As read_chain, of a file that need not have a key.
     */
    bool (*read_certificates)(void *arg, const char *path, struct bytes *into, char *error);
    /* Appends an OCSP response, DER, to `into`. */
    bool (*read_ocsp)(void *arg, const char *path, struct bytes *into, char *error);
    /* What the path leads to. False if that can't be told. */
    bool (*look)(void *arg, const char *path, struct tls_key_source_look *into);
    /*
     * Appends the names in a folder to `names`, each with a NUL after it; none begins with a dot. Appends to
     * `looks`, which the caller passes empty, a struct tls_key_source_look for each name in the same order:
     * what it led to when the folder was listed. Those of the last names may be missing.
     */
    bool (*list)(void *arg, const char *path, struct bytes *names, struct bytes *looks, char *error);
    void *arg;
};

/* A signature that an endpoint needs. */
struct tls_sign_request {
    uint32_t key;
    /* SignatureScheme of RFC 8446 section 4.2.3; 0xFF01: RSA over MD5 and SHA-1, as in TLS 1.0 and 1.1. */
    uint16_t algorithm;
    struct slice input; /* what is signed, not yet hashed; at most TLS_SIGN_INPUT_MAX octets */
};

#endif
