/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CHECKS_SERVER_CHECK_H
#define DEEPPROXY_PROXY_CHECKS_SERVER_CHECK_H

#include "protocols/check_dialogue.h"
#include "proxy/backends/pool_tls.h"
#include "proxy/keyclient/key_client.h"

#include <uv.h>

/*
 * One active check of one server: connects as a session of the pool would, by TCP or a Unix socket, with its
 * PROXY header and its TLS, has the dialogue (check_dialogue.h), and reports once. It knows nothing of states
 * and balancing. It never blocks, and ends within its time.
 *
 *   PROXY    to a proxy-v2 pool the header says LOCAL; to a proxy-v1 pool TCP4 or TCP6 with the connection's
 *            own addresses, as Postfix refuses UNKNOWN
 *   TLS      a whole handshake each time, so that each check verifies the certificate: nothing is resumed
 */

enum {
    /* How long the connection stays after the server's goodbye, for its FIN. */
    SERVER_CHECK_LINGER_MS = 500
};

/* What all checks of a loop share: buffers, and who signs. */
struct check_runner {
    uv_loop_t *loop;
    struct key_client *keys; /* signs for a pool's certificate whose key is elsewhere; NULL: nobody does */
    struct tls_io *io;
    uint8_t *read_buffer;
    uint8_t *plain_buffer;
    struct server_check *first;
    uint64_t started; /* checks, ever: the turns of source addresses */
};

/* What is checked, and how. Texts are copied, and the check has a reference of its own to `tls`. */
struct check_target {
    enum protocol protocol;
    const char *hostname; /* the proxy's, for EHLO */
    struct sockaddr_storage address;
    socklen_t address_len; /* of AF_UNIX: as for connect */
    /* As in struct cfg_pool; only their addresses are used, and only when the check starts. */
    const struct cfg_endpoint *sources;
    size_t source_count;
    enum cfg_identity identity;
    enum cfg_pool_tls_mode tls_mode;
    struct pool_tls *tls; /* NULL if, and only if, the mode is CFG_POOL_TLS_NONE */
    const char *tls_name; /* the name that its certificate must have; NULL if there is no TLS */
    uint64_t timeout_ms;  /* for all of it */
};

/* What was found. Valid within the call that reports it. */
struct check_report {
    enum check_result result;
    const char *detail;         /* may have octets of the server's certificate; NULL: nothing to add */
    uint64_t duration_ms;       /* until the result was known, without the goodbye */
    struct server_facts *facts; /* take a reference to keep them; NULL: nothing was learned */
};

typedef void (*server_check_cb)(void *arg, const struct check_report *report);

struct server_check;

/* False if memory is short; the caller calls check_runner_close either way. `keys` outlives the runner. */
MUST_CHECK bool check_runner_open(struct check_runner *runner, uv_loop_t *loop, struct key_client *keys);

/* Cancels all checks, and frees what the runner owns. The loop must run once more before it is closed. */
void check_runner_close(struct check_runner *runner);

/*
 * Starts a check. `done` is called once, from the loop and never within this call, and the check is gone
 * afterwards. It may start and cancel others, but not close the runner. NULL, and nothing is called, if
 * memory is short.
 */
MUST_CHECK struct server_check *server_check_start(struct check_runner *runner,
                                                   const struct check_target *target, server_check_cb done,
                                                   void *arg);

/* Ends a check: `done` is not called. Nulls the pointer, which may be NULL already. */
void server_check_cancel(struct server_check **check);

#endif
