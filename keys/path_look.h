/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_PATH_LOOK_H
#define DEEPPROXY_KEYS_PATH_LOOK_H

#include "base/must_check.h"
#include "keys/keys_wire.h"

/*
 * What the guard itself sees of folders and files: names, and whether a file has changed. It opens folders
 * alone, and no octet of a file is ever read here.
 */

/* Looks at what the path leads to. False with errno, unless there is nothing: that is KEYS_NOTHING. */
MUST_CHECK bool path_look_at(const char *path, struct keys_look *look);

/*
 * Lists a folder into `payload`, as the answer to KEYS_LIST has it: the names from number `first` on, and
 * what each leads to, as many as `cap` octets take and can be looked at soon; `*len` becomes the payload's
 * length. The whole folder is read each time, as far as there are numbers for names. False with errno.
 */
MUST_CHECK bool path_look_list(const char *path, uint32_t first, uint8_t *payload, size_t cap, size_t *len);

#endif
