/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_page.h"

#include "base/array.h"
#include "proxy/worker/heartbeat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN "text/plain; charset=utf-8"

/* What an answer consists of, until it has been sent or sending has failed. */
struct page {
    struct metrics_text text;
    struct metrics_certificates *certificates;
};

static void answer_words(struct http_answer *answer, enum http_status status, const char *words)
{
    *answer = (struct http_answer){.status = status, .type = PLAIN, .body = {slice_of(words)}};
}

/* The words are copied. */
static void answer_copy(struct http_answer *answer, enum http_status status, const char *words)
{
    char *copy = strdup(words);
    answer_words(answer, status, copy != NULL ? copy : "");
    answer->owner = copy;
    answer->release = free;
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

static void answer_metrics(struct admin_pages *pages, const struct admin_state *state,
                           struct http_answer *answer)
{
    struct page *page = make_page(pages, &state->metrics);
    if (page == NULL) {
        answer_words(answer, HTTP_STATUS_SERVICE_UNAVAILABLE, "out of memory\n");
        return;
    }
    *answer = (struct http_answer){
        .status = HTTP_STATUS_OK,
        .type = "text/plain; version=0.0.4; charset=utf-8",
        .body = {bytes_view(&page->text.bytes), metrics_certificates_text(page->certificates)},
        .release = free_page,
        .owner = page};
}

/* ---- health ---- */

/* `why` empty: all is well. */
static void answer_probe(const char *why, struct http_answer *answer)
{
    if (why[0] == '\0') {
        answer_words(answer, HTTP_STATUS_OK, "ok\n");
        return;
    }
    char words[ADMIN_WHY_MAX + 1];
    snprintf(words, sizeof words, "%s\n", why);
    answer_copy(answer, HTTP_STATUS_SERVICE_UNAVAILABLE, words);
}

static void answer_health(struct admin_pages *pages, const struct admin_state *state,
                          struct http_answer *answer)
{
    (void)pages;
    answer_probe(state->unhealthy, answer);
}

static void answer_readiness(struct admin_pages *pages, const struct admin_state *state,
                             struct http_answer *answer)
{
    (void)pages;
    answer_probe(state->unready, answer);
}

/* ---- all pages ---- */

static const struct {
    const char *path;
    void (*answer)(struct admin_pages *pages, const struct admin_state *state, struct http_answer *answer);
} known[] = {{"/metrics", answer_metrics}, {"/healthz", answer_health}, {"/readyz", answer_readiness}};

/* "there are /metrics, /healthz and /readyz" */
static void answer_unknown(struct http_answer *answer)
{
    char words[256] = "there are ";
    size_t len = strlen(words);
    for (size_t i = 0; i < ARRAY_LEN(known) && len < sizeof words; i++) {
        size_t left = ARRAY_LEN(known) - i - 1;
        const char *after = left == 0 ? "\n" : left == 1 ? " and " : ", ";
        len += (size_t)snprintf(words + len, sizeof words - len, "%s%s", known[i].path, after);
    }
    answer_copy(answer, HTTP_STATUS_NOT_FOUND, words);
}

static void answer_other_method(struct http_answer *answer)
{
    answer_words(answer, HTTP_STATUS_METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n");
    answer->allow = "GET, HEAD";
}

static void answer_rejected(const struct admin_request *request, struct http_answer *answer)
{
    if (request->status == HTTP_STATUS_METHOD_NOT_ALLOWED)
        answer_other_method(answer);
    else
        answer_words(answer, request->status, "the request is not understood, or too long\n");
}

void admin_page_answer(struct admin_pages *pages, const struct admin_request *request,
                       struct http_answer *answer)
{
    struct admin_state state = {0};
    size_t page = 0;
    while (page < ARRAY_LEN(known) && !admin_request_matches(request, known[page].path))
        page++;
    if (request->progress == HTTP_REJECTED) {
        answer_rejected(request, answer);
    } else if (page == ARRAY_LEN(known)) {
        answer_unknown(answer);
    } else if (request->method != HTTP_GET && request->method != HTTP_HEAD) {
        answer_other_method(answer);
    } else {
        pages->source.describe(pages->source.arg, &state);
        known[page].answer(pages, &state, answer);
    }
}
