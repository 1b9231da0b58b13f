/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_KEYCLIENT_KEY_ENTRIES_H
#define DEEPPROXY_PROXY_KEYCLIENT_KEY_ENTRIES_H

#include "base/must_check.h"
#include "tls/certificates/tls_keys.h"

/*
 * What the proxy knows of the keys in the key process: their numbers, the paths of their files, and their
 * public halves, by which a key that is loaded again is recognized as the same. Private halves are never
 * here. Numbers start at 0, and the number of a dropped key is used again. Nothing here locks.
 */
struct key_entry {
    char *path; /* NULL: the number is free */
    char *passphrase_path;
    enum tls_key_role role;
    bool is_lost;    /* the key process does not have it any more */
    bool is_missing; /* a new signer does not have it yet */
    bool is_wanted;  /* and handshakes wait for it */
    unsigned ends;   /* how many signers in a row have ended while they loaded it */
    size_t spki_len;
    uint8_t *spki;      /* the public half: SubjectPublicKeyInfo, DER */
    uint32_t next_free; /* a number plus one; 0: the end of the list */
};

/* All zero is an empty list. */
struct key_entries {
    struct key_entry *items;
    uint32_t count; /* with the free ones */
    uint32_t first_free;
};

/*
 * Adds a key, with copies of the paths (`passphrase_path` may be NULL); `*number` becomes its number. False,
 * and nothing added, if there are too many, or memory is short. The items may move.
 */
MUST_CHECK bool key_entries_add(struct key_entries *entries, const char *path, const char *passphrase_path,
                                enum tls_key_role role, uint32_t *number);

/* Frees an entry, and its number. */
void key_entries_drop(struct key_entries *entries, uint32_t number);

/* Frees all entries; leaves an empty list. */
void key_entries_free(struct key_entries *entries);

/* Stores a copy of the public half. False if it is empty, or memory is short. */
MUST_CHECK bool key_entry_keep_public_half(struct key_entry *entry, struct slice spki);

#endif
