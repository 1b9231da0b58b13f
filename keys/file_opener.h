/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_FILE_OPENER_H
#define DEEPPROXY_KEYS_FILE_OPENER_H

/*
 * Opens a file to read it, and nothing but a file: a FIFO is not waited for, a device not touched, as opening some acts
 * on them. -1 with errno where it can't; ENXIO where it is no regular file.
 */
int file_opener_open(const char *path);

#endif
