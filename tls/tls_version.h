/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_VERSION_H
#define DEEPPROXY_TLS_VERSION_H

/*
 * The versions of TLS by the numbers that they have in a handshake (RFC 8446 section 4.1.2): a newer one is
 * greater.
 */
enum { TLS_1_0 = 0x0301, TLS_1_1 = 0x0302, TLS_1_2 = 0x0303, TLS_1_3 = 0x0304 };

#endif
