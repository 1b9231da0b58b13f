/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_ID_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_ID_H

#include "protocols/engine_private.h"
#include "protocols/imap/imap_string.h"

/*
 * The parameter lists of ID (RFC 2971): NIL, or pairs of a name and a value in parentheses. A list is a view
 * of octets that hold the whole command or response, literals included.
 */
enum {
    /* RFC 2971 section 3.3; Dovecot replies BYE to more, Cyrus BAD */
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

/* The pairs that are left. */
struct imap_id_list {
    struct slice rest;
    bool nil;
};

enum imap_id_step { IMAP_ID_PAIR, IMAP_ID_END, IMAP_ID_MALFORMED };

/* Begins a list. False if the parameters are not one. */
bool imap_id_open(struct slice params, struct imap_id_list *list);

/* Whether the parameters are a whole list, NIL or pairs. */
bool imap_id_is_list(struct slice params);

/* Takes the next pair. `*pair` is set if it returns IMAP_ID_PAIR. */
enum imap_id_step imap_id_next(struct imap_id_list *list, struct imap_id_pair *pair);

/*
 * Checks a client's list. NULL if it is right and within the limits, else the status and text of a tagged
 * reply.
 */
const char *imap_id_check(struct slice params);

/* Keeps what a checked list reports (draft section 7.1). */
void imap_id_report(struct slice params, struct engine *engine);

/*
 * Appends a client's checked list as the backend gets it, in strings of imap_string_append. Removed are all
 * fields that backends believe of a proxy: names that begin with "x-", and "tls". Added are "tls" with the
 * cipher suite and, if `identity` is not NULL, the fields with the client's address that Dovecot believes of
 * the addresses in its login_trusted_networks. If that makes more than 30 pairs, which Cyrus refuses, the
 * last ones are dropped, and before them those that report nothing. False if memory is short, or if `into`
 * would have more than IMAP_ID_COMMAND_MAX octets.
 */
MUST_CHECK bool imap_id_append(struct bytes *into, struct slice params, const char *cipher,
                               const struct client_identity *identity);

/*
 * Writes the fields that have the DEEP status in a server's reply (draft section 7.1), with a NUL: one under
 * the name that the draft's text has, one under that of its examples. A deep-status needs no escapes.
 */
void imap_id_own_fields(const char *deep_status, char text[IMAP_ID_OWN_FIELDS_MAX]);

/* Merges the DEEP status that a backend's list has under either name (engine_merge_deep). */
void imap_id_learn_status(struct slice params, struct engine *engine);

/*
 * Sends a backend's list to the client as it came, without its own such fields, and with ours. If it is not a
 * list, ours alone are sent.
 */
void imap_id_reply(struct slice params, const char *deep_status, struct engine_out *out);

#endif
