/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls_names.h"

#include <stdlib.h>
#include <string.h>

/* RFC 1035 section 2.3.4 */
#define NAME_MAX_OCTETS 255

struct tls_name {
    char *name; /* in lower case, without a final dot; a wildcard keeps its "*" */
    size_t certificate;
    size_t order;
};

/* False where the name is empty or too long to be one. */
static bool normalize(struct slice name, char into[NAME_MAX_OCTETS + 1])
{
    if (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len > NAME_MAX_OCTETS)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (c == '\0')
            return false;
        into[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    into[name.len] = '\0';
    return true;
}

static bool make_room(struct tls_names *names)
{
    if (names->count < names->cap)
        return true;
    size_t cap = names->cap > 0 ? 2 * names->cap : 16;
    struct tls_name *items = realloc(names->items, cap * sizeof *items);
    if (items == NULL)
        return false;
    names->items = items;
    names->cap = cap;
    return true;
}

bool tls_names_add(struct tls_names *names, struct slice name, size_t certificate)
{
    char normal[NAME_MAX_OCTETS + 1];
    if (!normalize(name, normal))
        return true;
    if (!make_room(names))
        return false;
    char *copy = strdup(normal);
    if (copy == NULL)
        return false;
    names->items[names->count] = (struct tls_name){copy, certificate, names->count};
    names->count++;
    return true;
}

static int by_name_then_order(const void *a, const void *b)
{
    const struct tls_name *left = a;
    const struct tls_name *right = b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

void tls_names_sort(struct tls_names *names)
{
    if (names->count > 0)
        qsort(names->items, names->count, sizeof names->items[0], by_name_then_order);
}

/* The first of equal names, or NULL. */
static const struct tls_name *look_up(const struct tls_names *names, const char *name)
{
    size_t low = 0;
    size_t high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(names->items[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < names->count && strcmp(names->items[low].name, name) == 0 ? &names->items[low] : NULL;
}

size_t tls_names_find(const struct tls_names *names, struct slice name, size_t fallback)
{
    char normal[NAME_MAX_OCTETS + 1];
    if (!normalize(name, normal) || normal[0] == '*')
        return fallback;
    const struct tls_name *found = look_up(names, normal);
    char *dot = strchr(normal, '.');
    if (found == NULL && dot != NULL && dot > normal) {
        *--dot = '*';
        found = look_up(names, dot);
    }
    return found != NULL ? found->certificate : fallback;
}

void tls_names_free(struct tls_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i].name);
    free(names->items);
    *names = (struct tls_names){0};
}
