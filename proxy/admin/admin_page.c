/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_page.h"

#include "proxy/admin/admin_route.h"
#include "proxy/worker/heartbeat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an answer consists of, until it has been sent or sending has failed. */
struct page {
    struct metrics_text text;
    struct metrics_certificates *certificates;
};

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

static void free_page(void *arg)
{
    struct page *page = arg;
    metrics_text_free(&page->text);
    metrics_certificates_unref(&page->certificates);
    free(page);
}

/* NULL if memory is short. The text of certificates, which may be long, is shared by all answers. */
static struct page *make_page(struct admin_pages *pages, const struct metrics_state *state)
{
    if (pages->certificates == NULL)
        pages->certificates = metrics_certificates_new(state->runtime.tls, state->runtime.pools);
    struct page *page = pages->certificates != NULL ? calloc(1, sizeof *page) : NULL;
    if (page == NULL)
        return NULL;
    page->certificates = metrics_certificates_ref(pages->certificates);
    metrics_write(&page->text, state, page->certificates);
    if (!page->text.failed)
        return page;
    free_page(page);
    return NULL;
}

void admin_page_metrics(struct admin_call *call)
{
    struct admin_state state = {0};
    call->pages->source.describe(call->pages->source.arg, &state);
    struct page *page = make_page(call->pages, &state.metrics);
    if (page == NULL) {
        admin_page_words(&call->answer, HTTP_STATUS_SERVICE_UNAVAILABLE, "out of memory\n");
        return;
    }
    call->answer = (struct http_answer){
        .status = HTTP_STATUS_OK,
        .type = "text/plain; version=0.0.4; charset=utf-8",
        .body = {bytes_view(&page->text.bytes), metrics_certificates_text(page->certificates)},
        .release = free_page,
        .owner = page};
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
