/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/client_identity.h"

#include "base/ensure.h"

#include <stdlib.h>
#include <string.h>

static void copy(char *into, size_t size, const char *text)
{
    size_t len = strlen(text);
    ENSURE(len < size);
    memcpy(into, text, len + 1);
}

struct client_identity *client_identity_new(const struct engine_client *client)
{
    struct client_identity *identity = calloc(1, sizeof *identity);
    if (identity == NULL)
        return NULL;
    copy(identity->address, sizeof identity->address, client->address);
    copy(identity->connected_address, sizeof identity->connected_address, client->connected_address);
    copy(identity->session_id, sizeof identity->session_id, client->session_id);
    identity->port = client->port;
    identity->connected_port = client->connected_port;
    if (client->login == NULL)
        return identity;
    identity->login = strdup(client->login);
    if (identity->login == NULL)
        client_identity_free(&identity);
    return identity;
}

void client_identity_free(struct client_identity **identity)
{
    if (*identity != NULL)
        free((*identity)->login);
    free(*identity);
    *identity = NULL;
}
