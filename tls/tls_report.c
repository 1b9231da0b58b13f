/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls_report.h"

#include <openssl/err.h>

#include <stdarg.h>
#include <stdio.h>

void tls_report_add(const struct tls_report *report, int source, bool is_error, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report->add(report->arg, source, is_error, text);
}

const char *tls_library_error(void)
{
    uint32_t code = ERR_peek_last_error();
    ERR_clear_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    return reason != NULL ? reason : "no reason given";
}
