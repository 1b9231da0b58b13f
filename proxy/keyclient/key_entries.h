/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_KEYCLIENT_KEY_ENTRIES_H
#define DEEPPROXY_PROXY_KEYCLIENT_KEY_ENTRIES_H

#include "tls/certificates/tls_keys.h"

/*
 * What is known here of the keys in the key process: their numbers, from 0, where their files are, and their public halves,
 * by which a key that is loaded again is known to be the same. A number that was dropped is used again.
 */
struct key_entry {
    char *path; /* NULL: the number is free */
    char *passphrase_path;
    enum tls_key_role role;
    bool is_lost; /* the key process does not have it any more */
    size_t spki_len;
    uint8_t *spki;
    uint32_t next_free; /* a number and one; 0: the end */
};

struct key_entries {
    struct key_entry *items;
    uint32_t count; /* free ones among them */
    uint32_t first_free;
};

/* False where there are too many, or memory is short. `passphrase_path` may be NULL. */
bool key_entries_add(struct key_entries *entries, const char *path, const char *passphrase_path,
                     enum tls_key_role role, uint32_t *number);
void key_entries_drop(struct key_entries *entries, uint32_t number);
void key_entries_free(struct key_entries *entries);

/* False where memory is short. */
bool key_entry_keep_public_half(struct key_entry *entry, struct slice spki);

#endif
