/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_FILE_WATCH_H
#define DEEPPROXY_PROXY_CONTROL_FILE_WATCH_H

#include "proxy/control/watch_folders.h"

#include <uv.h>

/*
 * Notices that certificate files may have changed, so that a renewal needs nobody. It watches folders, not files: tools
 * write a new file and rename it, and Kubernetes swaps a symbolic link that is a folder on the way. Both the folder
 * that is named and the one that it really is are watched. Events are gathered until nothing has happened for a moment, as a
 * chain and its key come one after the other. File systems without events (NFS), and more folders than can be watched, are
 * looked at from time to time.
 */
struct file_watch;

/* For the main thread's loop. NULL where memory is short. `on_change` may be called for nothing. */
struct file_watch *file_watch_new(uv_loop_t *loop, void (*on_change)(void *arg), void *arg);

/* From now on it watches these. */
void file_watch_set(struct file_watch *watch, const struct watch_folders *folders);

/* Closes its handles; the loop must run once more before it is closed. */
void file_watch_close(struct file_watch **watch);

#endif
