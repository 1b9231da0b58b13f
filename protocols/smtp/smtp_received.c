/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_received.h"

#include "base/civil_time.h"
#include "base/ensure.h"
#include "base/ip_literal.h"
#include "protocols/smtp/smtp_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DOMAIN_MAX = 255,     /* RFC 5321 section 4.5.3.1.2 */
    LITERAL_MAX = 64,     /* "[IPv6:", an address, "]" */
    FOLDED_LINE_MAX = 78, /* RFC 5322 section 2.1.1 */
    DATE_MAX = 48
};

struct smtp_received {
    char address[LITERAL_MAX];
    char session_id[ENGINE_SESSION_ID_MAX];
    char *name;    /* NULL: none, or none that can be shown */
    char *offered; /* by a HELO that is not answered yet */
};

/* ---- names ---- */

/* RFC 5321 section 4.1.2: sub-domain = Let-dig [Ldh-str] */
static bool is_label(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alpha(s.data[i]) && !ascii_is_digit(s.data[i]) && s.data[i] != '-')
            return false;
    return s.len > 0 && s.data[0] != '-' && s.data[s.len - 1] != '-';
}

static bool is_domain(struct slice s)
{
    for (;;) {
        struct slice label = slice_first(s, slice_find(s, '.'));
        if (!is_label(label))
            return false;
        if (label.len == s.len)
            return true;
        s = slice_from(s, label.len + 1);
    }
}

/* No tag but IPv6 has ever been registered for RFC 5321's general address literal. */
static bool is_address_literal(struct slice s)
{
    static const char v6_tag[] = "IPv6:";
    if (s.len < 2 || s.data[0] != '[' || s.data[s.len - 1] != ']')
        return false;
    struct slice inner = slice_sub(s, 1, s.len - 2);
    if (slice_has_prefix(inner, v6_tag))
        return ip_literal_is_ipv6(slice_from(inner, sizeof v6_tag - 1));
    return ip_literal_is_ipv4(inner);
}

void smtp_received_offer_name(struct smtp_received *received, struct slice argument)
{
    struct slice name = smtp_without_blanks(argument);
    bool shown = name.len <= DOMAIN_MAX && (is_domain(name) || is_address_literal(name));
    free(received->offered);
    /* If memory is short the address takes the place of the name, as for a name that is not one. */
    received->offered = shown ? strndup((const char *)name.data, name.len) : NULL;
}

void smtp_received_accept_name(struct smtp_received *received)
{
    free(received->name);
    received->name = received->offered;
    received->offered = NULL;
}

/* ---- life ---- */

struct smtp_received *smtp_received_new(const struct engine_client *client)
{
    struct smtp_received *received = calloc(1, sizeof *received);
    if (received == NULL)
        return NULL;
    bool v6 = strchr(client->address, ':') != NULL;
    int len = snprintf(received->address, LITERAL_MAX, "[%s%s]", v6 ? "IPv6:" : "", client->address);
    int id_len = snprintf(received->session_id, sizeof received->session_id, "%s", client->session_id);
    ENSURE(len > 0 && len < LITERAL_MAX && id_len > 0 && id_len < (int)sizeof received->session_id);
    return received;
}

void smtp_received_free(struct smtp_received **received)
{
    if (*received != NULL) {
        free((*received)->name);
        free((*received)->offered);
    }
    free(*received);
    *received = NULL;
}

/* ---- the field ---- */

struct writer {
    char *into;
    size_t len;
    size_t column;
};

static void put(struct writer *w, const char *text)
{
    size_t len = strlen(text);
    ENSURE(len <= SMTP_RECEIVED_MAX - w->len);
    memcpy(w->into + w->len, text, len);
    w->len += len;
    w->column += len;
}

static void fold(struct writer *w)
{
    put(w, "\r\n");
    w->column = 0;
    put(w, "\t");
}

/* A word and its value, on this line if there is room, else on the next. */
static void add(struct writer *w, const char *word, const char *value, const char *end)
{
    size_t len = strlen(word) + strlen(value) + strlen(end);
    bool begins_line = w->column <= 1;
    if (!begins_line && w->column + 1 + len > FOLDED_LINE_MAX)
        fold(w);
    else if (!begins_line)
        put(w, " ");
    put(w, word);
    put(w, value);
    put(w, end);
}

/* RFC 3848, RFC 6531 section 4.3. */
static const char *protocol_of(const struct smtp_stamp *stamp)
{
    if (!stamp->extended)
        return "SMTP";
    if (stamp->utf8)
        return stamp->authenticated ? "UTF8SMTPSA" : "UTF8SMTPS";
    return stamp->authenticated ? "ESMTPSA" : "ESMTPS";
}

/* RFC 5322 section 3.3. */
static void write_date(int64_t seconds, char into[DATE_MAX])
{
    static const char weekdays[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil_time time = civil_time_of(seconds);
    snprintf(into, DATE_MAX, "%s, %d %s %d %02d:%02d:%02d +0000", weekdays[time.weekday], time.day,
             months[time.month - 1], (int)time.year, time.hour, time.minute, time.second);
}

size_t smtp_received_write(const struct smtp_received *received, const struct smtp_stamp *stamp,
                           char into[SMTP_RECEIVED_MAX])
{
    struct writer w = {.into = into};
    char date[DATE_MAX];
    put(&w, "Received:");
    add(&w, "from ", received->name != NULL ? received->name : received->address, "");
    add(&w, "(", received->address, ")");
    fold(&w);
    add(&w, "by ", stamp->hostname, "");
    add(&w, "with ", protocol_of(stamp), "");
    add(&w, "id ", received->session_id, "");
    fold(&w);
    add(&w, "tls ", stamp->tls_cipher, ";");
    ENSURE(stamp->seconds >= 0);
    write_date(stamp->seconds, date);
    add(&w, date, "", "");
    put(&w, "\r\n");
    return w.len;
}
