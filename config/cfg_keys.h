/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_KEYS_H
#define DEEPPROXY_CONFIG_CFG_KEYS_H

#include <stdbool.h>

/*
 * Which keys there are. The reader knows: a key is what it asks a group for. A test holds the sample and the
 * manual page against this, so that a key that neither has can't be added.
 *
 * Reads the file at `path` and calls `each` for each key that was asked for in a group of the file: `group`
 * is what messages call the group ("a service"), and `is_set` whether the key is there. Groups that the file
 * does not have are not shown. All strings live until `each` returns. Problems of the file are ignored.
 */
void cfg_keys_each(const char *path, void (*each)(void *arg, const char *group, const char *key, bool is_set),
                   void *arg);

#endif
