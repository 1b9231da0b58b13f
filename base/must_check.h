/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_MUST_CHECK_H
#define DEEPPROXY_BASE_MUST_CHECK_H

/*
 * In front of a prototype whose result says whether it failed: the compiler rejects a call that ignores the
 * result.
 */
#define MUST_CHECK __attribute__((warn_unused_result))

#endif
