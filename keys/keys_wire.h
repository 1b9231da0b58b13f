/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_WIRE_H
#define DEEPPROXY_KEYS_WIRE_H

#include "base/slice.h"

/*
 * What the proxy and its key process (keys_process.h) say to each other, as octets. Both ends take the other for hostile: nothing is
 * believed about a length, and what does not fit to the octet is refused as a whole. Numbers are big-endian. All
 * sockets are SOCK_SEQPACKET: a message is one datagram.
 *
 * Each worker has a socket of its own to a thread of the key process, for signatures alone. A message holds what an
 * iteration of the worker's loop wants, as far as it has room, and an answer what has been signed since the last one, in any
 * order:
 *
 *     request  = number(4) key(4) algorithm(2) len(2) input(len)
 *     answer   = number(4) status(2) len(2) signature(len)
 *
 * The proxy's main thread has a control socket, on which a command gets one answer before the next is sent:
 *
 *     command  = type(1) key(4) path-len(2) path passphrase-path-len(2) passphrase-path
 *     answer   = type(1) payload
 */
enum {
    /*
     * Most are short: TLS 1.3 signs 130 or 146 octets, a server in TLS 1.2 two randoms and a point of P-521, 201. But a
     * client signs all that both have said: with chains of certificates, and a list of authorities, as long as they may be.
     */
    KEYS_INPUT_SHORT = 256,
    KEYS_INPUT_MAX = 32 * 1024,
    /* RSA with 8192 bits. */
    KEYS_SIGNATURE_MAX = 1024,
    KEYS_REQUEST_HEADER = 12,
    KEYS_ANSWER_HEADER = 8,
    /* More in one message gain nothing: the cost of the system call is a hundredth of the signatures' by then. */
    KEYS_BATCH_MAX = 64,
    /* As many short ones, or a long one. */
    KEYS_REQUESTS_MAX = KEYS_REQUEST_HEADER + KEYS_INPUT_MAX,
    KEYS_ANSWERS_MAX = KEYS_BATCH_MAX * (KEYS_ANSWER_HEADER + KEYS_SIGNATURE_MAX),
    KEYS_PATH_MAX = 4095,
    KEYS_COMMAND_MAX = 1 + 4 + 2 * (2 + KEYS_PATH_MAX),
    /* A chain of sixteen certificates. */
    KEYS_REPLY_MAX = 64 * 1024,
    /* Keys are numbered from 0 by the proxy, and a number that was dropped is used again. */
    KEYS_COUNT_MAX = 1024 * 1024,
    /* Descriptors in a message; Linux takes 253. */
    KEYS_CHANNELS_EACH = 64,
    KEYS_CHANNELS_MAX = 256
};

/* A signature that is wanted. `algorithm` is a SignatureScheme of RFC 8446 4.2.3, or KEYS_RSA_MD5_SHA1. */
struct keys_request {
    uint32_t number; /* the asker's own */
    uint32_t key;
    uint16_t algorithm;
    struct slice input; /* what is signed, before it is hashed */
};

/* TLS 1.0 and 1.1 sign with RSA over both hashes; the value is of the private range. */
enum { KEYS_RSA_MD5_SHA1 = 0xFF01 };

enum keys_status { KEYS_SIGNED, KEYS_REFUSED };

struct keys_answer {
    uint32_t number;
    enum keys_status status;
    struct slice signature; /* empty where refused */
};

/* Writes one at `*used` of `buffer`, and moves `*used` on. False, and nothing written, where it doesn't fit or is too long. */
bool keys_put_request(uint8_t *buffer, size_t cap, size_t *used, const struct keys_request *request);
bool keys_put_answer(uint8_t *buffer, size_t cap, size_t *used, const struct keys_answer *answer);

/*
 * Take the next one off the front of `*rest`; what it points to lies in the message. False where the message is malformed
 * (`*rest` is then not empty): who sent it is broken, or no friend.
 */
bool keys_take_request(struct slice *rest, struct keys_request *request);
bool keys_take_answer(struct slice *rest, struct keys_answer *answer);

/* Commands to the key process, and what comes back. */
enum keys_command_type {
    KEYS_CHANNELS = 1, /* descriptors of workers' sockets come with it, for the next KEYS_START; no answer */
    KEYS_START, /* starts a signer with the channels that came; KEYS_DONE when it is ready and confined */
    KEYS_LOAD,  /* reads a key of a server; KEYS_DONE with its public half (SubjectPublicKeyInfo, DER) */
    KEYS_CHAIN, /* of a file that has a key: KEYS_DONE with the certificates in it, as PEM */
    KEYS_DROP,  /* forgets a key; no answer */
    KEYS_LOAD_CLIENT /* as KEYS_LOAD, a key of a client: it signs what a client signs, and nothing else */
};

/* Reads the command a file, and so has a path? */
static inline bool keys_command_reads(enum keys_command_type type)
{
    return type == KEYS_LOAD || type == KEYS_LOAD_CLIENT || type == KEYS_CHAIN;
}

struct keys_command {
    enum keys_command_type type;
    uint32_t key;                 /* KEYS_LOAD, KEYS_LOAD_CLIENT and KEYS_DROP */
    struct slice path;            /* where keys_command_reads */
    struct slice passphrase_path; /* KEYS_LOAD and KEYS_LOAD_CLIENT; empty: there is none */
};

enum keys_reply_type {
    KEYS_DONE = 1,
    KEYS_FAILED, /* the payload says why, in words */
    KEYS_NOTE,   /* no answer but a warning for the log, in words; at any time */
    KEYS_ENDED   /* no answer either: the signer has ended, and why; at any time */
};

/* The length written; `into` has room for KEYS_COMMAND_MAX. 0 where a path is too long. */
size_t keys_put_command(uint8_t *into, const struct keys_command *command);
bool keys_take_command(struct slice message, struct keys_command *command);

/* Likewise, with room for KEYS_REPLY_MAX; a payload that is too long is cut: words can be. */
size_t keys_put_reply(uint8_t *into, enum keys_reply_type type, struct slice payload);
bool keys_take_reply(struct slice message, enum keys_reply_type *type, struct slice *payload);

#endif
