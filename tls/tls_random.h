/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_RANDOM_H
#define DEEPPROXY_TLS_RANDOM_H

#include <stddef.h>

/* `count` random letters and digits that nobody can guess, and a NUL; from the TLS library, without a system call. */
void tls_random_text(char *into, size_t count);

#endif
