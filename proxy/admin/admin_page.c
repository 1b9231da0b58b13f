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

/* Takes the response over. MHD_NO if that is NULL: memory is short. */
static enum MHD_Result queue_response(struct MHD_Connection *connection, unsigned status,
                                      struct MHD_Response *response, const char *type, const char *allow)
{
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (result == MHD_YES)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (result == MHD_YES && allow != NULL)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    if (result == MHD_YES)
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_words(struct MHD_Connection *connection, unsigned status, const char *words,
                                    const char *allow)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(words), (void *)words, MHD_RESPMEM_MUST_COPY);
    return queue_response(connection, status, response, PLAIN, allow);
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

static enum MHD_Result answer_metrics(struct admin_pages *pages, struct MHD_Connection *connection,
                                      const struct admin_state *state)
{
    struct page *page = make_page(pages, &state->metrics);
    if (page == NULL)
        return answer_words(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n", NULL);
    struct slice text = bytes_view(&page->text.bytes);
    struct slice certificates = metrics_certificates_text(page->certificates);
    const struct MHD_IoVec parts[] = {{text.data, text.len}, {certificates.data, certificates.len}};
    struct MHD_Response *response = MHD_create_response_from_iovec(parts, ARRAY_LEN(parts), free_page, page);
    if (response == NULL)
        free_page(page);
    return queue_response(connection, MHD_HTTP_OK, response, "text/plain; version=0.0.4; charset=utf-8",
                          NULL);
}

/* ---- health ---- */

static enum MHD_Result answer_hung(struct MHD_Connection *connection, const struct admin_state *state)
{
    char words[sizeof state->hung + 64];
    snprintf(words, sizeof words, "no sign of life for 10 s: %s\n", state->hung);
    _Static_assert(HEARTBEAT_MS * HEARTBEATS_MISSED == 10000, "as the words say");
    return answer_words(connection, MHD_HTTP_SERVICE_UNAVAILABLE, words, NULL);
}

static enum MHD_Result answer_health(struct admin_pages *pages, struct MHD_Connection *connection,
                                     const struct admin_state *state)
{
    (void)pages;
    if (state->hung[0] != '\0')
        return answer_hung(connection, state);
    return state->is_healthy
               ? answer_words(connection, MHD_HTTP_OK, "ok\n", NULL)
               : answer_words(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "a worker has ended\n", NULL);
}

static enum MHD_Result answer_readiness(struct admin_pages *pages, struct MHD_Connection *connection,
                                        const struct admin_state *state)
{
    (void)pages;
    return state->is_ready
               ? answer_words(connection, MHD_HTTP_OK, "ok\n", NULL)
               : answer_words(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no new sessions\n", NULL);
}

/* ---- all pages ---- */

static const struct {
    const char *path;
    enum MHD_Result (*answer)(struct admin_pages *pages, struct MHD_Connection *connection,
                              const struct admin_state *state);
} known[] = {{"/metrics", answer_metrics}, {"/healthz", answer_health}, {"/readyz", answer_readiness}};

/* "there are /metrics, /healthz and /readyz" */
static enum MHD_Result answer_unknown(struct MHD_Connection *connection)
{
    char words[256] = "there are ";
    size_t len = strlen(words);
    for (size_t i = 0; i < ARRAY_LEN(known) && len < sizeof words; i++) {
        size_t left = ARRAY_LEN(known) - i - 1;
        const char *after = left == 0 ? "\n" : left == 1 ? " and " : ", ";
        len += (size_t)snprintf(words + len, sizeof words - len, "%s%s", known[i].path, after);
    }
    return answer_words(connection, MHD_HTTP_NOT_FOUND, words, NULL);
}

enum MHD_Result admin_page_answer(struct admin_pages *pages, struct MHD_Connection *connection,
                                  const char *method, const char *path)
{
    struct admin_state state = {0};
    size_t page = array_find_name(known, ARRAY_LEN(known), sizeof known[0], path);
    if (page == ARRAY_LEN(known))
        return answer_unknown(connection);
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n",
                            "GET, HEAD");
    pages->source.describe(pages->source.arg, &state);
    return known[page].answer(pages, connection, &state);
}
