/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_api.h"

#include "base/array.h"
#include "proxy/admin/admin_api_private.h"
#include "proxy/admin/admin_json.h"
#include "proxy/common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORDS_MAX = 512 };

/* ---- the log ---- */

static void begin_line(const struct admin_call *call, struct log_line *line, enum cfg_log_level level,
                       const char *event)
{
    log_line_begin(line, level, event);
    log_line_add_number(line, "uid", call->uid);
}

void admin_api_log_command(const struct admin_call *call, const char *format, ...)
{
    char words[WORDS_MAX];
    struct log_line line;
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    begin_line(call, &line, CFG_LOG_INFO, "control");
    log_line_add_text(&line, "command", words);
    log_write(call->pages->log, &line);
}

/* Once a second at most: anybody who may open the file can make it happen. */
void admin_api_refuse(struct admin_call *call)
{
    uint64_t now = (uint64_t)time(NULL);
    struct log_line line;
    admin_json_error(&call->answer, HTTP_STATUS_FORBIDDEN,
                     "only root, the program's own user and members of admin.group may do this");
    if (now == call->pages->refusal_logged_s)
        return;
    call->pages->refusal_logged_s = now;
    begin_line(call, &line, CFG_LOG_WARNING, "control-refused");
    log_write(call->pages->log, &line);
}

/* ---- what a request asks for ---- */

bool admin_api_wrong(struct admin_call *call, const char *format, const char *word)
{
    char words[WORDS_MAX];
    snprintf(words, sizeof words, format, word);
    admin_json_error(&call->answer, HTTP_STATUS_BAD_REQUEST, words);
    return false;
}

static bool read_name(struct admin_call *call, const char *text, char into[SURVEY_NAME_MAX])
{
    if (text[0] == '\0')
        return admin_api_wrong(call, "%s", "a name is empty");
    if (strlen(text) >= SURVEY_NAME_MAX)
        return admin_api_wrong(call, "no name is as long as \"%.200s\"", text);
    snprintf(into, SURVEY_NAME_MAX, "%s", text);
    return true;
}

static bool read_client(struct admin_call *call, const char *text, struct sockaddr_storage *into)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)into;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)into;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        v6->sin6_family = AF_INET6;
    else
        return admin_api_wrong(call, "client=\"%.200s\" is no numeric address", text);
    address_unmap(into);
    return true;
}

static bool read_limit(struct admin_call *call, const char *text, size_t *into)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (!ascii_is_digit((uint8_t)text[0]) || *end != '\0' || value < 1 || value > SURVEY_ROWS_MAX)
        return admin_api_wrong(call, "limit=\"%.200s\" is no number from 1 to 10000", text);
    *into = value;
    return true;
}
_Static_assert(SURVEY_ROWS_MAX == 10000, "as the words for limit say");

static bool read_parameter(struct admin_call *call, const struct http_parameter *parameter,
                           struct survey_query *query)
{
    if (strcmp(parameter->name, "client") == 0)
        return read_client(call, parameter->value, &query->client);
    if (strcmp(parameter->name, "service") == 0)
        return read_name(call, parameter->value, query->service);
    if (strcmp(parameter->name, "pool") == 0)
        return read_name(call, parameter->value, query->pool);
    if (strcmp(parameter->name, "server") == 0)
        return read_name(call, parameter->value, query->server);
    if (strcmp(parameter->name, "limit") == 0 && !query->ends_them)
        return read_limit(call, parameter->value, &query->max);
    return admin_api_wrong(call, "unknown parameter \"%.200s\"", parameter->name);
}

/* False after an answer. */
static bool read_query(struct admin_call *call, struct survey_query *query)
{
    for (size_t i = 0; i < call->request->parameter_count; i++)
        if (!read_parameter(call, &call->request->parameters[i], query))
            return false;
    return true;
}

bool admin_api_takes_nothing(struct admin_call *call)
{
    return call->request->parameter_count == 0 ||
           admin_api_wrong(call, "unknown parameter \"%.200s\"", call->request->parameters[0].name);
}

/* ---- sessions ---- */

static void ask_workers(struct admin_call *call, const struct survey_query *query)
{
    const struct admin_source *source = &call->pages->source;
    call->is_later = source->survey(source->arg, call->visit, query);
    if (!call->is_later)
        admin_json_error(&call->answer, HTTP_STATUS_SERVICE_UNAVAILABLE, "too many ask at once");
}

void admin_api_sessions(struct admin_call *call)
{
    struct survey_query query = {.max = SURVEY_ROWS};
    if (read_query(call, &query))
        ask_workers(call, &query);
}

void admin_api_kick(struct admin_call *call)
{
    char address[ADDRESS_TEXT_MAX] = "";
    struct survey_query query = {.ends_them = true};
    if (!read_query(call, &query))
        return;
    if (call->request->parameter_count == 0) {
        admin_api_wrong(call, "%s", "which sessions? client=ADDRESS, pool=NAME, server=NAME or service=NAME");
        return;
    }
    if (query.client.ss_family != AF_UNSPEC)
        address_format_host((const struct sockaddr *)&query.client, address);
    admin_api_log_command(call, "kick%s%s%s%s%s%s%s%s", address[0] != '\0' ? " client=" : "", address,
                          query.service[0] != '\0' ? " service=" : "", query.service,
                          query.pool[0] != '\0' ? " pool=" : "", query.pool,
                          query.server[0] != '\0' ? " server=" : "", query.server);
    ask_workers(call, &query);
}

void admin_api_kick_one(struct admin_call *call)
{
    struct survey_query query = {.ends_them = true};
    if (!admin_api_takes_nothing(call) || !read_name(call, call->request->segments[2], query.id))
        return;
    admin_api_log_command(call, "kick session=%s", query.id);
    ask_workers(call, &query);
}

static json_t *describe_session(const struct survey_row *row)
{
    const char *server = row->texts[SURVEY_SERVER];
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:I}", "id", admin_json_text(row->texts[SURVEY_ID]),
                     "client", admin_json_text(row->texts[SURVEY_CLIENT]), "service",
                     admin_json_text(row->texts[SURVEY_SERVICE]), "pool",
                     admin_json_text(row->texts[SURVEY_POOL]), "server",
                     admin_json_text(server[0] != '\0' ? server : NULL), "state",
                     admin_json_text(row->texts[SURVEY_STATE]), "age", (json_int_t)(row->age_ms / 1000), "in",
                     (json_int_t)row->octets_in, "out", (json_int_t)row->octets_out);
}

/* False if memory is short. */
static bool add_rows(json_t *list, const struct survey *survey, size_t max)
{
    struct survey_row row;
    size_t at = 0;
    while (json_array_size(list) < max && survey_next(survey, &at, &row))
        if (json_array_append_new(list, describe_session(&row)) != 0)
            return false;
    return true;
}

static json_t *describe_sessions(const struct survey_query *query, const struct survey *of_workers,
                                 unsigned workers)
{
    json_t *list = json_array();
    for (unsigned i = 0; list != NULL && i < workers; i++)
        if (!add_rows(list, &of_workers[i], query->max)) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

void admin_api_write_survey(struct http_answer *answer, const struct survey_query *query,
                            const struct survey *of_workers, unsigned workers)
{
    size_t matched = 0;
    for (unsigned i = 0; i < workers; i++)
        matched += of_workers[i].matched;
    if (!query->ends_them) {
        admin_json_answer(answer, HTTP_STATUS_OK, describe_sessions(query, of_workers, workers));
        answer->has_total = true;
        answer->total = matched;
    } else if (matched == 0 && query->id[0] != '\0') {
        admin_json_error(answer, HTTP_STATUS_NOT_FOUND, "there is no such session");
    } else {
        admin_json_answer(answer, HTTP_STATUS_OK, json_pack("{s:I}", "kicked", (json_int_t)matched));
    }
}

/* ---- certificates ---- */

static json_t *describe_names(const struct tls_certificate_info *info)
{
    json_t *names = json_array();
    for (size_t i = 0; i < info->name_count; i++)
        if (json_array_append_new(names, admin_json_text(info->names[i])) != 0) {
            json_decref(names);
            return NULL;
        }
    return names;
}

static json_t *describe_certificate(const struct tls_certificate_info *info)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:b}", "chain", admin_json_text(info->path), "names",
                     describe_names(info), "not_before", admin_json_time(info->begins), "not_after",
                     admin_json_time(info->ends), "self_signed", info->self_signed);
}

void admin_api_certificates(struct admin_call *call)
{
    struct admin_state state = {0};
    struct survey_query query = {.max = SURVEY_ROWS};
    const struct http_parameter *parameters = call->request->parameters;
    for (size_t i = 0; i < call->request->parameter_count; i++) {
        if (strcmp(parameters[i].name, "limit") != 0) {
            admin_api_wrong(call, "unknown parameter \"%.200s\"", parameters[i].name);
            return;
        }
        if (!read_limit(call, parameters[i].value, &query.max))
            return;
    }
    call->pages->source.describe(call->pages->source.arg, &state);
    const struct runtime *runtime = &state.metrics.runtime;
    size_t count = tls_context_certificate_count(runtime->tls);
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < count && i < query.max; i++) {
        struct tls_certificate_info info = tls_context_certificate(runtime->tls, i);
        if (json_array_append_new(list, describe_certificate(&info)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    admin_json_answer(&call->answer, HTTP_STATUS_OK, list);
    call->answer.has_total = true;
    call->answer.total = count;
}

/* ---- the configuration ---- */

void admin_api_config(struct admin_call *call)
{
    struct admin_state state = {0};
    if (!admin_api_takes_nothing(call))
        return;
    call->pages->source.describe(call->pages->source.arg, &state);
    admin_json_answer(&call->answer, HTTP_STATUS_OK, admin_config_describe(&state));
}

void admin_api_reload(struct admin_call *call)
{
    const struct admin_source *source = &call->pages->source;
    if (!admin_api_takes_nothing(call))
        return;
    admin_api_log_command(call, "reload");
    call->is_later = source->reload(source->arg, call->visit);
    if (!call->is_later)
        admin_json_error(&call->answer, HTTP_STATUS_SERVICE_UNAVAILABLE,
                         "the program is ending, or too many wait for a reload already");
}

static json_t *describe_problem(const struct cfg_problem *problem)
{
    return json_pack("{s:s,s:o,s:o,s:o}", "severity", problem->severity == CFG_ERROR ? "error" : "warning",
                     "file", admin_json_text(problem->file), "line",
                     problem->line > 0 ? json_integer(problem->line) : json_null(), "problem",
                     admin_json_text(problem->text));
}

static json_t *describe_problems(const struct cfg_problems *problems)
{
    json_t *list = json_array();
    for (size_t i = 0; i < problems->count; i++)
        if (json_array_append_new(list, describe_problem(&problems->items[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

void admin_api_write_reload(struct http_answer *answer, enum admin_reload how,
                            const struct cfg_problems *problems)
{
    if (how == ADMIN_RELOAD_ENDING)
        admin_json_error(answer, HTTP_STATUS_CONFLICT, "the program is ending");
    else if (how == ADMIN_RELOAD_REFUSED)
        admin_json_answer(answer, HTTP_STATUS_UNPROCESSABLE_ENTITY,
                          json_pack("{s:s,s:o}", "error", "refused: the one before stays in effect",
                                    "problems", describe_problems(problems)));
    else
        admin_json_answer(answer, HTTP_STATUS_OK,
                          json_pack("{s:s,s:o}", "result", "done", "problems", describe_problems(problems)));
}
