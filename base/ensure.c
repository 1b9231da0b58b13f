/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

void ensure_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "deepproxy: internal error: %s does not hold (%s:%d)\n", condition, file, line);
    abort();
}
