/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_TICKET_FILE_H
#define DEEPPROXY_PROXY_RUNTIME_TICKET_FILE_H

#include "tls/tickets/tls_ticket_set.h"

#include <sys/stat.h>

/*
 * Reads a file of ticket keys from the disk; tls/tickets/tls_ticket_file.h knows its text. It never writes.
 * It blocks, as files do, and so belongs to a thread of libuv's pool while the program runs.
 */

struct ticket_file_problem {
    unsigned line;  /* 0: the file as a whole */
    int error;      /* errno, if the file can't be read; 0: its content is wrong */
    char text[320]; /* what is wrong, and what helps */
};

/*
 * Reads the keys into `set`, and what stat says of the file into `facts`. False if the file can't be used:
 * `problem` then has the reason, and the set is empty. The caller wipes the set.
 */
bool ticket_file_read(const char *path, struct tls_ticket_set *set, struct stat *facts,
                      struct ticket_file_problem *problem);

/*
 * Why others than the owner and the group of this file may read its keys, or choose them: static text; NULL:
 * they can't.
 */
const char *ticket_file_exposure(const struct stat *facts);

#endif
