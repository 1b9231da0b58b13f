/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_WIRE_H
#define DEEPPROXY_KEYS_WIRE_H

#include "base/must_check.h"
#include "base/slice.h"

/*
 * The messages between the proxy and its key process (keys_process.h), as octets. Each end treats the other
 * as hostile: it checks every length, and refuses a message as a whole if it does not fit to the octet.
 * Numbers are big-endian. All sockets are SOCK_SEQPACKET: a message is one datagram. Nothing here sends or
 * receives, or keeps state.
 *
 * Each worker has a socket of its own to a thread of the key process, only for signatures. A message has all
 * requests of one iteration of the worker's loop, as far as there is room. An answer has what was signed
 * since the last one, in any order:
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
     * Octets. Most inputs are short: TLS 1.3 signs 130 or 146 octets, a server in TLS 1.2 two randoms and a
     * point of P-521, 201. But a client in TLS 1.2 signs all messages of the handshake: both chains, and the
     * server's list of authorities.
     */
    KEYS_INPUT_SHORT = 256,
    KEYS_INPUT_MAX = 32 * 1024,
    /* Octets: RSA with 8192 bits. */
    KEYS_SIGNATURE_MAX = 1024,
    KEYS_REQUEST_HEADER = 12,
    KEYS_ANSWER_HEADER = 8,
    /*
     * More requests in one message gain nothing: by then the system call costs a hundredth of the signatures.
     */
    KEYS_BATCH_MAX = 64,
    /* Octets of a message: that many short requests, or a long one. */
    KEYS_REQUESTS_MAX = KEYS_REQUEST_HEADER + KEYS_INPUT_MAX,
    KEYS_ANSWERS_MAX = KEYS_BATCH_MAX * (KEYS_ANSWER_HEADER + KEYS_SIGNATURE_MAX),
    KEYS_PATH_MAX = 4095,
    KEYS_COMMAND_MAX = 1 + 4 + 2 * (2 + KEYS_PATH_MAX),
    /* Octets: a chain of sixteen certificates. */
    KEYS_REPLY_MAX = 64 * 1024,
    /* Octets of a name in a folder. */
    KEYS_NAME_MAX = 255,
    /* The proxy numbers keys from 0, and uses the number of a dropped key again. */
    KEYS_COUNT_MAX = 1024 * 1024,
    /* Descriptors in one message (Linux allows 253); in all: workers, and the main thread. */
    KEYS_CHANNELS_EACH = 64,
    KEYS_CHANNELS_MAX = 257
};

/* A request for a signature. The input lies in the message. */
struct keys_request {
    uint32_t number; /* chosen by the worker, and repeated in the answer */
    uint32_t key;
    uint16_t algorithm; /* SignatureScheme of RFC 8446 section 4.2.3, or KEYS_RSA_MD5_SHA1 */
    struct slice input; /* what is signed, not yet hashed */
};

/* TLS 1.0 and 1.1 sign with RSA over both hashes. The value is from the range for private use. */
enum { KEYS_RSA_MD5_SHA1 = 0xFF01 };

enum keys_status { KEYS_SIGNED, KEYS_REFUSED };

struct keys_answer {
    uint32_t number;
    enum keys_status status;
    struct slice signature; /* lies in the message; empty if the request was refused */
};

/*
 * Appends a request to the `*used` octets in `buffer`, which has room for `cap`, and advances `*used`. False,
 * and nothing written, if there is no room or the input is too long.
 */
MUST_CHECK bool keys_put_request(uint8_t *buffer, size_t cap, size_t *used,
                                 const struct keys_request *request);

/*
 * Appends an answer in the same way. False, and nothing written, if there is no room or the signature is too
 * long.
 */
MUST_CHECK bool keys_put_answer(uint8_t *buffer, size_t cap, size_t *used, const struct keys_answer *answer);

/*
 * Takes the next request off the front of `*rest`, which must not be empty. Its input points into the
 * message. False if the message is malformed: the sender is faulty or hostile.
 */
MUST_CHECK bool keys_take_request(struct slice *rest, struct keys_request *request);

/* Takes the next answer in the same way. Its signature points into the message. */
MUST_CHECK bool keys_take_answer(struct slice *rest, struct keys_answer *answer);

/* The commands to the key process, and their answers. */
enum keys_command_type {
    KEYS_CHANNELS = 1, /* has descriptors of workers' sockets, for the next KEYS_START; no answer */
    KEYS_START,        /* starts a signer with these channels; KEYS_DONE when it is ready and confined */
    /* reads a key of a server; KEYS_DONE with its public half (SubjectPublicKeyInfo, DER) */
    KEYS_LOAD,
    /* reads a file that has a key: KEYS_DONE with the certificates in it that could be decoded, as PEM */
    KEYS_CHAIN,
    KEYS_DROP,        /* drops a key; no answer */
    KEYS_LOAD_CLIENT, /* as KEYS_LOAD, a key of a client: it signs what a client signs, and nothing else */
    /*
     * All keys were loaded; no answer. Until then the signer lets a request for a key that it does not have
     * wait, unless the key was dropped; from then on it refuses such a request at once.
     */
    KEYS_READY,
    KEYS_PING,         /* KEYS_DONE if the signer is alive, and has done all that was sent before */
    KEYS_KILL,         /* the guard ends the signer by force; no answer, but KEYS_ENDED follows */
    KEYS_CERTIFICATES, /* as KEYS_CHAIN, of a file that need not have a key */
    KEYS_OCSP,         /* reads an OCSP response: KEYS_DONE with it, DER, if it could be decoded */
    KEYS_LOOK,         /* the guard looks at a path: KEYS_DONE with a struct keys_look */
    /*
     * The guard lists a folder: KEYS_DONE with names from the one that `key` counts on, without those that
     * begin with a dot, and what each leads to (keys_take_entry).
     */
    KEYS_LIST
};

/* Whether the command loads a key. */
static inline bool keys_command_loads(enum keys_command_type type)
{
    return type == KEYS_LOAD || type == KEYS_LOAD_CLIENT;
}

/* Whether the command reads a file, which the guard opens and the signer reads. */
static inline bool keys_command_reads(enum keys_command_type type)
{
    return keys_command_loads(type) || type == KEYS_CHAIN || type == KEYS_CERTIFICATES || type == KEYS_OCSP;
}

/* Whether the command has a path. */
static inline bool keys_command_has_path(enum keys_command_type type)
{
    return keys_command_reads(type) || type == KEYS_LOOK || type == KEYS_LIST;
}

struct keys_command {
    enum keys_command_type type;
    uint32_t key;                 /* of KEYS_LOAD, KEYS_LOAD_CLIENT, KEYS_DROP and KEYS_LIST */
    struct slice path;            /* if keys_command_has_path; without NUL */
    struct slice passphrase_path; /* of KEYS_LOAD and KEYS_LOAD_CLIENT; empty: there is none */
};

enum keys_reply_type {
    KEYS_DONE = 1,
    KEYS_FAILED, /* the payload has the reason, as text */
    KEYS_NOTE,   /* no answer, but a warning for the log, as text; sent at any time */
    /*
     * The signer has ended, and the payload has the reason; sent at any time. If a command was not answered
     * yet, this is its answer.
     */
    KEYS_ENDED,
    /* no answer either: a request awaits a key, whose number the payload has (4); never after KEYS_READY */
    KEYS_WANTED
};

/* The payload of KEYS_WANTED. */
enum { KEYS_WANTED_LEN = 4 };
void keys_put_wanted(uint8_t payload[KEYS_WANTED_LEN], uint32_t key);

/* The number of the key. False if the payload is malformed. */
MUST_CHECK bool keys_take_wanted(struct slice payload, uint32_t *key);

/* What a path leads to, at the end of all symbolic links. */
enum keys_kind {
    KEYS_NOTHING,
    KEYS_FILE,
    KEYS_FOLDER,
    KEYS_OTHER,
    KEYS_UNSEEN /* only in a list: the guard could not look; KEYS_LOOK has the reason */
};

/*
 * The numbers tell whether a file is still the same: device, inode, size, and the times of its last changes
 * (two with their nanoseconds). All zero for what is no regular file.
 */
enum { KEYS_LOOK_NUMBERS = 7, KEYS_LOOK_LEN = 1 + 8 * KEYS_LOOK_NUMBERS };
struct keys_look {
    enum keys_kind kind;
    uint64_t numbers[KEYS_LOOK_NUMBERS];
};

void keys_put_look(uint8_t payload[KEYS_LOOK_LEN], const struct keys_look *look);

/* False if the payload is malformed. */
MUST_CHECK bool keys_take_look(struct slice payload, struct keys_look *look);

/* One name in a folder. */
struct keys_entry {
    struct slice name;     /* of at most KEYS_NAME_MAX octets */
    struct keys_look look; /* its numbers are all zero unless it is KEYS_FILE */
};

/*
 * The payload of KEYS_LIST's answer: the number of the name that is next, 0 if there is none (4), and the
 * entries. An entry is the name after its length (1), and its look: kind(1), and after KEYS_FILE the numbers
 * (8 each). The first octets are for keys_put_next; keys_put_entry appends in the way of keys_put_request.
 */
enum { KEYS_NEXT_LEN = 4 };
void keys_put_next(uint8_t payload[KEYS_NEXT_LEN], uint32_t next);
MUST_CHECK bool keys_put_entry(uint8_t *buffer, size_t cap, size_t *used, const struct keys_entry *entry);

/* Takes the number off the front. False if the payload is malformed. */
MUST_CHECK bool keys_take_next(struct slice *payload, uint32_t *next);

/*
 * Takes the next entry off the front of `*rest`, which must not be empty. Its name points into the message.
 * False if the name is no file's, or if the look is malformed.
 */
MUST_CHECK bool keys_take_entry(struct slice *rest, struct keys_entry *entry);

/*
 * Writes a command to `into`, which has room for KEYS_COMMAND_MAX. Returns its length; 0 if a path is too
 * long.
 */
MUST_CHECK size_t keys_put_command(uint8_t *into, const struct keys_command *command);

/* Reads a command, whose slices point into the message. False if it is malformed. */
MUST_CHECK bool keys_take_command(struct slice message, struct keys_command *command);

/*
 * Writes a reply to `into`, which has room for KEYS_REPLY_MAX. Returns its length. A payload that is too long
 * is cut, which only a text can be.
 */
size_t keys_put_reply(uint8_t *into, enum keys_reply_type type, struct slice payload);

/* Reads a reply, whose payload points into the message. False if it is malformed. */
MUST_CHECK bool keys_take_reply(struct slice message, enum keys_reply_type *type, struct slice *payload);

#endif
