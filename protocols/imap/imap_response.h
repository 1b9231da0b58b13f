/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_RESPONSE_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_RESPONSE_H

#include "base/slice.h"

/*
 * Tells what a response of a backend is, from as few of its first octets as it takes. A pure function: more
 * octets of the same line never change what it has returned for fewer, so that cuts make no difference.
 */
enum imap_response_kind {
    IMAP_RESPONSE_UNDECIDED,
    IMAP_RESPONSE_DATA,       /* "* " and data: may end in literals */
    IMAP_RESPONSE_TEXT,       /* something else: free text, in which {5} is no literal */
    IMAP_RESPONSE_GO_AHEAD,   /* "+": free text as well, as in the two that follow */
    IMAP_RESPONSE_STATUS,     /* "* OK", "* BYE" and so on */
    IMAP_RESPONSE_TAGGED,     /* "a1 OK" and so on */
    IMAP_RESPONSE_CAPABILITY, /* "* CAPABILITY" */
    IMAP_RESPONSE_ID          /* "* ID" */
};

enum imap_status {
    IMAP_STATUS_NONE,
    IMAP_STATUS_OK,
    IMAP_STATUS_NO,
    IMAP_STATUS_BAD,
    IMAP_STATUS_PREAUTH,
    IMAP_STATUS_BYE
};

struct imap_response {
    enum imap_response_kind kind;
    enum imap_status status; /* of STATUS and TAGGED */
    struct slice tag;        /* of TAGGED; lies in the head */
    /*
     * Offset in the head of the words of CAPABILITY, of the list of ID, or of the words in [CAPABILITY ...]
     * of a status; 0 if the response has none of them.
     */
    size_t list_offset;
};

enum {
    /* No client that exists uses tags of more than a dozen octets. A session keeps one. */
    IMAP_TAG_MAX = 64,
    /* No more octets are needed to tell: a tag, a status and "[CAPABILITY " */
    IMAP_HEAD_MAX = IMAP_TAG_MAX + 24
};

/* `head`: the line from its first octet on, as far as it is there. What follows its LF does not count. */
struct imap_response imap_response_classify(struct slice head);

#endif
