/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_DIRECTORY_H
#define DEEPPROXY_TLS_DIRECTORY_H

#include "tls/certificates/tls_keys.h"
#include "tls/tls_report.h"

/*
 * Which files of a folder belong together as a chain and its key. It takes what certificate tools leave: NAME.pem (or .crt,
 * .cer) with NAME.key or NAME-key.pem beside it; a .pem with both in it (HAProxy); fullchain.pem (.cer) with privkey.pem or
 * the only .key in a folder for each name (certbot, dehydrated, acme.sh); tls.crt with tls.key (Kubernetes). Folders are looked into one level
 * deep. What begins with a dot is passed over. Inner to tls/.
 */
struct tls_directory_pair {
    char *chain;
    char *key; /* may be the same file */
};

struct tls_directory {
    struct tls_directory_pair *pairs; /* in the order of the chain's path */
    size_t count;
    size_t cap;
};

enum {
    /* What one folder may hold: ten times the largest provider in mind, and memory stays in bounds. */
    TLS_DIRECTORY_MAX = 100000
};

/*
 * False, after an error was reported, where the folder can't be read or memory is short. A certificate without a key is a warning.
 * `into` is to be freed either way. `keys`, where it is not NULL, is asked whether a file has a key: it is not to be read here.
 */
bool tls_directory_scan(const char *path, const struct tls_key_source *keys, int source,
                        const struct tls_report *report, struct tls_directory *into);
void tls_directory_free(struct tls_directory *directory);

#endif
