/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/keys_message.h"

#include "base/ensure.h"
#include "keys/keys_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for descriptors, aligned as the kernel writes them. */
union control {
    struct cmsghdr header;
    uint8_t octets[CMSG_SPACE(KEYS_CHANNELS_EACH * sizeof(int))];
};

bool keys_message_send(int socket, struct slice message, const int *fds, size_t fd_count)
{
    union control control = {0};
    struct iovec part = {(void *)(uintptr_t)message.data, message.len};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    ENSURE(fd_count <= KEYS_CHANNELS_EACH);
    if (fd_count > 0) {
        header.msg_control = control.octets;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)message.len;
}

void keys_close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

/* Returns how many descriptors it stored. It closes those beyond `max`, and sets `*all` to false. */
static size_t take_fds(struct msghdr *header, int *fds, size_t max, bool *all)
{
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t came = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < came; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (count < max) {
                fds[count++] = fd;
            } else {
                close(fd);
                *all = false;
            }
        }
    }
    return count;
}

ssize_t keys_message_receive(int socket, uint8_t *into, size_t cap, int *fds, size_t *fd_count)
{
    union control control;
    struct iovec part = {into, cap};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.octets, .msg_controllen = sizeof control};
    ssize_t len;
    size_t max = *fd_count;
    *fd_count = 0;
    do
        len = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        return -1;
    bool whole = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    *fd_count = take_fds(&header, fds, max, &whole);
    if (whole)
        return len;
    keys_close_all(fds, *fd_count);
    *fd_count = 0;
    errno = EMSGSIZE;
    return -1;
}
