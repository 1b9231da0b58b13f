/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_PARENT_PARENT_LOG_H
#define DEEPPROXY_PROXY_PARENT_PARENT_LOG_H

#include "proxy/common/log_line.h"

/*
 * The few lines of the parent, which has no thread for them as proxy/common/log.h has: on standard error,
 * between those of the proxy.
 */

/* The longest time that a line may take. */
#define PARENT_LOG_WAIT_MS 200

/* Ends the line and writes it. If nobody reads standard error the line is lost after PARENT_LOG_WAIT_MS. */
void parent_log_write(struct log_line *line);

#endif
