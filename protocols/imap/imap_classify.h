/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_CLASSIFY_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_CLASSIFY_H

#include "base/slice.h"

/*
 * What a response of a backend is, told from its first octets: as few as it takes. A pure function; more
 * octets of the same line never change an answer that has been given, so that cuts make no difference.
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
    size_t list; /* where what the response is about begins: the words of CAPABILITY, the list of ID,
                    the words in [CAPABILITY ...] of a status; 0 where there is no such thing */
};

enum {
    /* No client that exists uses tags of more than a dozen octets; one is kept in each session. */
    IMAP_TAG_MAX = 64,
    /* A decision takes no more octets than these: a tag, a status and "[CAPABILITY " */
    IMAP_HEAD_MAX = IMAP_TAG_MAX + 24
};

/* `head`: the line from its first octet on, as far as it is there; what stands behind its LF doesn't count. */
struct imap_response imap_classify(struct slice head);

#endif
