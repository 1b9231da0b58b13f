/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_REPLY_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_REPLY_H

#include "base/slice.h"

/* One line of a reply: RFC 5321 section 4.2, Reply-line. A reply is one or more of them. */
struct smtp_reply {
    unsigned code;     /* 200 to 599 */
    bool last;         /* the last line of its reply: no hyphen after the code */
    struct slice text; /* what follows code and separator */
};

/*
 * Reads a line without its end. False if it is not one of SMTP. A code alone is a line (section 4.2, last
 * paragraph).
 */
bool smtp_reply_parse(struct slice line, struct smtp_reply *reply);

#endif
