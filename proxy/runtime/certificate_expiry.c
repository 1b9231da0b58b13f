/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/certificate_expiry.h"

#define DAY (24 * 3600)

enum expiry certificate_expiry_of(int64_t ends, int64_t now)
{
    if (ends <= now)
        return CERTIFICATE_EXPIRY_PAST;
    return ends - now < (int64_t)CERTIFICATE_EXPIRY_WARNING_DAYS * DAY ? CERTIFICATE_EXPIRY_NEAR
                                                                       : CERTIFICATE_EXPIRY_FAR;
}

static void log_certificate(const struct tls_certificate_info *info, int64_t left, struct log *log)
{
    struct log_line line;
    log_line_begin(&line, left > 0 ? CFG_LOG_WARNING : CFG_LOG_ERROR,
                   left > 0 ? "certificate-expires" : "certificate-expired");
    log_line_add_text(&line, "certificate", info->path);
    log_line_add_text(&line, "name", info->name_count > 0 ? info->names[0] : NULL);
    if (left > 0)
        log_line_add_number(&line, "days", (uint64_t)(left / DAY));
    log_write(log, &line);
}

static void log_if_due(const struct tls_certificate_info *info, int64_t now, struct log *log)
{
    if (certificate_expiry_of(info->ends, now) != CERTIFICATE_EXPIRY_FAR)
        log_certificate(info, info->ends - now, log);
}

void certificate_expiry_log(const struct tls_context *tls, const struct pool_tls_set *pools, int64_t now,
                            struct log *log)
{
    struct tls_certificate_info info;
    for (size_t i = 0; i < tls_context_certificate_count(tls); i++) {
        info = tls_context_certificate(tls, i);
        log_if_due(&info, now, log);
    }
    for (size_t i = 0; i < pools->count; i++)
        if (pool_tls_set_certificate(pools, i, &info))
            log_if_due(&info, now, log);
}
