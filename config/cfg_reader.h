/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_READER_H
#define DEEPPROXY_CONFIG_CFG_READER_H

#include "config/cfg_arena.h"
#include "config/cfg_problems.h"

#include <libconfig.h>

/*
 * Reads the keys of one group, each by its type and limits. A value that does not fit becomes a problem with
 * the key's place, and the caller goes on with its default. What the caller asks for is what is known:
 * cfg_reader_close reports each other key of the group, with the nearest known one.
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

/* More keys than the largest group has. */
enum { CFG_READER_KEYS = 24 };

struct cfg_reader {
    struct cfg_loader *loader;
    config_setting_t *group; /* NULL: a group that is absent, and has no keys */
    const char *what;        /* the group's name in messages: "a service" */
    const char *known[CFG_READER_KEYS];
    size_t known_count;
};

/* The words that a key can have, in the order of the enum that they stand for. */
struct cfg_words {
    const char *const *words;
    size_t count;
};

/* A string and its place. */
struct cfg_item {
    const char *text;
    struct cfg_place place;
};

/* Adds an error at a place. */
#define CFG_FAIL(loader, place, ...) cfg_problems_add((loader)->problems, CFG_ERROR, (place), __VA_ARGS__)

/* Begins with a group. `what` must live as long as the reader. */
void cfg_reader_open(struct cfg_reader *reader, struct cfg_loader *loader, config_setting_t *group,
                     const char *what);
/* Adds a problem for each key of the group that was not asked for. */
void cfg_reader_close(struct cfg_reader *reader);

/* The place of the key, or of the group if the key is absent. */
struct cfg_place cfg_reader_place(const struct cfg_reader *reader, const char *key);

/* Is the key there? If not, an error is added; `expected` describes the value. */
bool cfg_reader_require(struct cfg_reader *reader, const char *key, const char *expected);

/*
 * Each of these reads a key. It leaves `*value` as it is, and returns false, if the key is absent, or after a
 * problem.
 */

/* A string that is not empty and has no control character. In the arena. `example` is for its message. */
bool cfg_read_string(struct cfg_reader *reader, const char *key, const char *example, char **value);

/* The name of a user or of a group, or its number, with or without quotation marks. In the arena, as text. */
bool cfg_read_account(struct cfg_reader *reader, const char *key, char **value);

/* A path; a relative one starts at the folder of the file that has the key. In the arena. */
bool cfg_read_path(struct cfg_reader *reader, const char *key, const char *example, char **path);

/* A whole number between two limits, both included. */
bool cfg_read_number(struct cfg_reader *reader, const char *key, int64_t min, int64_t max, unsigned *value);

/* true or false, without quotation marks. */
bool cfg_read_switch(struct cfg_reader *reader, const char *key, bool *value);

/* One of the words; `*index` becomes its position. */
bool cfg_read_word(struct cfg_reader *reader, const char *key, struct cfg_words words, size_t *index);

/* A time, limits and value in milliseconds: "500 ms", "30 s", "3 min", "1 h", or a number of seconds. */
bool cfg_read_duration(struct cfg_reader *reader, const char *key, uint64_t min, uint64_t max,
                       uint64_t *value);

/* A group; NULL if it is absent, or after a problem. */
config_setting_t *cfg_read_group(struct cfg_reader *reader, const char *key);

/*
 * A group, or true or false, which becomes `*value`. NULL if it is not a group, is absent, or after a
 * problem.
 */
config_setting_t *cfg_read_group_or_switch(struct cfg_reader *reader, const char *key, bool *value);

/*
 * A list of groups, not empty. Returns how many; 0 if it is absent, or after a problem. `example` is for its
 * message.
 */
size_t cfg_read_groups(struct cfg_reader *reader, const char *key, const char *example,
                       config_setting_t **list);

/*
 * A list of strings in [ ] or ( ). Returns how many; an element that is no string is a problem, and left out.
 * `*items` is in the arena.
 */
size_t cfg_read_strings(struct cfg_reader *reader, const char *key, const char *example,
                        struct cfg_item **items);

/* As cfg_read_strings, but one string by itself will do. */
size_t cfg_read_one_or_more(struct cfg_reader *reader, const char *key, const char *example,
                            struct cfg_item **items);

/* Adds an error for an unknown word: "did you mean ...? Expected one of ...". */
void cfg_fail_word(struct cfg_loader *loader, struct cfg_place place, const char *key, const char *word,
                   struct cfg_words words);

#endif
