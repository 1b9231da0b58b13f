/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_COMMAND_LINE_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_COMMAND_LINE_H

#include "base/slice.h"
#include "protocols/sasl_mechanism.h"

/*
 * The first words of a client's command. Stricter than servers are: one space between tag and name, a name of
 * letters, digits, ".", "-" and "_". What a lenient server might read as another command than the proxy does
 * is wrong here.
 */
enum imap_command_kind {
    IMAP_COMMAND_NONE,
    IMAP_COMMAND_OTHER,
    IMAP_COMMAND_LOGIN,
    IMAP_COMMAND_AUTHENTICATE,
    IMAP_COMMAND_UNAUTHENTICATE,
    IMAP_COMMAND_ID,
    IMAP_COMMAND_IDLE,
    IMAP_COMMAND_LOGOUT,
    IMAP_COMMAND_STARTTLS,
    IMAP_COMMAND_COMPRESS
};

struct imap_command_line {
    enum imap_command_kind kind; /* NONE where `wrong` says something */
    struct slice tag;            /* empty where none stands there */
    struct slice name;           /* of the command, where it is one */
    struct slice args;           /* all behind the name and a space */
    const char *wrong;           /* NULL, or a tagged answer's status and text */
};

/* `text`: the line without its end; of an ID command, the whole of it with its literals. */
struct imap_command_line imap_command_line_parse(struct slice text);

/* The tag that a line begins with, as far as the line is there; empty where it is none. */
struct slice imap_command_tag(struct slice text);

/* True where a line has a NUL or a CR: neither belongs into a command outside of a literal. */
bool imap_has_forbidden_octet(struct slice text);

/*
 * What becomes of an AUTHENTICATE with these arguments (sasl_mechanism.h). The name is an atom (RFC 3501 section 9) or,
 * as servers take it, a quoted string; anything else is malformed.
 */
enum sasl_mechanism imap_judge_authenticate(struct slice args, bool external);

#endif
