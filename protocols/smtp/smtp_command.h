/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_COMMAND_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_COMMAND_H

#include "base/slice.h"

/*
 * What the proxy has to know of a client's command line: whether it is one of the few commands that move the
 * dialogue into another state or must not pass, and the arguments of those. All others are the backend's
 * concern. Pure functions over slices.
 */
enum smtp_verb {
    SMTP_VERB_OTHER, /* a word that the backend may know */
    SMTP_VERB_EHLO,
    SMTP_VERB_HELO,
    SMTP_VERB_AUTH,
    SMTP_VERB_MAIL,
    SMTP_VERB_RSET,
    SMTP_VERB_NOOP,
    SMTP_VERB_DATA,
    SMTP_VERB_BDAT,
    SMTP_VERB_BURL,   /* RFC 4468 */
    SMTP_VERB_CLIENT, /* draft section 7.3 */
    SMTP_VERB_QUIT,
    SMTP_VERB_STARTTLS,
    SMTP_VERB_TRUSTED, /* XCLIENT, XFORWARD: what backends believe of proxies */
    SMTP_VERB_HTTP,    /* a web browser, which an attacker may control (ALPACA) */
    /* No command at all, or one with a bare CR or a NUL, which servers read in different ways. */
    SMTP_VERB_MALFORMED
};

struct smtp_command {
    enum smtp_verb verb;
    struct slice arguments; /* all that follows the verb, with the space before it */
};

/* Reads a line without its end; the arguments are a view of it. */
struct smtp_command smtp_command_parse(struct slice line);

/*
 * The limit of a line that begins so, if an initial response may have `sasl_max` octets. Five octets decide;
 * with fewer any limit will do.
 */
size_t smtp_command_limit(struct slice beginning, size_t sasl_max);

/* Takes a word off the front of `*rest`; empty at the end. Postfix takes a tab for a space. */
struct slice smtp_next_word(struct slice *rest);

/* Does BURL end its message (RFC 4468 section 3.2)? */
bool smtp_burl_is_last(struct slice arguments);

/* The slice without blanks at either end. */
struct slice smtp_without_blanks(struct slice s);

/* Are there only blanks after a verb? */
bool smtp_has_no_words(struct slice arguments);

/* Is SMTPUTF8 among the parameters of MAIL (RFC 6531 section 3.4)? */
bool smtp_mail_is_utf8(struct slice arguments);

struct smtp_chunk {
    uint64_t size;
    bool last;
};

enum {
    /*
     * The largest chunk let through: Exim reads the size into 32 bits, and a backend that counts fewer octets
     * than the proxy would take the rest of the chunk for commands.
     */
    SMTP_CHUNK_MAX = INT32_MAX
};

/*
 * Reads the arguments of BDAT (RFC 3030 section 2): chunk-size [ SP end-marker ]. False if they are not, or
 * over 64 bits.
 */
bool smtp_chunk_parse(struct slice arguments, struct smtp_chunk *chunk);

#endif
