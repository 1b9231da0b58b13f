/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMANDS_TICKET_KEYS_COMMAND_H
#define DEEPPROXY_PROXY_COMMANDS_TICKET_KEYS_COMMAND_H

/*
 * `deepproxy ticket-keys FILE`: makes a file of three ticket keys where there is none (mode 0600), and otherwise
 * rotates it: the oldest key goes, a new one comes, and owner, group and mode stay. The file is replaced in one step, so
 * that who reads it finds the old keys or the new ones; where something fails, or while another is at it, the old ones
 * stay. Meant for cron: one line on standard output says what was done, one on standard error what can't be.
 *
 * The exit status of the program.
 */
int ticket_keys_command(const char *path);

#endif
