/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_capa.h"

#include "base/array.h"

#include "protocols/sasl_mechanism.h"

struct pop3_capability pop3_capability_read(struct slice text, struct slice *mechanisms)
{
    struct slice rest = text;
    struct slice keyword = slice_next_word(&rest, ' ');
    *mechanisms = slice_is_word(keyword, "SASL") ? rest : slice_first(rest, 0);
    return (struct pop3_capability){.stls = slice_is_word(keyword, "STLS"),
                                    .user = slice_is_word(keyword, "USER")};
}

/*
 * Not for this client: it is on TLS already, sees one DEEP status, and must not use what is for proxies
 * alone.
 */
static bool is_hidden(struct slice keyword)
{
    static const char *const hidden[] = {"STLS", "DEEP", "XCLIENT", "XOIP"};
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        if (slice_is_word(keyword, hidden[i]))
            return true;
    return false;
}

struct mechanism_count {
    size_t kept;
    size_t dropped;
};

static struct mechanism_count count_mechanisms(struct slice list, bool external)
{
    struct mechanism_count count = {0};
    struct slice mechanism;
    while ((mechanism = slice_next_word(&list, ' ')).len > 0) {
        if (sasl_mechanism_is_shown(mechanism, external))
            count.kept++;
        else
            count.dropped++;
    }
    return count;
}

/*
 * A SASL line that has no mechanism, or none left, is dropped: clients would find AUTH without a way to use
 * it.
 */
static void send_sasl(const struct line *line, struct slice list, bool external, struct engine_out *out)
{
    struct mechanism_count count = count_mechanisms(list, external);
    if (count.kept == 0)
        return;
    if (count.dropped == 0) {
        line_send(line, SIDE_CLIENT, out);
        return;
    }
    engine_out_make_text(out, SIDE_CLIENT, "SASL");
    struct slice mechanism;
    while ((mechanism = slice_next_word(&list, ' ')).len > 0) {
        if (!sasl_mechanism_is_shown(mechanism, external))
            continue;
        engine_out_make_text(out, SIDE_CLIENT, " ");
        engine_out_make(out, SIDE_CLIENT, mechanism);
    }
    engine_out_make_text(out, SIDE_CLIENT, "\r\n");
}

void pop3_capa_send(const struct line *line, bool external, struct engine_out *out)
{
    struct slice rest = line->text;
    struct slice keyword = slice_next_word(&rest, ' ');
    if (slice_is_word(keyword, "SASL"))
        send_sasl(line, rest, external, out);
    else if (!is_hidden(keyword))
        line_send(line, SIDE_CLIENT, out);
}

void pop3_capa_end(const char *deep_status, struct engine_out *out)
{
    engine_out_make_text(out, SIDE_CLIENT, "DEEP");
    if (deep_status[0] != '\0')
        engine_out_make_text(out, SIDE_CLIENT, " ");
    engine_out_make_text(out, SIDE_CLIENT, deep_status);
    engine_out_make_text(out, SIDE_CLIENT, "\r\n.\r\n");
}

void pop3_capa_instead(const char *deep_status, struct engine_out *out)
{
    engine_out_make_text(out, SIDE_CLIENT, "+OK Capability list follows\r\nUSER\r\n");
    pop3_capa_end(deep_status, out);
}

void pop3_mechanism_send(const struct line *line, bool external, struct engine_out *out)
{
    if (sasl_mechanism_is_shown(line->text, external))
        line_send(line, SIDE_CLIENT, out);
}
