/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/metrics.h"

#include "base/array.h"
#include "base/refcount.h"
#include "proxy/runtime/certificate_expiry.h"

#include <stdlib.h>
#include <string.h>

/* ---- certificates ---- */

struct metrics_certificates {
    struct refcount references;
    struct metrics_text text;
    size_t count;
    int64_t ends[];
};

static int compare_paths(const void *a, const void *b)
{
    const struct tls_certificate_info *one = a;
    const struct tls_certificate_info *other = b;
    return strcmp(one->path, other->path);
}

/*
 * In the order of their paths, each once: a folder or a pool may have what the list names too, and no series
 * may come twice. NULL if memory is short.
 */
static struct tls_certificate_info *collect_certificates(const struct tls_context *tls,
                                                         const struct pool_tls_set *pools, size_t *count)
{
    size_t all = tls_context_certificate_count(tls);
    struct tls_certificate_info *infos = calloc(all + pools->count + 1, sizeof *infos);
    *count = 0;
    if (infos == NULL)
        return NULL;
    for (size_t i = 0; i < all; i++)
        infos[i] = tls_context_certificate(tls, i);
    for (size_t i = 0; i < pools->count; i++)
        all += pool_tls_set_certificate(pools, i, &infos[all]);
    qsort(infos, all, sizeof *infos, compare_paths);
    for (size_t i = 0; i < all; i++)
        if (*count == 0 || strcmp(infos[*count - 1].path, infos[i].path) != 0)
            infos[(*count)++] = infos[i];
    return infos;
}

static void write_expiries(struct metrics_text *text, const struct tls_certificate_info *infos, size_t count)
{
    metrics_text_family(text, "deepproxy_certificate_not_after_timestamp_seconds", METRICS_GAUGE,
                        "When a certificate in use ends.");
    for (size_t i = 0; i < count; i++) {
        const char *name = infos[i].name_count > 0 ? infos[i].names[0] : "";
        const struct metrics_label labels[] = {{"chain", infos[i].path}, {"name", name}};
        metrics_text_sample(text, labels, ARRAY_LEN(labels), infos[i].ends);
    }
}

struct metrics_certificates *metrics_certificates_new(const struct tls_context *tls,
                                                      const struct pool_tls_set *pools)
{
    size_t count;
    struct tls_certificate_info *infos = collect_certificates(tls, pools, &count);
    struct metrics_certificates *certificates = NULL;
    if (infos != NULL)
        certificates = calloc(1, sizeof *certificates + count * sizeof certificates->ends[0]);
    if (certificates != NULL) {
        refcount_init(&certificates->references);
        certificates->count = count;
        for (size_t i = 0; i < count; i++)
            certificates->ends[i] = infos[i].ends;
        write_expiries(&certificates->text, infos, count);
        if (certificates->text.failed)
            metrics_certificates_unref(&certificates);
    }
    free(infos);
    return certificates;
}

struct metrics_certificates *metrics_certificates_ref(struct metrics_certificates *certificates)
{
    refcount_take(&certificates->references);
    return certificates;
}

void metrics_certificates_unref(struct metrics_certificates **certificates)
{
    struct metrics_certificates *dropped = *certificates;
    *certificates = NULL;
    if (dropped == NULL || !refcount_drop(&dropped->references))
        return;
    metrics_text_free(&dropped->text);
    free(dropped);
}

struct slice metrics_certificates_text(const struct metrics_certificates *certificates)
{
    return bytes_view(&certificates->text.bytes);
}

static void write_certificates(struct metrics_text *text, const struct metrics_certificates *certificates,
                               const struct metrics_state *state)
{
    int64_t counts[CERTIFICATE_EXPIRY_STATES] = {0};
    for (size_t i = 0; i < certificates->count; i++)
        counts[certificate_expiry_of(certificates->ends[i], state->now)]++;
    metrics_text_single(text, "deepproxy_certificates", METRICS_GAUGE, "Certificates in use.",
                        (int64_t)certificates->count);
    metrics_text_single(text, "deepproxy_certificates_expiring", METRICS_GAUGE,
                        "Certificates in use that end within 21 days.", counts[CERTIFICATE_EXPIRY_NEAR]);
    metrics_text_single(text, "deepproxy_certificates_expired", METRICS_GAUGE,
                        "Certificates in use that have ended.", counts[CERTIFICATE_EXPIRY_PAST]);
    metrics_text_single(
        text, "deepproxy_certificates_stale", METRICS_GAUGE,
        "Certificates, and pools, that were refused when they were last read: what was there before "
        "stays in use.",
        (int64_t)state->stale_certificates);
    _Static_assert(CERTIFICATE_EXPIRY_WARNING_DAYS == 21, "as the help says");
}

/* ---- services ---- */

static void write_open_sessions(struct metrics_text *text, const struct snapshot *snapshot)
{
    metrics_text_family(text, "deepproxy_sessions", METRICS_GAUGE, "Sessions now.");
    for (size_t i = 0; i < snapshot->cfg->service_count; i++) {
        const struct metrics_label label = {"service", snapshot->cfg->services[i].name};
        metrics_text_sample(text, &label, 1, (int64_t)counters_open_sessions(snapshot->services[i].counters));
    }
}

/* One service's samples of the family. */
static void write_samples(struct metrics_text *text, const struct snapshot *snapshot, size_t service,
                          const struct counter_family *family)
{
    for (size_t i = 0; i < family->count; i++) {
        const struct metrics_label labels[] = {
            {"service", snapshot->cfg->services[service].name},
            {family->label, family->label != NULL ? family->value(i) : NULL}};
        uint64_t count =
            counters_sum(snapshot->services[service].counters, (enum counter)(family->first + i));
        metrics_text_sample(text, labels, family->label != NULL ? 2 : 1, (int64_t)count);
    }
}

static void write_counters(struct metrics_text *text, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < COUNTER_FAMILIES; i++) {
        const struct counter_family *family = &counter_families[i];
        metrics_text_family(text, family->name, METRICS_COUNTER, family->help);
        for (size_t service = 0; service < snapshot->cfg->service_count; service++)
            write_samples(text, snapshot, service, family);
    }
}

/* ---- reports ---- */

static void write_reports_of(struct metrics_text *text, const struct client_reports *reports,
                             const char *service)
{
    size_t tags = atomic_load_explicit(&reports->tag_count, memory_order_acquire);
    for (size_t i = 0; i < tags; i++)
        for (int kind = 0; kind < CLIENT_REPORTS_KINDS; kind++) {
            const struct metrics_label labels[] = {
                {"service", service},
                {"tag", reports->tags[i].name},
                {"kind", client_report_kind_name((enum client_report_kind)kind)}};
            uint64_t count = atomic_load_explicit(&reports->tags[i].counts[kind], memory_order_relaxed);
            metrics_text_sample(text, labels, ARRAY_LEN(labels), (int64_t)count);
        }
}

static void write_reports(struct metrics_text *text, const struct snapshot *snapshot)
{
    const struct cfg *cfg = snapshot->cfg;
    metrics_text_family(
        text, "deepproxy_reports_total", METRICS_COUNTER,
        "Sessions, ended, whose clients have reported a security tag: DEEP latch, latch_fail, "
        "security_tags.");
    for (size_t i = 0; i < cfg->service_count; i++)
        write_reports_of(text, snapshot->services[i].reports, cfg->services[i].name);
    metrics_text_family(text, "deepproxy_reporting_sessions_total", METRICS_COUNTER,
                        "Sessions, ended, that could have: all with a TLS handshake.");
    for (size_t i = 0; i < cfg->service_count; i++) {
        const struct metrics_label label = {"service", cfg->services[i].name};
        uint64_t count = atomic_load_explicit(&snapshot->services[i].reports->sessions, memory_order_relaxed);
        metrics_text_sample(text, &label, 1, (int64_t)count);
    }
}

/* ---- the program ---- */

static void write_reloads(struct metrics_text *text, const struct metrics_state *state)
{
    metrics_text_single(text, "deepproxy_config_last_reload_successful", METRICS_GAUGE,
                        "Whether the configuration was taken up when it was last read.",
                        !state->configuration.failed);
    metrics_text_single(text, "deepproxy_config_last_reload_success_timestamp_seconds", METRICS_GAUGE,
                        "When the configuration in effect was taken up.", state->configuration.since);
    metrics_text_single(text, "deepproxy_certificates_last_reload_successful", METRICS_GAUGE,
                        "Whether certificates were taken up when they were last read.",
                        !state->certificates.failed);
    metrics_text_single(text, "deepproxy_certificates_last_reload_success_timestamp_seconds", METRICS_GAUGE,
                        "When the certificates in use were taken up.", state->certificates.since);
}

static void write_program(struct metrics_text *text, const struct metrics_state *state)
{
    const struct metrics_label version = {"version", DEEPPROXY_VERSION};
    metrics_text_family(text, "deepproxy_build_info", METRICS_GAUGE, "The program's version; always 1.");
    metrics_text_sample(text, &version, 1, 1);
    metrics_text_single(text, "deepproxy_workers", METRICS_GAUGE, "Threads that serve clients.",
                        state->workers);
    metrics_text_single(text, "deepproxy_workers_hung", METRICS_GAUGE,
                        "Of these, those that have shown no sign of life for 10 seconds.",
                        state->hung_workers);
    write_reloads(text, state);
    if (!state->has_key_process)
        return;
    metrics_text_single(text, "deepproxy_key_process_up", METRICS_GAUGE,
                        "Whether the process with the private keys can sign.", state->key_process_is_up);
    metrics_text_single(text, "deepproxy_key_process_loading", METRICS_GAUGE,
                        "Whether keys are being loaded again after a restart.", state->key_process_loads);
    metrics_text_single(text, "deepproxy_key_process_restarts_total", METRICS_COUNTER,
                        "How often it had to be started again.", state->key_process_restarts);
}

void metrics_write(struct metrics_text *text, const struct metrics_state *state,
                   const struct metrics_certificates *certificates)
{
    write_program(text, state);
    write_certificates(text, certificates, state);
    write_open_sessions(text, state->runtime.snapshot);
    write_counters(text, state->runtime.snapshot);
    write_reports(text, state->runtime.snapshot);
}
