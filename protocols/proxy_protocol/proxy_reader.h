/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_PROXY_PROTOCOL_PROXY_READER_H
#define DEEPPROXY_PROTOCOLS_PROXY_PROTOCOL_PROXY_READER_H

#include "base/must_check.h"
#include "protocols/proxy_protocol/proxy_v1.h"
#include "protocols/proxy_protocol/proxy_v2.h"

/*
 * Reads the header of the PROXY protocol, version 1 or 2 (HAProxy's doc/proxy-protocol.txt), with which a
 * balancer tells whose connection it is. A value without memory of its own: octets are fed to it as they
 * come, in any cut, and what it comes to is the same for each. It takes the header's own octets and no more:
 * what follows is the client's.
 *
 * It reads addresses alone. TLVs are passed over unread and unkept, so nothing in them, such as the name in
 * somebody's certificate, becomes a word of ours. It does not know from whom the octets are: whether the
 * sender may be believed is for the caller to decide.
 */
enum {
    /* All of a header. HAProxy sends and takes 16 KB, one buffer. */
    PROXY_READER_MAX = 16384,
    /* What is kept of it: a line of version 1, or all that comes before the TLVs. */
    PROXY_READER_HELD_MAX = PROXY_V1_MAX
};

enum proxy_reader_state {
    PROXY_READER_UNDECIDED, /* too few octets to tell if it is a header */
    PROXY_READER_READS,     /* it is one, and goes on */
    PROXY_READER_DONE,
    PROXY_READER_ABSENT, /* it is none: proxy_reader_held has what was taken */
    PROXY_READER_REFUSED
};

/* What is wrong with a header. */
enum proxy_fault {
    PROXY_FAULT_NONE,
    PROXY_FAULT_LONG_LINE,
    PROXY_FAULT_LINE_END,
    PROXY_FAULT_FORM,
    PROXY_FAULT_FAMILY,
    PROXY_FAULT_ADDRESS,
    PROXY_FAULT_PORT,
    PROXY_FAULT_VERSION,
    PROXY_FAULT_COMMAND,
    PROXY_FAULT_LENGTH,
    PROXY_FAULT_LONG_HEADER,
    PROXY_FAULTS
};

/* All zero: nothing has come yet. */
struct proxy_reader {
    enum proxy_reader_state state;
    enum proxy_fault fault; /* PROXY_READER_REFUSED: what is wrong */
    /* PROXY_READER_DONE: */
    bool is_local; /* a connection of the balancer's own, such as a check: the addresses are unspecified */
    /*
     * Both are PROXY_V2_UNSPEC if the balancer does not tell: the connection's own addresses hold. Else they
     * are of one family; an IPv4 address that was sent as an IPv6 one is as it was sent.
     */
    struct proxy_v2_address client;
    struct proxy_v2_address proxy; /* the address that the client has connected to */
    /* The rest is the reader's own. */
    uint8_t held[PROXY_READER_HELD_MAX];
    size_t held_len;
    size_t wanted; /* version 2: octets to hold before the header can be decided */
    size_t unread; /* version 2: octets of the header that are passed over after these */
};

/*
 * Takes octets, and returns how many of them belong to the header. Those after them are the client's, if the
 * reader is DONE then; all of `data` is taken as long as it is UNDECIDED or READS. An ABSENT header's octets
 * are those held, and then those of `data` that were not taken. Takes nothing in the last three states.
 */
MUST_CHECK size_t proxy_reader_feed(struct proxy_reader *reader, struct slice data);

/* The octets that were taken, if the header is ABSENT; valid as long as the reader. */
struct slice proxy_reader_held(const struct proxy_reader *reader);

/* What is wrong, in words for the log; static. NULL for PROXY_FAULT_NONE. */
const char *proxy_fault_words(enum proxy_fault fault);

#endif
