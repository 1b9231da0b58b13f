/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_CA_BUNDLE_H
#define DEEPPROXY_PROXY_COMMON_CA_BUNDLE_H

/* Where this system keeps the authorities that it trusts. Nothing here reads the file. */

/* The path of the file; static. NULL if there is none that this process may read. */
const char *ca_bundle_of_system(void);

/* The path that is tried first, for messages; static. */
const char *ca_bundle_usual_place(void);

#endif
