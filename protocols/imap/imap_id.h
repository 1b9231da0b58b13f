/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_ID_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_ID_H

#include "protocols/engine_private.h"
#include "protocols/imap/imap_string.h"

/*
 * The parameter lists of ID (RFC 2971): NIL, or pairs of a name and a value in parentheses. Lists are views
 * of octets that hold the whole command or response, literals included.
 */
enum {
    /* RFC 2971 section 3.3; Dovecot says BYE to more, Cyrus BAD */
    IMAP_ID_PAIRS_MAX = 30,
    IMAP_ID_NAME_MAX = 30,
    IMAP_ID_VALUE_MAX = 1024,
    /* "deep" "STATUS" "deep-status" "STATUS" */
    IMAP_ID_OWN_FIELDS_MAX = 1024
};

struct imap_id_pair {
    struct imap_string name;
    struct imap_string value;
};

struct imap_id_list {
    struct slice rest;
    bool nil;
};

enum imap_id_step { IMAP_ID_PAIR, IMAP_ID_END, IMAP_ID_MALFORMED };

/* Begins a list, and takes the next pair of it. */
bool imap_id_open(struct slice params, struct imap_id_list *list);
enum imap_id_step imap_id_next(struct imap_id_list *list, struct imap_id_pair *pair);

/* NULL where a client's list is right and within the limits, else a tagged answer's status and text. */
const char *imap_id_check(struct slice params);

/* Keeps what a checked list reports (draft section 7.1). */
void imap_id_report(struct slice params, struct engine *engine);

/*
 * Lets a client's checked list out to the backend in quoted strings (see imap_string_quote), less all fields
 * that backends believe of a proxy (names that begin with "x-", and "tls"), plus "tls" with the cipher suite and,
 * where `identity` is not NULL, who the client is in the fields that Dovecot believes of the addresses in its
 * login_trusted_networks. Where that makes more than 30 pairs, which Cyrus refuses, the last ones go, and those
 * first that report nothing.
 */
void imap_id_forward(struct slice params, const char *cipher, const struct client_identity *identity,
                     struct engine_out *out);

/*
 * The fields with which the server's answer tells the DEEP status (draft section 7.1), under the name that
 * its text has and the one that its examples have. Written to `text` with a NUL; a deep-status needs no
 * escapes.
 */
void imap_id_own_fields(const char *deep_status, char text[IMAP_ID_OWN_FIELDS_MAX]);

/* Takes the backend's own DEEP status out of its list, under either name, for merging. */
void imap_id_learn_status(struct slice params, struct engine *engine);

/*
 * Lets a backend's list out to the client as it stands, but for those fields of its own, and with ours. Of a
 * list that is not one only ours are left.
 */
void imap_id_reply(struct slice params, const char *deep_status, struct engine_out *out);

#endif
