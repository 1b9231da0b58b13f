/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMANDS_TICKET_KEYS_COMMAND_H
#define DEEPPROXY_PROXY_COMMANDS_TICKET_KEYS_COMMAND_H

/*
 * `deepproxy ticket-keys FILE`: makes a file of three ticket keys (mode 0600) if there is none, and rotates
 * it otherwise: the oldest key is dropped, a new one is added, and owner, group and mode stay. It replaces
 * the file in one step, so that readers find the old keys or the new ones. It changes nothing if a step
 * fails, or another run is under way. It is meant for cron: one line on standard output has what was done,
 * one on standard error what could not be.
 */

/* Runs it. Returns the exit status of the program. Blocks. */
int ticket_keys_command(const char *path);

#endif
