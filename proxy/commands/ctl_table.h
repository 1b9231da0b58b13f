/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMANDS_CTL_TABLE_H
#define DEEPPROXY_PROXY_COMMANDS_CTL_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* A list of JSON objects as a table for people: a line for each, and one of headings. */
struct ctl_column {
    const char *heading;
    const char *key; /* "a.b": that of an object within */
};

enum { CTL_COLUMNS_MAX = 12 };

/*
 * Prints it, with columns as wide as they must be. A list within an object has commas between its items; null
 * is "-". Octets that could control a terminal become "?".
 */
void ctl_table_print(const json_t *list, const struct ctl_column *columns, size_t count, FILE *to);

/* Prints a text, without octets that could control a terminal. */
void ctl_text_print(const char *text, FILE *to);

#endif
