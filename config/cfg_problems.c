/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_problems.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* False if memory is short. */
static bool keep(struct cfg_problems *problems, enum cfg_severity severity, struct cfg_place place,
                 char *text)
{
    struct cfg_problem *items = realloc(problems->items, (problems->count + 1) * sizeof *items);
    if (items == NULL)
        return false;
    problems->items = items;
    char *file = strdup(place.file);
    if (file == NULL)
        return false;
    items[problems->count++] = (struct cfg_problem){severity, file, place.line, text};
    return true;
}

void cfg_problems_add(struct cfg_problems *problems, enum cfg_severity severity, struct cfg_place place,
                      const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    problems->errors += severity == CFG_ERROR;
    if (len >= 0 && keep(problems, severity, place, text))
        return;
    problems->lost++;
    problems->lost_errors += severity == CFG_ERROR;
    if (len >= 0)
        free(text);
}

void cfg_problems_add_out_of_memory(struct cfg_problems *problems, const char *path)
{
    cfg_problems_add(problems, CFG_ERROR, (struct cfg_place){path, 0}, "out of memory");
}

/* The position at which a file is first named from `first` on. */
static size_t file_rank(const struct cfg_problems *problems, size_t first, const char *file)
{
    size_t rank = first;
    while (strcmp(problems->items[rank].file, file) != 0)
        rank++;
    return rank;
}

struct ranked {
    size_t file;
    size_t added;
    struct cfg_problem problem;
};

static int compare(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->problem.line != b->problem.line)
        return a->problem.line < b->problem.line ? -1 : 1;
    return a->added < b->added ? -1 : 1;
}

void cfg_problems_sort(struct cfg_problems *problems, size_t first, const char *main_file)
{
    size_t count = problems->count - first;
    if (count < 2)
        return;
    struct ranked *all = calloc(count, sizeof *all);
    if (all == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        struct cfg_problem *problem = &problems->items[first + i];
        size_t rank =
            strcmp(problem->file, main_file) == 0 ? 0 : 1 + file_rank(problems, first, problem->file);
        all[i] = (struct ranked){rank, i, *problem};
    }
    qsort(all, count, sizeof *all, compare);
    for (size_t i = 0; i < count; i++)
        problems->items[first + i] = all[i].problem;
    free(all);
}

void cfg_problems_print(const struct cfg_problems *problems, FILE *to)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct cfg_problem *p = &problems->items[i];
        const char *severity = p->severity == CFG_ERROR ? "error" : "warning";
        if (p->line > 0)
            fprintf(to, "%s:%u: %s: %s\n", p->file, p->line, severity, p->text);
        else
            fprintf(to, "%s: %s: %s\n", p->file, severity, p->text);
    }
    if (problems->lost > 0)
        fprintf(to, "deepproxy: out of memory: %zu problems more, whose texts are lost\n", problems->lost);
}

void cfg_problems_free(struct cfg_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].file);
        free(problems->items[i].text);
    }
    free(problems->items);
    *problems = (struct cfg_problems){0};
}

bool cfg_problems_equal(const struct cfg_problems *a, const struct cfg_problems *b)
{
    bool equal = a->count == b->count && a->lost == b->lost;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = a->items[i].severity == b->items[i].severity && a->items[i].line == b->items[i].line &&
                strcmp(a->items[i].file, b->items[i].file) == 0 &&
                strcmp(a->items[i].text, b->items[i].text) == 0;
    return equal;
}
