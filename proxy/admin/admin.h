/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_H

#include "proxy/admin/admin_api.h"
#include "proxy/admin/admin_listeners.h"
#include "proxy/admin/admin_page.h"
#include "proxy/admin/admin_socket.h"
#include "proxy/common/log.h"

#include <uv.h>

/*
 * The admin endpoint: HTTP in the main thread's loop. By TCP it shows metrics and health, and changes
 * nothing; by its socket it takes commands, too (admin_route.h). A connection brings one request, and is
 * closed after ADMIN_VISIT_MS whatever it does, unless a command is being carried out. If all places are
 * taken the oldest connection is closed for a new one: clients that are only connected keep nobody out. A
 * visitor of this room begins here.
 */
enum {
    /* A pair of scrapers, the probes of a container, and some operators. */
    ADMIN_CONNECTIONS_MAX = 32,
    /* By the socket, beside these. */
    ADMIN_CONTROL_CONNECTIONS_MAX = 16,
    /*
     * What the kernel buffers for a client that does not read (it takes twice that), in place of megabytes.
     */
    ADMIN_SEND_BUFFER = 64 * 1024,
    /* As long as Prometheus waits by default. */
    ADMIN_VISIT_MS = 10000,
    /* For a command to be carried out, such as a reload that waits for names of servers. */
    ADMIN_WAIT_MS = 600 * 1000,
    /* In one iteration of the loop: other handles are served in between. */
    ADMIN_ACCEPTS = 16,
    /* Until connections are accepted again after that has failed, for want of descriptors for example. */
    ADMIN_PAUSE_MS = 1000
};

struct admin;

/*
 * `source` is asked at each request, in the loop's thread. NULL if memory is short. The loop and the log live
 * longer.
 */
struct admin *admin_new(uv_loop_t *loop, const struct admin_source *source, struct log *log);

/*
 * Serves these from now on, and no others; takes them over.
 */
void admin_serve(struct admin *admin, struct admin_listeners *listeners);

/*
 * Serves the socket for control until admin_close, which removes it; takes it over. `path` lives as long.
 * Does nothing if there is none. Returns 0, or a libuv error.
 */
int admin_serve_socket(struct admin *admin, struct admin_socket *socket, const char *path);

/* What source->survey asked for is there. The caller owns the survey. */
void admin_answer_survey(struct admin *admin, uint64_t visit, const struct survey_query *query,
                         const struct survey *of_workers, unsigned workers);

/* What source->survey asked for can't be had: memory is short. */
void admin_answer_failure(struct admin *admin, uint64_t visit);

/* What source->reload asked for has come to its end. `problems` may be NULL if the program is ending. */
void admin_answer_reload(struct admin *admin, uint64_t visit, enum admin_reload how,
                         const struct cfg_problems *problems);

/* The listeners that are served, for admin_listeners_open. */
const struct admin_listeners *admin_listening(const struct admin *admin);

/* Call when the source has other certificates than before. */
void admin_certificates_changed(struct admin *admin);

/* Ends all connections, and closes its handles. The loop must run once more before admin_free. */
void admin_close(struct admin *admin);

/* Frees it, and nulls the pointer, which may be NULL already. */
void admin_free(struct admin **admin);

/* The library that speaks HTTP, and its version; static. */
const char *admin_library_name(void);

#endif
