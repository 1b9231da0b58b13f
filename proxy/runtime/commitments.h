/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_PROMISES_H
#define DEEPPROXY_PROXY_RUNTIME_PROMISES_H

#include "config/cfg.h"
#include "tls/endpoint/tls_context.h"

/*
 * What clients have been promised by security tags. "When a server advertises a security tag it is making a commitment to
 * support that security facility indefinitely" (draft section 5.1), and clients record it with the host's name (5.3): so it is
 * remembered by host and protocol, over reloads and, in a file, over restarts, and a configuration that no longer keeps it
 * is refused, unless the operator withdraws the tag by name.
 */

/* The tags of one host and protocol. */
struct promise {
    char *host; /* "*": of clients that ask for a name with nothing of its own, or for none */
    enum cfg_protocol protocol;
    char *tags; /* separated by spaces; may be empty */
};

/* In the order of host and protocol. */
struct promises {
    struct promise *items;
    size_t count;
    size_t cap;
};

/* What a configuration promises. False where memory is short; to be freed either way. */
bool promises_of(const struct cfg *cfg, struct promises *into);

/* Adds those of another. False where memory is short. */
bool promises_merge(struct promises *into, const struct promises *others);

/*
 * What was promised `before` and is not kept by `cfg`, whose own promises are `now`: an error for each tag that is not withdrawn.
 * What nobody serves any more is not broken, and stays remembered in `now`. False where memory is short.
 */
bool promises_compare(const struct promises *before, struct promises *now, const struct cfg *cfg,
                      struct cfg_problems *problems);

/* Paths of chains by which a promise is broken: what is in them now, or is not any more. They are the contexts' strings. */
struct promises_culprits {
    const char **chains; /* in order; one may be there twice */
    size_t count;
    size_t cap;
};

/*
 * Is each tag that the configuration advertises true of these certificates and settings? tls11, tls12: a suite of 128 bits
 * or more. tls-cert: a certificate that an authority has issued, for the host's name. tls-dane-tlsa: one that a record given in
 * the file matches (draft section 11.2). `culprits`, all zero before, is to be freed; it and `previous`, the certificates in use
 * until now, may be NULL.
 */
void promises_check(const struct cfg *cfg, const struct tls_context *tls, const struct tls_context *previous,
                    struct promises_culprits *culprits, struct cfg_problems *problems);
void promises_culprits_free(struct promises_culprits *culprits);

/*
 * The file: a line for each host and protocol, "HOST PROTOCOL [TAG...]", and comments behind #. One that is not there yet is
 * empty. False after an error was added.
 */
bool promises_read(const struct cfg *cfg, struct promises *into, struct cfg_problems *problems);
/* Replaces it in one step. False with errno. */
bool promises_write(const struct promises *promises, const char *path);

void promises_free(struct promises *promises);

#endif
