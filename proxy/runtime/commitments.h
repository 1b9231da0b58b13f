/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_COMMITMENTS_H
#define DEEPPROXY_PROXY_RUNTIME_COMMITMENTS_H

#include "base/refcount.h"
#include "config/cfg.h"
#include "proxy/runtime/breaches.h"
#include "tls/endpoint/tls_context.h"

/*
 * What clients have been promised by security tags. "When a server advertises a security tag it is making a
 * commitment to support that security facility indefinitely" (draft section 5.1), and clients record it with
 * the host's name (5.3). So commitments are remembered by host and protocol: over reloads in memory, and over
 * restarts in a file. These functions compare and check; commitment_guard.h decides what is refused.
 */

/* The tags that clients of one host and protocol were promised. */
struct commitment {
    /* "*": clients that ask for a name with nothing of its own, or for none. */
    char *host;
    enum protocol protocol;
    /* Separated by spaces; may be empty. */
    char *tags;
};

/* In the order of host and protocol, each pair once. All zero is an empty list. */
struct commitments {
    struct commitment *items;
    size_t count;
    size_t cap;
};

/* Counted by reference, for configurations that promise the same one after the other. It never changes. */
struct shared_commitments {
    struct refcount references;
    struct commitments list;
};

/*
 * Takes the commitments of `list` over, which becomes empty; the caller owns one reference. That is one to
 * `before` (which may be NULL), and `list` is freed, if both are the same. NULL, and `list` as it was, if
 * memory is short.
 */
struct shared_commitments *commitments_share(struct commitments *list, struct shared_commitments *before);

/* Drops a reference, and nulls the pointer, which may be NULL already. */
void commitments_unref(struct shared_commitments **commitments);

/* What a configuration promises. False if memory is short. The caller frees `into` either way. */
bool commitments_of(const struct cfg *cfg, struct commitments *into);

/* Adds the commitments of `others` to `into`. False if memory is short. */
bool commitments_merge(struct commitments *into, const struct commitments *others);

/*
 * Finds what was promised `before` and is not kept by `cfg`, whose own commitments are `now`: adds an error
 * for each tag that is missing and not withdrawn. Commitments of protocols that no service has any more are
 * not broken; they are added to `now`, so that they stay remembered. False if memory is short.
 */
bool commitments_compare(const struct commitments *before, struct commitments *now, const struct cfg *cfg,
                         struct cfg_problems *problems);

/*
 * Checks whether each tag that the configuration advertises is true of these certificates and settings.
 * tls11, tls12: there is a cipher suite of 128 bits or more. tls-cert: an authority has issued a certificate
 * for the host's name. tls-dane-tlsa: a record given in the file matches it (draft section 11.2). Adds an
 * error to `problems` for each that is not, and the breach that belongs to it to `breaches`, which lives no
 * longer than `cfg`, `tls` and `previous`. `previous` has the certificates that were in use until now, by
 * which chains are found that no longer have a name; it may be NULL. Reads the files of authorities.
 */
void commitments_check(const struct cfg *cfg, const struct tls_context *tls,
                       const struct tls_context *previous, struct breaches *breaches,
                       struct cfg_problems *problems);

/*
 * Reads cfg->state_file into `into`: a line for each host and protocol, "HOST PROTOCOL [TAG...]", and
 * comments after "#". A file that is not there yet is empty. False after an error was added, or if memory is
 * short. The caller frees `into`.
 */
bool commitments_read(const struct cfg *cfg, struct commitments *into, struct cfg_problems *problems);

/* Replaces the file at `path` in one step. False with errno. Blocks until the disk has it. */
bool commitments_write(const struct commitments *commitments, const char *path);

/* Frees the commitments, and leaves none. */
void commitments_free(struct commitments *commitments);

#endif
