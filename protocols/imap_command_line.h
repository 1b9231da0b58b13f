/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_COMMAND_LINE_H
#define DEEPPROXY_PROTOCOLS_IMAP_COMMAND_LINE_H

#include "base/slice.h"

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

/* True where an AUTHENTICATE names a mechanism with channel binding (-PLUS, RFC 5801), which can't cross a proxy. */
bool imap_binds_channel(struct slice args);

#endif
