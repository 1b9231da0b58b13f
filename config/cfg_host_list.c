/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_host_list.h"

#include "base/slice.h"

#include <stdlib.h>
#include <string.h>

/* ---- copying ---- */

/* Without memory it only counts the octets, so that the same functions measure and copy. */
struct pack {
    char *memory;
    size_t used;
    const char *file; /* of the last place, and its copy: neighbours are mostly of the same file */
    char *file_copy;
};

static void *take(struct pack *pack, size_t len, size_t alignment)
{
    pack->used = (pack->used + alignment - 1) / alignment * alignment;
    void *at = pack->memory != NULL ? pack->memory + pack->used : NULL;
    pack->used += len;
    return at;
}

static char *copy_text(struct pack *pack, const char *text)
{
    size_t len = text != NULL ? strlen(text) + 1 : 0;
    char *copy = take(pack, len, 1);
    if (text == NULL)
        return NULL;
    return copy != NULL ? memcpy(copy, text, len) : NULL;
}

static struct cfg_place copy_place(struct pack *pack, struct cfg_place place)
{
    if (place.file != pack->file) {
        pack->file = place.file;
        pack->file_copy = copy_text(pack, place.file);
    }
    return (struct cfg_place){pack->file_copy, place.line};
}

static struct cfg_text *copy_texts(struct pack *pack, const struct cfg_text *texts, size_t count)
{
    struct cfg_text *copies = take(pack, count * sizeof *copies, _Alignof(struct cfg_text));
    for (size_t i = 0; i < count; i++) {
        struct cfg_text copy = {copy_text(pack, texts[i].text), copy_place(pack, texts[i].place)};
        if (copies != NULL)
            copies[i] = copy;
    }
    return copies;
}

static const struct cfg_deep *copy_deep(struct pack *pack, const struct cfg_deep *deep)
{
    struct cfg_deep copy = *deep;
    struct cfg_deep *into = take(pack, sizeof copy, _Alignof(struct cfg_deep));
    copy.status = copy_text(pack, deep->status);
    copy.withdrawn = copy_texts(pack, deep->withdrawn, deep->withdrawn_count);
    copy.tlsa = copy_texts(pack, deep->tlsa, deep->tlsa_count);
    copy.ca = copy_text(pack, deep->ca);
    copy.ca_place = copy_place(pack, deep->ca_place);
    copy.place = copy_place(pack, deep->place);
    if (into != NULL)
        *into = copy;
    return into;
}

static struct cfg_host copy_host(struct pack *pack, const struct cfg_host *host)
{
    struct cfg_host copy = *host;
    copy.names = take(pack, host->name_count * sizeof(char *), _Alignof(char *));
    for (size_t i = 0; i < host->name_count; i++) {
        char *name = copy_text(pack, host->names[i]);
        if (copy.names != NULL)
            copy.names[i] = name;
    }
    copy.deep = host->deep != NULL ? copy_deep(pack, host->deep) : NULL;
    copy.place = copy_place(pack, host->place);
    return copy;
}

/* Returns the octets that the whole list takes. `list` NULL: only that. */
static size_t copy_all(struct cfg_host_list *list, const struct cfg_host *hosts, size_t count)
{
    struct pack pack = {.memory = (char *)list, .used = sizeof *list + count * sizeof hosts[0]};
    for (size_t i = 0; i < count; i++) {
        struct cfg_host copy = copy_host(&pack, &hosts[i]);
        if (list != NULL)
            list->hosts[i] = copy;
    }
    return pack.used;
}

struct cfg_host_list *cfg_host_list_new(const struct cfg_host *hosts, size_t count)
{
    struct cfg_host_list *list = malloc(copy_all(NULL, hosts, count));
    if (list == NULL)
        return NULL;
    refcount_init(&list->references);
    list->count = count;
    copy_all(list, hosts, count);
    return list;
}

struct cfg_host_list *cfg_host_list_ref(struct cfg_host_list *list)
{
    refcount_take(&list->references);
    return list;
}

void cfg_host_list_unref(struct cfg_host_list **list)
{
    struct cfg_host_list *dropped = *list;
    *list = NULL;
    if (dropped != NULL && refcount_drop(&dropped->references))
        free(dropped);
}

/* ---- comparing ---- */

static bool is_same_place(struct cfg_place a, struct cfg_place b)
{
    return a.line == b.line && text_is_same(a.file, b.file);
}

static bool are_same_texts(const struct cfg_text *a, size_t a_count, const struct cfg_text *b, size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++)
        same = strcmp(a[i].text, b[i].text) == 0 && is_same_place(a[i].place, b[i].place);
    return same;
}

static bool is_same_deep(const struct cfg_deep *a, const struct cfg_deep *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->merge == b->merge && strcmp(a->status, b->status) == 0 && text_is_same(a->ca, b->ca) &&
           are_same_texts(a->withdrawn, a->withdrawn_count, b->withdrawn, b->withdrawn_count) &&
           are_same_texts(a->tlsa, a->tlsa_count, b->tlsa, b->tlsa_count) &&
           is_same_place(a->ca_place, b->ca_place) && is_same_place(a->place, b->place);
}

static bool is_same_host(const struct cfg_host *a, const struct cfg_host *b)
{
    bool same = a->name_count == b->name_count && memcmp(a->pools, b->pools, sizeof a->pools) == 0 &&
                is_same_place(a->place, b->place) && is_same_deep(a->deep, b->deep);
    for (size_t i = 0; same && i < a->name_count; i++)
        same = strcmp(a->names[i], b->names[i]) == 0;
    return same;
}

bool cfg_host_list_equals(const struct cfg_host_list *a, const struct cfg_host_list *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = is_same_host(&a->hosts[i], &b->hosts[i]);
    return same;
}
