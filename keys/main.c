/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/key_sign.h"
#include "keys/keys_process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] = "usage: deepproxy-keys version\n"
                            "deepproxy starts it by itself: deepproxy-keys serve|watched [UID GID]\n";

/* -1 if it is no number of a user or group. */
static long parse_id(const char *text)
{
    char *end;
    errno = 0;
    long id = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && id >= 0 && id < UINT32_MAX ? id : -1;
}

static bool is_socket(int fd, int wanted)
{
    int type = 0;
    socklen_t len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == wanted;
}

/* By the proxy, or, watched, by its parent. */
static bool is_started_by(const char *how)
{
    bool is_watched = strcmp(how, "watched") == 0;
    return (is_watched || strcmp(how, "serve") == 0) && is_socket(KEYS_CONTROL_FD, SOCK_SEQPACKET) &&
           (!is_watched || is_socket(KEYS_BEAT_FD, SOCK_STREAM));
}

static int serve(int argc, char **argv)
{
    struct keys_user user = {.changes = argc == 4};
    if (user.changes) {
        long uid = parse_id(argv[2]);
        long gid = parse_id(argv[3]);
        if (uid < 0 || gid < 0)
            return 2;
        user.uid = (uid_t)uid;
        user.gid = (gid_t)gid;
    }
    return guard_run(&user, strcmp(argv[1], "watched") == 0, getppid());
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        puts(key_sign_library());
        return EXIT_SUCCESS;
    }
    if ((argc == 2 || argc == 4) && is_started_by(argv[1]))
        return serve(argc, argv);
    fputs(usage, stderr);
    return 2;
}
