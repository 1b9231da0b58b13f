/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_CA_BUNDLE_H
#define DEEPPROXY_PROXY_COMMON_CA_BUNDLE_H

/* The file of the authorities that this system trusts; static. NULL where there is none. */
const char *ca_bundle_of_system(void);

/* Where it is looked for first, for messages; static. */
const char *ca_bundle_usual_place(void);

#endif
