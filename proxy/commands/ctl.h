/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMANDS_CTL_H
#define DEEPPROXY_PROXY_COMMANDS_CTL_H

/*
 * `deepproxy ctl`: looks into the running proxy, and controls it, by the socket that its configuration
 * names. It is a client like any other: what it can, curl can. A visitor begins at the table of verbs.
 */

/* `argv` is what follows "ctl". Returns the exit status: 0, 1 after a failure, 2 if it is not understood. */
int ctl_command(const char *default_file, int argc, char **argv);

#endif
