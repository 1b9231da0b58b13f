/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "config/cfg_duration.h"
#include "proxy/admin/admin_order.h"
#include "proxy/commands/ctl_private.h"
#include "proxy/commands/ctl_table.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POLL_MS = 500, LINE_MAX_LEN = 2048 };

/* ---- what is sent ---- */

int ctl_ask_servers(struct ctl *ctl, int argc, char **argv)
{
    if (argc > 1 || (argc == 1 && argv[0][0] == '-'))
        return ctl_misuse("not understood: ", argv[argc - 1]);
    if (argc == 1)
        ctl_add_pool(ctl, argv[0]);
    return 0;
}

/* "/POOL/SERVER" after the target. */
static int add_server(struct ctl *ctl, const char *word)
{
    const char *slash = strchr(word, '/');
    char pool[256];
    if (slash == NULL || slash == word || slash[1] == '\0')
        return ctl_misuse("expected POOL/SERVER: ", word);
    snprintf(pool, sizeof pool, "%.*s", (int)(slash - word), word);
    ctl_add_segment(&ctl->request, pool);
    ctl_add_segment(&ctl->request, slash + 1);
    return 0;
}

int ctl_ask_server(struct ctl *ctl, int argc, char **argv)
{
    if (argc == 0)
        return ctl_misuse("which server? POOL/SERVER", "");
    return argc == 1 ? add_server(ctl, argv[0]) : ctl_misuse("not understood: ", argv[1]);
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

int ctl_ask_weight(struct ctl *ctl, int argc, char **argv)
{
    if (argc != 2)
        return ctl_misuse("weight takes POOL/SERVER and a number", "");
    if (!is_number(argv[1]))
        return ctl_misuse("the weight is no number: ", argv[1]);
    unsigned long weight = strtoul(argv[1], NULL, 10);
    snprintf(ctl->request.body, sizeof ctl->request.body, "{\"weight\":%lu}",
             weight < INT_MAX ? weight : INT_MAX);
    return add_server(ctl, argv[0]);
}

/* A time with its unit, or a number of seconds. A part of a second is a whole one. */
static int read_within(struct ctl *ctl, const char *text)
{
    uint64_t ms = 0;
    char seconds[32];
    snprintf(seconds, sizeof seconds, is_number(text) ? "%.20ss" : "%.30s", text);
    const char *wrong = cfg_duration_parse(slice_of(seconds), &ms);
    if (wrong != NULL || strlen(text) > 20)
        return ctl_misuse("--within takes a time like 10min, 90s or 1h: ", text);
    snprintf(ctl->request.body, sizeof ctl->request.body, "{\"admin\":\"drain\",\"within\":%" PRIu64 "}",
             ms / 1000 + (ms % 1000 > 0));
    return 0;
}

int ctl_ask_drain(struct ctl *ctl, int argc, char **argv)
{
    const char *server = NULL;
    int misused = 0;
    for (int i = 0; i < argc && misused == 0; i++) {
        if (strcmp(argv[i], "--wait") == 0)
            ctl->waits = true;
        else if (strcmp(argv[i], "--within") == 0)
            misused = ++i < argc ? read_within(ctl, argv[i]) : ctl_misuse("--within needs a value", "");
        else if (argv[i][0] == '-' || server != NULL)
            misused = ctl_misuse("not understood: ", argv[i]);
        else
            server = argv[i];
    }
    if (misused != 0)
        return misused;
    return server != NULL ? add_server(ctl, server) : ctl_misuse("which server? POOL/SERVER", "");
}

/* ---- what comes ---- */

void ctl_tell_pools(const json_t *value, unsigned long total)
{
    static const struct ctl_column columns[] = {
        {"POOL", "name"},   {"BALANCE", "balance"}, {"SESSIONS", "sessions"}, {"WAITING", "waiting"},
        {"PANIC", "panic"}, {"UP", "servers.up"},   {"ALL", "servers.all"}};
    (void)total;
    ctl_table_print(value, columns, ARRAY_LEN(columns), stdout);
}

void ctl_tell_servers(const json_t *value, unsigned long total)
{
    static const struct ctl_column columns[] = {
        {"POOL", "pool"},         {"SERVER", "name"},         {"ADDRESS", "address"},
        {"ADMIN", "admin"},       {"STATE", "state"},         {"CAUSE", "cause"},
        {"SINCE", "since"},       {"WEIGHT", "weight"},       {"BACKUP", "backup"},
        {"SESSIONS", "sessions"}, {"MAX", "max_connections"}, {"CHECK", "check.result"}};
    (void)total;
    ctl_table_print(value, columns, ARRAY_LEN(columns), stdout);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "?";
}

void ctl_tell_server(const json_t *value, unsigned long total)
{
    const char *warning = json_string_value(json_object_get(value, "warning"));
    char line[LINE_MAX_LEN];
    (void)total;
    snprintf(line, sizeof line,
             "%s/%s: %s, weight %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " sessions",
             text_of(value, "pool"), text_of(value, "name"), text_of(value, "admin"),
             json_integer_value(json_object_get(value, "weight")),
             json_integer_value(json_object_get(value, "sessions")));
    ctl_text_print(line, stdout);
    putchar('\n');
    if (warning != NULL) {
        fputs("deepproxy ctl: warning: ", stderr);
        ctl_text_print(warning, stderr);
        putc('\n', stderr);
    }
}

static void print_order(const struct admin_order *order, const json_t *server)
{
    char line[LINE_MAX_LEN];
    admin_order_write(order, text_of(server, "pool"), text_of(server, "name"), line, sizeof line);
    ctl_text_print(line, stdout);
    putchar('\n');
}

/* The commands by which a program that has just begun comes to what is set now. */
static void dump_server(const json_t *server)
{
    const char *admin = text_of(server, "admin");
    json_int_t weight = json_integer_value(json_object_get(server, "weight"));
    struct admin_order order = {.has_admin = true, .admin = SERVER_DRAIN};
    if (strcmp(admin, server_admin_word(SERVER_MAINTENANCE)) == 0)
        order.admin = SERVER_MAINTENANCE;
    if (strcmp(admin, server_admin_word(SERVER_READY)) != 0)
        print_order(&order, server);
    order = (struct admin_order){.has_weight = true, .weight = (unsigned)weight};
    if (weight != json_integer_value(json_object_get(server, "configured_weight")))
        print_order(&order, server);
}

void ctl_tell_dump(const json_t *value, unsigned long total)
{
    (void)total;
    for (size_t i = 0; i < json_array_size(value); i++)
        dump_server(json_array_get(value, i));
}

/* ---- waiting ---- */

/* Is there something to wait for? Leaves `*ok` false, after a message, if it will never come. */
static bool has_sessions(const struct ctl_answer *answer, bool *ok)
{
    json_t *value = json_loadb((const char *)answer->body.data, answer->body.len, 0, NULL);
    const char *admin = text_of(value, "admin");
    bool is_drained = strcmp(admin, server_admin_word(SERVER_READY)) != 0;
    bool has_some = json_integer_value(json_object_get(value, "sessions")) > 0;
    if (!is_drained) {
        fprintf(stderr, "deepproxy ctl: drain: somebody has set the server ready meanwhile\n");
        *ok = false;
    }
    json_decref(value);
    return is_drained && has_some;
}

bool ctl_wait_for_drain(const struct ctl *ctl, struct ctl_answer *answer)
{
    static const struct timespec pause = {0, POLL_MS * 1000000L};
    struct ctl_request question = {.method = "GET", .wait_s = CTL_WAIT_S};
    bool ok = true;
    snprintf(question.target, sizeof question.target, "%s", ctl->request.target);
    while (ok && answer->status == 200 && has_sessions(answer, &ok)) {
        nanosleep(&pause, NULL);
        bytes_free(&answer->body);
        ok = ctl_exchange(ctl->socket, &question, answer);
    }
    return ok;
}
