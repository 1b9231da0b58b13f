/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/server_facts.h"

#include <stdlib.h>
#include <string.h>

static struct slice copy(uint8_t **at, struct slice text)
{
    struct slice made = {*at, text.len};
    if (text.len > 0)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return made;
}

struct server_facts *server_facts_new(struct slice capabilities, struct slice mechanisms, struct slice id)
{
    struct server_facts *facts = malloc(sizeof *facts + capabilities.len + mechanisms.len + id.len);
    if (facts == NULL)
        return NULL;
    uint8_t *at = (uint8_t *)(facts + 1);
    *facts = (struct server_facts){.complete = false};
    refcount_init(&facts->references);
    facts->capabilities = copy(&at, capabilities);
    facts->mechanisms = copy(&at, mechanisms);
    facts->id = copy(&at, id);
    return facts;
}

struct server_facts *server_facts_ref(struct server_facts *facts)
{
    refcount_take(&facts->references);
    return facts;
}

void server_facts_unref(struct server_facts **facts)
{
    struct server_facts *dropped = *facts;
    *facts = NULL;
    if (dropped != NULL && refcount_drop(&dropped->references))
        free(dropped);
}
