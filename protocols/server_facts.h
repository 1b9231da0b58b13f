/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SERVER_FACTS_H
#define DEEPPROXY_PROTOCOLS_SERVER_FACTS_H

#include "base/bytes.h"
#include "base/must_check.h"
#include "base/refcount.h"

/*
 * What a check has learned of a server: an immutable value, counted by reference, which any thread may read.
 * Its octets are the server's own, but ASCII alone, without control characters, and bounded.
 */
enum {
    SERVER_FACTS_CAPABILITIES_MAX = 8192, /* as long as a line that sessions take */
    SERVER_FACTS_MECHANISMS_MAX = 1024,   /* 50 names of 20 octets (RFC 4422 section 3.1) */
    SERVER_FACTS_ID_MAX = 1024
};

struct server_facts {
    struct refcount references;
    /* They came over TLS: nobody on the way has changed them. Nothing that came before STARTTLS is here. */
    bool over_tls;
    /*
     * A client may be shown another list: this one answers a connection that PROXY v2 has called LOCAL, in
     * the clear, and Dovecot offers less of a login then than to a client of whose TLS the header tells.
     */
    bool is_local;
    /* The server has listed its capabilities, and all of them are here. */
    bool complete;
    /*
     * What the server can do before a login, each with an LF after it: the words of IMAP's CAPABILITY, the
     * lines of POP3's CAPA, those of SMTP's EHLO without the code and the first line.
     */
    struct slice capabilities;
    struct slice mechanisms; /* SASL, each once, with spaces between them */
    struct slice id;         /* the list of IMAP's ID, with its parentheses; empty: none */
};

/* Makes one with copies of the three texts. The caller owns the reference. NULL if memory is short. */
MUST_CHECK struct server_facts *server_facts_new(struct slice capabilities, struct slice mechanisms,
                                                 struct slice id);

/* Adds a reference, and returns its argument. */
struct server_facts *server_facts_ref(struct server_facts *facts);

/* Drops a reference, and nulls the pointer, which may be NULL already. */
void server_facts_unref(struct server_facts **facts);

#endif
