/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/engine.h"

#include "base/ensure.h"
#include "protocols/deep/deep_status.h"
#include "protocols/engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct engine *new_engine(const struct engine_ops *ops, const struct engine_service *service,
                                 const struct engine_client *client)
{
    struct engine *engine = calloc(1, ops->size);
    if (engine == NULL)
        return NULL;
    engine->ops = ops;
    engine->service = service;
    engine->client.tls_cipher = client->tls_cipher;
    memcpy(engine->client.nonce, client->nonce, sizeof engine->client.nonce);
    engine->client.external = client->external;
    if (!ops->init(engine, client))
        engine_free(&engine);
    return engine;
}

struct engine *engine_new(const struct engine_service *service, const struct engine_client *client)
{
    struct engine *engine = new_engine(protocol_traits(service->protocol)->engine, service, client);
    if (engine == NULL || !service->sends_identity)
        return engine;
    engine->identity_unsent = client_identity_new(client);
    if (engine->identity_unsent == NULL)
        engine_free(&engine);
    return engine;
}

struct engine *engine_new_pretls(const struct engine_service *service)
{
    ENSURE(service->starttls);
    return new_engine(&pretls_engine_ops, service, &(struct engine_client){0});
}

void engine_greet(struct engine *engine, struct engine_out *out)
{
    ENSURE(engine->ops->greet != NULL && !engine->status.greeted);
    engine->ops->greet(engine, out);
    engine_note_greeted(engine);
}

void engine_set_trace(struct engine *engine, const struct state_trace *trace)
{
    engine->trace = trace;
}

void engine_free(struct engine **engine)
{
    if (*engine == NULL)
        return;
    (*engine)->ops->release(*engine);
    for (size_t i = 0; i < ENGINE_REPORT_FIELDS; i++)
        free((*engine)->report[i]);
    engine_forget_merged(*engine);
    free((*engine)->refusal);
    client_identity_free(&(*engine)->identity_unsent);
    explicit_bzero(*engine, (*engine)->ops->size);
    free(*engine);
    *engine = NULL;
}

/* Does the engine still take part in the session? */
static bool is_live(const struct engine *engine)
{
    return engine_is_open(engine) && !engine->silent;
}

size_t engine_feed(struct engine *engine, enum side from, struct slice data, struct engine_out *out)
{
    size_t consumed = 0;
    if (is_live(engine)) {
        consumed = engine->ops->feed(engine, from, data, out);
        ENSURE(consumed <= data.len);
        if (out->lanes[SIDE_CLIENT].count > 0)
            engine->status.greeted = engine->status.committed = true;
        if (from == SIDE_CLIENT && consumed > 0)
            engine->status.committed = true;
    }
    if (is_live(engine))
        return consumed;
    if (engine->status.reason == ENGINE_STARTTLS)
        engine->status.discarded += data.len - consumed;
    return data.len;
}

bool engine_wants(const struct engine *engine, enum side from)
{
    return !is_live(engine) || engine->ops->wants(engine, from);
}

bool engine_rests(const struct engine *engine)
{
    return is_live(engine) && engine->status.greeted && engine->ops->rests != NULL &&
           engine->ops->rests(engine);
}

void engine_goodbye(struct engine *engine, enum engine_goodbye_reason why, struct engine_out *out)
{
    if (!is_live(engine))
        return;
    engine->ops->goodbye(engine, why, out);
    engine->silent = true;
    engine->status.greeted = engine->status.greeted || out->lanes[SIDE_CLIENT].count > 0;
}

char *engine_take_refusal(struct engine *engine)
{
    char *refusal = engine->refusal;
    engine->refusal = NULL;
    return refusal;
}

void engine_refuse(struct engine *engine, const char *refusal, struct engine_out *out)
{
    ENSURE(!engine->status.committed);
    if (!is_live(engine))
        return;
    engine_out_make_text(out, SIDE_CLIENT, refusal);
    engine->silent = true;
    engine->status.greeted = true;
}

void engine_add_refusal(struct engine *engine, const char *head, struct slice text, bool last)
{
    char words[ENGINE_REFUSAL_TEXT_MAX + 1];
    size_t len = text.len < ENGINE_REFUSAL_TEXT_MAX ? text.len : ENGINE_REFUSAL_TEXT_MAX;
    for (size_t i = 0; i < len; i++)
        words[i] = (char)(text.data[i] == ' ' || ascii_is_graph(text.data[i]) ? text.data[i] : (uint8_t)'?');
    words[len] = '\0';
    char *before = engine->refusal;
    if (!last && before != NULL && strlen(before) > ENGINE_REFUSAL_MAX - 2 * ENGINE_REFUSAL_TEXT_MAX)
        return;
    if (asprintf(&engine->refusal, "%s%s%s\r\n", before != NULL ? before : "", head, words) < 0)
        engine->refusal = NULL;
    free(before);
}

const struct engine_status *engine_status(const struct engine *engine)
{
    return &engine->status;
}

const char *engine_report(const struct engine *engine, enum engine_report_field field)
{
    ENSURE(field < ENGINE_REPORT_FIELDS);
    return engine->report[field];
}

void engine_fail(struct engine *engine, enum engine_reason reason, const char *detail)
{
    ENSURE(reason != ENGINE_OPEN && detail != NULL);
    if (engine->status.reason != ENGINE_OPEN)
        return;
    engine->status.reason = reason;
    engine->status.detail = detail;
}

void engine_note_greeted(struct engine *engine)
{
    engine->status.greeted = true;
}

void engine_note_login(struct engine *engine, bool logged_in)
{
    ENSURE(engine->status.greeted);
    engine->status.authenticated = logged_in;
}

void engine_note_serving(struct engine *engine)
{
    ENSURE(engine->status.greeted);
    engine->status.serving = true;
}

void engine_note_turn(struct engine *engine)
{
    engine->status.turns++;
}

void engine_note_ending(struct engine *engine, bool ending)
{
    ENSURE(ending || !engine->status.closing_reply_sent);
    engine->status.ending = ending;
}

void engine_note_last_word(struct engine *engine)
{
    engine->status.ending = engine->status.closing_reply_sent = true;
}

void engine_warn(struct engine *engine, const char *warning)
{
    if (engine->status.warning == NULL)
        engine->status.warning = warning;
}

void engine_set_report(struct engine *engine, enum engine_report_field field, struct slice value)
{
    ENSURE(field < ENGINE_REPORT_FIELDS);
    size_t len = value.len < ENGINE_REPORT_MAX ? value.len : ENGINE_REPORT_MAX;
    char *copy = malloc(len + 1);
    if (copy == NULL)
        return;
    memcpy(copy, value.data, len);
    copy[len] = '\0';
    free(engine->report[field]);
    engine->report[field] = copy;
}

const char *engine_deep_status(const struct engine *engine)
{
    return engine->merged_status != NULL ? engine->merged_status : engine->service->deep_status;
}

void engine_merge_deep(struct engine *engine, struct slice backends)
{
    char merged[DEEP_STATUS_MAX + 1];
    if (!engine->service->deep_merge)
        return;
    deep_status_merge(engine_deep_status(engine), backends, merged);
    char *copy = strdup(merged);
    if (copy == NULL) {
        engine_fail(engine, ENGINE_NO_MEMORY, "no memory for the DEEP status");
        return;
    }
    free(engine->merged_status);
    engine->merged_status = copy;
}

void engine_forget_merged(struct engine *engine)
{
    free(engine->merged_status);
    engine->merged_status = NULL;
}
