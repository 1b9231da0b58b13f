/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_BENCH_LOAD_SCRIPT_H
#define DEEPPROXY_TESTS_BENCH_LOAD_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the load generator can do, as data: for each mode the dialogues that a session goes through. A mode
 * first prepares its sessions, unmeasured; then it is told to go, and repeats its unit of work; and it
 * finishes when it is told to.
 */

enum script_literal {
    SCRIPT_NO_LITERAL,
    SCRIPT_FETCHED, /* the reply brings a literal of the mode's octets */
    SCRIPT_APPENDED /* behind the text go the mode's octets and CRLF */
};

struct script_step {
    const char *send;   /* NULL: nothing. A "#" stands for the number of octets */
    const char *expect; /* the beginning of the line that ends the step; others before it are untagged */
    enum script_literal literal;
};

enum { SCRIPT_STEPS = 8, SCRIPT_TEXT = 80 };

/* Steps up to one whose `expect` is NULL. */
typedef const struct script_step script_template[SCRIPT_STEPS];

struct script_mode {
    const char *name;
    const char *unit_name;
    const char *summary;
    script_template *prepare;
    script_template *unit;
    script_template *finish; /* NULL: nothing more to say */
    size_t sessions;         /* at once, unless told otherwise */
    uint64_t octets;         /* of a message, unless told otherwise */
    bool connects;           /* a unit begins with a connection; else all go over one, made while preparing */
    bool resumes;            /* ... that offers the ticket of the one before */
    bool closes;             /* ... and ends with the server closing it */
    bool holds;              /* each session does one unit and stays */
};

/* NULL where there is none of the name. */
const struct script_mode *script_mode_find(const char *name);

/* The nth mode, NULL behind the last. */
const struct script_mode *script_mode_at(size_t index);

/* A script ready for use. */
struct script {
    struct {
        char send[SCRIPT_TEXT];
        char expect[SCRIPT_TEXT];
        size_t send_len;
        size_t expect_len;
        uint64_t to_append; /* octets that follow `send` */
        uint64_t to_fetch;  /* octets that the reply brings */
    } steps[SCRIPT_STEPS];
    size_t count;
};

/* `from` may be NULL: an empty script. */
void script_make(struct script *script, script_template *from, uint64_t octets);

#endif
