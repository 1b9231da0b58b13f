/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_PROBE_H
#define DEEPPROXY_TLS_PROBE_H

#include "base/must_check.h"
#include "tls/endpoint/tls_context.h"

/*
 * A client for a server with known settings, which tells whether that server works. It offers what the server
 * has (versions, suites, groups, all signatures), asks for a name that the server knows, and accepts any
 * certificate. So a handshake fails only if something is wrong. It never reads a private key.
 */

/* Octets of a name of DNS, with the NUL. */
enum { TLS_PROBE_NAME_MAX = 256 };

/*
 * Makes the context of such a client; `server` is used only within the call. The caller owns one reference.
 * NULL if memory is short, or if no server could have these settings.
 */
MUST_CHECK struct tls_context *tls_context_new_probe(const struct tls_settings *server);

/*
 * Writes a name that a certificate of the server has: `preferred` if one has it, else the first one of the
 * first certificate. A wildcard becomes a name that it covers. False, and "", if no certificate has a name
 * that can be sent, or none can be read. Reads the files of the certificates, and so may block.
 */
MUST_CHECK bool tls_probe_find_name(const struct tls_settings *server, const char *preferred,
                                    char name[TLS_PROBE_NAME_MAX]);

#endif
