/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_CLIENT_CERTIFICATES_H
#define DEEPPROXY_PROXY_RUNTIME_CLIENT_CERTIFICATES_H

#include "base/slice.h"
#include "config/cfg.h"
#include "tls/trust/tls_client_certificate.h"
#include "tls/trust/tls_client_trust.h"

/*
 * What a service makes of its clients' certificates (draft section 9.1.1): which it takes, and by which name its servers
 * learn of one. Pure functions, but for the files that are read in the main thread.
 */

/* NULL where `problems` then holds an error. */
struct tls_client_trust *client_certificates_load(const struct cfg_client_certificates *cfg,
                                                  struct cfg_problems *problems);

/* Where there is no group, or the client has shown no certificate, all of it is empty. */
struct client_name {
    const char
        *login; /* the name that the operator's `login` gives; NULL: none, or not one that can be told */
    struct slice tlv; /* for the PROXY header: `login`, or where none is asked for the certificate's own CN */
    bool external;    /* SASL EXTERNAL means this client on a server that reads the header */
};

/* `certificate` was verified, or is NULL. The name lives as long as it. */
struct client_name client_certificates_name(const struct cfg_client_certificates *cfg,
                                            const struct tls_client_certificate *certificate,
                                            enum cfg_identity identity);

#endif
