/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_FILE_WATCH_H
#define DEEPPROXY_PROXY_CONTROL_FILE_WATCH_H

#include "proxy/control/watch_folders.h"

#include <uv.h>

/*
 * Notices that certificate files may have changed, so that a renewal takes no signal. It watches folders, not
 * files: tools write a new file and rename it, and Kubernetes swaps a symbolic link to a folder on the path.
 * Events are gathered until none has come for a second, as a chain and its key are written one after the
 * other. An event of a name that does not count (watch_folders.h) is none. File systems without events (NFS),
 * folders that the process may not list, and those beyond the limit, are polled. It never reads a file.
 * It belongs to the main thread.
 */
struct file_watch;

/*
 * Watches nothing yet. `on_change` is called in the loop's thread, sometimes though nothing has changed. NULL
 * if memory is short.
 */
struct file_watch *file_watch_new(uv_loop_t *loop, void (*on_change)(void *arg), void *arg);

/* Watches these folders from now on, and no others. `folders` stays the caller's. */
void file_watch_set(struct file_watch *watch, const struct watch_folders *folders);

/*
 * Closes its handles and nulls the pointer, which may be NULL already. The loop must run once more, and then
 * it is freed.
 */
void file_watch_close(struct file_watch **watch);

#endif
