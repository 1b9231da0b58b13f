/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_PROMISES_PRIVATE_H
#define DEEPPROXY_PROXY_RUNTIME_PROMISES_PRIVATE_H

#include "proxy/runtime/promises.h"

/* Between the promises_*.c files. */

/* Adds the security tags among the words, in no order yet. False where memory is short. */
bool promises_append(struct promises *promises, const char *host, enum cfg_protocol protocol,
                     const char *words);

/* Puts them in order, and makes one of those that are for the same host and protocol. False where memory is short. */
bool promises_sort(struct promises *promises);

#endif
