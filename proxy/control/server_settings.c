/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/server_settings.h"

#include "base/array.h"
#include "proxy/admin/admin_order.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 1024, LINE_MAX_LEN = 5 * NAME_MAX_LEN };

/* ---- the table ---- */

static int compare(const struct server_setting *setting, const char *pool, const char *server)
{
    int of_pools = strcmp(setting->pool, pool);
    return of_pools != 0 ? of_pools : strcmp(setting->server, server);
}

/* Where it is, or would be. */
static size_t find_place(const struct server_settings *settings, const char *pool, const char *server)
{
    size_t from = 0;
    size_t to = settings->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare(&settings->items[middle], pool, server) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static struct server_setting *find(const struct server_settings *settings, const char *pool,
                                   const char *server)
{
    size_t at = find_place(settings, pool, server);
    bool is_there = at < settings->count && compare(&settings->items[at], pool, server) == 0;
    return is_there ? &settings->items[at] : NULL;
}

static void drop(struct server_settings *settings, size_t at)
{
    free(settings->items[at].pool);
    settings->count--;
    memmove(settings->items + at, settings->items + at + 1,
            (settings->count - at) * sizeof settings->items[0]);
}

static void drop_oldest(struct server_settings *settings)
{
    size_t oldest = 0;
    for (size_t i = 1; i < settings->count; i++)
        if (settings->items[i].seen < settings->items[oldest].seen)
            oldest = i;
    drop(settings, oldest);
}

static bool copy_names(struct server_setting *setting, const char *pool, const char *server)
{
    size_t pool_size = strlen(pool) + 1;
    size_t server_size = strlen(server) + 1;
    char *names = malloc(pool_size + server_size);
    if (names == NULL)
        return false;
    setting->pool = memcpy(names, pool, pool_size);
    setting->server = memcpy(names + pool_size, server, server_size);
    return true;
}

/* The one that is there, or a new one in its place. NULL if memory is short. */
static struct server_setting *find_or_add(struct server_settings *settings, const char *pool,
                                          const char *server)
{
    struct server_setting *there = find(settings, pool, server);
    struct server_setting added = {.admin = SERVER_READY};
    if (there != NULL)
        return there;
    struct server_setting *items =
        array_make_room(settings->items, settings->count, &settings->cap, sizeof settings->items[0]);
    if (items == NULL)
        return NULL;
    settings->items = items;
    if (!copy_names(&added, pool, server))
        return NULL;
    if (settings->count == SERVER_SETTINGS_MAX)
        drop_oldest(settings);
    size_t at = find_place(settings, pool, server);
    memmove(settings->items + at + 1, settings->items + at,
            (settings->count - at) * sizeof settings->items[0]);
    settings->items[at] = added;
    settings->count++;
    return &settings->items[at];
}

static bool is_empty(const struct server_setting *setting)
{
    return setting->admin == SERVER_READY && !setting->has_weight;
}

void server_settings_free(struct server_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++)
        free(settings->items[i].pool);
    free(settings->items);
    *settings = (struct server_settings){0};
}

bool server_settings_copy(struct server_settings *into, const struct server_settings *from)
{
    *into = (struct server_settings){.turns = from->turns, .cap = from->count};
    into->items = calloc(from->count > 0 ? from->count : 1, sizeof into->items[0]);
    for (size_t i = 0; into->items != NULL && i < from->count; i++) {
        into->items[i] = from->items[i];
        if (!copy_names(&into->items[i], from->items[i].pool, from->items[i].server)) {
            server_settings_free(into);
            return false;
        }
        into->count++;
    }
    return into->items != NULL;
}

/* ---- servers ---- */

bool server_settings_note(struct server_settings *settings, const struct server_state *server)
{
    struct server_setting *setting = find_or_add(settings, server->identity.pool, server->identity.name);
    if (setting == NULL)
        return false;
    setting->admin = server_state_admin(server);
    setting->weight = server_state_weight(server);
    setting->configured_weight = server->rules.weight;
    setting->has_weight = setting->weight != setting->configured_weight;
    setting->is_told = true;
    setting->seen = ++settings->turns;
    if (is_empty(setting))
        drop(settings, (size_t)(setting - settings->items));
    return true;
}

/* True if the file has changed the weight since it was set. */
static bool apply(struct server_setting *setting, const struct member *member, uint64_t now_ms,
                  const struct server_observer *observer)
{
    bool has_changed = setting->has_weight && setting->configured_weight != member->rules.weight;
    /* A server that is known no longer, and comes back as it was: for the log nothing has changed. */
    if (setting->admin != SERVER_READY)
        server_state_set_admin(member->server, setting->admin, SERVER_CAUSE_RESTORED, now_ms,
                               setting->is_told ? NULL : observer);
    setting->is_told = true;
    setting->has_weight = setting->has_weight && !has_changed;
    if (setting->has_weight && server_state_weight(member->server) != setting->weight)
        server_state_set_weight(member->server, setting->weight, now_ms);
    return has_changed;
}

bool server_settings_apply(struct server_settings *settings, const struct membership *members,
                           uint64_t now_ms, const struct server_observer *observer)
{
    bool has_changed = false;
    settings->turns++;
    for (size_t i = 0; settings->count > 0 && i < members->count; i++) {
        const struct server_identity *identity = &members->members[i].server->identity;
        struct server_setting *setting = find(settings, identity->pool, identity->name);
        if (setting == NULL)
            continue;
        has_changed = apply(setting, &members->members[i], now_ms, observer) || has_changed;
        setting->seen = settings->turns;
        if (is_empty(setting))
            drop(settings, (size_t)(setting - settings->items));
    }
    return has_changed;
}

/* ---- the text ---- */

static const char version[] = "deepproxy-admin 1";
static const char note[] =
    "# What the operator has set at run time. Written by the program: use deepproxy ctl to change it.";
static const char weight_note[] = " in the configuration";

/* A name with an end of line in it can't be written. */
static bool write_order(FILE *file, const struct server_setting *setting, const struct admin_order *order)
{
    char line[LINE_MAX_LEN];
    admin_order_write(order, setting->pool, setting->server, line, sizeof line);
    if (strpbrk(line, "\r\n") != NULL)
        return true;
    return order->has_weight ? fprintf(file, "%s # %u%s\n", line, setting->configured_weight, weight_note) > 0
                             : fprintf(file, "%s\n", line) > 0;
}

bool server_settings_write(FILE *file, const struct server_settings *settings)
{
    bool ok = fprintf(file, "%s\n%s\n", version, note) > 0;
    for (size_t i = 0; ok && i < settings->count; i++) {
        const struct server_setting *setting = &settings->items[i];
        struct admin_order admin = {.has_admin = true, .admin = setting->admin};
        struct admin_order weight = {.has_weight = true, .weight = setting->weight};
        if (setting->admin != SERVER_READY)
            ok = write_order(file, setting, &admin);
        if (ok && setting->has_weight)
            ok = write_order(file, setting, &weight);
    }
    return ok;
}

/* ---- reading it: of a line, from where it has been read to ---- */

static bool take_word(struct slice *line, const char *word)
{
    size_t len = strlen(word);
    if (!slice_equals(slice_first(*line, len), slice_of(word)))
        return false;
    *line = slice_from(*line, len);
    return true;
}

/* Up to a blank outside of quotation marks. False if there is nothing, or what is never written. */
static bool take_name(struct slice *line, char name[NAME_MAX_LEN])
{
    bool is_quoted = false;
    size_t len = 0;
    size_t at = 0;
    for (; at < line->len && len < NAME_MAX_LEN - 1; at++) {
        uint8_t c = line->data[at];
        bool is_escaped = !is_quoted && c == '\\' && at + 1 < line->len;
        if (c < ' ' || (c == ' ' && !is_quoted))
            break;
        if (c == '\'')
            is_quoted = !is_quoted;
        else
            name[len++] = (char)(is_escaped ? line->data[++at] : c);
    }
    name[len] = '\0';
    bool is_whole = at == line->len || line->data[at] == ' ';
    *line = slice_from(*line, at);
    return len > 0 && !is_quoted && is_whole;
}

static bool take_number(struct slice *line, unsigned *number)
{
    size_t len = 0;
    while (len < line->len && ascii_is_digit(line->data[len]))
        len++;
    bool ok = slice_read_decimal(slice_first(*line, len), SERVER_WEIGHT_MAX, number);
    *line = slice_from(*line, len);
    return ok;
}

/* NULL if it has been read. */
static const char *read_admin(struct server_setting *setting, enum server_admin admin)
{
    if (setting->admin != SERVER_READY)
        return "the server has a line of this kind already";
    setting->admin = admin;
    return NULL;
}

static const char *read_weight(struct server_setting *setting, struct slice *rest)
{
    if (setting->has_weight)
        return "the server has a line of this kind already";
    setting->has_weight = take_word(rest, " ") && take_number(rest, &setting->weight) &&
                          take_word(rest, " # ") && take_number(rest, &setting->configured_weight) &&
                          take_word(rest, weight_note);
    return setting->has_weight ? NULL : "expected \"weight POOL/SERVER N # M in the configuration\"";
}

/* What is wrong with a line; NULL: nothing. */
static const char *read_line(struct server_settings *settings, struct slice line)
{
    char name[NAME_MAX_LEN];
    bool is_drain = take_word(&line, "drain ");
    bool is_maintain = !is_drain && take_word(&line, "maintain ");
    bool is_weight = !is_drain && !is_maintain && take_word(&line, "weight ");
    if (!is_drain && !is_maintain && !is_weight)
        return "expected \"drain\", \"maintain\" or \"weight\"";
    char *slash = take_name(&line, name) ? strchr(name, '/') : NULL;
    if (slash == NULL || slash == name || slash[1] == '\0')
        return "expected POOL/SERVER";
    *slash = '\0';
    struct server_setting *setting = find_or_add(settings, name, slash + 1);
    if (setting == NULL)
        return "memory is short";
    const char *wrong = is_weight ? read_weight(setting, &line)
                                  : read_admin(setting, is_drain ? SERVER_DRAIN : SERVER_MAINTENANCE);
    return wrong == NULL && line.len > 0 ? "expected the end of the line" : wrong;
}

/* What is wrong with the next line, which is taken off the text; NULL: nothing. */
static const char *read_next(struct server_settings *settings, struct slice *text, bool is_first)
{
    size_t end = slice_find(*text, '\n');
    struct slice line = slice_first(*text, end);
    if (end == text->len)
        return "the line has no end";
    *text = slice_from(*text, end + 1);
    if (is_first)
        return slice_equals(line, slice_of(version)) ? NULL : "expected \"deepproxy-admin 1\"";
    return line.len > 0 && line.data[0] != '#' ? read_line(settings, line) : NULL;
}

bool server_settings_read(struct server_settings *settings, struct slice text,
                          char problem[SERVER_SETTINGS_PROBLEM_MAX])
{
    unsigned number = 1;
    const char *wrong = read_next(settings, &text, true);
    for (; wrong == NULL && text.len > 0; number++)
        wrong = read_next(settings, &text, false);
    if (wrong == NULL)
        return true;
    snprintf(problem, SERVER_SETTINGS_PROBLEM_MAX, "line %u: %s", number, wrong);
    server_settings_free(settings);
    return false;
}
