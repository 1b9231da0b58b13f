/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_LEXER_H
#define DEEPPROXY_CONFIG_CFG_LEXER_H

#include "base/slice.h"
#include "config/cfg_problems.h"

/*
 * Splits one file's text into the tokens of libconfig's syntax, each with its place. It is stricter than
 * libconfig if that finds mistakes: a string must end on the line on which it begins, and a number is decimal
 * and must be followed by no letter. It allocates nothing.
 */
enum cfg_token_kind {
    CFG_TOKEN_END,
    CFG_TOKEN_NAME,    /* a key, or a word without the quotation marks that it needs */
    CFG_TOKEN_BOOLEAN, /* true or false, in any case */
    CFG_TOKEN_INTEGER, /* a sign, digits, perhaps L or LL */
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

/* Set `text`, `file` and line 1 to begin; text and file must live longer than the tokens. */
struct cfg_lexer {
    struct slice text;
    const char *file;
    unsigned line;
    size_t at;
};

/* The next token; CFG_TOKEN_END at the end of the text, as often as it is called. */
struct cfg_token cfg_lexer_next(struct cfg_lexer *lexer);

/* Is it this punctuation mark? */
bool cfg_token_is(const struct cfg_token *token, char mark);

#endif
