/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_MUST_CHECK_H
#define DEEPPROXY_BASE_MUST_CHECK_H

/* Before a prototype: the compiler warns about a caller that ignores the result, as the call may fail. */
#define MUST_CHECK __attribute__((warn_unused_result))

#endif
