/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deepproxy-load: the benchmark's clients. It prepares its sessions and prints "ready". Then it obeys its
 * standard input. A line with a number makes it work for so many units; there may be many such lines. A first
 * line that is empty makes it work for the units or seconds of its command line. After each work it prints
 * one line of JSON, and its connections stay. Another empty line, or the end of the input, makes it end its
 * sessions; a last line of JSON says how they ended. A caller measures a proxy from outside between these
 * lines.
 */
#include "load_session.h"
#include "pattern.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 256,
    MAX_ERRORS = 20,     /* after so many a run is worth nothing: it ends */
    STALL_SECONDS = 30,  /* without any event: something hangs */
    OPENING_AT_ONCE = 32 /* of the sessions to be held, so that it is not a test of handshake memory */
};

struct load {
    const struct script_mode *mode;
    struct load_tls tls;
    int epoll;
    struct load_session *sessions;
    size_t session_count;
    size_t opened;        /* of the sessions to be held */
    size_t active;        /* sessions in a script */
    struct script script; /* of the phase */
    bool connects;        /* the phase's scripts begin with a connection */
    bool repeats;         /* the phase goes on until time or count is over */
    uint64_t octets;
    uint64_t max_units;
    double max_seconds;
    double deadline;
    uint64_t started;
    uint64_t units;
    uint64_t resumed;
    uint64_t unclean; /* the server closed without close_notify */
    unsigned errors;
    char trouble[SESSION_TROUBLE]; /* the first one's */
    char cipher[64];
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- sessions ---- */

static void on_trouble(struct load *load, struct load_session *session)
{
    if (load->errors++ == 0)
        memcpy(load->trouble, session->trouble, sizeof(load->trouble));
    load_client_close(&session->client);
}

static bool may_start(const struct load *load)
{
    return load->errors < MAX_ERRORS && load->started < load->max_units && now() < load->deadline;
}

/* Connects, for a phase whose scripts begin so. */
static void open_session(struct load *load, struct load_session *session)
{
    session->shaken = false;
    session->must_resume = load->repeats && load->mode->resumes;
    session->until_end = load->mode->closes;
    if (session->must_resume && session->client.ticket == NULL)
        snprintf(session->trouble, sizeof(session->trouble), "no ticket to resume with");
    else if (load_client_open(&session->client, &load->tls, load->epoll, session, session->must_resume))
        return;
    else
        snprintf(session->trouble, sizeof(session->trouble), "connect: %s", strerror(errno));
    load->active--;
    on_trouble(load, session);
}

/* Begins the phase's script. True: there is something to do at once, else epoll says when. */
static bool start(struct load *load, struct load_session *session)
{
    load->started++;
    load->active++;
    session_start(session, &load->script);
    if (load->connects)
        open_session(load, session);
    return !load->connects;
}

static void note_tls(struct load *load, const struct load_session *session)
{
    const SSL *ssl = session->client.ssl;
    if (load->cipher[0] == '\0' && ssl != NULL && SSL_is_init_finished(ssl))
        snprintf(load->cipher, sizeof(load->cipher), "%s",
                 SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl)));
}

/* Counts a script that is through, and closes what the phase does not use again. */
static void finish(struct load *load, struct load_session *session)
{
    load->units++;
    note_tls(load, session);
    if (session->must_resume)
        load->resumed++;
    if (session->until_end && !session->client.clean_close)
        load->unclean++;
    if (load->mode->connects && (!load->mode->holds || session->until_end))
        load_client_close(&session->client);
}

/*
 * Starts what comes after a session's script, or after its trouble. True: this session has something to do.
 */
static bool start_next(struct load *load, struct load_session *session)
{
    if (!load->repeats || !may_start(load))
        return false;
    if (!load->mode->holds)
        return (load->connects || session->client.fd >= 0) && start(load, session);
    if (load->opened < load->session_count)
        start(load, &load->sessions[load->opened++]);
    return false;
}

static void advance(struct load *load, struct load_session *session)
{
    enum load_result result;
    do {
        result = session_advance(session);
        if (result == LOAD_WAIT)
            return;
        load->active--;
        if (result == LOAD_DONE)
            finish(load, session);
        else
            on_trouble(load, session);
    } while (start_next(load, session));
}

/* ---- phases ---- */

static void on_event(struct load *load, struct load_session *session, uint32_t events)
{
    if (session->client.fd < 0 || session->script == NULL)
        return;
    load_client_woken(&session->client, events);
    bool busy = session->step < session->script->count || session->until_end;
    if (busy)
        advance(load, session);
    else if (session_advance(session) == LOAD_FAILED)
        on_trouble(load, session);
}

/* Until no session is in a script. */
static void loop(struct load *load)
{
    struct epoll_event events[EVENTS];
    while (load->active > 0) {
        int count = epoll_wait(load->epoll, events, EVENTS, STALL_SECONDS * 1000);
        if (count < 0 && errno != EINTR)
            err(1, "epoll_wait");
        if (count == 0)
            errx(1, "nothing has happened for %d seconds; %zu sessions wait, %" PRIu64 " units done",
                 STALL_SECONDS, load->active, load->units);
        for (int i = 0; i < count; i++)
            on_event(load, events[i].data.ptr, events[i].events);
    }
}

static void prepare(struct load *load)
{
    if (load->mode->prepare == NULL)
        return;
    script_make(&load->script, load->mode->prepare, load->octets);
    load->connects = true;
    load->deadline = now() + STALL_SECONDS;
    for (size_t i = 0; i < load->session_count; i++)
        start(load, &load->sessions[i]);
    loop(load);
}

/* Does the work; returns the seconds that it took. */
static double work(struct load *load)
{
    script_make(&load->script, load->mode->unit, load->octets);
    load->connects = load->mode->connects;
    load->repeats = true;
    load->started = load->units = load->resumed = load->unclean = 0;
    double begin = now();
    load->deadline = begin + load->max_seconds;
    size_t first = load->session_count;
    if (load->mode->holds) {
        if (first > OPENING_AT_ONCE)
            first = OPENING_AT_ONCE;
        load->max_units = load->session_count;
        load->opened = first;
    }
    for (size_t i = 0; i < first; i++)
        if ((load->connects || load->sessions[i].client.fd >= 0) && start(load, &load->sessions[i]))
            advance(load, &load->sessions[i]);
    loop(load);
    return now() - begin;
}

/* The last words of the sessions that are still there. */
static void finish_all(struct load *load)
{
    load->repeats = load->connects = false;
    load->units = 0;
    if (load->mode->finish != NULL) {
        script_make(&load->script, load->mode->finish, load->octets);
        for (size_t i = 0; i < load->session_count; i++) {
            load->sessions[i].until_end = true;
            if (load->sessions[i].client.fd >= 0 && start(load, &load->sessions[i]))
                advance(load, &load->sessions[i]);
        }
        loop(load);
    }
    for (size_t i = 0; i < load->session_count; i++)
        load_client_free(&load->sessions[i].client);
}

static void report(const struct load *load, double seconds)
{
    printf("{\"mode\": \"%s\", \"units\": %" PRIu64 ", \"unit\": \"%s\", \"octets\": %" PRIu64
           ", \"seconds\": %.4f, \"resumed\": %" PRIu64 ", \"unclean\": %" PRIu64
           ", \"errors\": %u, \"trouble\": \"%s\", \"cipher\": \"%s\"}\n",
           load->mode->name, load->units, load->mode->unit_name, load->units * load->octets, seconds,
           load->resumed, load->unclean, load->errors, load->trouble, load->cipher);
    fflush(stdout);
}

/*
 * Waits for a line of input. Returns the units that it asks for; 0 if it names none, or if the input has
 * ended.
 */
static uint64_t wait_for_word(void)
{
    char line[32];
    return fgets(line, sizeof(line), stdin) != NULL ? strtoull(line, NULL, 10) : 0;
}

/* Until a line asks for no more of it. */
static void work_as_told(struct load *load)
{
    uint64_t units = wait_for_word();
    do {
        if (units > 0)
            load->max_units = units;
        report(load, work(load));
    } while ((units = wait_for_word()) > 0);
}

/* ---- command line ---- */

static void usage(FILE *to)
{
    fprintf(to,
            "usage: deepproxy-load --port PORT [--sessions N] [--octets N] [--units N] [--seconds N] MODE\n"
            "Works on the TLS port PORT of 127.0.0.1, for so many units (default: any) or seconds (3).\n");
    const struct script_mode *mode;
    for (size_t i = 0; (mode = script_mode_at(i)) != NULL; i++)
        fprintf(to, "  %-9s %s (%zu sessions)\n", mode->name, mode->summary, mode->sessions);
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

static double seconds(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0 && value <= 3600))
        errx(2, "--seconds: expected a number above 0, up to 3600, not \"%s\"", text);
    return value;
}

static void take_option(struct load *load, int option, const char *name, uint16_t *port)
{
    switch (option) {
    case 'p':
        *port = (uint16_t)number(name, optarg, UINT16_MAX);
        break;
    case 'n':
        load->session_count = number(name, optarg, 100000);
        break;
    case 'o':
        load->octets = number(name, optarg, UINT32_MAX);
        break;
    case 'u':
        load->max_units = number(name, optarg, UINT32_MAX);
        break;
    case 's':
        load->max_seconds = seconds(optarg);
        break;
    default:
        usage(option == 'h' ? stdout : stderr);
        exit(option == 'h' ? 0 : 2);
    }
}

/* Returns the port. */
static uint16_t read_options(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"sessions", required_argument, NULL, 'n'},
                                            {"octets", required_argument, NULL, 'o'},
                                            {"units", required_argument, NULL, 'u'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    uint16_t port = 0;
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1)
        take_option(load, option, options[index].name, &port);
    load->mode = optind + 1 == argc ? script_mode_find(argv[optind]) : NULL;
    if (load->mode == NULL || port == 0) {
        usage(stderr);
        exit(2);
    }
    return port;
}

int main(int argc, char **argv)
{
    struct load load = {.max_units = UINT64_MAX, .max_seconds = 3};
    uint16_t port = read_options(&load, argc, argv);
    if (load.session_count == 0)
        load.session_count = load.mode->sessions;
    if (load.octets == 0)
        load.octets = load.mode->octets;
    pattern_init();
    load_tls_init(&load.tls, port, load.mode->resumes);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.sessions = calloc(load.session_count, sizeof(*load.sessions));
    if (load.epoll < 0 || load.sessions == NULL)
        err(1, "starting");
    for (size_t i = 0; i < load.session_count; i++)
        load.sessions[i].client.fd = -1;
    prepare(&load);
    puts("ready");
    fflush(stdout);
    work_as_told(&load);
    finish_all(&load);
    report(&load, 0);
    load_tls_free(&load.tls);
    free(load.sessions);
    close(load.epoll);
    return load.errors == 0 ? 0 : 1;
}
