/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/keyclient/key_entries.h"

#include "keys/keys_wire.h"

#include <stdlib.h>
#include <string.h>

#define FIRST 16

static bool grow(struct key_entries *entries)
{
    uint32_t count = entries->count > 0 ? 2 * entries->count : FIRST;
    struct key_entry *items =
        count <= KEYS_COUNT_MAX ? realloc(entries->items, count * sizeof items[0]) : NULL;
    if (items == NULL)
        return false;
    for (uint32_t i = count; i > entries->count; i--) {
        items[i - 1] = (struct key_entry){.next_free = entries->first_free};
        entries->first_free = i;
    }
    entries->items = items;
    entries->count = count;
    return true;
}

bool key_entries_add(struct key_entries *entries, const char *path, const char *passphrase_path,
                     enum tls_key_role role, uint32_t *number)
{
    if (entries->first_free == 0 && !grow(entries))
        return false;
    *number = entries->first_free - 1;
    struct key_entry *entry = &entries->items[*number];
    entries->first_free = entry->next_free;
    *entry = (struct key_entry){.path = strdup(path),
                                .passphrase_path = passphrase_path != NULL ? strdup(passphrase_path) : NULL,
                                .role = role};
    if (entry->path != NULL && (passphrase_path == NULL || entry->passphrase_path != NULL))
        return true;
    key_entries_drop(entries, *number);
    return false;
}

static void free_strings(struct key_entry *entry)
{
    free(entry->path);
    free(entry->passphrase_path);
    free(entry->spki);
}

void key_entries_drop(struct key_entries *entries, uint32_t number)
{
    struct key_entry *entry = &entries->items[number];
    free_strings(entry);
    *entry = (struct key_entry){.next_free = entries->first_free};
    entries->first_free = number + 1;
}

void key_entries_free(struct key_entries *entries)
{
    for (uint32_t i = 0; i < entries->count; i++)
        free_strings(&entries->items[i]);
    free(entries->items);
    *entries = (struct key_entries){0};
}

bool key_entry_keep_public_half(struct key_entry *entry, struct slice spki)
{
    entry->spki = spki.len > 0 ? malloc(spki.len) : NULL;
    if (entry->spki == NULL)
        return false;
    memcpy(entry->spki, spki.data, spki.len);
    entry->spki_len = spki.len;
    return true;
}
