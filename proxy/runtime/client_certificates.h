/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_CLIENT_CERTIFICATES_H
#define DEEPPROXY_PROXY_RUNTIME_CLIENT_CERTIFICATES_H

#include "base/slice.h"
#include "config/cfg.h"
#include "tls/trust/tls_client_certificate.h"
#include "tls/trust/tls_client_trust.h"

/*
 * Client certificates of a service (draft section 9.1.1): which ones it trusts, and the name by which servers
 * learn of one. It verifies none: tls/trust does.
 */

/*
 * Reads the authorities and the revocation lists, or uses one of `known` (the first `known_count`; each may
 * be NULL) again that is of the same files, if these are unchanged. The caller frees what is returned by
 * tls_client_trust_unref. NULL after an error in `problems`. Blocks, so it must not run in a worker.
 */
struct tls_client_trust *client_certificates_load(const struct cfg_client_certificates *cfg,
                                                  struct tls_client_trust *const *known, size_t known_count,
                                                  struct cfg_problems *problems);

/*
 * What servers learn of a client. All empty if the service has no such group, or the client has shown no
 * certificate.
 */
struct client_name {
    /* The name that the key "login" chooses; NULL: there is none, or it is not fit to be one. */
    const char *login;
    /* For the PROXY header: `login`, or the certificate's CN if the configuration asks for no login. */
    struct slice tlv;
    /* Does SASL EXTERNAL mean this client on a server that reads the header? */
    bool external;
};

/*
 * The name in `certificate`, which was verified, or is NULL. It lives as long as the certificate. A pure
 * function.
 */
struct client_name client_certificates_name(const struct cfg_client_certificates *cfg,
                                            const struct tls_client_certificate *certificate,
                                            enum cfg_identity identity);

#endif
