/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_client_report.h"

#include "base/array.h"

#include "protocols/deep/deep_status.h"

#include <string.h>

enum { COMMAND_LINE_MAX = 512 };

/* The syntax of a value. */
enum value_kind { VALUE_TEXT, VALUE_TAGS, VALUE_CIPHER };

static const struct known {
    const char *keyword;
    enum value_kind kind;
    enum engine_report_field field;
} known_parameters[] = {
    {"name", VALUE_TEXT, ENGINE_REPORT_NAME},
    {"version", VALUE_TEXT, ENGINE_REPORT_VERSION},
    {"latch", VALUE_TAGS, ENGINE_REPORT_LATCH},
    {"latch-fail", VALUE_TAGS, ENGINE_REPORT_LATCH_FAIL},
    {"security-tags", VALUE_TAGS, ENGINE_REPORT_SECURITY_TAGS},
    {"tls", VALUE_CIPHER, ENGINE_REPORT_FIELDS}, /* the proxy knows better: not reported */
};

struct parameter {
    struct slice text;
    struct slice value;
    bool has_value;
    const struct known *known; /* NULL: a future extension */
};

static const struct known *find_known(struct slice keyword)
{
    for (size_t i = 0; i < ARRAY_LEN(known_parameters); i++)
        if (slice_is_word(keyword, known_parameters[i].keyword))
            return &known_parameters[i];
    return NULL;
}

/* RFC 5321 section 4.1.2: esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool is_keyword(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alpha(s.data[i]) && !ascii_is_digit(s.data[i]) && (s.data[i] != '-' || i == 0))
            return false;
    return s.len > 0;
}

/* RFC 5321 section 4.1.2: esmtp-value = 1*(%d33-60 / %d62-126) */
static bool is_value(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_graph(s.data[i]) || s.data[i] == '=')
            return false;
    return s.len > 0;
}

static bool is_tag_list(struct slice s)
{
    for (;;) {
        struct slice tag = slice_first(s, slice_find(s, ','));
        if (!deep_is_security_tag(tag))
            return false;
        if (tag.len == s.len)
            return true;
        s = slice_from(s, tag.len + 1);
    }
}

static bool is_valid_parameter(const struct parameter *p)
{
    if (!is_keyword(slice_first(p->text, slice_find(p->text, '='))))
        return false;
    if (p->known == NULL)
        return !p->has_value || is_value(p->value);
    switch (p->known->kind) {
    case VALUE_TEXT:
        return is_value(p->value);
    case VALUE_TAGS:
        return is_tag_list(p->value);
    case VALUE_CIPHER:
        return deep_is_tls_cipher(p->value);
    }
    return false;
}

static struct slice without_blanks_at_end(struct slice s)
{
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Takes one SP and the parameter after it off the front; false if there is no SP. */
static bool take_parameter(struct slice *rest, struct parameter *p)
{
    if (rest->len == 0 || rest->data[0] != ' ')
        return false;
    struct slice after = slice_from(*rest, 1);
    p->text = slice_first(after, slice_find(after, ' '));
    size_t equals = slice_find(p->text, '=');
    p->has_value = equals < p->text.len;
    p->value = slice_from(p->text, equals + 1);
    p->known = find_known(slice_first(p->text, equals));
    *rest = slice_from(after, p->text.len);
    return true;
}

bool smtp_client_report_is_valid(struct slice arguments)
{
    struct slice rest = without_blanks_at_end(arguments);
    struct parameter p;
    if (rest.len == 0)
        return false;
    while (take_parameter(&rest, &p))
        if (!is_valid_parameter(&p))
            return false;
    return rest.len == 0;
}

static void record_tags(struct engine *engine, enum engine_report_field field, struct slice tags)
{
    uint8_t spaced[ENGINE_REPORT_MAX];
    size_t len = tags.len < sizeof spaced ? tags.len : sizeof spaced;
    for (size_t i = 0; i < len; i++)
        spaced[i] = tags.data[i] == ',' ? ' ' : tags.data[i];
    engine_set_report(engine, field, (struct slice){spaced, len});
}

void smtp_client_report_record(struct engine *engine, struct slice arguments)
{
    struct slice rest = without_blanks_at_end(arguments);
    struct parameter p;
    while (take_parameter(&rest, &p)) {
        if (p.known == NULL)
            continue;
        if (p.known->kind == VALUE_TEXT)
            engine_set_report(engine, p.known->field, p.value);
        else if (p.known->kind == VALUE_TAGS)
            record_tags(engine, p.known->field, p.value);
    }
}

void smtp_client_report_send(struct slice arguments, const char *tls_cipher, struct engine_out *out)
{
    static const char beginning[] = "CLIENT tls=";
    engine_out_make_text(out, SIDE_BACKEND, beginning);
    engine_out_make_text(out, SIDE_BACKEND, tls_cipher);
    size_t len = sizeof beginning - 1 + strlen(tls_cipher) + 2;
    struct slice rest = without_blanks_at_end(arguments);
    struct parameter p;
    while (take_parameter(&rest, &p)) {
        bool claims_cipher = p.known != NULL && p.known->kind == VALUE_CIPHER;
        if (claims_cipher || len + 1 + p.text.len > COMMAND_LINE_MAX)
            continue;
        engine_out_make_text(out, SIDE_BACKEND, " ");
        engine_out_make(out, SIDE_BACKEND, p.text);
        len += 1 + p.text.len;
    }
    engine_out_make_text(out, SIDE_BACKEND, "\r\n");
}
