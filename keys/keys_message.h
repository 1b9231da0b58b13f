/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_MESSAGE_H
#define DEEPPROXY_KEYS_MESSAGE_H

#include "base/must_check.h"
#include "base/slice.h"

#include <sys/types.h>

/*
 * Messages on a SOCK_SEQPACKET socket, with descriptors besides the octets (SCM_RIGHTS, unix(7)). The caller
 * owns received descriptors, which are closed on exec. Calls that a signal interrupts are repeated. What the
 * octets mean is in keys_wire.h.
 */

/*
 * Sends the whole message with at most KEYS_CHANNELS_EACH descriptors, which stay the caller's. False with
 * errno on failure: EAGAIN if a non-blocking socket's buffer is full. Never raises SIGPIPE.
 */
MUST_CHECK bool keys_message_send(int socket, struct slice message, const int *fds, size_t fd_count);

/*
 * Receives one message into `into`, and at most `*fd_count` descriptors into `fds`; `*fd_count` becomes their
 * number. Returns the message's length; 0 if the peer has closed; -1 with errno on failure. EMSGSIZE: the
 * message was longer than `cap`, or had more descriptors; all of them are closed then.
 */
MUST_CHECK ssize_t keys_message_receive(int socket, uint8_t *into, size_t cap, int *fds, size_t *fd_count);

/* Closes `count` descriptors. */
void keys_close_all(const int *fds, size_t count);

#endif
