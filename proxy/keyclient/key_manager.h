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
 * has the guard start the signer, and each key loaded when certificates are loaded. It has the signer ended
 * if that hangs, and started again when it has ended. It never starts the guard, or waits for it: key_spawn.h
 * does, for the program that replaces a guard.
 *
 * A new signer signs as soon as it runs. Handshakes that need a key which it does not have yet wait for it,
 * and such a key is loaded before others. Handshakes that begin while there is no signer wait for the next
 * one (key_client.h). Sessions continue, as they need no key.
 *
 * No octet of a private key's file is ever read here. From key_manager_watch on nothing here makes the main
 * thread wait. Certificates are loaded in another thread then, which may wait for minutes.
 */
struct key_manager;

/*
 * Starts a signer for `workers` workers (0: keys are loaded, and nothing is signed), by the guard at the
 * other end of `control` (key_spawn), which it owns, also after an error. Waits for the signer, for half a
 * minute at most. The caller frees the manager. NULL if an error was added to the problems.
 */
MUST_CHECK struct key_manager *key_manager_new(const struct cfg *cfg, unsigned workers, int control,
                                               struct cfg_problems *problems);

/* The source for tls_settings.keys and tls_backend_settings.keys; it lives as long as the manager. */
const struct tls_key_source *key_manager_source(const struct key_manager *manager);

/*
 * A worker's socket, which the caller then owns. -1 if the key process has ended already: hooks.connect
 * provides the next one.
 */
MUST_CHECK int key_manager_take_channel(struct key_manager *manager, unsigned worker);

/* What the manager calls from the main thread's loop. */
struct key_manager_hooks {
    /* A new signer runs: the worker's new socket, which the callee owns. */
    void (*connect)(void *arg, unsigned worker, int channel);
    /* Nobody signs any more: handshakes are not to wait. hooks.connect may follow all the same. */
    void (*give_up)(void *arg);
    /* Keys could not be loaded again: the certificates that need them are to be loaded again. */
    void (*lost)(void *arg);
    void *arg;
    struct log *log;
};

/*
 * From here on the processes are watched, and the signer is restarted. Returns 0, or a libuv error. From the
 * main thread, which loads no key itself after it.
 */
MUST_CHECK int key_manager_watch(struct key_manager *manager, uv_loop_t *loop,
                                 const struct key_manager_hooks *hooks);

/*
 * A new guard was started in place of one that has ended, or is about to: has it start a signer, and all keys
 * loaded anew. It owns `control`. From the main thread, between key_manager_watch and key_manager_unwatch.
 */
void key_manager_replace_guard(struct key_manager *manager, int control);

enum key_manager_state {
    KEY_MANAGER_UP,      /* it signs, as far as is known: a signer that hangs shows within seconds */
    KEY_MANAGER_LOADING, /* it signs; keys are being loaded, and what needs one that is not there yet waits */
    KEY_MANAGER_DOWN,    /* nobody signs; it will be started again, or replaced */
    KEY_MANAGER_GONE     /* nobody signs, and nobody has replaced the guard in time: only a restart helps */
};

/* Whether somebody signs. From the main thread. */
enum key_manager_state key_manager_state(const struct key_manager *manager);

/* Whether somebody signs in this state. */
static inline bool key_manager_can_sign(enum key_manager_state state)
{
    return state == KEY_MANAGER_UP || state == KEY_MANAGER_LOADING;
}

/* How often the key process was restarted, and has had all its keys. From the main thread. */
unsigned key_manager_restarts(const struct key_manager *manager);

/*
 * Ends the watching: closes the loop's handles. Keys can't be loaded any more, and a thread that waits for
 * one waits no longer.
 */
void key_manager_unwatch(struct key_manager *manager);

/*
 * Ends the processes, without waiting for their end. No worker may use its socket any more, and no context
 * may have keys there.
 */
void key_manager_free(struct key_manager **manager);

/*
 * The library that the program signs with, and its version, by starting it once; static. NULL if it can't be
 * started.
 */
const char *key_manager_library(void);

#endif
