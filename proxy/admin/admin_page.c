/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_page.h"

#include "proxy/admin/admin_route.h"
#include "proxy/worker/heartbeat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void admin_page_words(struct http_answer *answer, enum http_status status, const char *words)
{
    char *copy = strdup(words);
    *answer = (struct http_answer){.status = status,
                                   .type = "text/plain; charset=utf-8",
                                   .body = {slice_of(copy != NULL ? copy : "")},
                                   .release = free,
                                   .owner = copy};
}

/* ---- /metrics ---- */

static void release_page(void *arg)
{
    struct metrics_page *page = arg;
    metrics_page_unref(&page);
}

void admin_page_give(struct http_answer *answer, struct metrics_page *page)
{
    if (page == NULL) {
        admin_page_words(answer, HTTP_STATUS_SERVICE_UNAVAILABLE, "out of memory\n");
        return;
    }
    *answer = (struct http_answer){.status = HTTP_STATUS_OK,
                                   .type = "text/plain; version=0.0.4; charset=utf-8",
                                   .release = release_page,
                                   .owner = metrics_page_ref(page)};
    metrics_page_text(page, answer->body);
}

/* The text of certificates, which may be long, is shared by all answers. */
static enum metrics_progress begin_page(struct admin_pages *pages)
{
    struct admin_state state = {0};
    pages->ticket_max = pages->tickets;
    pages->source.describe(pages->source.arg, &state);
    const struct runtime *runtime = &state.metrics.runtime;
    if (pages->certificates == NULL)
        pages->certificates = metrics_certificates_new(runtime->tls, runtime->pools);
    if (pages->certificates == NULL)
        return METRICS_FAILED;
    return metrics_writer_begin(&pages->writer, &pages->sent, &state.metrics, pages->certificates);
}

bool admin_page_go_on(struct admin_pages *pages, struct metrics_page **page)
{
    bool is_busy = metrics_writer_is_busy(&pages->writer);
    *page = NULL;
    if (!is_busy && metrics_pages_are_full(&pages->sent)) {
        pages->ticket_max = pages->tickets;
        *page = metrics_page_ref(pages->sent.newest);
        return true;
    }
    enum metrics_progress progress = is_busy ? metrics_writer_step(&pages->writer) : begin_page(pages);
    if (progress == METRICS_WRITTEN)
        *page = metrics_writer_take(&pages->writer);
    return progress != METRICS_UNFINISHED;
}

/* One who asks while a page is being written gets the next one, as this may have what was before. */
void admin_page_metrics(struct admin_call *call)
{
    struct admin_pages *pages = call->pages;
    struct metrics_page *page;
    call->ticket = ++pages->tickets;
    call->is_later = metrics_writer_is_busy(&pages->writer) || !admin_page_go_on(pages, &page);
    if (call->is_later)
        return;
    admin_page_give(&call->answer, page);
    metrics_page_unref(&page);
}

/* ---- health ---- */

/* `why` empty: all is well. */
static void answer_probe(struct admin_call *call, const char *why)
{
    char words[ADMIN_WHY_MAX + 1];
    snprintf(words, sizeof words, "%s\n", why[0] != '\0' ? why : "ok");
    admin_page_words(&call->answer, why[0] != '\0' ? HTTP_STATUS_SERVICE_UNAVAILABLE : HTTP_STATUS_OK, words);
}

void admin_page_health(struct admin_call *call)
{
    struct admin_state state = {0};
    call->pages->source.describe(call->pages->source.arg, &state);
    answer_probe(call, state.unhealthy);
}

void admin_page_readiness(struct admin_call *call)
{
    struct admin_state state = {0};
    call->pages->source.describe(call->pages->source.arg, &state);
    answer_probe(call, state.unready);
}
