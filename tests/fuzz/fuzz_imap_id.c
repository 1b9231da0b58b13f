/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "fuzz_check.h"
#include "heard_id.h"
#include "lane.h"
#include "protocols/imap/imap_id.h"

#include <string.h>

/*
 * Fuzzes the parameter lists of ID (RFC 2971) against a second, simple reader of them: which lists are right,
 * what goes on to the backend and to the client, and what is reported.
 */
enum { PAIRS_READ = 40 };

static const char tls_cipher[] = "TLS_AES_128_GCM_SHA256";
static const char own_fields[] = "\"deep\" \"tls12\" \"deep-status\" \"tls12\"";

struct text {
    bool nil;
    struct slice raw;
    struct bytes value;
};

struct pair {
    struct text name, value;
};

struct list {
    bool well_formed;
    size_t count; /* may be more than were kept */
    struct pair pairs[PAIRS_READ];
};

/* ---- reading ---- */

static size_t quoted_length(struct slice s, struct bytes *value)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.data[i] == '"')
            return i + 1;
        if (s.data[i] == '\r' || s.data[i] == '\n')
            return 0;
        if (s.data[i] == '\\')
            i++;
        if (i < s.len)
            expect(value, slice_sub(s, i, 1));
    }
    return 0;
}

static size_t literal_length(struct slice s, struct bytes *value)
{
    size_t at = s.data[0] == '~' ? 2 : 1;
    size_t octets = 0, digits = 0;
    for (; at < s.len && ascii_is_digit(s.data[at]); at++, digits++)
        octets = octets > s.len ? octets : octets * 10 + (size_t)(s.data[at] - '0');
    static const char *const ends[] = {"}\r\n", "+}\r\n", "}\n", "+}\n"};
    for (size_t i = 0; digits > 0 && i < ARRAY_LEN(ends); i++) {
        size_t start = at + strlen(ends[i]);
        if (!slice_has_prefix(slice_from(s, at), ends[i]) || octets > s.len - start)
            continue;
        expect(value, slice_sub(s, start, octets));
        return start + octets;
    }
    return 0;
}

static size_t atom_length(struct slice s, struct bytes *value)
{
    size_t len = 0;
    while (len < s.len && s.data[len] > ' ' && s.data[len] < 0x7f &&
           strchr("(){%*\"\\,", s.data[len]) == NULL)
        len++;
    expect(value, slice_first(s, len));
    return len;
}

static bool take_text(struct slice *rest, struct text *t)
{
    *t = (struct text){0};
    if (rest->len == 0)
        return false;
    bool literal = slice_has_prefix(*rest, "{") || slice_has_prefix(*rest, "~{");
    bool quoted = rest->data[0] == '"';
    size_t len = quoted    ? quoted_length(*rest, &t->value)
                 : literal ? literal_length(*rest, &t->value)
                           : atom_length(*rest, &t->value);
    t->raw = slice_first(*rest, len);
    t->nil = !quoted && !literal && slice_is_word(t->raw, "NIL");
    *rest = slice_from(*rest, len);
    return len > 0;
}

static bool skip_spaces(struct slice *rest)
{
    size_t before = rest->len;
    while (rest->len > 0 && rest->data[0] == ' ')
        *rest = slice_from(*rest, 1);
    return rest->len < before;
}

/* Spaces with at most one comma among them, after which more has to come; or a quotation mark; or the end. */
static bool skip_between(struct slice *rest)
{
    bool spaces = skip_spaces(rest);
    bool comma = rest->len > 0 && rest->data[0] == ',';
    if (comma)
        *rest = slice_from(*rest, 1);
    skip_spaces(rest);
    return comma ? rest->len > 0 : spaces || rest->len == 0 || rest->data[0] == '"';
}

static bool take_pair(struct slice *rest, struct pair *p)
{
    bool name = take_text(rest, &p->name);
    bool value = name && !p->name.nil && skip_between(rest) && take_text(rest, &p->value);
    return value && skip_between(rest);
}

static void free_pair(struct pair *p)
{
    bytes_free(&p->name.value);
    bytes_free(&p->value.value);
}

static bool read_pairs(struct slice rest, struct list *list)
{
    skip_spaces(&rest);
    while (rest.len > 0) {
        struct pair p = {0};
        bool ok = take_pair(&rest, &p);
        if (ok && list->count < PAIRS_READ)
            list->pairs[list->count] = p;
        else
            free_pair(&p);
        if (!ok)
            return false;
        list->count++;
        skip_spaces(&rest);
    }
    return true;
}

static void read_list(struct slice s, struct list *list)
{
    *list = (struct list){0};
    skip_spaces(&s);
    while (s.len > 0 && s.data[s.len - 1] == ' ')
        s.len--;
    bool nil = slice_is_word(s, "NIL");
    bool enclosed = s.len >= 2 && s.data[0] == '(' && s.data[s.len - 1] == ')';
    list->well_formed = nil || (enclosed && read_pairs(slice_sub(s, 1, s.len - 2), list));
}

static void free_list(struct list *list)
{
    for (size_t i = 0; i < list->count && i < PAIRS_READ; i++)
        free_pair(&list->pairs[i]);
}

static bool is_within_limits(const struct list *list)
{
    for (size_t i = 0; i < list->count && i < PAIRS_READ; i++)
        if (list->pairs[i].name.value.len > 30 || list->pairs[i].value.value.len > 1024)
            return false;
    return list->count <= 30;
}

/* ---- to the backend ---- */

static bool is_trusted(const struct pair *p)
{
    struct slice name = bytes_view(&p->name.value);
    return slice_has_prefix(name, "x-") || slice_is_word(name, "tls");
}

static size_t field_of(const struct pair *p)
{
    static const char *const names[] = {"name",       "version",       "latch",
                                        "latch-fail", "security-tags", "latch-failure"};
    for (size_t i = 0; i < 6; i++)
        if (slice_is_word(bytes_view(&p->name.value), names[i]))
            return i < 5 ? i : ENGINE_REPORT_LATCH_FAIL;
    return ENGINE_REPORT_FIELDS;
}

/*
 * Whether pair `at` has to go as there is room for so many: from the end, and first those that report
 * nothing.
 */
static bool goes_for_room(const struct list *list, size_t at, size_t room)
{
    bool gone[PAIRS_READ] = {false};
    size_t left = 0;
    for (size_t i = 0; i < list->count; i++)
        left += !is_trusted(&list->pairs[i]);
    for (int reporting = 0; reporting < 2; reporting++)
        for (size_t i = list->count; i-- > 0 && left > room;) {
            bool is_idle = field_of(&list->pairs[i]) == ENGINE_REPORT_FIELDS;
            if (is_trusted(&list->pairs[i]) || is_idle == (reporting == 1))
                continue;
            gone[i] = true;
            left--;
        }
    return gone[at];
}

static void expect_quoted(struct bytes *b, const struct text *t)
{
    if (t->nil) {
        expect_text(b, "NIL ");
        return;
    }
    char quote[30] = "\"";
    bool literal = false;
    for (size_t i = 0; i < t->value.len; i++)
        literal = literal || t->value.data[i] > 0x7f || t->value.data[i] == '\r' || t->value.data[i] == '\n';
    if (literal)
        snprintf(quote, sizeof quote, "{%zu}\r\n", t->value.len);
    expect_text(b, quote);
    for (size_t i = 0; i < t->value.len; i++) {
        uint8_t c = t->value.data[i];
        if (!literal && (c == '"' || c == '\\'))
            expect_text(b, "\\");
        c = c == '\0' ? '?' : c;
        expect(b, (struct slice){&c, 1});
    }
    expect_text(b, literal ? " " : "\" ");
}

static const struct client_identity who = {"203.0.113.5", "2001:db8::1", "session-1", 4711, 993, NULL};
#define WHO                                                                                                  \
    "\"x-session-id\" \"session-1\" \"x-originating-ip\" \"203.0.113.5\" \"x-originating-port\" \"4711\" "   \
    "\"x-connected-ip\" \"2001:db8::1\" \"x-connected-port\" \"993\" \"x-proxy-ttl\" \"6\" "

static const struct engine_client client_of_who = {.address = "203.0.113.5",
                                                   .connected_address = "2001:db8::1",
                                                   .session_id = "session-1",
                                                   .port = 4711,
                                                   .connected_port = 993};

static void check_forward(struct slice params, const struct list *list,
                          const struct client_identity *identity)
{
    struct bytes came = {0}, expected = {0};
    check(imap_id_append(&came, params, tls_cipher, identity), "an ID is no longer than it may be");
    check(came.len <= ENGINE_STEP_SCRATCH, "an ID takes no more than a step may");
    heard_id_check(bytes_view(&came), tls_cipher, identity != NULL ? &client_of_who : NULL);
    expect_text(&expected, "(");
    for (size_t i = 0; i < list->count; i++) {
        if (is_trusted(&list->pairs[i]) || goes_for_room(list, i, identity == NULL ? 29 : 23))
            continue;
        expect_quoted(&expected, &list->pairs[i].name);
        expect_quoted(&expected, &list->pairs[i].value);
    }
    expect_text(&expected, identity != NULL ? WHO : "");
    expect_text(&expected, "\"tls\" \"TLS_AES_128_GCM_SHA256\")");
    lane_compare(&came, &expected, "the client's fields go on, and the cipher suite");
}

/* ---- reports ---- */

static void check_reports(struct slice params, const struct list *list)
{
    struct engine engine = {0};
    const struct text *said[ENGINE_REPORT_FIELDS] = {0};
    imap_id_report(params, &engine);
    for (size_t i = 0; i < list->count; i++) {
        size_t field = field_of(&list->pairs[i]);
        if (field < ENGINE_REPORT_FIELDS && !list->pairs[i].value.nil)
            said[field] = &list->pairs[i].value;
    }
    for (size_t i = 0; i < ENGINE_REPORT_FIELDS; i++) {
        check((said[i] == NULL) == (engine.report[i] == NULL), "what is said is reported, and nothing else");
        size_t len = said[i] == NULL ? 0 : said[i]->value.len < 256 ? said[i]->value.len : 256;
        check(len == 0 || memcmp(engine.report[i], said[i]->value.data, len) == 0, "as it was said");
        check(said[i] == NULL || engine.report[i][len] == '\0', "and cut where it is long");
        free(engine.report[i]);
    }
}

/* ---- to the client ---- */

static bool is_own(const struct pair *p)
{
    struct slice name = bytes_view(&p->name.value);
    return slice_is_word(name, "deep") || slice_is_word(name, "deep-status");
}

static void check_reply(struct slice params, const struct list *list)
{
    struct engine_out *out = lane_out();
    imap_id_reply(params, "tls12", out);
    struct bytes came = lane_take(out, SIDE_CLIENT), expected = {0};
    size_t kept = 0;
    expect_text(&expected, "(");
    for (size_t i = 0; list->well_formed && i < list->count && i < PAIRS_READ && kept < 28; i++) {
        if (is_own(&list->pairs[i]))
            continue;
        expect(&expected, list->pairs[i].name.raw);
        expect_text(&expected, " ");
        expect(&expected, list->pairs[i].value.raw);
        expect_text(&expected, " ");
        kept++;
    }
    /* What was not kept here can't be compared; it takes a dozen fields of the proxy's own name. */
    if (list->count > PAIRS_READ && kept < 28) {
        bytes_free(&came);
        bytes_free(&expected);
        return;
    }
    expect_text(&expected, own_fields);
    expect_text(&expected, ")");
    lane_compare(&came, &expected, "the backend's fields as they stand, and the proxy's");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice params = {data, size};
    struct list list;
    if (size > IMAP_ID_OWN_FIELDS_MAX * 40)
        return 0;
    read_list(params, &list);
    bool right = imap_id_check(params) == NULL;
    check(right == (list.well_formed && is_within_limits(&list)),
          "a list is right where a second reader says so");
    if (right) {
        check_forward(params, &list, NULL);
        check_forward(params, &list, &who);
        check_reports(params, &list);
    }
    check_reply(params, &list);
    free_list(&list);
    return 0;
}
