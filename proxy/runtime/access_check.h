/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_ACCESS_CHECK_H
#define DEEPPROXY_PROXY_RUNTIME_ACCESS_CHECK_H

#include "config/cfg.h"

/*
 * Tests for `check` what the program will do with files after it has become another user: reading the ticket
 * keys, and replacing the state file. Adds an error for each that this user can't, with what is in the way
 * and the command that changes it. The users are those that privileges_check has found. It waits for the file
 * system, and starts processes.
 */
void access_check(const struct cfg *cfg, struct cfg_problems *problems);

#endif
