/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_MESSAGE_H
#define DEEPPROXY_KEYS_MESSAGE_H

#include "base/slice.h"

#include <sys/types.h>

/*
 * Messages on a SOCK_SEQPACKET socket, with descriptors beside the octets (unix(7), SCM_RIGHTS). Descriptors that are
 * received are the caller's, closed on exec. Interrupted calls are made again.
 */

/* Sends all of it, or fails with errno; EAGAIN on a non-blocking socket whose buffer is full. Never raises SIGPIPE. */
bool keys_message_send(int socket, struct slice message, const int *fds, size_t fd_count);

/*
 * Receives one message into `into`, and at most `*fd_count` descriptors into `fds`; `*fd_count` becomes how many
 * came. Returns its length; 0 where the peer has closed; -1 with errno: EMSGSIZE where it was longer than `cap` or had
 * more descriptors (all are closed then).
 */
ssize_t keys_message_receive(int socket, uint8_t *into, size_t cap, int *fds, size_t *fd_count);

void keys_close_all(const int *fds, size_t count);

#endif
