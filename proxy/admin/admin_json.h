/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_JSON_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_JSON_H

#include "proxy/admin/visit.h"

#include <jansson.h>

/* Answers in JSON. What jansson could not make for want of memory (NULL) becomes an answer that says so. */

/*
 * A string of any octets; those that are not UTF-8 become \xHH, as in metrics, so that one odd name does not
 * fail the whole answer. NULL: null.
 */
json_t *admin_json_text(const char *text);

/* A time in seconds since 1970 as "2026-11-30T12:00:00Z". */
json_t *admin_json_time(int64_t seconds);

/* Makes an answer with this value, which it takes over. */
void admin_json_answer(struct http_answer *answer, enum http_status status, json_t *value);

/* Makes an answer {"error": "..."}. */
void admin_json_error(struct http_answer *answer, enum http_status status, const char *error);

#endif
