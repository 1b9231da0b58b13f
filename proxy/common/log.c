/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/log.h"

#include "base/array.h"
#include "base/bytes.h"
#include "base/ensure.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

/*
 * Octets that are written at once: what gathers in a batch on a busy machine. Of a longer write into a pipe
 * that is slowly read no progress would be seen for too long.
 */
#define WRITE_MAX (16 * 1024)
_Static_assert(LOG_LINE_MAX < WRITE_MAX, "a line fits into a batch");
/* Of each line's beginning, by which the lines of a batch are put into order. */
#define TIME_LEN (sizeof "time=2026-01-01T00:00:00.000Z" - 1)
/* How often the end of the program looks for progress. */
#define LOOK_MS   20
#define NS_PER_MS 1000000ULL

struct log_queue {
    struct log *log;
    struct log_queue *next; /* never changes */
    uv_mutex_t mutex;       /* held only to append or to take the buffer away */
    struct bytes lines;
    uint64_t dropped;
    struct bytes taken; /* the writing thread's, as is what follows */
    struct slice rest;  /* of the taken lines: not yet put out */
};

/* What only the writing thread has. */
struct log_writer {
    uint8_t batch[WRITE_MAX];
    size_t len;    /* of the batch */
    uint64_t lost; /* lines that the log has to tell of */
    bool is_cut;   /* the last line was not written to its end */
};

struct log {
    _Atomic int level;         /* enum cfg_log_level */
    _Atomic bool has_lines;    /* a producer has appended something since the last round began */
    _Atomic uint64_t progress; /* writes that have returned */
    uv_mutex_t mutex;          /* of what follows; nobody waits for the reader while holding it */
    uv_cond_t wake;            /* there are lines, or somebody waits for the end of a round */
    uv_cond_t round_ended;
    struct log_queue *queues;
    uint64_t rounds_begun;
    uint64_t rounds_ended;
    uint64_t round_awaited; /* no gathering before this round has ended */
    bool is_ending;
    bool is_abandoned; /* the writing thread frees the log */
    uv_thread_t thread;
    struct log_queue *main_queue;
    struct log_writer writer;
};

/* ---- writing ---- */

/* Waits for the reader. Returns what is left after an error, or nothing. */
static struct slice write_all(struct slice text, _Atomic uint64_t *progress)
{
    while (text.len > 0) {
        ssize_t written = write(STDERR_FILENO, text.data, text.len);
        if (written > 0) {
            text = slice_from(text, (size_t)written);
            atomic_fetch_add_explicit(progress, 1, memory_order_relaxed);
        } else if (written < 0 && errno == EAGAIN) {
            struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (written == 0 || errno != EINTR) {
            break;
        }
    }
    return text;
}

static uint64_t count_lines(struct slice text)
{
    uint64_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    return count;
}

/*
 * False if lines are lost, as they could not be written even by waiting. What was cut off is not to be the
 * beginning of the next line.
 */
static bool write_lines(struct log *log, struct slice text)
{
    static const uint8_t end[] = {'\n'};
    struct log_writer *writer = &log->writer;
    if (writer->is_cut && write_all((struct slice){end, sizeof end}, &log->progress).len == 0)
        writer->is_cut = false;
    struct slice left = write_all(text, &log->progress);
    if (left.len == 0)
        return true;
    writer->lost += count_lines(left);
    if (left.len < text.len && left.data[-1] != '\n')
        writer->is_cut = true;
    return false;
}

static bool write_batch(struct log *log)
{
    size_t len = log->writer.len;
    log->writer.len = 0;
    return len == 0 || write_lines(log, (struct slice){log->writer.batch, len});
}

/* One line, which is far shorter than a batch. */
static void put(struct log *log, struct slice text)
{
    struct log_writer *writer = &log->writer;
    if (text.len > WRITE_MAX - writer->len)
        write_batch(log);
    memcpy(writer->batch + writer->len, text.data, text.len);
    writer->len += text.len;
}

static void take_lines(struct log *log, struct log_queue *queue)
{
    struct bytes empty = queue->taken;
    uv_mutex_lock(&queue->mutex);
    queue->taken = queue->lines;
    queue->lines = empty;
    log->writer.lost += queue->dropped;
    queue->dropped = 0;
    uv_mutex_unlock(&queue->mutex);
    queue->rest = bytes_view(&queue->taken);
}

/* The queue whose next line has the earliest time; NULL if there is no line. */
static struct log_queue *find_earliest(struct log_queue *queues)
{
    struct log_queue *earliest = NULL;
    for (struct log_queue *queue = queues; queue != NULL; queue = queue->next)
        if (queue->rest.len >= TIME_LEN &&
            (earliest == NULL || memcmp(queue->rest.data, earliest->rest.data, TIME_LEN) < 0))
            earliest = queue;
    return earliest;
}

static void put_next_line(struct log *log, struct log_queue *queue)
{
    const uint8_t *end = memchr(queue->rest.data, '\n', queue->rest.len);
    size_t len = end != NULL ? (size_t)(end - queue->rest.data) + 1 : queue->rest.len;
    put(log, (struct slice){queue->rest.data, len});
    queue->rest = slice_from(queue->rest, len);
}

static void put_queues(struct log *log, struct log_queue *queues)
{
    for (struct log_queue *queue = queues; queue != NULL; queue = queue->next)
        take_lines(log, queue);
    for (struct log_queue *queue; (queue = find_earliest(queues)) != NULL;)
        put_next_line(log, queue);
    for (struct log_queue *queue = queues; queue != NULL; queue = queue->next) {
        queue->taken.len = 0;
        if (queue->taken.cap > WRITE_MAX)
            bytes_free(&queue->taken);
    }
}

static bool is_above(struct log *log, const struct log_line *line)
{
    return (int)line->level > atomic_load_explicit(&log->level, memory_order_relaxed);
}

static struct slice end_line(struct log_line *line)
{
    log_line_end(line);
    return (struct slice){(const uint8_t *)line->text, line->len};
}

/* What can't be told now is told later. */
static void write_rest(struct log *log)
{
    struct log_line line;
    uint64_t told = log->writer.lost;
    log_line_begin(&line, CFG_LOG_WARNING, "log-lines-dropped");
    log_line_add_number(&line, "count", told);
    if (told == 0 || is_above(log, &line)) {
        write_batch(log);
        return;
    }
    log->writer.lost = 0;
    put(log, end_line(&line));
    if (!write_batch(log))
        log->writer.lost += told - 1; /* this line was no loss */
}

/* ---- the writing thread ---- */

static void free_log(struct log *log)
{
    while (log->queues != NULL) {
        struct log_queue *queue = log->queues;
        log->queues = queue->next;
        uv_mutex_destroy(&queue->mutex);
        bytes_free(&queue->lines);
        bytes_free(&queue->taken);
        free(queue);
    }
    uv_cond_destroy(&log->wake);
    uv_cond_destroy(&log->round_ended);
    uv_mutex_destroy(&log->mutex);
    free(log);
}

static bool is_awaited(const struct log *log)
{
    return log->round_awaited > log->rounds_ended;
}

/* Until there is a batch to write; false if there will be none. With the mutex. */
static bool gather(struct log *log)
{
    while (!atomic_load(&log->has_lines) && !is_awaited(log)) {
        if (log->is_ending)
            return false;
        uv_cond_wait(&log->wake, &log->mutex);
    }
    if (!is_awaited(log) && !log->is_ending)
        uv_cond_timedwait(&log->wake, &log->mutex, LOG_GATHER_MS * NS_PER_MS);
    return true;
}

static void write_rounds(void *arg)
{
    struct log *log = arg;
    uv_mutex_lock(&log->mutex);
    while (gather(log)) {
        log->rounds_begun++;
        /* Who appends from now on wakes this thread again: its lines may come too late for this round. */
        atomic_exchange(&log->has_lines, false);
        struct log_queue *queues = log->queues;
        uv_mutex_unlock(&log->mutex);
        put_queues(log, queues);
        write_rest(log);
        uv_mutex_lock(&log->mutex);
        log->rounds_ended = log->rounds_begun;
        uv_cond_broadcast(&log->round_ended);
    }
    bool is_abandoned = log->is_abandoned;
    uv_mutex_unlock(&log->mutex);
    if (is_abandoned)
        free_log(log);
}

/* Signals are for the other threads: at the end of the program this one is the last that would take them. */
static int start_thread(struct log *log)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t held;
    sigset_t before;
    sigfillset(&held);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        sigdelset(&held, faults[i]);
    pthread_sigmask(SIG_SETMASK, &held, &before);
    int error = uv_thread_create(&log->thread, write_rounds, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* ---- the log ---- */

struct log *log_new(enum cfg_log_level level)
{
    struct log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return NULL;
    atomic_init(&log->level, (int)level);
    ENSURE(uv_mutex_init(&log->mutex) == 0);
    ENSURE(uv_cond_init(&log->wake) == 0);
    ENSURE(uv_cond_init(&log->round_ended) == 0);
    log->main_queue = log_add_queue(log);
    if (log->main_queue == NULL || start_thread(log) != 0) {
        free_log(log);
        return NULL;
    }
    return log;
}

void log_set_level(struct log *log, enum cfg_log_level level)
{
    atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

/* Until a round has ended that has not begun yet, within the times of log_flush. With the mutex. */
static bool await_round(struct log *log)
{
    uint64_t wanted = log->rounds_begun + 1;
    uint64_t seen = atomic_load(&log->progress);
    uint64_t begun = uv_hrtime();
    uint64_t moved = begun;
    uint64_t now = begun;
    log->round_awaited = wanted;
    uv_cond_signal(&log->wake);
    while (log->rounds_ended < wanted && now - moved < LOG_STALL_MS * NS_PER_MS &&
           now - begun < LOG_END_MS * NS_PER_MS) {
        uv_cond_timedwait(&log->round_ended, &log->mutex, LOOK_MS * NS_PER_MS);
        uint64_t progress = atomic_load(&log->progress);
        now = uv_hrtime();
        if (progress != seen)
            moved = now;
        seen = progress;
    }
    return log->rounds_ended >= wanted;
}

bool log_flush(struct log *log)
{
    uv_mutex_lock(&log->mutex);
    bool ok = await_round(log);
    uv_mutex_unlock(&log->mutex);
    return ok;
}

void log_close(struct log **log)
{
    struct log *last = *log;
    *log = NULL;
    if (last == NULL)
        return;
    uv_mutex_lock(&last->mutex);
    bool has_ended = await_round(last);
    uv_thread_t thread = last->thread;
    last->is_ending = true;
    last->is_abandoned = !has_ended;
    uv_cond_signal(&last->wake);
    uv_mutex_unlock(&last->mutex);
    if (has_ended) {
        uv_thread_join(&thread);
        free_log(last);
    } else {
        pthread_detach(thread);
    }
}

struct log_queue *log_add_queue(struct log *log)
{
    struct log_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return NULL;
    ENSURE(uv_mutex_init(&queue->mutex) == 0);
    queue->log = log;
    uv_mutex_lock(&log->mutex);
    queue->next = log->queues;
    log->queues = queue;
    uv_mutex_unlock(&log->mutex);
    return queue;
}

/* ---- lines ---- */

void log_queue_put(struct log_queue *queue, struct log_line *line)
{
    struct log *log = queue->log;
    if (is_above(log, line))
        return;
    struct slice text = end_line(line);
    uv_mutex_lock(&queue->mutex);
    if (!bytes_append(&queue->lines, text, LOG_QUEUE_MAX))
        queue->dropped++;
    uv_mutex_unlock(&queue->mutex);
    if (atomic_exchange(&log->has_lines, true))
        return;
    uv_mutex_lock(&log->mutex);
    uv_cond_signal(&log->wake);
    uv_mutex_unlock(&log->mutex);
}

void log_write(struct log *log, struct log_line *line)
{
    _Atomic uint64_t progress = 0;
    if (log != NULL)
        log_queue_put(log->main_queue, line);
    else
        write_all(end_line(line), &progress);
}
