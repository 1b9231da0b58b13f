/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_COMMAND_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_COMMAND_H

#include "base/slice.h"
#include "protocols/sasl_mechanism.h"

/*
 * Reads the first words of a client's command. It is stricter than servers are: one space between tag and
 * name, a name of letters, digits, ".", "-" and "_". A line is wrong if a lenient server might read it as
 * another command than the proxy does. Pure functions over slices.
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

struct imap_command {
    enum imap_command_kind kind; /* NONE if the line is wrong */
    struct slice tag;            /* empty if the line has none */
    struct slice name;           /* of the command, if it is one */
    struct slice args;           /* all after the name and a space */
    const char *wrong;           /* NULL, or the status and text of the reply that says what is wrong */
};

/* `text`: the line without its end; of an ID command, the whole of it with its literals. */
struct imap_command imap_command_parse(struct slice text);

/* The tag that a line begins with, as far as the line is there; empty if there is none. */
struct slice imap_command_tag(struct slice text);

/* Has a line, without its end, a NUL or a CR? Neither has a place in a command outside of a literal. */
bool imap_has_forbidden_octet(struct slice text);

/*
 * Judges the mechanism of an AUTHENTICATE with these arguments (sasl_mechanism.h; `external` as there). Its
 * name is an atom (RFC 3501 section 9) or, as servers accept it, a quoted string; anything else is malformed.
 */
enum sasl_mechanism imap_authenticate_judge(struct slice args, bool external);

#endif
