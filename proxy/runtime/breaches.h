/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_BREACHES_H
#define DEEPPROXY_PROXY_RUNTIME_BREACHES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The ways in which certificates and settings break what clients are promised (commitments.h), as data: a
 * program that asks whether a breach is new compares these and no messages. Each breach belongs to one error
 * in a list of problems, which is for the operator to read. Only pointers are kept here: the texts belong to
 * the configuration and the TLS contexts that were checked, and must live as long.
 */
enum breach_kind {
    BREACH_NO_SUITE,        /* the settings have no cipher suite that is strong enough */
    BREACH_NO_CERTIFICATE,  /* no certificate has the host's name */
    BREACH_SELF_SIGNED,     /* no authority has issued the certificate */
    BREACH_UNVERIFIABLE,    /* clients that trust the authorities can't verify the certificate */
    BREACH_TLSA_MISMATCH,   /* no TLSA record matches the certificate */
    BREACH_BAD_TLSA,        /* a TLSA record is malformed */
    BREACH_BAD_AUTHORITIES, /* the file of the authorities can't be used */
};

/* All but `problem` says which breach it is. */
struct breach {
    enum breach_kind kind;
    /* 1 << enum protocol of each protocol whose clients are promised the tag; 0: that does not matter. */
    unsigned protocols;
    /*
     * The name that clients ask for; NULL: the promise is to all that ask for no host of the configuration.
     */
    const char *host;
    /* The tag that is broken; NULL: that does not matter. */
    const char *tag;
    /* The path of the chain or of the authorities, or the record, as the kind has it; NULL: none. */
    const char *subject;
    /* The index of its error in the list of problems. */
    size_t problem;
};

/* All zero is an empty list. */
struct breaches {
    struct breach *items;
    size_t count;
    size_t cap;
    /*
     * Paths of the offending chains: what is in these files now, or is not any more. One may be there twice.
     */
    const char **chains;
    size_t chain_count;
    size_t chain_cap;
};

/*
 * Adds a breach. If memory is short it is left out: the error is then there without a breach, and the reader
 * takes it for a new one, so that nothing is accepted for want of memory.
 */
void breaches_add(struct breaches *breaches, struct breach breach);

/* Adds the path of an offending chain; left out if memory is short. */
void breaches_add_chain(struct breaches *breaches, const char *chain);

/* Puts the offending chains in the order of strcmp. */
void breaches_sort_chains(struct breaches *breaches);

/* The breach that belongs to the error with this index; NULL if there is none. */
const struct breach *breaches_find(const struct breaches *breaches, size_t problem);

/* Is it among these already, for each of its protocols? */
bool breaches_cover(const struct breaches *breaches, const struct breach *breach);

/* Frees the lists, and leaves them empty. */
void breaches_free(struct breaches *breaches);

#endif
