/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_deep.h"

#include "config/cfg_suggest.h"
#include "config/cfg_syntax.h"
#include "protocols/deep/deep_status.h"

#include <string.h>

/* The version of TLS without which a registered tag is a lie. */
static const enum cfg_tls_version needed[DEEP_REGISTERED_TAGS] = {CFG_TLS_1_1, CFG_TLS_1_2, CFG_TLS_1_0,
                                                                  CFG_TLS_1_0};

static void append_word(struct cfg_loader *loader, char **status, const char *before, struct slice word,
                        const char *after)
{
    *status = cfg_arena_format(loader->arena, "%s%s%s%.*s%s", *status, (*status)[0] != '\0' ? " " : "",
                               before, (int)word.len, (const char *)word.data, after);
}

static void check_promise(struct cfg_loader *loader, const struct cfg_item *tag, const struct cfg_tls *tls)
{
    for (size_t i = 0; i < DEEP_REGISTERED_TAGS; i++) {
        if (strcmp(deep_registered_tags[i], tag->text) != 0)
            continue;
        if (tls->max_version < needed[i])
            CFG_FAIL(loader, tag->place, "\"%s\" promises %s or later, which \"max_version\" (%s) rules out",
                     tag->text, cfg_tls_version_name(needed[i]), cfg_tls_version_name(tls->max_version));
        return;
    }
    const char *nearest = cfg_suggest_nearest(tag->text, deep_registered_tags, DEEP_REGISTERED_TAGS);
    const char *meant =
        nearest != NULL ? cfg_arena_format(loader->arena, "; did you mean \"%s\"?", nearest) : "";
    cfg_problems_add(loader->problems, CFG_WARNING, tag->place, "\"%s\" is no registered tag (they are %s)%s",
                     tag->text, cfg_suggest_list(loader->arena, deep_registered_tags, DEEP_REGISTERED_TAGS),
                     meant);
}

static bool is_before(const struct cfg_item *items, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(items[i].text, items[index].text) == 0)
            return true;
    return false;
}

static void read_tags(struct cfg_reader *reader, const struct cfg_tls *tls, char **status)
{
    struct cfg_loader *loader = reader->loader;
    struct cfg_item *tags;
    size_t count = cfg_read_strings(reader, "tags", "tls-cert", &tags);
    for (size_t i = 0; i < count; i++) {
        if (!deep_is_security_tag(slice_of(tags[i].text))) {
            CFG_FAIL(
                loader, tags[i].place,
                "\"%s\" is no security tag, expected a letter and then at most 63 letters, digits, - or _",
                tags[i].text);
            continue;
        }
        if (is_before(tags, i)) {
            cfg_problems_add(loader->problems, CFG_WARNING, tags[i].place, "the tag \"%s\" is there twice",
                             tags[i].text);
            continue;
        }
        check_promise(loader, &tags[i], tls);
        append_word(loader, status, "", slice_of(tags[i].text), "");
    }
}

static void read_url(struct cfg_reader *reader, char **status)
{
    char *text;
    if (!cfg_read_string(reader, "url", "https://mail.example.com/help", &text))
        return;
    struct slice url = slice_of(text);
    if (url.len > 2 && url.data[0] == '<' && url.data[url.len - 1] == '>')
        url = slice_sub(url, 1, url.len - 2);
    if (deep_is_https_uri(url))
        append_word(reader->loader, status, "<", url, ">");
    else
        CFG_FAIL(reader->loader, cfg_reader_place(reader, "url"),
                 "\"%s\" is no https URL (RFC 3986), expected for example \"https://mail.example.com/help\"",
                 text);
}

static void read_extensions(struct cfg_reader *reader, char **status)
{
    struct cfg_item *items;
    size_t count = cfg_read_strings(reader, "extensions", "+example", &items);
    for (size_t i = 0; i < count; i++) {
        if (deep_is_extension(slice_of(items[i].text)))
            append_word(reader->loader, status, "", slice_of(items[i].text), "");
        else
            CFG_FAIL(reader->loader, items[i].place,
                     "\"%s\" is no deep-extend (draft section 5.3), expected printable ASCII without space, "
                     "\", / and \\, "
                     "that does not begin with a letter or <",
                     items[i].text);
    }
}

/* A backend may announce any of the registered tags, now or one day: all of them must be true here. */
static bool read_merge(struct cfg_reader *reader, const struct cfg_tls *tls)
{
    static const char *const words[] = {"replace", "merge"};
    size_t word = 0;
    cfg_read_word(reader, "backend", (struct cfg_words){words, 2}, &word);
    for (size_t i = 0; word == 1 && i < DEEP_REGISTERED_TAGS; i++)
        if (tls->max_version < needed[i])
            CFG_FAIL(reader->loader, cfg_reader_place(reader, "backend"),
                     "\"merge\" would promise \"%s\" for a server that does, and \"max_version\" (%s) rules "
                     "that out; expected \"replace\", or %s and later allowed",
                     deep_registered_tags[i], cfg_tls_version_name(tls->max_version),
                     cfg_tls_version_name(needed[i]));
    return word == 1;
}

/* Tags that are promised no more; one that is still in the status is a contradiction. */
static void read_withdrawn(struct cfg_reader *reader, struct cfg_deep *deep)
{
    struct cfg_item *items;
    struct cfg_loader *loader = reader->loader;
    size_t count = cfg_read_strings(reader, "withdraw", "tls-dane-tlsa", &items);
    deep->withdrawn = cfg_arena_alloc(loader->arena, count, sizeof *deep->withdrawn);
    for (size_t i = 0; i < count; i++) {
        if (deep_status_has(deep->status, slice_of(items[i].text)))
            CFG_FAIL(loader, items[i].place, "\"%s\" is to be withdrawn, and is in \"tags\" as well",
                     items[i].text);
        else
            deep->withdrawn[deep->withdrawn_count++] =
                (struct cfg_text){cfg_arena_copy(loader->arena, slice_of(items[i].text)), items[i].place};
    }
}

static void read_tlsa(struct cfg_reader *reader, struct cfg_deep *deep)
{
    struct cfg_item *items;
    struct cfg_loader *loader = reader->loader;
    size_t count = cfg_read_strings(reader, "tlsa", "3 1 1 0123456789ABCDEF...", &items);
    deep->tlsa = cfg_arena_alloc(loader->arena, count, sizeof *deep->tlsa);
    deep->tlsa_count = count;
    for (size_t i = 0; i < count; i++)
        deep->tlsa[i] =
            (struct cfg_text){cfg_arena_copy(loader->arena, slice_of(items[i].text)), items[i].place};
}

const struct cfg_deep *cfg_deep_none(struct cfg_loader *loader)
{
    struct cfg_deep *deep = cfg_arena_alloc(loader->arena, 1, sizeof *deep);
    deep->status = cfg_arena_copy(loader->arena, slice_of(""));
    return deep;
}

const struct cfg_deep *cfg_deep_read(struct cfg_loader *loader, config_setting_t *group,
                                     const struct cfg_tls *tls)
{
    struct cfg_reader reader;
    struct cfg_deep *deep = cfg_arena_alloc(loader->arena, 1, sizeof *deep);
    size_t at;
    deep->status = cfg_arena_copy(loader->arena, slice_of(""));
    deep->place = cfg_tree_place(group);
    cfg_reader_open(&reader, loader, group, "deep");
    read_tags(&reader, tls, &deep->status);
    read_url(&reader, &deep->status);
    read_extensions(&reader, &deep->status);
    deep->merge = read_merge(&reader, tls);
    read_withdrawn(&reader, deep);
    read_tlsa(&reader, deep);
    deep->ca_place = cfg_reader_place(&reader, "ca");
    cfg_read_path(&reader, "ca", "authority.pem", &deep->ca);
    cfg_reader_close(&reader);
    const char *wrong = deep_status_check(slice_of(deep->status), &at);
    if (wrong != NULL) {
        CFG_FAIL(loader, deep->place, "%s", wrong);
        deep->status = cfg_arena_copy(loader->arena, slice_of(""));
    }
    return deep;
}
