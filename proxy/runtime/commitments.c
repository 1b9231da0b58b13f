/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/commitments.h"

#include "base/array.h"
#include "protocols/deep/deep_status.h"
#include "proxy/runtime/commitments_private.h"
#include "tls/tls_names.h"

#include <stdlib.h>
#include <string.h>

static const char everybody[] = "*";

/* ---- a list in order ---- */

static int compare_key(const char *host, enum protocol protocol, const struct commitment *to)
{
    int order = strcmp(host, to->host);
    return order != 0 ? order : (int)protocol - (int)to->protocol;
}

/* Where it is, or belongs. */
static size_t find_place(const struct commitments *commitments, const char *host, enum protocol protocol)
{
    size_t low = 0;
    size_t high = commitments->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_key(host, protocol, &commitments->items[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct commitment *find_commitment(const struct commitments *commitments, const char *host,
                                          enum protocol protocol)
{
    size_t place = find_place(commitments, host, protocol);
    bool found = place < commitments->count && compare_key(host, protocol, &commitments->items[place]) == 0;
    return found ? &commitments->items[place] : NULL;
}

/* Adds the security tags among the words that are not there yet. */
static bool add_tags(struct commitment *commitment, const char *words)
{
    struct slice rest = slice_of(words);
    for (struct slice word; (word = slice_next_word(&rest, ' ')).len > 0;) {
        if (!deep_is_security_tag(word) || deep_status_has(commitment->tags, word))
            continue;
        size_t len = strlen(commitment->tags);
        char *longer = realloc(commitment->tags, len + word.len + 2);
        if (longer == NULL)
            return false;
        commitment->tags = longer;
        if (len > 0)
            longer[len++] = ' ';
        memcpy(longer + len, word.data, word.len);
        longer[len + word.len] = '\0';
    }
    return true;
}

static bool make_space(struct commitments *commitments)
{
    struct commitment *items =
        array_make_room(commitments->items, commitments->count, &commitments->cap, sizeof *items);
    if (items == NULL)
        return false;
    commitments->items = items;
    return true;
}

static void free_commitment(struct commitment *commitment)
{
    free(commitment->host);
    free(commitment->tags);
}

bool commitments_append(struct commitments *commitments, const char *host, enum protocol protocol,
                        const char *words)
{
    struct commitment commitment = {strdup(host), protocol, strdup("")};
    if (commitment.host == NULL || commitment.tags == NULL || !add_tags(&commitment, words) ||
        !make_space(commitments)) {
        free_commitment(&commitment);
        return false;
    }
    commitments->items[commitments->count++] = commitment;
    return true;
}

static int compare_commitments(const void *a, const void *b)
{
    const struct commitment *left = a;
    return compare_key(left->host, left->protocol, b);
}

bool commitments_sort(struct commitments *commitments)
{
    bool ok = true;
    size_t kept = 0;
    if (commitments->count > 0)
        qsort(commitments->items, commitments->count, sizeof commitments->items[0], compare_commitments);
    for (size_t i = 0; i < commitments->count; i++) {
        struct commitment *at = &commitments->items[i];
        if (kept > 0 && compare_commitments(&commitments->items[kept - 1], at) == 0) {
            ok = add_tags(&commitments->items[kept - 1], at->tags) && ok;
            free_commitment(at);
        } else {
            commitments->items[kept++] = *at;
        }
    }
    commitments->count = kept;
    return ok;
}

void commitments_free(struct commitments *commitments)
{
    for (size_t i = 0; i < commitments->count; i++)
        free_commitment(&commitments->items[i]);
    free(commitments->items);
    *commitments = (struct commitments){0};
}

bool commitments_merge(struct commitments *into, const struct commitments *others)
{
    bool ok = true;
    for (size_t i = 0; ok && i < others->count; i++)
        ok =
            commitments_append(into, others->items[i].host, others->items[i].protocol, others->items[i].tags);
    return ok && commitments_sort(into);
}

/* ---- one list for several ---- */

static bool are_same(const struct commitments *a, const struct commitments *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = compare_commitments(&a->items[i], &b->items[i]) == 0 &&
               strcmp(a->items[i].tags, b->items[i].tags) == 0;
    return same;
}

struct shared_commitments *commitments_share(struct commitments *list, struct shared_commitments *before)
{
    if (before != NULL && are_same(list, &before->list)) {
        commitments_free(list);
        refcount_take(&before->references);
        return before;
    }
    struct shared_commitments *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        return NULL;
    refcount_init(&shared->references);
    shared->list = *list;
    *list = (struct commitments){0};
    return shared;
}

void commitments_unref(struct shared_commitments **commitments)
{
    struct shared_commitments *dropped = *commitments;
    *commitments = NULL;
    if (dropped == NULL || !refcount_drop(&dropped->references))
        return;
    commitments_free(&dropped->list);
    free(dropped);
}

/* ---- what a configuration promises ---- */

static bool has_service(const struct cfg *cfg, enum protocol protocol)
{
    for (size_t i = 0; i < cfg->service_count; i++)
        if (cfg->services[i].protocol == protocol)
            return true;
    return false;
}

/* A host of its own is promised what its clients are shown: its own status, or the services'. */
static bool add_host(struct commitments *into, const struct cfg *cfg, const struct cfg_host *host)
{
    bool ok = true;
    for (size_t i = 0; i < cfg->service_count; i++) {
        const struct cfg_service *service = &cfg->services[i];
        const char *status = host->deep != NULL ? host->deep->status : service->deep->status;
        for (size_t j = 0; ok && j < host->name_count; j++)
            ok = commitments_append(into, host->names[j], service->protocol, status);
    }
    return ok;
}

bool commitments_of(const struct cfg *cfg, struct commitments *into)
{
    bool ok = true;
    *into = (struct commitments){0};
    for (size_t i = 0; ok && i < cfg->service_count; i++)
        ok = commitments_append(into, everybody, cfg->services[i].protocol, cfg->services[i].deep->status);
    for (size_t i = 0; ok && i < cfg->host_count; i++)
        ok = add_host(into, cfg, &cfg->hosts[i]);
    return ok && commitments_sort(into);
}

/* ---- from one to the next ---- */

/*
 * What clients that ask for the host are promised: its own, that of a wildcard which covers it, or
 * everybody's.
 */
static const struct commitment *find_effective(const struct commitments *commitments, const char *host,
                                               enum protocol protocol)
{
    char wildcard[256];
    const char *dot = strchr(host, '.');
    const struct commitment *found = find_commitment(commitments, host, protocol);
    if (found == NULL && dot != NULL && host[0] != '*' && strlen(dot) + 2 <= sizeof wildcard) {
        wildcard[0] = '*';
        strcpy(wildcard + 1, dot);
        found = find_commitment(commitments, wildcard, protocol);
    }
    return found != NULL ? found : find_commitment(commitments, everybody, protocol);
}

static bool is_withdrawn(const struct cfg_deep *deep, struct slice tag)
{
    for (size_t i = 0; deep != NULL && i < deep->withdrawn_count; i++)
        if (slice_is_word(tag, deep->withdrawn[i].text))
            return true;
    return false;
}

/*
 * What the operator takes back for clients of this host, in the host's own group or in one of the services'.
 */
static bool is_taken_back(const struct cfg *cfg, const char *host, enum protocol protocol, struct slice tag)
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

static struct cfg_place place_of_deep(const struct cfg *cfg, const char *host, enum protocol protocol)
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

static void check_kept(const char *host, enum protocol protocol, const struct commitments *before,
                       const struct commitments *now, const struct cfg *cfg, struct cfg_problems *problems)
{
    const struct commitment *old = find_effective(before, host, protocol);
    const struct commitment *new = find_effective(now, host, protocol);
    struct slice rest = slice_of(old != NULL ? old->tags : "");
    for (struct slice tag; (tag = slice_next_word(&rest, ' ')).len > 0;) {
        if ((new != NULL &&deep_status_has(new->tags, tag)) || is_taken_back(cfg, host, protocol, tag))
            continue;
        bool named = strcmp(host, everybody) != 0;
        cfg_problems_add(
            problems, CFG_ERROR, place_of_deep(cfg, host, protocol),
            "the tag \"%.*s\" was promised to %s clients%s%s for ever, and is missing: those that "
            "latched it will refuse to connect; put it back, or name it in \"withdraw\"",
            (int)tag.len, (const char *)tag.data, protocol_traits(protocol)->name, named ? " of " : "",
            named ? host : "");
    }
}

bool commitments_compare(const struct commitments *before, struct commitments *now, const struct cfg *cfg,
                         struct cfg_problems *problems)
{
    bool ok = true;
    for (size_t i = 0; i < before->count; i++) {
        const struct commitment *old = &before->items[i];
        if (has_service(cfg, old->protocol))
            check_kept(old->host, old->protocol, before, now, cfg, problems);
    }
    /* Hosts that had nothing of their own before were promised what everybody was. */
    for (size_t i = 0; i < now->count; i++)
        if (find_commitment(before, now->items[i].host, now->items[i].protocol) == NULL)
            check_kept(now->items[i].host, now->items[i].protocol, before, now, cfg, problems);
    for (size_t i = 0; ok && i < before->count; i++)
        if (!has_service(cfg, before->items[i].protocol))
            ok = commitments_append(now, before->items[i].host, before->items[i].protocol,
                                    before->items[i].tags);
    return ok && commitments_sort(now);
}
