/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/commands/ctl_table.h"

#include "base/ensure.h"

#include <string.h>

enum { CELL_MAX = 1024 };

static void make_plain(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7F)
            *text = '?';
}

/* "a.b" is what `b` is in the object `a`. NULL if it is not there. */
static const json_t *find(const json_t *object, const char *key)
{
    const char *dot = strchr(key, '.');
    char first[64];
    if (dot == NULL)
        return json_object_get(object, key);
    snprintf(first, sizeof first, "%.*s", (int)(dot - key), key);
    return json_object_get(json_object_get(object, first), dot + 1);
}

static void write_cell(const json_t *value, char cell[CELL_MAX]);

static void write_list(const json_t *list, char cell[CELL_MAX])
{
    char item[CELL_MAX];
    size_t len = 0;
    cell[0] = '\0';
    for (size_t i = 0; i < json_array_size(list) && len < CELL_MAX; i++) {
        write_cell(json_array_get(list, i), item);
        len += (size_t)snprintf(cell + len, CELL_MAX - len, "%s%s", i > 0 ? "," : "", item);
    }
}

static void write_cell(const json_t *value, char cell[CELL_MAX])
{
    if (json_is_string(value))
        snprintf(cell, CELL_MAX, "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(cell, CELL_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(cell, CELL_MAX, "%g", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(cell, CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
    else if (json_is_array(value) && json_array_size(value) > 0 && !json_is_array(json_array_get(value, 0)))
        write_list(value, cell);
    else
        snprintf(cell, CELL_MAX, "-");
    make_plain(cell);
}

static void widen(size_t *width, const char *cell)
{
    size_t len = strlen(cell);
    *width = len > *width ? len : *width;
}

/* The last column is not padded. */
static void print_cell(const char *cell, size_t width, bool is_last, FILE *to)
{
    if (is_last)
        fprintf(to, "%s\n", cell);
    else
        fprintf(to, "%-*s  ", (int)width, cell);
}

void ctl_table_print(const json_t *list, const struct ctl_column *columns, size_t count, FILE *to)
{
    size_t widths[CTL_COLUMNS_MAX] = {0};
    char cell[CELL_MAX];
    ENSURE(count <= CTL_COLUMNS_MAX);
    for (size_t c = 0; c < count; c++) {
        widen(&widths[c], columns[c].heading);
        for (size_t i = 0; i < json_array_size(list); i++) {
            write_cell(find(json_array_get(list, i), columns[c].key), cell);
            widen(&widths[c], cell);
        }
    }
    for (size_t c = 0; c < count; c++)
        print_cell(columns[c].heading, widths[c], c + 1 == count, to);
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t c = 0; c < count; c++) {
            write_cell(find(json_array_get(list, i), columns[c].key), cell);
            print_cell(cell, widths[c], c + 1 == count, to);
        }
}

void ctl_text_print(const char *text, FILE *to)
{
    for (; *text != '\0'; text++)
        putc((unsigned char)*text < ' ' || *text == 0x7F ? '?' : *text, to);
}
