/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls_names.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>

/* RFC 1035 section 2.3.4 */
#define NAME_MAX_OCTETS 255

struct tls_name {
    char *name; /* in lower case, without a final dot; a wildcard keeps its "*" */
    size_t value;
    size_t order;
};

/* False if it can't be a name. */
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
    struct tls_name *items = array_make_room(names->items, names->count, &names->cap, sizeof *items);
    if (items == NULL)
        return false;
    names->items = items;
    return true;
}

bool tls_names_add(struct tls_names *names, struct slice name, size_t value)
{
    char normal[NAME_MAX_OCTETS + 1];
    if (!normalize(name, normal))
        return true;
    if (!make_room(names))
        return false;
    char *copy = strdup(normal);
    if (copy == NULL)
        return false;
    names->items[names->count] = (struct tls_name){copy, value, names->count};
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

/* The first of equal names; NULL if there is none. */
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

/* The first entry of a name, of this kind; NULL if there is none. */
static const struct tls_name *find(const struct tls_names *names, struct slice name, enum tls_names_kind kind)
{
    char normal[NAME_MAX_OCTETS + 1];
    if (!normalize(name, normal) || normal[0] == '*')
        return NULL;
    if (kind == TLS_NAMES_EXACT)
        return look_up(names, normal);
    char *dot = strchr(normal, '.');
    if (dot == NULL || dot == normal)
        return NULL;
    *--dot = '*';
    return look_up(names, dot);
}

size_t tls_names_find(const struct tls_names *names, struct slice name, size_t fallback)
{
    const struct tls_name *found = find(names, name, TLS_NAMES_EXACT);
    if (found == NULL)
        found = find(names, name, TLS_NAMES_WILDCARD);
    return found != NULL ? found->value : fallback;
}

size_t tls_names_find_all(const struct tls_names *names, struct slice name, enum tls_names_kind kind,
                          size_t values[], size_t max)
{
    size_t count = 0;
    const struct tls_name *first = find(names, name, kind);
    if (first == NULL)
        return 0;
    const struct tls_name *end = names->items + names->count;
    for (const struct tls_name *at = first; at < end && count < max; at++) {
        if (strcmp(at->name, first->name) != 0)
            break;
        values[count++] = at->value;
    }
    return count;
}

void tls_names_free(struct tls_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i].name);
    free(names->items);
    *names = (struct tls_names){0};
}
