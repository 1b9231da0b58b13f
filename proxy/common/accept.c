/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/accept.h"

#include <errno.h>
#include <stddef.h>

/*
 * accept(2): Linux hands errors that a new connection has already had to accept(), which then is to be called
 * again. Whatever is not known is no reason to ask again at once.
 */
static enum accept_outcome outcome_of(int error)
{
    switch (error) {
    case EAGAIN:
        return ACCEPT_NOBODY;
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
        return ACCEPT_LOST;
    default:
        return ACCEPT_SHORT;
    }
}

enum accept_outcome accept_connection(int listener, int *fd, struct sockaddr *address, socklen_t *len)
{
    *fd = accept4(listener, address, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return *fd >= 0 ? ACCEPT_DONE : outcome_of(errno);
}

const char *accept_remedy(int error)
{
    switch (error) {
    case EMFILE:
        return "the limit of open files (LimitNOFILE of systemd, ulimit -n)";
    case ENFILE:
        return "the system's limit of open files (fs.file-max)";
    case ENOBUFS:
    case ENOMEM:
        return "memory, of the machine or of its container";
    default:
        return NULL;
    }
}
