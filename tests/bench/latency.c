/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deepproxy-latency: how long a command takes. Sessions log in, and the program says "ready"; from the first
 * line (or the end) of its standard input on each session sends a NOOP at fixed times, whatever became of the
 * one before: an answer that is late makes the next one late too, as it would a user. It prints one line of
 * JSON with the times from when a command was due to when its answer was there.
 */
#include "load_session.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, STALL_MS = 30000 };
#define NS_PER_SECOND 1000000000ull
#define NS_PER_US     1000ull

struct prober {
    struct load_session session; /* first: epoll's data */
    uint64_t due;                /* when its command is, or was, to be sent; nanoseconds */
    bool is_busy;
};

struct latency {
    struct load_tls tls;
    int epoll;
    int timer;
    struct prober *probers;
    size_t count;
    uint64_t period; /* of each session */
    uint64_t end;
    size_t busy;
    struct script script;
    uint64_t *samples; /* nanoseconds */
    size_t taken;
    size_t room;
};

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

static void keep(struct latency *latency, uint64_t ns)
{
    if (latency->taken == latency->room)
        errx(1, "more answers than commands");
    latency->samples[latency->taken++] = ns;
}

/* Goes on until it waits; ends the program where the session is not as it should be. */
static void advance(struct latency *latency, struct prober *prober)
{
    enum load_result result = session_advance(&prober->session);
    if (result == LOAD_FAILED || result == LOAD_END)
        errx(1, "%s", prober->session.trouble);
    if (result != LOAD_DONE || !prober->is_busy)
        return;
    prober->is_busy = false;
    latency->busy--;
    if (latency->samples != NULL) {
        keep(latency, now() - prober->due);
        prober->due += latency->period;
    }
}

static void start(struct latency *latency, struct prober *prober)
{
    prober->is_busy = true;
    latency->busy++;
    session_start(&prober->session, &latency->script);
}

/* Sends what is due by now, each session's in turn: they are due in this order. */
static void start_due(struct latency *latency)
{
    uint64_t moment = now();
    for (size_t i = 0; i < latency->count; i++) {
        struct prober *prober = &latency->probers[i];
        if (prober->is_busy || prober->due > moment || prober->due >= latency->end)
            continue;
        start(latency, prober);
        advance(latency, prober);
    }
}

static void wait_and_advance(struct latency *latency)
{
    struct epoll_event events[EVENTS];
    uint64_t ticks;
    int count = epoll_wait(latency->epoll, events, EVENTS, STALL_MS);
    if (count < 0 && errno != EINTR)
        err(1, "epoll_wait");
    if (count == 0)
        errx(1, "nothing has happened for %d seconds", STALL_MS / 1000);
    for (int i = 0; i < count; i++) {
        struct prober *prober = events[i].data.ptr;
        if (prober == NULL) {
            if (read(latency->timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
                err(1, "timer");
            continue;
        }
        load_client_woken(&prober->session.client, events[i].events);
        advance(latency, prober);
    }
}

static void log_in(struct latency *latency)
{
    script_make(&latency->script, script_mode_find("noop")->prepare, 0);
    for (size_t i = 0; i < latency->count; i++) {
        latency->probers[i].session.client.fd = -1;
        if (!load_client_open(&latency->probers[i].session.client, &latency->tls, latency->epoll,
                              &latency->probers[i], false))
            err(1, "connect");
        start(latency, &latency->probers[i]);
        while (latency->busy > 0)
            wait_and_advance(latency);
    }
}

static void measure(struct latency *latency, uint64_t every, uint64_t seconds)
{
    struct itimerspec tick = {
        .it_interval = {(time_t)(every / NS_PER_SECOND), (long)(every % NS_PER_SECOND)}};
    tick.it_value = tick.it_interval;
    struct epoll_event event = {.events = EPOLLIN};
    latency->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (latency->timer < 0 || timerfd_settime(latency->timer, 0, &tick, NULL) != 0 ||
        epoll_ctl(latency->epoll, EPOLL_CTL_ADD, latency->timer, &event) != 0)
        err(1, "timer");
    script_make(&latency->script, script_mode_find("noop")->unit, 0);
    uint64_t begin = now();
    latency->period = every * latency->count;
    latency->end = begin + seconds * NS_PER_SECOND;
    latency->room = (size_t)(seconds * NS_PER_SECOND / every) + 2 * latency->count;
    latency->samples = calloc(latency->room, sizeof latency->samples[0]);
    if (latency->samples == NULL)
        err(1, "starting");
    for (size_t i = 0; i < latency->count; i++)
        latency->probers[i].due = begin + i * every;
    while (now() < latency->end || latency->busy > 0) {
        start_due(latency);
        wait_and_advance(latency);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Microseconds, below which so many of a thousand are. */
static double quantile(const struct latency *latency, size_t per_mille)
{
    size_t index = (latency->taken - 1) * per_mille / 1000;
    return (double)latency->samples[index] / (double)NS_PER_US;
}

static void report(struct latency *latency)
{
    if (latency->taken == 0)
        errx(1, "nothing was measured");
    qsort(latency->samples, latency->taken, sizeof latency->samples[0], compare);
    printf("{\"commands\": %zu, \"p50\": %.0f, \"p99\": %.0f, \"p999\": %.0f, \"max\": %.0f}\n",
           latency->taken, quantile(latency, 500), quantile(latency, 990), quantile(latency, 999),
           quantile(latency, 1000));
    fflush(stdout);
}

static uint64_t number(const char *name, const char *text, uint64_t max)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value == 0 || value > max)
        errx(2, "--%s: expected a number from 1 to %" PRIu64 ", not \"%s\"", name, max, text);
    return value;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"sessions", required_argument, NULL, 'n'},
                                            {"every", required_argument, NULL, 'e'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {0}};
    static const uint64_t most[] = {UINT16_MAX, 10000, 1000000, 3600};
    uint64_t values[] = {0, 32, 1000, 5};
    int option;
    int index = 0;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == '?')
            return 2;
        values[index] = number(options[index].name, optarg, most[index]);
    }
    if (values[0] == 0 || optind < argc)
        errx(2, "usage: deepproxy-latency --port PORT [--sessions N] [--every MICROSECONDS] [--seconds N]");
    struct latency latency = {.count = values[1], .epoll = epoll_create1(EPOLL_CLOEXEC)};
    latency.probers = calloc(latency.count, sizeof latency.probers[0]);
    if (latency.epoll < 0 || latency.probers == NULL)
        err(1, "starting");
    load_tls_init(&latency.tls, (uint16_t)values[0], false);
    log_in(&latency);
    puts("ready");
    fflush(stdout);
    for (int c = getchar(); c != EOF && c != '\n'; c = getchar())
        continue;
    measure(&latency, values[2] * NS_PER_US, values[3]);
    report(&latency);
    for (size_t i = 0; i < latency.count; i++)
        load_client_free(&latency.probers[i].session.client);
    load_tls_free(&latency.tls);
    free(latency.samples);
    free(latency.probers);
    return 0;
}
