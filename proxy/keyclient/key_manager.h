/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_KEYCLIENT_KEY_MANAGER_H
#define DEEPPROXY_PROXY_KEYCLIENT_KEY_MANAGER_H

#include "base/must_check.h"
#include "config/cfg.h"
#include "proxy/common/log.h"
#include "tls/certificates/tls_keys.h"

#include <uv.h>

/*
 * The main thread's side of the private keys, which are in processes of their own (keys/keys_process.h). It
 * has the guard start the signer, has each key loaded when certificates are loaded, and has the signer started
 * again when it has ended. It never starts or waits for the guard: key_spawn.h does that, for whoever replaces
 * a guard. Until there is a signer again handshakes fail. Sessions continue, as they need no key.
 *
 * No octet of a private key's file is ever read here. Certificates may be loaded in another thread than the
 * main one. A function that the main thread calls then does not wait for the other thread, unless its
 * contract says so.
 */
struct key_manager;

/*
 * Starts a signer for `workers` workers (0: keys are loaded, and nothing is signed), by the guard at the other
 * end of `control` (key_spawn), which it owns, also after an error. The caller frees the manager. NULL if an
 * error was added to the problems.
 */
MUST_CHECK struct key_manager *key_manager_new(const struct cfg *cfg, unsigned workers, int control,
                                               struct cfg_problems *problems);

/*
 * A new guard was started in place of one that has ended: has it start a signer, and all keys loaded anew. It
 * owns `control`. From the main thread, between key_manager_watch and key_manager_unwatch.
 */
void key_manager_replace_guard(struct key_manager *manager, int control);

/* The source for tls_settings.keys and tls_backend_settings.keys; it lives as long as the manager. */
const struct tls_key_source *key_manager_source(const struct key_manager *manager);

/*
 * A worker's socket, which the caller then owns. -1 if the key process has ended already: hooks.connect
 * provides the next one.
 */
MUST_CHECK int key_manager_take_channel(struct key_manager *manager, unsigned worker);

/* What the manager calls from the main thread's loop. */
struct key_manager_hooks {
    /* The key process was restarted: the worker's new socket, which the callee owns. */
    void (*connect)(void *arg, unsigned worker, int channel);
    /* Keys could not be loaded again: the certificates that need them are to be loaded again. */
    void (*lost)(void *arg);
    void *arg;
    struct log *log;
};

/*
 * From here on the processes are watched, and the signer is restarted. Returns 0, or a libuv error. From the main thread.
 */
MUST_CHECK int key_manager_watch(struct key_manager *manager, uv_loop_t *loop,
                                 const struct key_manager_hooks *hooks);

/*
 * Whether the signer runs, as far as is known. Also true while another thread is having a key loaded. From
 * the main thread.
 */
bool key_manager_is_up(struct key_manager *manager);

/* How often the key process was restarted. From the main thread. */
unsigned key_manager_restarts(const struct key_manager *manager);

/* Ends the watching: closes the loop's handles. */
void key_manager_unwatch(struct key_manager *manager);

/*
 * Ends the processes, without waiting for their end. No worker may use its socket any more, and no context may
 * have keys there.
 */
void key_manager_free(struct key_manager **manager);

/*
 * The library that the program signs with, and its version, by starting it once; static. NULL if it can't be
 * started.
 */
const char *key_manager_library(void);

#endif
