/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_H

#include "proxy/admin/admin_listeners.h"
#include "proxy/admin/admin_page.h"
#include "proxy/common/log.h"

/*
 * The admin endpoint: HTTP by libmicrohttpd, in the main thread's loop and without a thread of its own. A connection brings
 * one request, and is over after ADMIN_VISIT_MS whatever becomes of it. Where all places are taken the connection that is
 * there longest makes room for a new one: clients that only sit there keep nobody out.
 */
enum {
    /* A pair of scrapers, the probes of a container, somebody who looks. */
    ADMIN_CONNECTIONS_MAX = 32,
    /* Of each, while it is there: request and header fields (Prometheus sends 300 octets), and those of the answer. */
    ADMIN_CONNECTION_MEMORY = 8192,
    /* What the kernel keeps for who does not read (it takes twice that), in place of megabytes. */
    ADMIN_SEND_BUFFER = 64 * 1024,
    /* As long as Prometheus waits by default. */
    ADMIN_VISIT_MS = 10000,
    /* In a turn of the loop: others have their turn in between. */
    ADMIN_ACCEPTS = 16,
    /* Until connections are accepted again after that failed: for want of descriptors, say. */
    ADMIN_PAUSE_MS = 1000
};

struct admin;

/* `look` is asked at each request, from the loop. NULL where memory is short. The loop and the log live longer. */
struct admin *admin_new(uv_loop_t *loop, const struct admin_source *source, struct log *log);

/* What it takes to serve at all, so that a configuration can be refused before it is in effect. False: no memory. */
bool admin_prepare(struct admin *admin);

/* These are served from now on, and no others; takes them over. Prepared, unless there are none. */
void admin_serve(struct admin *admin, struct admin_listeners *listeners);

/* Those that are served, for admin_listeners_open. */
const struct admin_listeners *admin_listening(const struct admin *admin);

/* The context that the source shows has other certificates now. */
void admin_certificates_changed(struct admin *admin);

/* Ends all connections, and closes the loop's handles. The loop must have run once more before it is freed. */
void admin_close(struct admin *admin);
void admin_free(struct admin **admin);

/* The library that speaks HTTP, and its version, static. */
const char *admin_library_name(void);

#endif
