/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_json.h"

#include "base/civil_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *escaped(const char *text)
{
    char *copy = malloc(4 * strlen(text) + 1);
    size_t len = 0;
    if (copy == NULL)
        return NULL;
    for (const uint8_t *c = (const uint8_t *)text; *c != '\0'; c++)
        len += (size_t)snprintf(copy + len, 5, *c < 0x80 ? "%c" : "\\x%02X", *c);
    json_t *value = json_stringn(copy, len);
    free(copy);
    return value;
}

json_t *admin_json_text(const char *text)
{
    if (text == NULL)
        return json_null();
    json_t *value = json_string(text);
    return value != NULL ? value : escaped(text);
}

static void free_text(void *owner)
{
    free(owner);
}

void admin_json_answer(struct http_answer *answer, enum http_status status, json_t *value)
{
    static const char sorry[] = "{\"error\":\"out of memory\"}";
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    *answer = (struct http_answer){.status = text != NULL ? status : HTTP_STATUS_SERVICE_UNAVAILABLE,
                                   .type = "application/json",
                                   .body = {slice_of(text != NULL ? text : sorry), slice_of("\n")},
                                   .release = free_text,
                                   .owner = text};
}

void admin_json_error(struct http_answer *answer, enum http_status status, const char *error)
{
    admin_json_answer(answer, status, json_pack("{s:o}", "error", admin_json_text(error)));
}

json_t *admin_json_time(int64_t seconds)
{
    char text[64];
    struct civil_time time = civil_time_of(seconds > 0 ? seconds : 0);
    snprintf(text, sizeof text, "%04lld-%02d-%02dT%02d:%02d:%02dZ", (long long)time.year, time.month,
             time.day, time.hour, time.minute, time.second);
    return json_string(text);
}
