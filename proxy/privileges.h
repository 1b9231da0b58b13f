/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_PRIVILEGES_H
#define DEEPPROXY_PROXY_PRIVILEGES_H

#include <stdbool.h>

/*
 * Gives up root for good, after the ports are bound and the keys are read: becomes `user`, with `group`
 * (NULL: the user's own), and can gain no privilege again. Where the process is not root, or `user` is NULL,
 * it stays who it is; running on as root is warned about. False with a message on standard error where it
 * fails: then nothing must run.
 */
bool privileges_drop(const char *user, const char *group);

#endif
