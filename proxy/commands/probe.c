/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/commands/probe.h"

#include "protocols/proxy_protocol/proxy_v2.h"
#include "proxy/common/address.h"
#include "tls/endpoint/tls_endpoint.h"
#include "tls/endpoint/tls_probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PROBE_READ_CAP = 16 * 1024, PROBE_LINE_MAX = 1024 };

struct probe {
    int fd;
    time_t deadline;
    struct tls_io *io;
    struct tls_endpoint *tls;
    const char *question; /* to be sent after the handshake; NULL: the server speaks first */
    size_t len;           /* of its first line so far */
    /* Why the handshake failed, if it did. */
    enum tls_failure failure;
    uint8_t text[PROBE_READ_CAP + TLS_PLAIN_SLACK];
};

static struct sockaddr_storage loopback_v4(uint16_t port)
{
    struct sockaddr_storage address;
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    memset(&address, 0, sizeof address);
    memcpy(&address, &v4, sizeof v4);
    return address;
}

/*
 * Not every system connects to a wildcard address: loopback stands for it. For IPv6's wildcard IPv4's
 * loopback is tried too, as many containers have no IPv6 loopback.
 */
static size_t addresses_to_try(const struct cfg_endpoint *endpoint, struct sockaddr_storage addresses[2])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&endpoint->address;
    struct sockaddr_in6 v6;
    addresses[0] = endpoint->address;
    if (endpoint->address.ss_family == AF_INET) {
        if (v4->sin_addr.s_addr == htonl(INADDR_ANY))
            addresses[0] = loopback_v4(endpoint->port);
        return 1;
    }
    memcpy(&v6, &endpoint->address, sizeof v6);
    if (!IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr))
        return 1;
    v6.sin6_addr = in6addr_loopback;
    memcpy(&addresses[0], &v6, sizeof v6);
    addresses[1] = loopback_v4(endpoint->port);
    return 2;
}

static bool send_all(const struct probe *probe, struct slice output)
{
    while (output.len > 0) {
        ssize_t sent = send(probe->fd, output.data, output.len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        output = slice_from(output, (size_t)sent);
    }
    return true;
}

static bool flush_output(struct probe *probe)
{
    bool sent = send_all(probe, tls_io_output(probe->io));
    tls_io_reset(probe->io);
    return sent;
}

static const struct protocol_probe *words_of(const struct cfg_service *service)
{
    return &protocol_traits(service->protocol)->probe;
}

/*
 * Reads a line in the clear, octet by octet, so that nothing after it is taken. NULL if it begins as it
 * should.
 */
static const char *expect_in_clear(struct probe *probe, const char *beginning)
{
    uint8_t line[PROBE_LINE_MAX];
    for (size_t len = 0; len < sizeof line; len++) {
        ssize_t got = time(NULL) <= probe->deadline ? recv(probe->fd, line + len, 1, 0) : -1;
        if (got < 0)
            return "no greeting in time";
        if (got == 0)
            return "closed without a greeting";
        if (line[len] == '\n')
            return slice_has_prefix((struct slice){line, len}, beginning) ? NULL : "it refuses TLS";
    }
    return "more than a greeting";
}

/* Reads and writes up to the handshake. NULL, or words for what went wrong. */
static const char *start_tls(struct probe *probe, const struct protocol_probe *words)
{
    const char *error = expect_in_clear(probe, words->greeting);
    if (error == NULL && !send_all(probe, slice_of(words->starttls)))
        error = strerror(errno);
    return error != NULL ? error : expect_in_clear(probe, words->consent);
}

static void send_question(struct probe *probe)
{
    struct slice question = slice_of(probe->question);
    if (tls_endpoint_seal(probe->tls, &question, 1))
        probe->question = NULL;
}

/* NULL, or words for what went wrong. */
static const char *send_what_is_due(struct probe *probe)
{
    if (probe->question != NULL && tls_endpoint_state(probe->tls) == TLS_OPEN)
        send_question(probe);
    if (!flush_output(probe))
        return strerror(errno);
    if (tls_endpoint_state(probe->tls) != TLS_FAILED)
        return NULL;
    probe->failure = tls_endpoint_failure_kind(probe->tls);
    return tls_endpoint_failure(probe->tls);
}

/* NULL, or words for what went wrong. Waits until the probe's time is up. */
static const char *receive_some(struct probe *probe)
{
    uint8_t buffer[PROBE_READ_CAP];
    ssize_t got = time(NULL) <= probe->deadline ? recv(probe->fd, buffer, sizeof buffer, 0) : -1;
    if (got == 0 || tls_endpoint_state(probe->tls) == TLS_PEER_CLOSED || probe->len > PROBE_LINE_MAX)
        return "closed without a greeting";
    if (got < 0)
        return "no greeting in time";
    struct slice input = {buffer, (size_t)got};
    if (input.len > PROBE_READ_CAP - probe->len)
        return "more than a greeting";
    probe->len += tls_endpoint_receive(probe->tls, input, probe->text + probe->len);
    return NULL;
}

static bool has_line(const struct probe *probe)
{
    return slice_find((struct slice){probe->text, probe->len}, '\n') < probe->len;
}

/* NULL if the server's first line has been read, or words for what went wrong. */
static const char *read_first_line(struct probe *probe)
{
    tls_endpoint_start(probe->tls);
    const char *error = send_what_is_due(probe);
    while (error == NULL && !has_line(probe)) {
        error = receive_some(probe);
        if (error == NULL)
            error = send_what_is_due(probe);
    }
    return error;
}

static bool is_welcome(struct slice line, const struct cfg_service *service)
{
    const struct protocol_probe *words = words_of(service);
    if (service->tls_mode == CFG_TLS_STARTTLS)
        return slice_has_prefix(line, words->answer);
    return slice_has_prefix(line, words->greeting) ||
           (words->greeting_2 != NULL && slice_has_prefix(line, words->greeting_2));
}

/* Waits for the server's goodbye, too: a connection that was just cut would be logged as broken. */
static void say_goodbye(struct probe *probe, const char *goodbye)
{
    uint8_t buffer[PROBE_READ_CAP];
    struct slice words = slice_of(goodbye);
    if (tls_endpoint_state(probe->tls) != TLS_OPEN || !tls_endpoint_seal(probe->tls, &words, 1))
        return;
    tls_endpoint_close(probe->tls);
    if (!flush_output(probe))
        return;
    while (time(NULL) <= probe->deadline && recv(probe->fd, buffer, sizeof buffer, 0) > 0)
        ;
}

static const char *talk_to_service(struct probe *probe, const struct cfg_service *service)
{
    const struct protocol_probe *words = words_of(service);
    bool starttls = service->tls_mode == CFG_TLS_STARTTLS;
    const char *error = starttls ? start_tls(probe, words) : NULL;
    probe->question = starttls ? words->question : NULL;
    if (error == NULL)
        error = read_first_line(probe);
    if (error != NULL)
        return error;
    if (!is_welcome((struct slice){probe->text, probe->len}, service))
        return "it answers that it can't serve: is a server down?";
    say_goodbye(probe, words->goodbye);
    return NULL;
}

static socklen_t length_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/*
 * The address that this machine has towards another one; its family is AF_UNSPEC if it has none. A socket of
 * datagrams that is connected tells it, and sends nothing.
 */
static struct sockaddr_storage own_address(const struct sockaddr_storage *towards)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    memset(&own, 0, sizeof own);
    int fd = socket(towards->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return own;
    if (connect(fd, (const struct sockaddr *)towards, length_of(towards)) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        own.ss_family = AF_UNSPEC;
    close(fd);
    address_unmap(&own);
    return own;
}

/* What a service takes connections of this machine for. */
enum admission { ADMITTED, ADMITTED_WITH_HEADER, NOT_ADMITTED };

/* A refusal is counted and logged, so a service that would refuse the probe is not asked. */
static enum admission admission_to(const struct cfg_service *service)
{
    struct sockaddr_storage towards[2];
    const struct cfg_proxy_protocol *proxy = service->proxy_protocol;
    if (proxy == NULL && service->allow.count == 0 && service->deny.count == 0)
        return ADMITTED;
    addresses_to_try(&service->listen[0], towards);
    struct sockaddr_storage own = own_address(&towards[0]);
    const struct sockaddr *address = (const struct sockaddr *)&own;
    bool is_believed = proxy != NULL && address_is_in(address, &proxy->from);
    if (address_is_in(address, &service->deny) || (proxy != NULL && !proxy->is_optional && !is_believed))
        return NOT_ADMITTED;
    if (is_believed)
        return ADMITTED_WITH_HEADER;
    bool is_allowed = service->allow.count == 0 || address_is_in(address, &service->allow);
    return is_allowed ? ADMITTED : NOT_ADMITTED;
}

/* As a balancer's own check: nothing of it is a client's. */
static bool send_local_header(const struct probe *probe)
{
    uint8_t header[PROXY_V2_MAX];
    const struct proxy_v2 local = {.local = true};
    size_t len = proxy_v2_write(&local, header, sizeof header);
    return send_all(probe, (struct slice){header, len});
}

/* A connected socket, or -1 with errno. */
static int open_connection(const struct sockaddr_storage *address)
{
    struct timeval wait = {.tv_sec = PROBE_SECONDS};
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
        connect(fd, (const struct sockaddr *)address, length_of(address)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static const char *connect_and_talk(struct probe *probe, const struct cfg_service *service)
{
    struct sockaddr_storage addresses[2];
    size_t count = addresses_to_try(&service->listen[0], addresses);
    for (size_t i = 0; i < count && probe->fd < 0; i++)
        probe->fd = open_connection(&addresses[i]);
    bool ok = probe->fd >= 0;
    if (ok && admission_to(service) == ADMITTED_WITH_HEADER)
        ok = send_local_header(probe);
    return ok ? talk_to_service(probe, service) : strerror(errno);
}

/*
 * The probe has no certificate to show. A service that requires one of each client rejects the probe for
 * that, and no more of it can be seen: its servers are not asked.
 */
static bool is_rejected_without_certificate(const struct cfg *cfg, const struct cfg_service *service,
                                            enum tls_failure failure)
{
    if (service->client_certificates == NULL || !service->client_certificates->required)
        return false;
    return failure == TLS_FAILURE_CERTIFICATE_REQUIRED ||
           (cfg->tls.max_version < CFG_TLS_1_3 && failure == TLS_FAILURE_HANDSHAKE_REFUSED);
}

/* What all services have in common. */
struct probe_tls {
    struct tls_context *context;
    char name[TLS_PROBE_NAME_MAX]; /* "": none */
};

/* The settings that a client has to match. */
static void set_up_tls(const struct cfg *cfg, struct tls_settings settings, struct probe_tls *into)
{
    static const uint16_t versions[] = {
        [CFG_TLS_1_0] = TLS_1_0, [CFG_TLS_1_1] = TLS_1_1, [CFG_TLS_1_2] = TLS_1_2, [CFG_TLS_1_3] = TLS_1_3};
    settings.min_version = versions[cfg->tls.min_version];
    settings.max_version = versions[cfg->tls.max_version];
    settings.ciphers = cfg->tls.ciphers;
    settings.groups = cfg->tls.groups;
    into->context = tls_context_new_probe(&settings);
    if (!tls_probe_find_name(&settings, cfg->hostname, into->name))
        into->name[0] = '\0';
}

/* Without a context if memory is short. */
static struct probe_tls open_tls(const struct cfg *cfg)
{
    struct probe_tls tls = {0};
    struct tls_certificate_files *files = calloc(cfg->tls.certificate_count + 1, sizeof *files);
    const char **directories = calloc(cfg->tls.directory_count + 1, sizeof *directories);
    if (files != NULL && directories != NULL) {
        for (size_t i = 0; i < cfg->tls.certificate_count; i++)
            files[i].chain = cfg->tls.certificates[i].chain;
        for (size_t i = 0; i < cfg->tls.directory_count; i++)
            directories[i] = cfg->tls.directories[i].path;
        set_up_tls(cfg,
                   (struct tls_settings){.certificates = files,
                                         .certificate_count = cfg->tls.certificate_count,
                                         .directories = directories,
                                         .directory_count = cfg->tls.directory_count},
                   &tls);
    }
    free(files);
    free(directories);
    return tls;
}

/* The service's own protocol, and the name by which the proxy knows the probe. */
static struct tls_endpoint *new_endpoint(struct probe *probe, const struct probe_tls *tls,
                                         const struct cfg_service *service)
{
    char protocols[64];
    snprintf(protocols, sizeof protocols, "%s%s", protocol_traits(service->protocol)->alpn.list,
             TLS_PROBE_PROTOCOL);
    return tls_endpoint_new_client(tls->context, probe->io, tls->name[0] != '\0' ? tls->name : NULL,
                                   protocols);
}

/* NULL if the service greets as it should, or words for why not; `*failure` is then what TLS says. */
static const char *probe_service(const struct probe_tls *tls, const struct cfg_service *service,
                                 enum tls_failure *failure)
{
    static struct probe probe;
    memset(&probe, 0, sizeof probe);
    probe.deadline = time(NULL) + PROBE_SECONDS;
    probe.fd = -1;
    probe.io = tls_io_new(PROBE_READ_CAP);
    if (tls->context != NULL && probe.io != NULL)
        probe.tls = new_endpoint(&probe, tls, service);
    const char *error = probe.tls != NULL ? connect_and_talk(&probe, service) : "out of memory";
    *failure = probe.failure;
    tls_endpoint_free(&probe.tls);
    tls_io_free(&probe.io);
    if (probe.fd >= 0)
        close(probe.fd);
    return error;
}

/* Prints what there is to say of a service. False if something is wrong with it. */
static bool report_service(const struct cfg *cfg, const struct probe_tls *tls,
                           const struct cfg_service *service)
{
    enum tls_failure failure = TLS_FAILURE_NONE;
    printf("%s %s: ", service->name, service->listen[0].text);
    if (admission_to(service) == NOT_ADMITTED) {
        printf("not asked: it takes no connections from this machine (proxy_protocol, allow, deny)\n");
        return true;
    }
    const char *error =
        service->listen[0].port != 0 ? probe_service(tls, service, &failure) : "it has no fixed port";
    bool is_unknown = error != NULL && is_rejected_without_certificate(cfg, service, failure);
    if (is_unknown)
        printf("well as far as can be seen without a client certificate: its servers were not asked\n");
    else if (error != NULL && failure == TLS_FAILURE_NAME && tls->name[0] == '\0')
        printf("%s: no certificate that can be read here has a DNS name to ask for (strict_sni)\n", error);
    else
        printf("%s\n", error != NULL ? error : "well");
    return error == NULL || is_unknown;
}

bool probe_services(const struct cfg *cfg)
{
    struct probe_tls tls = open_tls(cfg);
    bool all_well = true;
    for (size_t i = 0; i < cfg->service_count; i++)
        all_well = report_service(cfg, &tls, &cfg->services[i]) && all_well;
    tls_context_unref(&tls.context);
    return all_well;
}
