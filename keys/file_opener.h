/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_FILE_OPENER_H
#define DEEPPROXY_KEYS_FILE_OPENER_H

#include "base/must_check.h"

/*
 * Opens a regular file to read it, and nothing else: it neither waits for a FIFO nor opens a device, as
 * opening some devices has effects. Returns a descriptor that the caller closes, closed on exec; -1 with
 * errno on failure, ENXIO if the path leads to no regular file.
 */
MUST_CHECK int file_opener_open(const char *path);

#endif
