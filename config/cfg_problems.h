/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_PROBLEMS_H
#define DEEPPROXY_CONFIG_CFG_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * What is wrong with a configuration, collected so that the operator sees all of it in one run. The program
 * adds to it too, as for a key that does not match its certificate. The texts are for operators: no decision
 * may hang on their words.
 */

/* The place of something in the file, for messages. The file's name belongs to the configuration. */
struct cfg_place {
    const char *file;
    unsigned line; /* 0: the file as a whole */
};

enum cfg_severity { CFG_WARNING, CFG_ERROR };

struct cfg_problem {
    enum cfg_severity severity;
    char *file;    /* never NULL */
    unsigned line; /* 0: the file as a whole */
    char *text;    /* what is wrong, what was expected */
};

/* All zero is an empty list. */
struct cfg_problems {
    struct cfg_problem *items;
    size_t count;
    size_t errors; /* how many of them are CFG_ERROR, lost ones included */
    /* Problems that are not among the items, as memory was short when they were added. */
    size_t lost;
    size_t lost_errors;
};

/*
 * Adds a problem, with a text as by printf. File and text are copied. If memory is short only the counts know
 * of it: an error is one all the same.
 */
__attribute__((format(printf, 4, 5))) void cfg_problems_add(struct cfg_problems *problems,
                                                            enum cfg_severity severity,
                                                            struct cfg_place place, const char *format, ...);

/* Adds the error that memory was short while the file at `path` was loaded. */
void cfg_problems_add_out_of_memory(struct cfg_problems *problems, const char *path);

/*
 * Orders the problems from index `first` on: those of `main_file`, then of the other files as they first
 * appear; in a file by line. If memory is short they stay in their order.
 */
void cfg_problems_sort(struct cfg_problems *problems, size_t first, const char *main_file);

/* Have both the same texts at the same places, in the same order? */
bool cfg_problems_equal(const struct cfg_problems *a, const struct cfg_problems *b);

/* Prints a line for each: "file:line: error: text", and "file: error: text" for a file as a whole. */
void cfg_problems_print(const struct cfg_problems *problems, FILE *to);

/* Frees the texts, and leaves an empty list. */
void cfg_problems_free(struct cfg_problems *problems);

#endif
