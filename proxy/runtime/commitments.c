/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/promises.h"

#include "base/array.h"
#include "protocols/deep/deep_status.h"
#include "proxy/runtime/promises_private.h"
#include "tls/tls_names.h"

#include <stdlib.h>
#include <string.h>

static const char everybody[] = "*";

/* ---- a list in order ---- */

static int compare(const char *host, enum cfg_protocol protocol, const struct promise *to)
{
    int order = strcmp(host, to->host);
    return order != 0 ? order : (int)protocol - (int)to->protocol;
}

/* Where it is, or belongs. */
static size_t place_of(const struct promises *promises, const char *host, enum cfg_protocol protocol)
{
    size_t low = 0;
    size_t high = promises->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(host, protocol, &promises->items[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct promise *find(const struct promises *promises, const char *host, enum cfg_protocol protocol)
{
    size_t place = place_of(promises, host, protocol);
    bool found = place < promises->count && compare(host, protocol, &promises->items[place]) == 0;
    return found ? &promises->items[place] : NULL;
}

/* Adds the security tags among the words that are not there yet. */
static bool add_tags(struct promise *promise, const char *words)
{
    struct slice rest = slice_of(words);
    for (struct slice word; (word = slice_next_word(&rest, ' ')).len > 0;) {
        if (!deep_is_security_tag(word) || deep_status_has(promise->tags, word))
            continue;
        size_t len = strlen(promise->tags);
        char *longer = realloc(promise->tags, len + word.len + 2);
        if (longer == NULL)
            return false;
        promise->tags = longer;
        if (len > 0)
            longer[len++] = ' ';
        memcpy(longer + len, word.data, word.len);
        longer[len + word.len] = '\0';
    }
    return true;
}

static bool make_room(struct promises *promises)
{
    struct promise *items = array_make_room(promises->items, promises->count, &promises->cap, sizeof *items);
    if (items == NULL)
        return false;
    promises->items = items;
    return true;
}

static void free_one(struct promise *promise)
{
    free(promise->host);
    free(promise->tags);
}

bool promises_append(struct promises *promises, const char *host, enum cfg_protocol protocol,
                     const char *words)
{
    struct promise promise = {strdup(host), protocol, strdup("")};
    if (promise.host == NULL || promise.tags == NULL || !add_tags(&promise, words) || !make_room(promises)) {
        free_one(&promise);
        return false;
    }
    promises->items[promises->count++] = promise;
    return true;
}

static int by_host_and_protocol(const void *a, const void *b)
{
    const struct promise *left = a;
    return compare(left->host, left->protocol, b);
}

bool promises_sort(struct promises *promises)
{
    bool ok = true;
    size_t kept = 0;
    if (promises->count > 0)
        qsort(promises->items, promises->count, sizeof promises->items[0], by_host_and_protocol);
    for (size_t i = 0; i < promises->count; i++) {
        struct promise *at = &promises->items[i];
        if (kept > 0 && by_host_and_protocol(&promises->items[kept - 1], at) == 0) {
            ok = add_tags(&promises->items[kept - 1], at->tags) && ok;
            free_one(at);
        } else {
            promises->items[kept++] = *at;
        }
    }
    promises->count = kept;
    return ok;
}

void promises_free(struct promises *promises)
{
    for (size_t i = 0; i < promises->count; i++)
        free_one(&promises->items[i]);
    free(promises->items);
    *promises = (struct promises){0};
}

bool promises_merge(struct promises *into, const struct promises *others)
{
    bool ok = true;
    for (size_t i = 0; ok && i < others->count; i++)
        ok = promises_append(into, others->items[i].host, others->items[i].protocol, others->items[i].tags);
    return ok && promises_sort(into);
}

/* ---- what a configuration promises ---- */

static bool serves(const struct cfg *cfg, enum cfg_protocol protocol)
{
    for (size_t i = 0; i < cfg->service_count; i++)
        if (cfg->services[i].protocol == protocol)
            return true;
    return false;
}

/* A host of its own is promised what its clients are shown: its own status, or the services'. */
static bool add_host(struct promises *into, const struct cfg *cfg, const struct cfg_host *host)
{
    bool ok = true;
    for (size_t i = 0; i < cfg->service_count; i++) {
        const struct cfg_service *service = &cfg->services[i];
        const char *status = host->deep != NULL ? host->deep->status : service->deep->status;
        for (size_t j = 0; ok && j < host->name_count; j++)
            ok = promises_append(into, host->names[j], service->protocol, status);
    }
    return ok;
}

bool promises_of(const struct cfg *cfg, struct promises *into)
{
    bool ok = true;
    *into = (struct promises){0};
    for (size_t i = 0; ok && i < cfg->service_count; i++)
        ok = promises_append(into, everybody, cfg->services[i].protocol, cfg->services[i].deep->status);
    for (size_t i = 0; ok && i < cfg->host_count; i++)
        ok = add_host(into, cfg, &cfg->hosts[i]);
    return ok && promises_sort(into);
}

/* ---- from one to the next ---- */

/* What clients that ask for the host are promised: its own, that of a wildcard which covers it, or everybody's. */
static const struct promise *effective(const struct promises *promises, const char *host,
                                       enum cfg_protocol protocol)
{
    char wildcard[256];
    const char *dot = strchr(host, '.');
    const struct promise *found = find(promises, host, protocol);
    if (found == NULL && dot != NULL && host[0] != '*' && strlen(dot) + 2 <= sizeof wildcard) {
        wildcard[0] = '*';
        strcpy(wildcard + 1, dot);
        found = find(promises, wildcard, protocol);
    }
    return found != NULL ? found : find(promises, everybody, protocol);
}

static bool is_withdrawn(const struct cfg_deep *deep, struct slice tag)
{
    for (size_t i = 0; deep != NULL && i < deep->withdrawn_count; i++)
        if (slice_is_word(tag, deep->withdrawn[i].text))
            return true;
    return false;
}

/* What the operator takes back for clients of this host, in the host's own group or in one of the services'. */
static bool withdraws(const struct cfg *cfg, const char *host, enum cfg_protocol protocol, struct slice tag)
{
    for (size_t i = 0; i < cfg->host_count; i++)
        for (size_t j = 0; j < cfg->hosts[i].name_count; j++)
            if (strcmp(cfg->hosts[i].names[j], host) == 0 && is_withdrawn(cfg->hosts[i].deep, tag))
                return true;
    for (size_t i = 0; i < cfg->service_count; i++)
        if (cfg->services[i].protocol == protocol && is_withdrawn(cfg->services[i].deep, tag))
            return true;
    return false;
}

static struct cfg_place place_of_deep(const struct cfg *cfg, const char *host, enum cfg_protocol protocol)
{
    for (size_t i = 0; i < cfg->host_count; i++)
        for (size_t j = 0; j < cfg->hosts[i].name_count; j++)
            if (strcmp(cfg->hosts[i].names[j], host) == 0)
                return cfg->hosts[i].place;
    for (size_t i = 0; i < cfg->service_count; i++)
        if (cfg->services[i].protocol == protocol)
            return cfg->services[i].deep->place.file != NULL ? cfg->services[i].deep->place
                                                             : cfg->services[i].place;
    return (struct cfg_place){cfg->path, 0};
}

static void compare_one(const char *host, enum cfg_protocol protocol, const struct promises *before,
                        const struct promises *now, const struct cfg *cfg, struct cfg_problems *problems)
{
    const struct promise *old = effective(before, host, protocol);
    const struct promise *new = effective(now, host, protocol);
    struct slice rest = slice_of(old != NULL ? old->tags : "");
    for (struct slice tag; (tag = slice_next_word(&rest, ' ')).len > 0;) {
        if ((new != NULL &&deep_status_has(new->tags, tag)) || withdraws(cfg, host, protocol, tag))
            continue;
        bool named = strcmp(host, everybody) != 0;
        cfg_problems_add(
            problems, CFG_ERROR, place_of_deep(cfg, host, protocol),
            "the tag \"%.*s\" was promised to %s clients%s%s for ever, and is missing: those that "
            "latched it will refuse to connect; put it back, or name it in \"withdraw\"",
            (int)tag.len, (const char *)tag.data, cfg_protocol_name(protocol), named ? " of " : "",
            named ? host : "");
    }
}

bool promises_compare(const struct promises *before, struct promises *now, const struct cfg *cfg,
                      struct cfg_problems *problems)
{
    bool ok = true;
    for (size_t i = 0; i < before->count; i++) {
        const struct promise *old = &before->items[i];
        if (serves(cfg, old->protocol))
            compare_one(old->host, old->protocol, before, now, cfg, problems);
    }
    /* Hosts that had nothing of their own before were promised what everybody was. */
    for (size_t i = 0; i < now->count; i++)
        if (find(before, now->items[i].host, now->items[i].protocol) == NULL)
            compare_one(now->items[i].host, now->items[i].protocol, before, now, cfg, problems);
    for (size_t i = 0; ok && i < before->count; i++)
        if (!serves(cfg, before->items[i].protocol))
            ok =
                promises_append(now, before->items[i].host, before->items[i].protocol, before->items[i].tags);
    return ok && promises_sort(now);
}
