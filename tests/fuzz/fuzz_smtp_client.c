/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "fuzz_check.h"
#include "lane.h"
#include "pattern.h"
#include "protocols/smtp/smtp_client_report.h"

#include <string.h>

/*
 * Fuzzes the arguments of CLIENT (draft section 7.3) against its grammar as regular expressions; what the
 * proxy makes of right ones against a simple account of which parameters go on; and the reports.
 */
#define TAG "[A-Za-z][A-Za-z0-9_-]{0,63}"

static const char tls_cipher[] = "TLS_AES_128_GCM_SHA256";

static const struct {
    const char *keyword;
    const char *pattern; /* of the whole parameter */
    enum engine_report_field field;
} known[] = {
    {"name", "name=[!-<>-~]+", ENGINE_REPORT_NAME},
    {"version", "version=[!-<>-~]+", ENGINE_REPORT_VERSION},
    {"latch", "latch=" TAG "(," TAG ")*", ENGINE_REPORT_LATCH},
    {"latch-fail", "latch-fail=" TAG "(," TAG ")*", ENGINE_REPORT_LATCH_FAIL},
    {"security-tags", "security-tags=" TAG "(," TAG ")*", ENGINE_REPORT_SECURITY_TAGS},
    {"tls", "tls=([A-Za-z][A-Za-z0-9_]*|0x[0-9A-Fa-f]{4})", ENGINE_REPORT_FIELDS},
};

enum { KNOWN = ARRAY_LEN(known) };

static size_t find_known(struct slice parameter)
{
    struct slice keyword = slice_first(parameter, slice_find(parameter, '='));
    size_t i = 0;
    while (i < KNOWN && !slice_is_word(keyword, known[i].keyword))
        i++;
    return i;
}

static bool is_parameter(struct slice s)
{
    size_t i = find_known(s);
    return i < KNOWN ? pattern_matches_word(known[i].pattern, s)
                     : pattern_matches("[A-Za-z0-9][A-Za-z0-9-]*(=[!-<>-~]+)?", s);
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The parameter behind the one space that the rest begins with. */
static struct slice take_parameter(struct slice *rest)
{
    *rest = slice_from(*rest, 1);
    struct slice p = slice_first(*rest, slice_find(*rest, ' '));
    *rest = slice_from(*rest, p.len);
    return p;
}

static bool is_right(struct slice arguments)
{
    struct slice rest = trimmed(arguments);
    if (rest.len == 0 || rest.data[0] != ' ')
        return false;
    while (rest.len > 0)
        if (!is_parameter(take_parameter(&rest)))
            return false;
    return true;
}

static void check_made(struct slice arguments)
{
    struct engine_out *out = lane_out();
    smtp_client_report_send(arguments, tls_cipher, out);
    struct bytes came = lane_take(out, SIDE_BACKEND);
    struct bytes expected = {0};
    expect_text(&expected, "CLIENT tls=");
    expect_text(&expected, tls_cipher);
    struct slice rest = trimmed(arguments);
    while (rest.len > 0) {
        struct slice p = take_parameter(&rest);
        bool fits = expected.len + 1 + p.len + 2 <= 512;
        if (!fits || slice_has_prefix(p, "tls="))
            continue;
        expect_text(&expected, " ");
        expect(&expected, p);
    }
    expect_text(&expected, "\r\n");
    check(came.len <= 512, "a command has 512 octets at most");
    lane_compare(&came, &expected, "the proxy's suite and the client's parameters, as far as they fit");
}

/* A value as it is reported: cut, and tags with spaces between them. */
static void check_report(const struct engine *engine, size_t i, struct slice value)
{
    const char *report = engine->report[known[i].field];
    size_t len = value.len < ENGINE_REPORT_MAX ? value.len : ENGINE_REPORT_MAX;
    check(report != NULL && strlen(report) == len, "what is reported is kept");
    for (size_t at = 0; at < len; at++) {
        bool comma = value.data[at] == ',' && known[i].field >= ENGINE_REPORT_LATCH;
        check(report[at] == (comma ? ' ' : (char)value.data[at]), "what is reported is kept as it was said");
    }
}

static void check_reports(struct slice arguments)
{
    struct engine engine = {0};
    struct slice last[KNOWN] = {{0}};
    smtp_client_report_record(&engine, arguments);
    struct slice rest = trimmed(arguments);
    while (rest.len > 0) {
        struct slice p = take_parameter(&rest);
        size_t i = find_known(p);
        if (i < KNOWN)
            last[i] = slice_from(p, slice_find(p, '=') + 1);
    }
    for (size_t i = 0; i < KNOWN && known[i].field < ENGINE_REPORT_FIELDS; i++) {
        if (last[i].len > 0)
            check_report(&engine, i, last[i]);
        else
            check(engine.report[known[i].field] == NULL, "what is not said is not reported");
        free(engine.report[known[i].field]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice arguments = {data, size};
    bool right = smtp_client_report_is_valid(arguments);
    check(right == is_right(arguments), "CLIENT is right where the grammar says so");
    if (!right)
        return 0;
    check_made(arguments);
    check_reports(arguments);
    return 0;
}
