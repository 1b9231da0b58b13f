/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_RANDOM_H
#define DEEPPROXY_TLS_RANDOM_H

#include <stddef.h>

/*
 * Random text for identifiers that nobody can guess. Writes `count` lower case letters and digits, five
 * random bits each, and a NUL: `into` has room for count + 1 octets. Uses the TLS library's generator,
 * without a system call for each text. It can't fail: the library ends the process if the system has no
 * random numbers.
 */
void tls_random_text(char *into, size_t count);

#endif
