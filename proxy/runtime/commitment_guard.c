/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/commitment_guard.h"

#include "proxy/runtime/snapshot_certificates.h"

/* ---- certificates ---- */

/* What a check has found. All zero: nothing. */
struct findings {
    struct cfg_problems problems;
    struct breaches breaches;
};

static void free_findings(struct findings *findings)
{
    cfg_problems_free(&findings->problems);
    breaches_free(&findings->breaches);
}

static void check_commitments(const struct snapshot *snapshot, const struct tls_context *tls,
                              const struct tls_context *previous, struct findings *into)
{
    commitments_check(snapshot->cfg, tls, previous, &into->breaches, &into->problems);
}

/* Was what is wrong by this problem wrong before? */
static bool is_old(const struct findings *found, size_t problem, const struct findings *before)
{
    const struct breach *breach = breaches_find(&found->breaches, problem);
    return breach != NULL && breaches_cover(&before->breaches, breach);
}

/*
 * Is there an error that was not there before? One that could not be kept, as memory was short, may be any.
 */
static bool breaks_more(const struct findings *found, const struct findings *before)
{
    if (found->problems.lost_errors > 0)
        return true;
    for (size_t i = 0; i < found->problems.count; i++)
        if (found->problems.items[i].severity == CFG_ERROR && !is_old(found, i, before))
            return true;
    return false;
}

/*
 * Loads what `previous` has in place of the offending chains. NULL if that breaks more than was broken
 * before, too.
 */
static struct tls_context *load_mended(const struct breaches *breaches, const struct snapshot *snapshot,
                                       struct tls_context *previous, const struct findings *before)
{
    struct cfg_problems repeated = {0}; /* the caller has reported them already */
    struct findings found = {0};
    struct chain_paths refused = {breaches->chains, breaches->chain_count};
    struct tls_context *tls = NULL;
    if (refused.count > 0)
        tls = snapshot_certificates_load_without(snapshot, previous, &refused, &repeated);
    if (tls != NULL)
        check_commitments(snapshot, tls, NULL, &found);
    if (breaks_more(&found, before))
        tls_context_unref(&tls);
    cfg_problems_free(&repeated);
    free_findings(&found);
    return tls;
}

static void report_findings(const struct findings *found, const struct findings *before, bool is_mended,
                            struct cfg_problems *problems)
{
    for (size_t i = 0; i < found->problems.count; i++) {
        const struct cfg_problem *at = &found->problems.items[i];
        bool is_softened = at->severity == CFG_ERROR && is_mended;
        const char *consequence = is_old(found, i, before)
                                      ? "; so it was before"
                                      : "; the certificate that was loaded before stays in use";
        cfg_problems_add(problems, is_softened ? CFG_WARNING : at->severity,
                         (struct cfg_place){at->file, at->line}, "%s%s", at->text,
                         is_softened ? consequence : "");
    }
}

void commitment_guard_mend(const struct snapshot *snapshot, const struct runtime *before,
                           struct tls_context **tls, struct cfg_problems *problems)
{
    struct findings found = {0};
    struct findings broken = {0};
    check_commitments(snapshot, *tls, before->tls, &found);
    if (found.problems.errors > 0 && before->tls != NULL)
        check_commitments(before->snapshot, before->tls, NULL, &broken);
    bool must_mend = breaks_more(&found, &broken);
    struct tls_context *mended = NULL;
    if (must_mend && before->tls != NULL)
        mended = load_mended(&found.breaches, snapshot, before->tls, &broken);
    /* Before the context goes: the breaches point into it. */
    report_findings(&found, &broken, !must_mend || mended != NULL, problems);
    if (found.problems.lost_errors > 0 && mended == NULL)
        cfg_problems_add_out_of_memory(problems, snapshot->cfg->path);
    if (must_mend) {
        tls_context_unref(tls);
        *tls = mended;
    }
    free_findings(&found);
    free_findings(&broken);
}

/* ---- configurations ---- */

/* What this process has promised, and what the file remembers of those before. */
static bool remember(const struct snapshot *snapshot, const struct snapshot *before, struct commitments *into,
                     struct cfg_problems *problems)
{
    *into = (struct commitments){0};
    return (snapshot->cfg->state_file == NULL || commitments_read(snapshot->cfg, into, problems)) &&
           (before == NULL || before->commitments == NULL ||
            commitments_merge(into, &before->commitments->list));
}

void commitment_guard_check(const struct runtime *before, struct runtime *into, struct cfg_problems *problems)
{
    struct snapshot *snapshot = into->snapshot;
    struct commitments remembered;
    struct commitments now = {0};
    size_t errors = problems->errors;
    bool ok = remember(snapshot, before->snapshot, &remembered, problems) &&
              commitments_of(snapshot->cfg, &now) &&
              commitments_compare(&remembered, &now, snapshot->cfg, problems);
    if (ok)
        snapshot->commitments =
            commitments_share(&now, before->snapshot != NULL ? before->snapshot->commitments : NULL);
    ok = ok && snapshot->commitments != NULL;
    if (!ok && problems->errors == errors)
        cfg_problems_add_out_of_memory(problems, snapshot->cfg->path);
    commitments_free(&remembered);
    commitments_free(&now);
    commitment_guard_mend(snapshot, before, &into->tls, problems);
}
