/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_id.h"

#include "base/array.h"
#include "base/ensure.h"

#include <stdio.h>

struct name {
    uint8_t octets[IMAP_ID_NAME_MAX];
    size_t len; /* may be more than what is kept */
};

static struct name name_of(const struct imap_id_pair *pair)
{
    struct name name;
    name.len = imap_string_decode(&pair->name, name.octets, sizeof name.octets);
    return name;
}

static struct slice name_view(const struct name *name)
{
    return (struct slice){name->octets, name->len < sizeof name->octets ? name->len : sizeof name->octets};
}

static void skip_spaces(struct slice *s)
{
    while (s->len > 0 && s->data[0] == ' ')
        *s = slice_from(*s, 1);
}

/*
 * What is between two strings: spaces, and one comma, which RFC 2971's "#" is in the notation of RFC 822.
 * Servers need nothing between two of which one is in quotes.
 */
static bool skip_separator(struct slice *s)
{
    size_t before = s->len;
    skip_spaces(s);
    if (s->len > 0 && s->data[0] == ',') {
        *s = slice_from(*s, 1);
        skip_spaces(s);
        return s->len > 0;
    }
    return s->len < before || s->len == 0 || s->data[0] == '"';
}

bool imap_id_open(struct slice params, struct imap_id_list *list)
{
    skip_spaces(&params);
    while (params.len > 0 && params.data[params.len - 1] == ' ')
        params.len--;
    *list = (struct imap_id_list){.rest = params, .nil = slice_is_word(params, "NIL")};
    if (list->nil)
        return true;
    if (params.len < 2 || params.data[0] != '(' || params.data[params.len - 1] != ')')
        return false;
    list->rest = slice_sub(params, 1, params.len - 2);
    return true;
}

enum imap_id_step imap_id_next(struct imap_id_list *list, struct imap_id_pair *pair)
{
    skip_spaces(&list->rest);
    if (list->nil || list->rest.len == 0)
        return IMAP_ID_END;
    if (!imap_string_take(&list->rest, &pair->name) || pair->name.form == IMAP_STRING_NIL)
        return IMAP_ID_MALFORMED;
    if (!skip_separator(&list->rest) || !imap_string_take(&list->rest, &pair->value))
        return IMAP_ID_MALFORMED;
    return skip_separator(&list->rest) ? IMAP_ID_PAIR : IMAP_ID_MALFORMED;
}

const char *imap_id_check(struct slice params)
{
    static const char not_a_list[] = "BAD ID takes NIL or a list of strings in pairs";
    struct imap_id_list list;
    struct imap_id_pair pair;
    enum imap_id_step step = IMAP_ID_END;
    if (!imap_id_open(params, &list))
        return not_a_list;
    for (int pairs = 0; (step = imap_id_next(&list, &pair)) == IMAP_ID_PAIR;) {
        if (++pairs > IMAP_ID_PAIRS_MAX)
            return "BAD ID takes 30 fields at most (RFC 2971)";
        if (imap_string_decode(&pair.name, NULL, 0) > IMAP_ID_NAME_MAX)
            return "BAD A field name of ID has 30 octets at most (RFC 2971)";
        if (imap_string_decode(&pair.value, NULL, 0) > IMAP_ID_VALUE_MAX)
            return "BAD A value of ID has 1024 octets at most (RFC 2971)";
    }
    return step == IMAP_ID_END ? NULL : not_a_list;
}

/* ENGINE_REPORT_FIELDS if the name reports nothing that is kept. */
static enum engine_report_field report_field(struct slice name)
{
    static const struct {
        const char *name;
        enum engine_report_field field;
    } fields[] = {{"name", ENGINE_REPORT_NAME},
                  {"version", ENGINE_REPORT_VERSION},
                  {"latch", ENGINE_REPORT_LATCH},
                  {"latch-fail", ENGINE_REPORT_LATCH_FAIL},
                  {"latch-failure", ENGINE_REPORT_LATCH_FAIL}, /* so in the draft's example 2 */
                  {"security-tags", ENGINE_REPORT_SECURITY_TAGS}};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (slice_is_word(name, fields[i].name))
            return fields[i].field;
    return ENGINE_REPORT_FIELDS;
}

void imap_id_report(struct slice params, struct engine *engine)
{
    struct imap_id_list list;
    struct imap_id_pair pair;
    if (!imap_id_open(params, &list))
        return;
    while (imap_id_next(&list, &pair) == IMAP_ID_PAIR) {
        struct name name = name_of(&pair);
        enum engine_report_field field = report_field(name_view(&name));
        if (field == ENGINE_REPORT_FIELDS || pair.value.form == IMAP_STRING_NIL)
            continue;
        uint8_t value[ENGINE_REPORT_MAX];
        size_t len = imap_string_decode(&pair.value, value, sizeof value);
        engine_set_report(engine, field, (struct slice){value, len < sizeof value ? len : sizeof value});
    }
}

/*
 * What backends take from a proxy as the truth about its client: Dovecot's x-originating-ip and its like, and
 * tls.
 */
static bool is_trusted_by_backends(struct slice name)
{
    return slice_has_prefix(name, "x-") || slice_is_word(name, "tls");
}

/*
 * How many of a client's pairs are sent on: of those that report something, and of those that report nothing.
 */
struct kept {
    int reporting;
    int idle;
};

static bool is_reporting(struct slice name)
{
    return report_field(name) != ENGINE_REPORT_FIELDS;
}

/* With room for so many the last ones are left out, and those first that report nothing. */
static struct kept pairs_with_room(struct imap_id_list list, int room)
{
    struct imap_id_pair pair;
    struct kept kept = {0};
    while (imap_id_next(&list, &pair) == IMAP_ID_PAIR) {
        struct name name = name_of(&pair);
        if (is_trusted_by_backends(name_view(&name)))
            continue;
        if (is_reporting(name_view(&name)))
            kept.reporting++;
        else
            kept.idle++;
    }
    kept.reporting = kept.reporting < room ? kept.reporting : room;
    kept.idle = kept.idle < room - kept.reporting ? kept.idle : room - kept.reporting;
    return kept;
}

static bool append_text(struct bytes *into, const char *text)
{
    return bytes_append(into, slice_of(text), IMAP_ID_COMMAND_MAX);
}

static bool append_string(struct bytes *into, struct slice octets)
{
    return imap_string_append(into, octets, IMAP_ID_COMMAND_MAX);
}

static bool append_pair(struct bytes *into, const struct imap_id_pair *pair, const struct name *name)
{
    if (!append_string(into, name_view(name)))
        return false;
    if (pair->value.form == IMAP_STRING_NIL)
        return append_text(into, " NIL ");
    uint8_t value[IMAP_ID_VALUE_MAX];
    size_t len = imap_string_decode(&pair->value, value, sizeof value);
    return append_text(into, " ") && append_string(into, (struct slice){value, len}) &&
           append_text(into, " ");
}

static bool append_pairs(struct bytes *into, struct imap_id_list list, struct kept left)
{
    struct imap_id_pair pair;
    bool ok = true;
    while (ok && imap_id_next(&list, &pair) == IMAP_ID_PAIR) {
        struct name name = name_of(&pair);
        if (is_trusted_by_backends(name_view(&name)))
            continue;
        int *count = is_reporting(name_view(&name)) ? &left.reporting : &left.idle;
        if ((*count)-- > 0)
            ok = append_pair(into, &pair, &name);
    }
    return ok;
}

/* The hops that may follow, against loops: Dovecot begins with 7, and this is the first. */
#define PROXY_TTL "6"

enum { IDENTITY_PAIRS = 6 };

static bool append_identity(struct bytes *into, const struct client_identity *identity)
{
    char text[512];
    int len =
        snprintf(text, sizeof text,
                 "\"x-session-id\" \"%s\" \"x-originating-ip\" \"%s\" \"x-originating-port\" \"%u\" "
                 "\"x-connected-ip\" \"%s\" \"x-connected-port\" \"%u\" \"x-proxy-ttl\" \"" PROXY_TTL "\" ",
                 identity->session_id, identity->address, identity->port, identity->connected_address,
                 identity->connected_port);
    ENSURE(len > 0 && (size_t)len < sizeof text);
    return append_text(into, text);
}

bool imap_id_append(struct bytes *into, struct slice params, const char *cipher,
                    const struct client_identity *identity)
{
    struct imap_id_list list;
    int own = 1 + (identity != NULL ? IDENTITY_PAIRS : 0);
    bool ok = append_text(into, "(");
    if (ok && imap_id_open(params, &list))
        ok = append_pairs(into, list, pairs_with_room(list, IMAP_ID_PAIRS_MAX - own));
    if (ok && identity != NULL)
        ok = append_identity(into, identity);
    return ok && append_text(into, "\"tls\" ") && append_string(into, slice_of(cipher)) &&
           append_text(into, ")");
}

void imap_id_own_fields(const char *deep_status, char text[IMAP_ID_OWN_FIELDS_MAX])
{
    snprintf(text, IMAP_ID_OWN_FIELDS_MAX, "\"deep\" \"%s\" \"deep-status\" \"%s\"", deep_status,
             deep_status);
}

bool imap_id_is_list(struct slice params)
{
    struct imap_id_list list;
    struct imap_id_pair pair;
    enum imap_id_step step = IMAP_ID_MALFORMED;
    if (!imap_id_open(params, &list))
        return false;
    while ((step = imap_id_next(&list, &pair)) == IMAP_ID_PAIR)
        continue;
    return step == IMAP_ID_END;
}

static bool is_status_field(struct slice name)
{
    return slice_is_word(name, "deep") || slice_is_word(name, "deep-status");
}

/* Of a value that is too long the last word may be half a tag. */
static struct slice whole_words(struct slice value)
{
    while (value.len > 0 && value.data[value.len - 1] != ' ')
        value.len--;
    return value;
}

void imap_id_learn_status(struct slice params, struct engine *engine)
{
    struct imap_id_list list;
    struct imap_id_pair pair;
    if (!imap_id_is_list(params) || !imap_id_open(params, &list))
        return;
    while (imap_id_next(&list, &pair) == IMAP_ID_PAIR) {
        struct name name = name_of(&pair);
        uint8_t octets[IMAP_ID_VALUE_MAX];
        size_t len = imap_string_decode(&pair.value, octets, sizeof octets);
        struct slice value = {octets, len < sizeof octets ? len : sizeof octets};
        if (is_status_field(name_view(&name)) && pair.value.form != IMAP_STRING_NIL)
            engine_merge_deep(engine, len > sizeof octets ? whole_words(value) : value);
    }
}

void imap_id_reply(struct slice params, const char *deep_status, struct engine_out *out)
{
    struct imap_id_list list;
    struct imap_id_pair pair;
    engine_out_make_text(out, SIDE_CLIENT, "(");
    if (imap_id_is_list(params) && imap_id_open(params, &list)) {
        for (int kept = 0; kept < IMAP_ID_PAIRS_MAX - 2 && imap_id_next(&list, &pair) == IMAP_ID_PAIR;) {
            struct name name = name_of(&pair);
            if (is_status_field(name_view(&name)))
                continue;
            engine_out_make(out, SIDE_CLIENT, pair.name.raw);
            engine_out_make_text(out, SIDE_CLIENT, " ");
            engine_out_make(out, SIDE_CLIENT, pair.value.raw);
            engine_out_make_text(out, SIDE_CLIENT, " ");
            kept++;
        }
    }
    char own[IMAP_ID_OWN_FIELDS_MAX];
    imap_id_own_fields(deep_status, own);
    engine_out_make_text(out, SIDE_CLIENT, own);
    engine_out_make_text(out, SIDE_CLIENT, ")");
}
