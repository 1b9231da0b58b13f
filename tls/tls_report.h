/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_REPORT_H
#define DEEPPROXY_TLS_REPORT_H

#include "tls/endpoint/tls_context.h"

/* Words for a struct tls_report. Inner to tls/. */

/* printf-like, into report->say. */
__attribute__((format(printf, 4, 5))) void tls_report_say(const struct tls_report *report, int source,
                                                          bool is_error, const char *format, ...);

/* The newest entry of the library's error queue as text, which is emptied; a static or thread-local string. */
const char *tls_library_error(void);

#endif
