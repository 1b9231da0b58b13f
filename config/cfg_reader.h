/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_READER_H
#define DEEPPROXY_CONFIG_CFG_READER_H

#include "config/cfg_arena.h"
#include "config/cfg_problems.h"

#include <libconfig.h>

/*
 * Reads the keys of one group, each by its type and limits. What does not fit becomes a problem with the
 * key's place, and the caller goes on with its default. A key that was never asked for is unknown:
 * cfg_reader_close says so, and names the nearest of those that were.
 */
/* Sees each key that the reader knows (cfg_keys.h). */
struct cfg_key_visitor {
    void (*each)(void *arg, const char *group, const char *key, bool is_set);
    void *arg;
};

struct cfg_loader {
    struct cfg_arena *arena; /* what the configuration is made of */
    struct cfg_problems *problems;
    const struct cfg_key_visitor *visitor; /* NULL: there is none */
};

enum { CFG_READER_KEYS = 24 }; /* more than the largest group has */

struct cfg_reader {
    struct cfg_loader *loader;
    config_setting_t *group; /* NULL: a group that isn't there, and has no keys */
    const char *what;        /* what the group is, for messages: "a service" */
    const char *known[CFG_READER_KEYS];
    size_t known_count;
};

/* The words that a key can have, in the order of the enum that they stand for. */
struct cfg_words {
    const char *const *words;
    size_t count;
};

/* A string and where it stands. */
struct cfg_item {
    const char *text;
    struct cfg_place place;
};

/* A problem at a place, always an error. */
#define CFG_FAIL(loader, place, ...) cfg_problems_add((loader)->problems, CFG_ERROR, (place), __VA_ARGS__)

void cfg_reader_open(struct cfg_reader *reader, struct cfg_loader *loader, config_setting_t *group,
                     const char *what);
void cfg_reader_close(struct cfg_reader *reader);

/* Where the key stands, or the group where it doesn't. */
struct cfg_place cfg_reader_place(const struct cfg_reader *reader, const char *key);

/* Is the key there? It is an error otherwise; `expected` says what should be its value. */
bool cfg_reader_require(struct cfg_reader *reader, const char *key, const char *expected);

/* These leave `*value` as it is, and return false, where the key is absent or wrong. A string is never empty. */
bool cfg_read_string(struct cfg_reader *reader, const char *key, char **value);
/* A path; a relative one is meant from the folder of the file in which it stands. */
bool cfg_read_path(struct cfg_reader *reader, const char *key, char **path);
bool cfg_read_number(struct cfg_reader *reader, const char *key, int64_t min, int64_t max, unsigned *value);
bool cfg_read_switch(struct cfg_reader *reader, const char *key, bool *value);
bool cfg_read_word(struct cfg_reader *reader, const char *key, struct cfg_words words, size_t *index);

/* A time in milliseconds: "500 ms", "30 s", "3 min", "1 h", or a number of seconds. */
bool cfg_read_duration(struct cfg_reader *reader, const char *key, uint64_t min, uint64_t max,
                       uint64_t *value);

/* NULL where absent or not a group. */
config_setting_t *cfg_read_group(struct cfg_reader *reader, const char *key);

/* A list of groups, not empty: how many, and each. 0 where absent or wrong; `example` shows how one looks. */
size_t cfg_read_groups(struct cfg_reader *reader, const char *key, const char *example,
                       config_setting_t **list);

/* A list of strings in [ ] or ( ). How many; what is no string is a problem and left out. `*items` in the arena. */
size_t cfg_read_strings(struct cfg_reader *reader, const char *key, const char *example,
                        struct cfg_item **items);

/* The same, or one string by itself. */
size_t cfg_read_one_or_more(struct cfg_reader *reader, const char *key, const char *example,
                            struct cfg_item **items);

/* An unknown word: "did you mean ...? Expected one of ...". */
void cfg_fail_word(struct cfg_loader *loader, struct cfg_place place, const char *key, const char *word,
                   struct cfg_words words);

#endif
