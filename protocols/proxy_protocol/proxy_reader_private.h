/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_PROXY_PROTOCOL_PROXY_READER_PRIVATE_H
#define DEEPPROXY_PROTOCOLS_PROXY_PROTOCOL_PROXY_READER_PRIVATE_H

#include "protocols/proxy_protocol/proxy_reader.h"

/*
 * The two versions, for proxy_reader.c alone. Each takes octets after the reader has seen the version's
 * signature, returns how many it has taken, and sets the reader's state when it has come to an end.
 */

enum { PROXY_V1_PREFIX_LEN = 6 };
extern const uint8_t proxy_v1_prefix[PROXY_V1_PREFIX_LEN]; /* "PROXY " */

size_t proxy_reader_feed_v1(struct proxy_reader *reader, struct slice data);
size_t proxy_reader_feed_v2(struct proxy_reader *reader, struct slice data);

/* Keeps octets, for which there is room. */
void proxy_reader_hold(struct proxy_reader *reader, struct slice data);

void proxy_reader_refuse(struct proxy_reader *reader, enum proxy_fault fault);

#endif
