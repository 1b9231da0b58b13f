/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_PARENT_START_SETTINGS_H
#define DEEPPROXY_PROXY_PARENT_START_SETTINGS_H

#include "base/must_check.h"
#include "config/cfg.h"
#include "keys/keys_process.h"
#include "proxy/keyclient/key_spawn.h"

#include <sys/types.h>

/*
 * What the parent must know of the configuration before it starts guard and proxy. A child reads the file and
 * the accounts of the system for each start, and ends: the parent, which may be root for ever, holds neither
 * a parser nor what one has read. What is wrong with the file is reported by the proxy, which reads it too.
 */
struct start_settings {
    bool is_isolated;                /* key_isolation: there is to be a guard */
    struct keys_user user;           /* of the signer */
    enum cfg_log_level level;        /* of the parent's lines, too */
    char error[KEY_SPAWN_ERROR_MAX]; /* why there can be no guard, although there should be */
};

/*
 * Starts the child, which the caller waits for. It ends with the calling thread. Returns what is to be read
 * from, closed on exec; -1 with errno.
 */
MUST_CHECK int start_settings_ask(const char *path, pid_t *child);

/*
 * Reads the child's answer, as soon as the descriptor is readable. After a child that has ended without one,
 * the answer has an error.
 */
void start_settings_receive(int from, struct start_settings *settings);

#endif
