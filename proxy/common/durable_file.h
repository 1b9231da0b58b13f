/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_DURABLE_FILE_H
#define DEEPPROXY_PROXY_COMMON_DURABLE_FILE_H

#include "base/must_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * Files that the program writes to remember something: each is replaced in one step, and whoever looks sees
 * the old one or the new one, after a loss of power as well. The draft beside it is PATH.new. It blocks until
 * the disk has it: it belongs into a thread of libuv's pool.
 */

/*
 * Replaces the file at `path` by what `write` prints; that returns false with errno if it can't. A new file
 * has this mode. False with errno.
 */
MUST_CHECK bool durable_file_replace(const char *path, mode_t mode,
                                     bool (*write)(FILE *file, const void *arg), const void *arg);

/* Renames a file within its folder, as durably. False with errno. */
MUST_CHECK bool durable_file_rename(const char *from, const char *to);

/* The folder that a file is in, for the caller to free; NULL if memory is short. */
char *durable_file_folder(const char *path);

#endif
