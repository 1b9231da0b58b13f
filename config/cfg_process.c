/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_process.h"

#include "base/array.h"
#include "base/slice.h"

enum { WORKERS_MAX = 256, CONNECTIONS_MAX = 10 * 1000 * 1000 };

enum key_type {
    KEY_ACCOUNT, /* char *: the name of a user or group, or its number in digits */
    KEY_PATH,    /* char * */
    KEY_SWITCH,  /* bool */
    KEY_NUMBER,  /* unsigned, from 0 to `max` */
    KEY_LEVEL    /* enum cfg_log_level */
};

static const struct process_key {
    const char *name;
    enum key_type type;
    size_t offset; /* in struct cfg */
    unsigned max;
    bool needs_restart;
    bool is_of_group; /* the group's own source reads it */
} keys[] = {
    {"user", KEY_ACCOUNT, offsetof(struct cfg, user), 0, true, false},
    {"group", KEY_ACCOUNT, offsetof(struct cfg, group), 0, true, false},
    {"key_isolation", KEY_SWITCH, offsetof(struct cfg, key_isolation), 0, true, false},
    {"key_user", KEY_ACCOUNT, offsetof(struct cfg, key_user), 0, true, false},
    {"workers", KEY_NUMBER, offsetof(struct cfg, workers), WORKERS_MAX, true, false},
    {"max_connections", KEY_NUMBER, offsetof(struct cfg, max_connections), CONNECTIONS_MAX, false, false},
    {"log_level", KEY_LEVEL, offsetof(struct cfg, log_level), 0, false, false},
    {"state_file", KEY_PATH, offsetof(struct cfg, state_file), 0, false, false},
    {"admin.socket", KEY_PATH, offsetof(struct cfg, admin.socket), 0, true, true},
    {"admin.group", KEY_ACCOUNT, offsetof(struct cfg, admin.group), 0, true, true},
};

static void read_log_level(struct cfg_reader *top, const char *key, enum cfg_log_level *value)
{
    static const char *const levels[] = {[CFG_LOG_ERROR] = "error",
                                         [CFG_LOG_WARNING] = "warning",
                                         [CFG_LOG_INFO] = "info",
                                         [CFG_LOG_DEBUG] = "debug"};
    static const struct cfg_words words = {levels, ARRAY_LEN(levels)};
    size_t level;
    if (cfg_read_word(top, key, words, &level))
        *value = (enum cfg_log_level)level;
}

static void read_key(struct cfg_reader *top, const struct process_key *key, struct cfg *cfg)
{
    void *value = (char *)cfg + key->offset;
    switch (key->type) {
    case KEY_ACCOUNT:
        cfg_read_account(top, key->name, value);
        return;
    case KEY_PATH:
        cfg_read_path(top, key->name, "/var/lib/deepproxy/promises", value);
        return;
    case KEY_SWITCH:
        cfg_read_switch(top, key->name, value);
        return;
    case KEY_NUMBER:
        cfg_read_number(top, key->name, 0, key->max, value);
        return;
    case KEY_LEVEL:
        read_log_level(top, key->name, value);
        return;
    }
}

void cfg_process_read(struct cfg_reader *top, struct cfg *cfg)
{
    cfg->key_isolation = true;
    cfg->log_level = CFG_LOG_INFO;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (!keys[i].is_of_group)
            read_key(top, &keys[i], cfg);
    cfg->state_file_place = cfg_reader_place(top, "state_file");
    cfg->user_place = cfg_reader_place(top, "user");
    cfg->group_place = cfg_reader_place(top, "group");
    cfg->key_user_place = cfg_reader_place(top, "key_user");
    if (cfg->key_user != NULL && !cfg->key_isolation)
        CFG_FAIL(top->loader, cfg->key_user_place,
                 "\"key_user\" is for the process that has the private keys, and with key_isolation = false "
                 "there is none");
}

/* ---- what takes a restart ---- */

static bool is_same(const struct process_key *key, const struct cfg *a, const struct cfg *b)
{
    const void *left = (const char *)a + key->offset;
    const void *right = (const char *)b + key->offset;
    switch (key->type) {
    case KEY_ACCOUNT:
    case KEY_PATH:
        return text_is_same(*(char *const *)left, *(char *const *)right);
    case KEY_SWITCH:
        return *(const bool *)left == *(const bool *)right;
    case KEY_NUMBER:
        return *(const unsigned *)left == *(const unsigned *)right;
    case KEY_LEVEL:
        return *(const enum cfg_log_level *)left == *(const enum cfg_log_level *)right;
    }
    return true;
}

static void copy_value(struct cfg_arena *arena, const struct process_key *key, const void *from, void *into)
{
    char *const *text = from;
    switch (key->type) {
    case KEY_ACCOUNT:
    case KEY_PATH:
        *(char **)into = *text != NULL ? cfg_arena_copy(arena, slice_of(*text)) : NULL;
        return;
    case KEY_SWITCH:
        *(bool *)into = *(const bool *)from;
        return;
    case KEY_NUMBER:
        *(unsigned *)into = *(const unsigned *)from;
        return;
    case KEY_LEVEL:
        *(enum cfg_log_level *)into = *(const enum cfg_log_level *)from;
        return;
    }
}

void cfg_process_copy_start(struct cfg_arena *arena, const struct cfg *cfg, struct cfg *into)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].needs_restart)
            copy_value(arena, &keys[i], (const char *)cfg + keys[i].offset, (char *)into + keys[i].offset);
}

const char *cfg_restart_key(size_t index)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].needs_restart && index-- == 0)
            return keys[i].name;
    return NULL;
}

void cfg_warn_of_restart(const struct cfg *before, const struct cfg *after, struct cfg_problems *problems)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].needs_restart && !is_same(&keys[i], before, after))
            cfg_problems_add(problems, CFG_WARNING, (struct cfg_place){after->path, 0},
                             "\"%s\" has changed: that takes a restart", keys[i].name);
}
