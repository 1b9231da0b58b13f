/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_TICKET_FILE_H
#define DEEPPROXY_PROXY_RUNTIME_TICKET_FILE_H

#include "tls/tickets/tls_ticket_set.h"

#include <sys/stat.h>

/* A file of ticket keys (tls/tickets/tls_ticket_file.h) on the disk. Blocks, as files do: main thread only. */

struct ticket_file_problem {
    unsigned line;  /* 0: the file as a whole */
    int error;      /* errno where the file can't be read; 0 where what stands in it is wrong */
    char text[320]; /* what is wrong, and what helps */
};

/* False, with an empty set and the problem, where it can't be used. `*facts` are of a good file. The caller wipes `*set`. */
bool ticket_file_read(const char *path, struct tls_ticket_set *set, struct stat *facts,
                      struct ticket_file_problem *problem);

/* NULL, or why others than the owner and the group of this file may know its keys, or choose them: static text. */
const char *ticket_file_exposure(const struct stat *facts);

#endif
