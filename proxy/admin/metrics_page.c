/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/metrics_page.h"

#include "base/ensure.h"

#include <stdlib.h>

struct metrics_page {
    struct metrics_pages *pages;
    struct metrics_page *newer;
    struct metrics_page *older;
    unsigned references; /* 0: it is not among the pages yet */
    struct metrics_text text;
    struct metrics_certificates *certificates;
};

/* ---- pages ---- */

static void enter(struct metrics_page *page)
{
    struct metrics_pages *pages = page->pages;
    page->references = 1;
    page->older = pages->newest;
    if (page->older != NULL)
        page->older->newer = page;
    pages->newest = page;
    pages->octets += page->text.bytes.len;
}

static void leave(struct metrics_page *page)
{
    struct metrics_pages *pages = page->pages;
    if (page->newer != NULL)
        page->newer->older = page->older;
    else
        pages->newest = page->older;
    if (page->older != NULL)
        page->older->newer = page->newer;
    pages->octets -= page->text.bytes.len;
}

static void free_page(struct metrics_page *page)
{
    metrics_text_free(&page->text);
    metrics_certificates_unref(&page->certificates);
    free(page);
}

bool metrics_pages_are_full(const struct metrics_pages *pages)
{
    return pages->octets > METRICS_PAGES_MAX;
}

struct metrics_page *metrics_page_ref(struct metrics_page *page)
{
    page->references++;
    return page;
}

void metrics_page_unref(struct metrics_page **page)
{
    struct metrics_page *dropped = *page;
    *page = NULL;
    if (dropped == NULL || --dropped->references > 0)
        return;
    leave(dropped);
    free_page(dropped);
}

void metrics_page_text(const struct metrics_page *page, struct slice parts[2])
{
    parts[0] = bytes_view(&page->text.bytes);
    parts[1] = metrics_certificates_text(page->certificates);
}

/* ---- the writer ---- */

bool metrics_writer_is_busy(const struct metrics_writer *writer)
{
    return writer->page != NULL;
}

/* Of the same configuration and lists in each step. */
static enum metrics_progress take_step(struct metrics_writer *writer, const struct runtime *runtime)
{
    struct metrics_text *text = &writer->page->text;
    bool is_done = metrics_pools_write_some(text, runtime, &writer->cursor);
    if (text->failed) {
        metrics_writer_give_up(writer);
        return METRICS_FAILED;
    }
    return is_done ? METRICS_WRITTEN : METRICS_UNFINISHED;
}

enum metrics_progress metrics_writer_begin(struct metrics_writer *writer, struct metrics_pages *pages,
                                           const struct metrics_state *state,
                                           struct metrics_certificates *certificates)
{
    ENSURE(writer->page == NULL);
    *writer = (struct metrics_writer){.page = calloc(1, sizeof *writer->page)};
    if (writer->page == NULL)
        return METRICS_FAILED;
    writer->page->pages = pages;
    writer->page->certificates = metrics_certificates_ref(certificates);
    metrics_write(&writer->page->text, state, certificates);
    enum metrics_progress progress = take_step(writer, &state->runtime);
    if (progress == METRICS_UNFINISHED)
        writer->runtime = runtime_ref(&state->runtime);
    return progress;
}

enum metrics_progress metrics_writer_step(struct metrics_writer *writer)
{
    return take_step(writer, &writer->runtime);
}

struct metrics_page *metrics_writer_take(struct metrics_writer *writer)
{
    struct metrics_page *page = writer->page;
    enter(page);
    writer->page = NULL;
    runtime_unref(&writer->runtime);
    return page;
}

void metrics_writer_give_up(struct metrics_writer *writer)
{
    if (writer->page == NULL)
        return;
    free_page(writer->page);
    writer->page = NULL;
    runtime_unref(&writer->runtime);
}
