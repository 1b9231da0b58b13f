/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_reader.h"

#include "base/ensure.h"
#include "config/cfg_duration.h"
#include "config/cfg_source.h"
#include "config/cfg_suggest.h"
#include "config/cfg_syntax.h"

#include <inttypes.h>
#include <string.h>

/* The number above it stands for "none" in system calls (chown(2)). */
#define ACCOUNT_MAX (UINT32_MAX - 1)

void cfg_reader_open(struct cfg_reader *reader, struct cfg_loader *loader, config_setting_t *group,
                     const char *what)
{
    *reader = (struct cfg_reader){.loader = loader, .group = group, .what = what};
}

static bool is_known(const struct cfg_reader *r, const char *key)
{
    for (size_t i = 0; i < r->known_count; i++)
        if (strcmp(r->known[i], key) == 0)
            return true;
    return false;
}

static void fail_key(const struct cfg_reader *r, const config_setting_t *setting)
{
    const char *key = config_setting_name(setting);
    const char *nearest = cfg_suggest_nearest(key, r->known, r->known_count);
    if (nearest != NULL)
        CFG_FAIL(r->loader, cfg_tree_place(setting), "unknown key \"%s\" in %s; did you mean \"%s\"?", key,
                 r->what, nearest);
    else
        CFG_FAIL(r->loader, cfg_tree_place(setting), "unknown key \"%s\" in %s; expected one of %s", key,
                 r->what, cfg_suggest_list(r->loader->arena, r->known, r->known_count));
}

static config_setting_t *find_setting(const struct cfg_reader *r, const char *key)
{
    return r->group != NULL ? config_setting_get_member(r->group, key) : NULL;
}

static void show_keys(const struct cfg_reader *r)
{
    const struct cfg_key_visitor *visitor = r->loader->visitor;
    for (size_t i = 0; visitor != NULL && i < r->known_count; i++)
        visitor->each(visitor->arg, r->what, r->known[i], find_setting(r, r->known[i]) != NULL);
}

void cfg_reader_close(struct cfg_reader *reader)
{
    int count = reader->group != NULL ? config_setting_length(reader->group) : 0;
    show_keys(reader);
    for (int i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_elem(reader->group, (unsigned)i);
        if (!is_known(reader, config_setting_name(setting)))
            fail_key(reader, setting);
    }
}

/* Looks a key up: it is known from now on. */
static config_setting_t *ask_for(struct cfg_reader *r, const char *key)
{
    if (!is_known(r, key)) {
        ENSURE(r->known_count < CFG_READER_KEYS);
        r->known[r->known_count++] = key;
    }
    return find_setting(r, key);
}

struct cfg_place cfg_reader_place(const struct cfg_reader *reader, const char *key)
{
    const config_setting_t *setting = find_setting(reader, key);
    return cfg_tree_place(setting != NULL ? setting : reader->group);
}

bool cfg_reader_require(struct cfg_reader *reader, const char *key, const char *expected)
{
    if (ask_for(reader, key) != NULL)
        return true;
    CFG_FAIL(reader->loader, cfg_tree_place(reader->group), "the key \"%s\" is missing in %s, expected %s",
             key, reader->what, expected);
    return false;
}

/* ---- values ---- */

static const char *type_name(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group { }";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "a number";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_BOOL:
        return "a switch (true or false)";
    case CONFIG_TYPE_ARRAY:
        return "an array [ ]";
    default:
        return "a list ( )";
    }
}

static void fail_type(const struct cfg_reader *r, const config_setting_t *setting, const char *key,
                      const char *expected)
{
    CFG_FAIL(r->loader, cfg_tree_place(setting), "\"%s\" is %s, expected %s", key, type_name(setting),
             expected);
}

/*
 * The text of a string that can be used: not empty, and without what would spoil a log line. NULL after a
 * problem.
 */
static const char *usable_text(const struct cfg_reader *r, const config_setting_t *setting, const char *key,
                               const char *expected)
{
    const char *text = config_setting_get_string(setting);
    if (text[0] == '\0') {
        CFG_FAIL(r->loader, cfg_tree_place(setting), "\"%s\" is an empty string, expected %s", key, expected);
        return NULL;
    }
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            CFG_FAIL(r->loader, cfg_tree_place(setting), "\"%s\" has a control character in it, expected %s",
                     key, expected);
            return NULL;
        }
    }
    return cfg_arena_copy(r->loader->arena, slice_of(text));
}

static const char *get_text(struct cfg_reader *r, const char *key, const char *expected)
{
    const config_setting_t *setting = ask_for(r, key);
    if (setting == NULL)
        return NULL;
    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        return usable_text(r, setting, key, expected);
    fail_type(r, setting, key, expected);
    return NULL;
}

/* `what` is "a path", or the like. */
static bool read_text(struct cfg_reader *reader, const char *key, const char *what, const char *example,
                      char **value)
{
    const char *expected =
        cfg_arena_format(reader->loader->arena, "%s in quotation marks: %s = \"%s\"", what, key, example);
    const char *text = get_text(reader, key, expected);
    if (text == NULL)
        return false;
    *value = cfg_arena_copy(reader->loader->arena, slice_of(text));
    return true;
}

bool cfg_read_string(struct cfg_reader *reader, const char *key, const char *example, char **value)
{
    return read_text(reader, key, "a string", example, value);
}

bool cfg_read_account(struct cfg_reader *reader, const char *key, char **value)
{
    const config_setting_t *setting = ask_for(reader, key);
    if (setting == NULL)
        return false;
    if (config_setting_type(setting) == CONFIG_TYPE_INT64) {
        unsigned number;
        bool ok = cfg_read_number(reader, key, 0, ACCOUNT_MAX, &number);
        if (ok)
            *value = cfg_arena_format(reader->loader->arena, "%u", number);
        return ok;
    }
    return read_text(reader, key, "a number, or a name", "deepproxy", value);
}

bool cfg_read_path(struct cfg_reader *reader, const char *key, const char *example, char **path)
{
    if (!read_text(reader, key, "a path", example, path))
        return false;
    const char *file = cfg_reader_place(reader, key).file;
    *path = cfg_source_resolve(reader->loader->arena, file, slice_of(*path));
    return true;
}

bool cfg_read_number(struct cfg_reader *reader, const char *key, int64_t min, int64_t max, unsigned *value)
{
    const config_setting_t *setting = ask_for(reader, key);
    if (setting == NULL)
        return false;
    if (config_setting_type(setting) != CONFIG_TYPE_INT64) {
        fail_type(
            reader, setting, key,
            cfg_arena_format(reader->loader->arena, "a whole number from %" PRId64 " to %" PRId64, min, max));
        return false;
    }
    int64_t number = config_setting_get_int64(setting);
    if (number < min || number > max) {
        CFG_FAIL(reader->loader, cfg_tree_place(setting),
                 "\"%s\" is out of range, expected a number from %" PRId64 " to %" PRId64, key, min, max);
        return false;
    }
    *value = (unsigned)number;
    return true;
}

bool cfg_read_switch(struct cfg_reader *reader, const char *key, bool *value)
{
    const config_setting_t *setting = ask_for(reader, key);
    if (setting == NULL)
        return false;
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL) {
        fail_type(reader, setting, key, "true or false, without quotation marks");
        return false;
    }
    *value = config_setting_get_bool(setting) == CONFIG_TRUE;
    return true;
}

void cfg_fail_word(struct cfg_loader *loader, struct cfg_place place, const char *key, const char *word,
                   struct cfg_words words)
{
    const char *nearest = cfg_suggest_nearest(word, words.words, words.count);
    const char *list = cfg_suggest_list(loader->arena, words.words, words.count);
    if (nearest != NULL)
        CFG_FAIL(loader, place, "\"%s\" can't be \"%s\"; did you mean \"%s\"? Expected one of %s", key, word,
                 nearest, list);
    else
        CFG_FAIL(loader, place, "\"%s\" can't be \"%s\"; expected one of %s", key, word, list);
}

bool cfg_read_word(struct cfg_reader *reader, const char *key, struct cfg_words words, size_t *index)
{
    const char *list = cfg_suggest_list(reader->loader->arena, words.words, words.count);
    const char *text = get_text(reader, key, cfg_arena_format(reader->loader->arena, "one of %s", list));
    if (text == NULL)
        return false;
    for (size_t i = 0; i < words.count; i++) {
        if (strcmp(words.words[i], text) == 0) {
            *index = i;
            return true;
        }
    }
    cfg_fail_word(reader->loader, cfg_reader_place(reader, key), key, text, words);
    return false;
}

/* False after a problem if it is neither a number of seconds nor a number with a unit. */
static bool duration_of(struct cfg_reader *r, const config_setting_t *setting, const char *key,
                        uint64_t *value)
{
    static const char expected[] =
        "a time like \"500 ms\", \"30 s\", \"3 min\", \"1 h\", or a number of seconds";
    int type = config_setting_type(setting);
    const char *wrong = NULL;
    if (type == CONFIG_TYPE_INT64)
        wrong = cfg_duration_of_seconds(config_setting_get_int64(setting), value);
    else if (type == CONFIG_TYPE_STRING)
        wrong = cfg_duration_parse(slice_of(config_setting_get_string(setting)), value);
    else
        fail_type(r, setting, key, expected);
    if (wrong != NULL)
        CFG_FAIL(r->loader, cfg_tree_place(setting), "\"%s\": %s, expected %s", key, wrong, expected);
    return wrong == NULL && (type == CONFIG_TYPE_INT64 || type == CONFIG_TYPE_STRING);
}

bool cfg_read_duration(struct cfg_reader *reader, const char *key, uint64_t min, uint64_t max,
                       uint64_t *value)
{
    const config_setting_t *setting = ask_for(reader, key);
    uint64_t found;
    if (setting == NULL || !duration_of(reader, setting, key, &found))
        return false;
    if (found < min || found > max) {
        CFG_FAIL(reader->loader, cfg_tree_place(setting),
                 "\"%s\" is out of range, expected a time from %s to %s", key,
                 cfg_duration_text(reader->loader->arena, min),
                 cfg_duration_text(reader->loader->arena, max));
        return false;
    }
    *value = found;
    return true;
}

/* ---- groups and lists ---- */

config_setting_t *cfg_read_group(struct cfg_reader *reader, const char *key)
{
    config_setting_t *setting = ask_for(reader, key);
    if (setting == NULL || config_setting_is_group(setting))
        return setting;
    fail_type(reader, setting, key, "a group: { key = value; }");
    return NULL;
}

config_setting_t *cfg_read_group_or_switch(struct cfg_reader *reader, const char *key, bool *value)
{
    config_setting_t *setting = ask_for(reader, key);
    if (setting == NULL || config_setting_is_group(setting))
        return setting;
    if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
        *value = config_setting_get_bool(setting) != 0;
    else
        fail_type(reader, setting, key, "a group: { key = value; }, or false");
    return NULL;
}

size_t cfg_read_groups(struct cfg_reader *reader, const char *key, const char *example,
                       config_setting_t **list)
{
    config_setting_t *setting = ask_for(reader, key);
    if (setting == NULL)
        return 0;
    const char *expected = cfg_arena_format(reader->loader->arena, "a list of groups: %s", example);
    size_t count = config_setting_is_aggregate(setting) ? (size_t)config_setting_length(setting) : 0;
    bool empty_array = config_setting_is_array(setting) && count == 0;
    if (!config_setting_is_list(setting) && !empty_array) {
        fail_type(reader, setting, key, expected);
        return 0;
    }
    if (count == 0)
        CFG_FAIL(reader->loader, cfg_tree_place(setting), "\"%s\" is empty, expected %s", key, expected);
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        if (config_setting_is_group(element))
            continue;
        fail_type(reader, element, key, expected);
        return 0;
    }
    *list = setting;
    return count;
}

size_t cfg_read_strings(struct cfg_reader *reader, const char *key, const char *example,
                        struct cfg_item **items)
{
    const config_setting_t *setting = ask_for(reader, key);
    *items = NULL;
    if (setting == NULL)
        return 0;
    const char *expected =
        cfg_arena_format(reader->loader->arena, "a list of strings: %s = [ \"%s\" ]", key, example);
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        fail_type(reader, setting, key, expected);
        return 0;
    }
    size_t count = (size_t)config_setting_length(setting);
    size_t usable = 0;
    *items = cfg_arena_alloc(reader->loader->arena, count, sizeof **items);
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        if (config_setting_type(element) != CONFIG_TYPE_STRING) {
            fail_type(reader, element, key, expected);
            continue;
        }
        const char *text = usable_text(reader, element, key, expected);
        if (text != NULL)
            (*items)[usable++] = (struct cfg_item){text, cfg_tree_place(element)};
    }
    return usable;
}

size_t cfg_read_one_or_more(struct cfg_reader *reader, const char *key, const char *example,
                            struct cfg_item **items)
{
    const config_setting_t *setting = ask_for(reader, key);
    *items = NULL;
    if (setting == NULL || config_setting_type(setting) != CONFIG_TYPE_STRING)
        return cfg_read_strings(reader, key, example, items);
    const char *expected =
        cfg_arena_format(reader->loader->arena, "a string, or a list of them: %s = \"%s\"", key, example);
    const char *text = usable_text(reader, setting, key, expected);
    if (text == NULL)
        return 0;
    *items = cfg_arena_alloc(reader->loader->arena, 1, sizeof **items);
    (*items)[0] = (struct cfg_item){text, cfg_tree_place(setting)};
    return 1;
}
