/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deepproxy-bench-backend: the IMAP server behind the proxies of the benchmark. Listens on a port of
 * 127.0.0.1 that the system gives, prints it, and serves until its standard input ends: it can't outlive who
 * started it.
 */
#include "backend_peer.h"
#include "pattern.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS = 256,
    BACKLOG = 4096 /* 2,000 sessions may come at once */
};

/* What epoll's data points at where it is no peer. */
static const char listener_mark, stdin_mark;

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        err(1, "listening on 127.0.0.1");
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(int epoll, int operation, int fd, uint32_t events, const void *data)
{
    struct epoll_event event = {.events = events, .data = {.ptr = (void *)(uintptr_t)data}};
    if (epoll_ctl(epoll, operation, fd, &event) != 0)
        err(1, "epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct peer *peer = peer_new(fd);
        if (peer == NULL)
            continue;
        if (peer_greet(peer))
            watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, peer);
        else
            peer_free(&peer);
    }
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        err(1, "accept");
}

static void on_peer(int epoll, struct peer *peer)
{
    bool waited = peer_wants_write(peer);
    if (!(waited ? peer_on_writable(peer) : peer_on_readable(peer))) {
        peer_free(&peer);
        return;
    }
    bool waits = peer_wants_write(peer);
    if (waits != waited)
        watch(epoll, EPOLL_CTL_MOD, peer_fd(peer), waits ? EPOLLOUT : EPOLLIN, peer);
}

int main(void)
{
    pattern_init();
    int listener = listen_on_loopback();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        err(1, "epoll_create1");
    watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, &listener_mark);
    watch(epoll, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, &stdin_mark);
    struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            err(1, "epoll_wait");
        for (int i = 0; i < count; i++) {
            void *data = events[i].data.ptr;
            if (data == &stdin_mark)
                return 0;
            if (data == &listener_mark)
                accept_all(epoll, listener);
            else
                on_peer(epoll, data);
        }
    }
}
