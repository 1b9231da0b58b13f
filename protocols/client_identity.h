/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_CLIENT_IDENTITY_H
#define DEEPPROXY_PROTOCOLS_CLIENT_IDENTITY_H

#include "protocols/engine.h"

/*
 * Who the client is, as an engine keeps it until the backend has learned it by its protocol's own words (IMAP
 * ID, XCLIENT). Only a service with `sends_identity` has it. An idle session has sent and freed it.
 */
struct client_identity {
    char address[ENGINE_ADDRESS_MAX]; /* numeric, IPv6 without brackets */
    char connected_address[ENGINE_ADDRESS_MAX];
    char session_id[ENGINE_SESSION_ID_MAX];
    uint16_t port;
    uint16_t connected_port;
    char *login; /* NULL: none */
};

/* A copy of what is needed of `client`. NULL if memory is short. */
struct client_identity *client_identity_new(const struct engine_client *client);

/* Frees it, and sets the pointer to NULL, which it may already be. */
void client_identity_free(struct client_identity **identity);

#endif
