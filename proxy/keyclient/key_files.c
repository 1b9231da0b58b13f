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

static bool look(void *arg, const char *path, struct tls_key_source_look *into)
{
    struct bytes answer = {0};
    char error[TLS_KEY_ERROR_MAX];
    struct keys_look seen;
    bool ok = ask_for(arg, KEYS_LOOK, path, &answer, error) && keys_take_look(bytes_view(&answer), &seen);
    if (ok)
        *into = (struct tls_key_source_look){.is_there = seen.kind != KEYS_NOTHING,
                                             .is_folder = seen.kind == KEYS_FOLDER,
                                             .mark = mark_of(seen.numbers)};
    bytes_free(&answer);
    return ok;
}

static bool take_names(struct slice names, struct bytes *into, char *error)
{
    struct slice name;
    while (names.len > 0) {
        if (!keys_take_name(&names, &name))
            return fail(error, "can't be listed: the key process sent what is no name");
        if (!bytes_append(into, name, NAMES_MAX) ||
            !bytes_append(into, (struct slice){(const uint8_t *)"", 1}, NAMES_MAX))
            return fail(error, "can't be listed: it has too many names");
    }
    return true;
}

/* One answer: the names from number `*next` on, as many as it takes; `*next` becomes 0 after the last. */
static bool list_some(struct key_manager *manager, const char *path, uint32_t *next, struct bytes *into,
                      char *error)
{
    struct key_request request = {.command = {.type = KEYS_LIST, .key = *next, .path = slice_of(path)}};
    bool ok = key_manager_ask(manager, &request) || fail(error, request.error);
    struct slice names = bytes_view(&request.answer);
    uint32_t first = *next;
    if (ok && (!keys_take_next(&names, next) || (*next != 0 && *next <= first)))
        ok = fail(error, "can't be listed: the key process sent what is no answer");
    ok = ok && take_names(names, into, error);
    bytes_free(&request.answer);
    return ok;
}

static bool list(void *arg, const char *path, struct bytes *into, char *error)
{
    uint32_t next = 0;
    do
        if (!list_some(arg, path, &next, into, error))
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
