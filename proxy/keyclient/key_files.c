/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/keyclient/key_manager_private.h"

#include <stdio.h>
#include <string.h>

/*
 * What the guard and the signer read for this process of files without keys: certificates, OCSP responses,
 * names. The answers are checked as those of somebody hostile, and bounded.
 */

/* Octets of names: the largest folder that is looked at, with names of a length that people give. */
#define NAMES_MAX (8 * 1024 * 1024)
/* Octets of looks: those of the first hundred thousand names. Other paths are asked for one by one. */
#define LOOKS_MAX (100000 * sizeof(struct tls_key_source_look))

static bool fail(char *error, const char *why)
{
    snprintf(error, TLS_KEY_ERROR_MAX, "%s", why);
    return false;
}

/* Appends the answer to a command that has a path alone. */
static bool ask_for(struct key_manager *manager, enum keys_command_type type, const char *path,
                    struct bytes *into, char *error)
{
    struct key_request request = {.command = {.type = type, .path = slice_of(path)}};
    bool ok = key_manager_ask(manager, &request);
    if (!ok)
        fail(error, request.error);
    else if (!bytes_append(into, bytes_view(&request.answer), KEYS_REPLY_MAX))
        ok = fail(error, "can't be kept: out of memory");
    bytes_free(&request.answer);
    return ok;
}

static bool read_chain(void *arg, const char *path, struct bytes *into, char *error)
{
    return ask_for(arg, KEYS_CHAIN, path, into, error);
}

static bool read_certificates(void *arg, const char *path, struct bytes *into, char *error)
{
    return ask_for(arg, KEYS_CERTIFICATES, path, into, error);
}

static bool read_ocsp(void *arg, const char *path, struct bytes *into, char *error)
{
    return ask_for(arg, KEYS_OCSP, path, into, error);
}

/* ---- what the guard sees ---- */

static struct tls_file_mark mark_of(const uint64_t numbers[KEYS_LOOK_NUMBERS])
{
    return (struct tls_file_mark){.device = (dev_t)numbers[0],
                                  .inode = (ino_t)numbers[1],
                                  .size = (off_t)numbers[2],
                                  .modified = {(time_t)numbers[3], (long)numbers[4]},
                                  .changed = {(time_t)numbers[5], (long)numbers[6]}};
}

static struct tls_key_source_look look_of(const struct keys_look *seen)
{
    return (struct tls_key_source_look){.is_seen = seen->kind != KEYS_UNSEEN,
                                        .is_there = seen->kind != KEYS_NOTHING,
                                        .is_folder = seen->kind == KEYS_FOLDER,
                                        .mark = mark_of(seen->numbers)};
}

static bool look(void *arg, const char *path, struct tls_key_source_look *into)
{
    struct bytes answer = {0};
    char error[TLS_KEY_ERROR_MAX];
    struct keys_look seen;
    bool ok = ask_for(arg, KEYS_LOOK, path, &answer, error) && keys_take_look(bytes_view(&answer), &seen);
    if (ok)
        *into = look_of(&seen);
    bytes_free(&answer);
    return ok;
}

/* What a folder has. */
struct listed {
    struct bytes *names;
    struct bytes *looks; /* no longer than LOOKS_MAX */
};

static bool keep_look(struct bytes *looks, const struct keys_look *seen)
{
    struct tls_key_source_look look = look_of(seen);
    struct slice octets = {(const uint8_t *)&look, sizeof look};
    return looks->len + sizeof look > LOOKS_MAX || bytes_append(looks, octets, LOOKS_MAX);
}

static bool take_entries(struct slice entries, const struct listed *into, char *error)
{
    static const struct slice end = {(const uint8_t *)"", 1};
    struct keys_entry entry;
    while (entries.len > 0) {
        if (!keys_take_entry(&entries, &entry))
            return fail(error, "can't be listed: the key process sent what is no name");
        if (!bytes_append(into->names, entry.name, NAMES_MAX) || !bytes_append(into->names, end, NAMES_MAX))
            return fail(error, "can't be listed: it has too many names");
        if (!keep_look(into->looks, &entry.look))
            return fail(error, "can't be listed: out of memory");
    }
    return true;
}

/* One answer: the names from number `*next` on, as many as it has; `*next` becomes 0 after the last. */
static bool list_some(struct key_manager *manager, const char *path, uint32_t *next,
                      const struct listed *into, char *error)
{
    struct key_request request = {.command = {.type = KEYS_LIST, .key = *next, .path = slice_of(path)}};
    bool ok = key_manager_ask(manager, &request) || fail(error, request.error);
    struct slice entries = bytes_view(&request.answer);
    uint32_t first = *next;
    if (ok && (!keys_take_next(&entries, next) || (*next != 0 && *next <= first)))
        ok = fail(error, "can't be listed: the key process sent what is no answer");
    ok = ok && take_entries(entries, into, error);
    bytes_free(&request.answer);
    return ok;
}

static bool list(void *arg, const char *path, struct bytes *names, struct bytes *looks, char *error)
{
    struct listed into = {names, looks};
    uint32_t next = 0;
    do
        if (!list_some(arg, path, &next, &into, error))
            return false;
    while (next != 0);
    return true;
}

void key_files_offer(struct tls_key_source *source)
{
    source->read_chain = read_chain;
    source->read_certificates = read_certificates;
    source->read_ocsp = read_ocsp;
    source->look = look;
    source->list = list;
}
