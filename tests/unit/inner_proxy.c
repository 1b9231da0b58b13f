/* SPDX-License-Identifier: BSD-2-Clause */
#include "inner_proxy.h"

#include "certificates.h"
#include "proxy/runtime/snapshot.h"
#include "proxy/session/session.h"
#include "proxy/worker/worker.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NO_LIMIT = 1 << 24, PATIENCE_MS = 10000 };

struct inner_proxy {
    struct runtime runtime;
    struct listeners listeners;
    struct worker worker;
    struct disposal_list disposals;
    uv_sem_t updated;
    const char *path;
    struct log *log;
    struct log_queue *queue; /* the worker's */
    struct worker_shared shared;
    int server; /* listens */
    struct sockaddr_in server_address;
};

static void note_event(void *arg, enum worker_event event)
{
    struct inner_proxy *proxy = arg;
    if (event == WORKER_UPDATED || event == WORKER_SURVEYED)
        uv_sem_post(&proxy->updated);
}

static void wake_nobody(void *arg)
{
    (void)arg;
}

/* ---- its start and its end ---- */

static void listen_as_server(struct inner_proxy *proxy)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof proxy->server_address;
    proxy->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(proxy->server, 0);
    ck_assert_int_eq(bind(proxy->server, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(proxy->server, 16), 0);
    ck_assert_int_eq(getsockname(proxy->server, (struct sockaddr *)&proxy->server_address, &len), 0);
}

static void load(struct inner_proxy *proxy, const char *pool)
{
    static const struct certificate_wish wish = {.names = {"mail.example.com"}};
    static const struct runtime nothing;
    struct tls_certificate_files files = certificate_make(&wish);
    struct cfg_problems problems = {0};
    char *text;
    ck_assert_int_gt(
        asprintf(
            &text,
            "key_isolation = false; workers = 1; user = \"nobody\"; timeouts = { shutdown = \"1s\"; };\n"
            "tls = { certificates = ( { chain = \"%s\"; key = \"%s\"; } ); };\n"
            "services = (\n"
            "  { name = \"tls\"; protocol = \"imap\"; listen = [ \"127.0.0.1:0\" ]; backend = \"s\"; },\n"
            "  { name = \"starttls\"; protocol = \"imap\"; tls = \"starttls\"; listen = [ \"127.0.0.1:0\" "
            "];\n"
            "    backend = \"s\"; } );\n"
            "backends = ( { name = \"s\"; servers = ( { address = \"127.0.0.1:%u\"; } ); %s } );\n",
            files.chain, files.key, ntohs(proxy->server_address.sin_port), pool),
        0);
    proxy->path = certificates_write("inner.conf", text);
    free(text);
    bool ok = runtime_load(proxy->path, NULL, &nothing, &proxy->runtime, &problems) &&
              listeners_open(proxy->runtime.snapshot->cfg, 1, NULL, &proxy->listeners, &problems);
    cfg_problems_print(&problems, stderr);
    cfg_problems_free(&problems);
    ck_assert(ok);
}

static void make_shared(struct worker_shared *shared)
{
    shared->connections = address_counts_new();
    shared->handshakes.counts = address_counts_new();
    shared->handshakes.slots = handshake_slots_new(1);
    shared->sessions = shared_limit_new(1);
    ck_assert_ptr_nonnull(shared->connections);
    ck_assert_ptr_nonnull(shared->handshakes.counts);
    ck_assert_ptr_nonnull(shared->handshakes.slots);
    ck_assert_ptr_nonnull(shared->sessions);
    handshake_slots_set_max(shared->handshakes.slots, 100);
    shared_limit_set_max(shared->sessions, 100);
}

/*
 * As in the program, whose first filter comes before its first loop: a loop that had io_uring already would
 * not survive the filter that a worker puts on itself (libuv 1.50).
 */
static void forbid_io_uring(void)
{
    static bool is_forbidden;
    if (is_forbidden)
        return;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    ck_assert_ptr_nonnull(filter);
    ck_assert_int_eq(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0), 0);
    ck_assert_int_eq(seccomp_load(filter), 0);
    seccomp_release(filter);
    is_forbidden = true;
}

static int start_worker(struct inner_proxy *proxy, struct worker *worker, struct log_queue *queue,
                        bool listens)
{
    struct worker_settings settings = {.calls = &session_calls,
                                       .shared = proxy->shared,
                                       .log = queue,
                                       .key_channel = -1,
                                       .disposals = &proxy->disposals,
                                       .on_event = note_event,
                                       .on_event_arg = proxy};
    struct worker_config config = {.runtime = proxy->runtime,
                                   .sockets = proxy->listeners.sockets,
                                   .socket_count = listens ? proxy->listeners.per_worker : 0,
                                   .limits = {.sessions_per_address = 100, .handshakes_per_address = 100}};
    return worker_start(worker, &settings, &config);
}

struct inner_proxy *inner_proxy_start(const char *pool)
{
    struct inner_proxy *proxy = calloc(1, sizeof *proxy);
    ck_assert_ptr_nonnull(proxy);
    proxy->disposals.wake = wake_nobody;
    forbid_io_uring();
    ck_assert_int_eq(uv_sem_init(&proxy->updated, 0), 0);
    listen_as_server(proxy);
    load(proxy, pool);
    proxy->log = log_new(CFG_LOG_ERROR);
    ck_assert_ptr_nonnull(proxy->log);
    make_shared(&proxy->shared);
    proxy->queue = log_add_queue(proxy->log);
    ck_assert_ptr_nonnull(proxy->queue);
    ck_assert_int_eq(start_worker(proxy, &proxy->worker, proxy->queue, true), 0);
    return proxy;
}

int inner_proxy_try_another_worker(struct inner_proxy *proxy)
{
    static struct worker another;
    int error = start_worker(proxy, &another, proxy->queue, false);
    if (error != 0)
        return error;
    worker_set_phase(&another, WORKER_ENDING);
    worker_join(&another);
    return 0;
}

void inner_proxy_stop(struct inner_proxy **proxy)
{
    struct inner_proxy *last = *proxy;
    *proxy = NULL;
    worker_set_phase(&last->worker, WORKER_ENDING);
    worker_join(&last->worker);
    disposal_run(&last->disposals);
    uv_sem_destroy(&last->updated);
    log_close(&last->log);
    listeners_close(&last->listeners);
    runtime_unref(&last->runtime);
    address_counts_free(&last->shared.connections);
    address_counts_free(&last->shared.handshakes.counts);
    handshake_slots_free(&last->shared.handshakes.slots);
    shared_limit_free(&last->shared.sessions);
    close(last->server);
    free(last);
}

static struct runtime load_again(const struct inner_proxy *proxy)
{
    struct runtime loaded;
    struct cfg_problems problems = {0};
    bool ok = runtime_load(proxy->path, NULL, &proxy->runtime, &loaded, &problems);
    cfg_problems_print(&problems, stderr);
    cfg_problems_free(&problems);
    ck_assert(ok);
    return loaded;
}

void inner_proxy_reload(struct inner_proxy *proxy)
{
    struct runtime loaded = load_again(proxy);
    struct listeners listeners;
    struct cfg_problems problems = {0};
    ck_assert(listeners_open(loaded.snapshot->cfg, 1, &proxy->listeners, &listeners, &problems));
    struct worker_config config = {.runtime = loaded,
                                   .sockets = listeners.sockets,
                                   .socket_count = listeners.per_worker,
                                   .limits = proxy->worker.limits};
    struct worker_update *update = worker_update_new(&config);
    ck_assert_ptr_nonnull(update);
    runtime_unref(&proxy->runtime); /* the worker has the last references */
    proxy->runtime = loaded;
    listeners_close(&proxy->listeners);
    proxy->listeners = listeners;
    worker_give_update(&proxy->worker, update);
    uv_sem_wait(&proxy->updated);
}

void inner_proxy_leave_out_tls(const struct inner_proxy *proxy)
{
    char text[4096];
    FILE *file = fopen(proxy->path, "r+");
    ck_assert_ptr_nonnull(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    char *service = strstr(text, "  { name = \"tls\";");
    ck_assert_ptr_nonnull(service);
    memset(service, ' ', strcspn(service, "\n"));
    rewind(file);
    ck_assert_uint_eq(fwrite(text, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

struct snapshot *inner_proxy_snapshot(const struct inner_proxy *proxy)
{
    return proxy->runtime.snapshot;
}

void inner_proxy_end(struct inner_proxy *proxy)
{
    worker_set_phase(&proxy->worker, WORKER_ENDING);
}

bool inner_proxy_survey(struct inner_proxy *proxy, struct survey *survey)
{
    if (!worker_give_survey(&proxy->worker, survey))
        return false;
    uv_sem_wait(&proxy->updated);
    return true;
}

bool inner_proxy_has_left(const struct inner_proxy *proxy)
{
    return disposal_waits(&proxy->disposals);
}

int inner_proxy_listener(const struct inner_proxy *proxy)
{
    return proxy->server;
}

const struct sockaddr_in *inner_proxy_server(const struct inner_proxy *proxy)
{
    return &proxy->server_address;
}

int inner_proxy_port(const struct inner_proxy *proxy, enum inner_service service)
{
    return ntohs(((const struct sockaddr_in *)&proxy->listeners.sockets[service].address)->sin_port);
}

int inner_proxy_connect(struct inner_proxy *proxy, enum inner_service service)
{
    const struct sockaddr_storage *address = &proxy->listeners.sockets[service].address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)address, sizeof(struct sockaddr_in)), 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* ---- a dialogue ---- */

struct talk {
    struct inner_proxy *proxy;
    enum inner_service service;
    struct inner_dialogue dialogue;
    const char *user;
    void (*at_login)(struct inner_proxy *proxy);
    bool asks_for_tls; /* STARTTLS has to come first */
    size_t seen;       /* octets of to_client that were acted on */
    int client;
    int server; /* -1: the proxy has not connected to it */
    size_t answered;
    SSL_CTX *context;
    SSL *ssl;
};

static bool has(const struct bytes *text, size_t from, const char *word)
{
    return text->len > from && memmem(text->data + from, text->len - from, word, strlen(word)) != NULL;
}

/* A connection that has gone takes no words; what that means for the dialogue is seen when it is read. */
static void say(struct talk *t, const char *format, const char *argument)
{
    char words[512];
    int len = snprintf(words, sizeof words, format, argument);
    ck_assert(len > 0 && len < (int)sizeof words);
    if (t->ssl != NULL)
        SSL_write(t->ssl, words, len);
    else
        send(t->client, words, (size_t)len, MSG_NOSIGNAL);
}

/* What the client says next, by what it has received. */
static void act_as_client(struct talk *t)
{
    struct bytes *got = &t->dialogue.to_client;
    size_t len = got->len;
    if (t->asks_for_tls && has(got, t->seen, "\r\n") && !has(got, t->seen, "s OK"))
        say(t, "s STARTTLS\r\n", "");
    else if (t->service == INNER_TLS && has(got, t->seen, "* OK"))
        say(t, "a LOGIN %s secret\r\n", t->user);
    else if (!t->asks_for_tls && has(got, t->seen, "a OK")) {
        if (t->at_login != NULL)
            t->at_login(t->proxy);
        say(t, "b LOGOUT\r\n", "");
    }
    if (t->asks_for_tls && has(got, t->seen, "s OK")) {
        t->asks_for_tls = false;
        t->ssl = SSL_new(t->context);
    }
    t->seen = len;
    t->dialogue.is_complete = has(got, 0, "a OK") && has(got, 0, "* BYE") && has(got, 0, "b OK");
}

static void read_as_client(struct talk *t)
{
    uint8_t octets[4096];
    ssize_t len;
    if (t->ssl != NULL && SSL_get_fd(t->ssl) < 0) {
        SSL_set_fd(t->ssl, t->client);
        SSL_set_connect_state(t->ssl);
    }
    len =
        t->ssl != NULL ? SSL_read(t->ssl, octets, sizeof octets) : recv(t->client, octets, sizeof octets, 0);
    int error = t->ssl != NULL ? SSL_get_error(t->ssl, (int)len) : SSL_ERROR_NONE;
    bool was_secured = t->dialogue.is_secured;
    t->dialogue.is_secured = t->ssl != NULL && SSL_is_init_finished(t->ssl);
    if (t->service == INNER_STARTTLS && t->dialogue.is_secured && !was_secured)
        say(t, "a LOGIN %s secret\r\n", t->user); /* there is no second greeting */
    if (len > 0) {
        ck_assert(bytes_append(&t->dialogue.to_client, (struct slice){octets, (size_t)len}, NO_LIMIT));
        bool was_clear = t->ssl == NULL;
        act_as_client(t);
        if (was_clear && t->ssl != NULL)
            read_as_client(t); /* it begins */
        return;
    }
    t->dialogue.has_ended = error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
}

static void accept_as_server(struct talk *t)
{
    static const char greeting[] = "* OK [CAPABILITY IMAP4rev1 ID] ready\r\n";
    if (t->server >= 0)
        close(t->server);
    t->server = accept4(t->proxy->server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    t->answered = t->dialogue.to_server.len;
    if (t->server >= 0)
        send(t->server, greeting, sizeof greeting - 1, MSG_NOSIGNAL);
}

static void answer_as_server(struct talk *t)
{
    uint8_t octets[4096];
    ssize_t len = recv(t->server, octets, sizeof octets, 0);
    if (len <= 0) {
        close(t->server);
        t->server = -1;
        return;
    }
    struct bytes *got = &t->dialogue.to_server;
    ck_assert(bytes_append(got, (struct slice){octets, (size_t)len}, NO_LIMIT));
    if (has(got, t->answered, "a LOGIN"))
        dprintf(t->server, "a OK welcome %s\r\n", t->user);
    if (has(got, t->answered, "b LOGOUT"))
        send(t->server, "* BYE\r\nb OK bye\r\n", 17, MSG_NOSIGNAL);
    if (has(got, t->answered, "b LOGOUT"))
        shutdown(t->server, SHUT_WR);
    if (has(got, t->answered, "\r\n"))
        t->answered = got->len;
}

static void talk(struct talk *t)
{
    bool moves = true;
    while (moves && !t->dialogue.has_ended) {
        struct pollfd fds[] = {{.fd = t->client, .events = POLLIN},
                               {.fd = t->proxy->server, .events = POLLIN},
                               {.fd = t->server, .events = POLLIN}};
        moves = poll(fds, 3, PATIENCE_MS) > 0;
        if (fds[1].revents != 0)
            accept_as_server(t);
        else if (fds[2].revents != 0)
            answer_as_server(t);
        if (fds[0].revents != 0)
            read_as_client(t);
    }
}

struct inner_dialogue inner_proxy_talk(struct inner_proxy *proxy, enum inner_service service,
                                       const char *user, void (*at_login)(struct inner_proxy *proxy))
{
    struct talk t = {.proxy = proxy,
                     .service = service,
                     .user = user,
                     .at_login = at_login,
                     .asks_for_tls = service == INNER_STARTTLS,
                     .client = inner_proxy_connect(proxy, service),
                     .server = -1,
                     .context = SSL_CTX_new(TLS_method())};
    ck_assert_ptr_nonnull(t.context);
    SSL_CTX_set_verify(t.context, SSL_VERIFY_NONE, NULL);
    if (service == INNER_TLS) {
        t.ssl = SSL_new(t.context);
        read_as_client(&t);
    }
    talk(&t);
    SSL_free(t.ssl);
    SSL_CTX_free(t.context);
    close(t.client);
    if (t.server >= 0)
        close(t.server);
    return t.dialogue;
}

void inner_dialogue_free(struct inner_dialogue *dialogue)
{
    bytes_free(&dialogue->to_client);
    bytes_free(&dialogue->to_server);
}
