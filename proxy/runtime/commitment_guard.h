/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_COMMITMENT_GUARD_H
#define DEEPPROXY_PROXY_RUNTIME_COMMITMENT_GUARD_H

#include "proxy/runtime/runtime.h"

/*
 * Decides whether what was loaded may run, by what clients were promised (commitments.h). Configurations that
 * withdraw a tag unasked are refused, and so are certificates that break one. What was broken before already,
 * as by a certificate that has expired, is a warning and keeps nothing else out. May block, as it reads the
 * files of authorities and the state file.
 */

/*
 * Checks a new configuration, and records what it promises in into->snapshot->commitments. Adds the errors to
 * `problems`. into->tls, never NULL when called, is then as commitment_guard_mend leaves it.
 */
void commitment_guard_check(const struct runtime *before, struct runtime *into,
                            struct cfg_problems *problems);

/*
 * Checks a new TLS context for the snapshot. A certificate that breaks a promise which was kept `before` (all
 * NULL: nothing was) is refused: `*tls` is loaded again with what before->tls has from the same file, or
 * without the certificate if that has none, and a warning is added. `*tls` becomes NULL, and an error is
 * added, if that does not help.
 */
void commitment_guard_mend(const struct snapshot *snapshot, const struct runtime *before,
                           struct tls_context **tls, struct cfg_problems *problems);

#endif
