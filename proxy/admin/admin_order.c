/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_order.h"

#include "base/array.h"
#include "proxy/backends/server_state.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char example[] = "expected for example {\"admin\": \"drain\"} or {\"weight\": 5}";

/* Returns false. */
__attribute__((format(printf, 2, 3))) static bool refuse(char words[ADMIN_ORDER_WORDS_MAX],
                                                         const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(words, ADMIN_ORDER_WORDS_MAX, format, list);
    va_end(list);
    return false;
}

/* ---- the keys: each returns false after words ---- */

static bool read_admin(const json_t *value, struct admin_order *order, char words[ADMIN_ORDER_WORDS_MAX])
{
    const char *word = json_is_string(value) ? json_string_value(value) : "";
    for (int admin = 0; admin < SERVER_ADMINS; admin++)
        if (strcmp(word, server_admin_word((enum server_admin)admin)) == 0) {
            order->has_admin = true;
            order->admin = (enum server_admin)admin;
            return true;
        }
    return refuse(words, "\"admin\": expected \"ready\", \"drain\" or \"maintenance\"");
}

static bool read_number(const json_t *value, const char *name, unsigned min, unsigned max, unsigned *into,
                        char words[ADMIN_ORDER_WORDS_MAX])
{
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < min || number > max)
        return refuse(words, "\"%s\": expected a whole number from %u to %u", name, min, max);
    *into = (unsigned)number;
    return true;
}

static bool read_weight(const json_t *value, struct admin_order *order, char words[ADMIN_ORDER_WORDS_MAX])
{
    order->has_weight = true;
    return read_number(value, "weight", 0, SERVER_WEIGHT_MAX, &order->weight, words);
}

static bool read_within(const json_t *value, struct admin_order *order, char words[ADMIN_ORDER_WORDS_MAX])
{
    order->has_within = true;
    return read_number(value, "within", 1, ADMIN_ORDER_WITHIN_MAX_S, &order->within_s, words);
}

static const struct key {
    const char *name;
    bool (*read)(const json_t *value, struct admin_order *order, char words[ADMIN_ORDER_WORDS_MAX]);
} keys[] = {{"admin", read_admin}, {"weight", read_weight}, {"within", read_within}};

/* ---- the body ---- */

static bool read_object(json_t *object, struct admin_order *order, char words[ADMIN_ORDER_WORDS_MAX])
{
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return refuse(words, "the body is no object, %s", example);
    json_object_foreach(object, name, value)
    {
        size_t key = array_find_name(keys, ARRAY_LEN(keys), sizeof keys[0], name);
        if (key == ARRAY_LEN(keys))
            return refuse(words, "unknown key \"%.64s\", expected \"admin\", \"weight\" and \"within\"",
                          name);
        if (!keys[key].read(value, order, words))
            return false;
    }
    if (!order->has_admin && !order->has_weight && !order->has_within)
        return refuse(words, "the body has nothing to change, %s", example);
    if (order->has_within && (!order->has_admin || order->admin != SERVER_DRAIN))
        return refuse(words, "\"within\" goes with {\"admin\": \"drain\"} alone");
    return true;
}

bool admin_order_read(struct slice body, struct admin_order *order, char words[ADMIN_ORDER_WORDS_MAX])
{
    json_error_t error;
    *order = (struct admin_order){0};
    if (body.len == 0)
        return refuse(words, "the request has no body, %s", example);
    json_t *value = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        return refuse(words, "the body is no JSON (%.80s), %s", error.text, example);
    bool ok = read_object(value, order, words);
    json_decref(value);
    return ok;
}

/* ---- as a command ---- */

/* What is cut off for want of room. */
struct text {
    char *at;
    size_t left; /* with the NUL */
};

static void add(struct text *text, const char *words)
{
    int len = snprintf(text->at, text->left, "%s", words);
    size_t added = (size_t)len < text->left ? (size_t)len : text->left - 1;
    text->at += added;
    text->left -= added;
}

/* As a shell and xargs take it: in quotation marks if there is more in it than names and addresses have. */
static void add_name(struct text *text, const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:/@%[]+,=";
    bool is_plain = name[strspn(name, plain)] == '\0';
    add(text, is_plain ? "" : "'");
    for (; *name != '\0'; name++) {
        const char octet[] = {*name, '\0'};
        add(text, *name == '\'' ? "'\\''" : octet);
    }
    add(text, is_plain ? "" : "'");
}

static void add_server(struct text *text, const char *verb, const char *pool, const char *server)
{
    add(text, verb);
    add(text, " ");
    add(text, pool);
    add(text, "/");
    add_name(text, server);
}

void admin_order_write(const struct admin_order *order, const char *pool, const char *server, char *into,
                       size_t cap)
{
    static const char *const verbs[] = {
        [SERVER_READY] = "ready", [SERVER_DRAIN] = "drain", [SERVER_MAINTENANCE] = "maintain"};
    struct text text = {into, cap};
    char number[32];
    add(&text, "");
    if (order->has_admin)
        add_server(&text, verbs[order->admin], pool, server);
    snprintf(number, sizeof number, " --within %us", order->within_s);
    add(&text, order->has_within ? number : "");
    add(&text, order->has_admin && order->has_weight ? "; " : "");
    snprintf(number, sizeof number, " %u", order->weight);
    if (order->has_weight)
        add_server(&text, "weight", pool, server);
    add(&text, order->has_weight ? number : "");
}
