/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_LEXER_H
#define DEEPPROXY_CONFIG_CFG_LEXER_H

#include "base/slice.h"
#include "config/cfg_problems.h"

/*
 * One file's text as the tokens of libconfig's syntax, each with its place. Stricter than libconfig where
 * that finds mistakes: a string ends on the line on which it begins, and a number is decimal and has no
 * letters glued to it.
 */
enum cfg_token_kind {
    CFG_TOKEN_END,
    CFG_TOKEN_NAME,    /* a key, or a word that should have been in quotation marks */
    CFG_TOKEN_BOOLEAN, /* true or false, in any case */
    CFG_TOKEN_INTEGER, /* a sign, digits, perhaps L or LL behind */
    CFG_TOKEN_FLOAT,
    CFG_TOKEN_STRING,      /* with its quotation marks, escapes as they are */
    CFG_TOKEN_PUNCTUATION, /* one of = : ; , { } [ ] ( ) */
    CFG_TOKEN_INCLUDE,     /* @include "PATH": the text is the path */
    CFG_TOKEN_BAD          /* `wrong` says why */
};

struct cfg_token {
    enum cfg_token_kind kind;
    struct slice text; /* a view of the file's text */
    struct cfg_place place;
    const char *wrong; /* static */
};

/* Begin with `text`, `file` and line 1; both outlive the tokens. */
struct cfg_lexer {
    struct slice text;
    const char *file;
    unsigned line;
    size_t at;
};

struct cfg_token cfg_lexer_next(struct cfg_lexer *lexer);

/* Is it this punctuation mark? */
bool cfg_token_is(const struct cfg_token *token, char mark);

#endif
