/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_COMMITMENTS_PRIVATE_H
#define DEEPPROXY_PROXY_RUNTIME_COMMITMENTS_PRIVATE_H

#include "proxy/runtime/commitments.h"

/* For commitments.c and commitments_file.c alone: how a list is made before it is in order. */

/* Adds the security tags among the words as a commitment, in no order yet. False if memory is short. */
bool commitments_append(struct commitments *commitments, const char *host, enum protocol protocol,
                        const char *words);

/* Puts them in order, and makes one of those for the same host and protocol. False if memory is short. */
bool commitments_sort(struct commitments *commitments);

#endif
