/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_syntax.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 16,   /* brackets within each other; the configuration's own nest four deep */
    EXCERPT_MAX = 40, /* of the file's text, in a message */
    /* What libconfig takes, at most: "a=1" becomes a setting of some 90 octets. */
    TREE_OCTETS = 64 * 1024,
    TREE_OCTETS_PER_OCTET = 32,
};

struct name {
    struct slice text;
    struct cfg_place place;
};

struct syntax {
    struct cfg_tree *tree;
    struct cfg_arena *arena;
    const char *path;
    struct cfg_source source;
    struct cfg_problems *problems;
    struct cfg_token token; /* the next one */
    FILE *accepted;         /* what libconfig will read; NULL: it is whole */
    char *text;             /* of it */
    size_t text_len;
    unsigned muted; /* inside the value of a key that is there twice: checked, not accepted */
    unsigned depth;
    bool failed;
    bool loaded;
    struct name *names; /* of the groups that are open, the innermost last */
    size_t name_count;
    size_t name_cap;
    size_t group_start; /* index of the innermost group's first */
    struct cfg_place *places;
    size_t place_count;
    size_t place_cap;
};

/* The token as a message shows it: cut short, and nothing of it that a terminal would act upon. */
#define EXCERPT(token) (int)excerpt_len(&(token)), (const char *)(token).text.data

/* ... in quotation marks, unless it has its own. */
#define QUOTED           "%s%.*s%s"
#define EXCERPT_Q(token) quote(&(token)), EXCERPT(token), quote(&(token))

static size_t excerpt_len(const struct cfg_token *token)
{
    size_t len = 0;
    while (len < token->text.len && len < EXCERPT_MAX && token->text.data[len] >= ' ')
        len++;
    return len;
}

static const char *quote(const struct cfg_token *token)
{
    return token->kind == CFG_TOKEN_STRING ? "" : "\"";
}

/* Reports the first mistake alone: those after it mostly follow from it. */
__attribute__((format(printf, 3, 4))) static void fail_syntax(struct syntax *s, struct cfg_place place,
                                                              const char *format, ...)
{
    if (s->failed)
        return;
    s->failed = true;
    char text[1024]; /* more than a message has: its excerpts are short */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cfg_problems_add(s->problems, CFG_ERROR, place, "%s", text);
    s->token = (struct cfg_token){.kind = CFG_TOKEN_END, .place = place}; /* which ends all loops */
}

static void accept_number(struct syntax *s)
{
    char digits[32] = "";
    struct slice text = slice_first(s->token.text, sizeof digits - 1);
    memcpy(digits, text.data, text.len);
    fprintf(s->accepted, " %" PRId64 "L", (int64_t)strtoll(digits, NULL, 10));
}

/* All integers go on as 64 bits wide, and one that is wider yet as the largest: no key allows either. */
static void accept_token(struct syntax *s)
{
    if (s->muted > 0)
        return;
    if (s->token.kind == CFG_TOKEN_INTEGER) {
        accept_number(s);
        return;
    }
    fputc(s->token.kind == CFG_TOKEN_NAME ? '\n' : ' ', s->accepted);
    fwrite(s->token.text.data, 1, s->token.text.len, s->accepted);
}

static void look_ahead(struct syntax *s)
{
    s->token = cfg_source_next(&s->source);
    if (s->token.kind == CFG_TOKEN_BAD)
        fail_syntax(s, s->token.place, "%s%s%.*s", s->token.wrong, excerpt_len(&s->token) > 0 ? ": " : "",
                    EXCERPT(s->token));
}

static void advance(struct syntax *s)
{
    if (s->failed)
        return;
    accept_token(s);
    look_ahead(s);
}

/* Doubles a full array. */
static void *make_room(const struct syntax *s, void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    size_t larger = *cap > 0 ? *cap * 2 : 64;
    items = reallocarray(items, larger, size);
    if (items == NULL)
        cfg_arena_fail(s->arena);
    *cap = larger;
    return items;
}

static void note_place(struct syntax *s)
{
    if (s->muted > 0)
        return;
    s->places = make_room(s, s->places, s->place_count, &s->place_cap, sizeof *s->places);
    s->places[s->place_count++] = s->token.place;
}

/* True if the key is new in its group. */
static bool note_name(struct syntax *s)
{
    for (size_t i = s->group_start; i < s->name_count; i++) {
        if (!slice_equals(s->names[i].text, s->token.text))
            continue;
        cfg_problems_add(s->problems, CFG_ERROR, s->token.place,
                         "the key \"%.*s\" is there twice in the same group, first in %s:%u",
                         EXCERPT(s->token), s->names[i].place.file, s->names[i].place.line);
        return false;
    }
    s->names = make_room(s, s->names, s->name_count, &s->name_cap, sizeof *s->names);
    s->names[s->name_count++] = (struct name){s->token.text, s->token.place};
    return true;
}

static void take_value(struct syntax *s, bool is_element);

static bool begins_scalar(const struct cfg_token *token)
{
    return token->kind == CFG_TOKEN_STRING || token->kind == CFG_TOKEN_INTEGER ||
           token->kind == CFG_TOKEN_FLOAT || token->kind == CFG_TOKEN_BOOLEAN;
}

static bool begins_compound(const struct cfg_token *token)
{
    return cfg_token_is(token, '{') || cfg_token_is(token, '[') || cfg_token_is(token, '(');
}

static void take_scalar(struct syntax *s, bool is_element)
{
    struct cfg_token first = s->token;
    advance(s);
    while (first.kind == CFG_TOKEN_STRING && s->token.kind == CFG_TOKEN_STRING) {
        /* libconfig glues neighbours together: meant in a long text, but never in a list */
        if (is_element)
            fail_syntax(s, s->token.place, "a comma is missing before " QUOTED, EXCERPT_Q(s->token));
        advance(s);
    }
}

static void take_setting(struct syntax *s)
{
    struct cfg_token name = s->token;
    bool is_new = note_name(s);
    s->muted += is_new ? 0 : 1;
    note_place(s);
    advance(s);
    if (!cfg_token_is(&s->token, '=') && !cfg_token_is(&s->token, ':'))
        fail_syntax(s, name.place, "\"=\" and a value are missing after \"%.*s\"", EXCERPT(name));
    advance(s);
    if (cfg_token_is(&s->token, ';') || cfg_token_is(&s->token, '}') || s->token.kind == CFG_TOKEN_END)
        fail_syntax(s, name.place, "a value is missing after \"%.*s =\"", EXCERPT(name));
    take_value(s, false);
    if (cfg_token_is(&s->token, ';') || cfg_token_is(&s->token, ','))
        advance(s);
    s->muted -= is_new ? 0 : 1;
}

static void take_settings(struct syntax *s)
{
    size_t outer_start = s->group_start;
    s->group_start = s->name_count;
    while (s->token.kind == CFG_TOKEN_NAME)
        take_setting(s);
    s->name_count = s->group_start;
    s->group_start = outer_start;
}

/* The bracket that closes what `open` has opened. */
static void take_closing(struct syntax *s, const struct cfg_token *open, char mark)
{
    if (s->token.kind == CFG_TOKEN_END)
        fail_syntax(s, open->place, "the \"%.*s\" is never closed, expected \"%c\"", EXCERPT(*open), mark);
    else if (!cfg_token_is(&s->token, mark))
        fail_syntax(s, s->token.place, "found " QUOTED ", expected \"%c\" for the \"%.*s\" of line %u",
                    EXCERPT_Q(s->token), mark, EXCERPT(*open), open->place.line);
    advance(s);
}

static void take_group(struct syntax *s)
{
    struct cfg_token open = s->token;
    advance(s);
    take_settings(s);
    if (begins_scalar(&s->token))
        fail_syntax(s, s->token.place,
                    "{ } holds settings (key = value;), and " QUOTED
                    " is a value: a list of strings is written "
                    "[ \"a\", \"b\" ]",
                    EXCERPT_Q(s->token));
    else if (begins_compound(&s->token))
        fail_syntax(
            s, s->token.place,
            "{ } holds settings (key = value;), and \"%.*s\" begins a value: a list of groups is written "
            "( { ... }, { ... } )",
            EXCERPT(s->token));
    take_closing(s, &open, '}');
}

/* Reports what may not be in [ ], which holds values of one type. */
static void check_array_element(struct syntax *s, enum cfg_token_kind first)
{
    if (begins_compound(&s->token))
        fail_syntax(s, s->token.place,
                    "[ ] holds strings or numbers alone: a list of groups is written ( { ... }, { ... } )");
    else if (begins_scalar(&s->token) && s->token.kind != first)
        fail_syntax(s, s->token.place, "[ ] holds values of one type, and " QUOTED " is of another",
                    EXCERPT_Q(s->token));
}

static void take_elements(struct syntax *s, char closing)
{
    struct cfg_token open = s->token;
    advance(s);
    enum cfg_token_kind first = s->token.kind;
    while (!cfg_token_is(&s->token, closing) && s->token.kind != CFG_TOKEN_END) {
        if (closing == ']')
            check_array_element(s, first);
        take_value(s, true);
        bool comma = cfg_token_is(&s->token, ',');
        struct cfg_place place = s->token.place;
        if (!comma && (begins_scalar(&s->token) || cfg_token_is(&s->token, '{')))
            fail_syntax(s, place, "a comma is missing before " QUOTED, EXCERPT_Q(s->token));
        if (!comma)
            break;
        advance(s);
        if (cfg_token_is(&s->token, closing))
            fail_syntax(s, place, "the comma before \"%c\" has no value after it: delete it, or add a value",
                        closing);
    }
    take_closing(s, &open, closing);
}

static void take_compound(struct syntax *s)
{
    if (++s->depth > DEPTH_MAX)
        fail_syntax(s, s->token.place, "brackets are nested more than %d deep", DEPTH_MAX);
    else if (cfg_token_is(&s->token, '{'))
        take_group(s);
    else
        take_elements(s, cfg_token_is(&s->token, '[') ? ']' : ')');
    s->depth--;
}

static void take_value(struct syntax *s, bool is_element)
{
    if (s->failed)
        return;
    if (is_element)
        note_place(s);
    if (begins_scalar(&s->token))
        take_scalar(s, is_element);
    else if (begins_compound(&s->token))
        take_compound(s);
    else if (s->token.kind == CFG_TOKEN_NAME)
        fail_syntax(
            s, s->token.place,
            "\"%.*s\" is no value: strings are written in quotation marks (\"%.*s\"), and a switch is true "
            "or false",
            EXCERPT(s->token), EXCERPT(s->token));
    else
        fail_syntax(s, s->token.place,
                    "found " QUOTED ", expected a value; strings are written in quotation marks",
                    EXCERPT_Q(s->token));
}

static void take_file(struct syntax *s)
{
    look_ahead(s);
    take_settings(s);
    if (s->token.kind != CFG_TOKEN_END)
        fail_syntax(s, s->token.place, "found " QUOTED ", expected a key; %s", EXCERPT_Q(s->token),
                    cfg_token_is(&s->token, '}') ? "no \"{\" is open here"
                                                 : "a setting is written key = value;");
}

/* Hangs the places on the tree, in the order in which they were noted. */
static size_t hang_places(struct cfg_tree *tree, config_setting_t *parent, size_t next)
{
    int count = config_setting_is_aggregate(parent) ? config_setting_length(parent) : 0;
    for (int i = 0; i < count; i++) {
        config_setting_t *child = config_setting_get_elem(parent, (unsigned)i);
        if (next < tree->count)
            config_setting_set_hook(child, &tree->places[next]);
        next = hang_places(tree, child, next + 1);
    }
    return next;
}

/*
 * libconfig does not survive a failed allocation: it gets the text only if what its tree may take is there,
 * right before.
 */
static void need_memory_for_tree(const struct syntax *s)
{
    void *room = malloc(TREE_OCTETS + s->text_len * TREE_OCTETS_PER_OCTET);
    if (room == NULL)
        cfg_arena_fail(s->arena);
    free(room);
}

static bool hand_over(struct syntax *s)
{
    struct cfg_tree *tree = s->tree;
    need_memory_for_tree(s);
    config_init(&tree->config);
    if (config_read_string(&tree->config, s->text) == CONFIG_TRUE) {
        config_setting_set_hook(config_root_setting(&tree->config), &tree->places[0]);
        hang_places(tree, config_root_setting(&tree->config), 1);
        return true;
    }
    cfg_problems_add(s->problems, CFG_ERROR, tree->places[0], "libconfig refuses it: %s",
                     config_error_text(&tree->config));
    return false;
}

static void finish_text(struct syntax *s)
{
    FILE *accepted = s->accepted;
    s->accepted = NULL;
    if (fclose(accepted) != 0)
        cfg_arena_fail(s->arena);
}

static void take_all(void *arg)
{
    struct syntax *s = arg;
    s->failed = !cfg_source_open(&s->source, s->arena, s->problems, s->path);
    s->accepted = open_memstream(&s->text, &s->text_len);
    if (s->accepted == NULL)
        cfg_arena_fail(s->arena);
    if (!s->failed) {
        s->token.place = (struct cfg_place){s->source.open[0].lexer.file, 0};
        note_place(s);
        take_file(s);
    }
    finish_text(s);
    s->tree->places = s->places;
    s->tree->count = s->place_count;
    s->places = NULL;
    s->loaded = !s->failed && hand_over(s);
}

bool cfg_tree_load(struct cfg_tree *tree, struct cfg_arena *arena, struct cfg_problems *problems,
                   const char *path)
{
    struct syntax s = {.tree = tree, .arena = arena, .path = path, .problems = problems};
    *tree = (struct cfg_tree){0};
    bool whole = cfg_arena_try(arena, take_all, &s);
    if (s.accepted != NULL)
        fclose(s.accepted);
    cfg_source_close(&s.source);
    free(s.text);
    free(s.names);
    free(s.places);
    if (!whole)
        cfg_arena_fail(arena);
    return s.loaded;
}

void cfg_tree_free(struct cfg_tree *tree)
{
    config_destroy(&tree->config);
    free(tree->places);
    *tree = (struct cfg_tree){0};
}

struct cfg_place cfg_tree_place(const config_setting_t *setting)
{
    const struct cfg_place *place = config_setting_get_hook(setting);
    return place != NULL ? *place : (struct cfg_place){"", 0};
}
