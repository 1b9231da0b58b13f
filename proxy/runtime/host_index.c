/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/host_index.h"

#include <stdlib.h>
#include <string.h>

static int by_deep(const struct cfg_deep *a, const struct cfg_deep *b)
{
    if (a == NULL || b == NULL)
        return (a != NULL) - (b != NULL);
    int order = strcmp(a->status, b->status);
    return order != 0 ? order : (int)a->merge - (int)b->merge;
}

static int by_kind(const void *left, const void *right)
{
    const struct cfg_host *a = *(const struct cfg_host *const *)left;
    const struct cfg_host *b = *(const struct cfg_host *const *)right;
    int order = by_deep(a->deep, b->deep);
    for (size_t i = 0; order == 0 && i < PROTOCOLS; i++)
        order = (a->pools[i] > b->pools[i]) - (a->pools[i] < b->pools[i]);
    return order;
}

/* All hosts, those of a kind beside each other. NULL if memory is short. */
static const struct cfg_host **sort_hosts(const struct cfg_host *hosts, size_t count)
{
    const struct cfg_host **sorted = calloc(count + 1, sizeof(const struct cfg_host *));
    for (size_t i = 0; sorted != NULL && i < count; i++)
        sorted[i] = &hosts[i];
    if (sorted != NULL && count > 0)
        qsort(sorted, count, sizeof sorted[0], by_kind);
    return sorted;
}

static bool add_names(struct host_index *index, const struct cfg_host *host, size_t kind)
{
    bool ok = true;
    for (size_t i = 0; ok && i < host->name_count; i++)
        ok = tls_names_add(&index->names, slice_of(host->names[i]), kind);
    return ok;
}

/* Keeps the first host of each kind, and no more than the memory for these. */
static bool add_kinds(struct host_index *index, size_t count)
{
    const struct cfg_host **sorted = index->kinds;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        const struct cfg_host *host = sorted[i];
        if (i == 0 || by_kind(&sorted[index->kind_count - 1], &host) != 0)
            sorted[index->kind_count++] = host;
        ok = add_names(index, host, index->kind_count - 1);
    }
    tls_names_sort(&index->names);
    sorted = realloc(index->kinds, (index->kind_count + 1) * sizeof index->kinds[0]);
    index->kinds = sorted != NULL ? sorted : index->kinds;
    return ok;
}

struct host_index *host_index_new(const struct cfg_host *hosts, size_t count)
{
    struct host_index *index = calloc(1, sizeof *index);
    if (index == NULL)
        return NULL;
    refcount_init(&index->references);
    index->kinds = sort_hosts(hosts, count);
    if (index->kinds == NULL || !add_kinds(index, count))
        host_index_unref(&index);
    return index;
}

struct host_index *host_index_ref(struct host_index *index)
{
    refcount_take(&index->references);
    return index;
}

void host_index_unref(struct host_index **index)
{
    struct host_index *dropped = *index;
    *index = NULL;
    if (dropped == NULL || !refcount_drop(&dropped->references))
        return;
    tls_names_free(&dropped->names);
    free(dropped->kinds);
    free(dropped);
}
