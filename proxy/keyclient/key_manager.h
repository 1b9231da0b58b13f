/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_KEYCLIENT_KEY_SERVICE_H
#define DEEPPROXY_PROXY_KEYCLIENT_KEY_SERVICE_H

#include "config/cfg.h"
#include "proxy/common/log.h"
#include "tls/certificates/tls_keys.h"

/*
 * The private keys of the configuration, in a process of their own (keys/keys_process.h), as the main thread has it: started
 * before privileges are given up, asked for each key when certificates are loaded, started again when it has ended. In
 * between, handshakes fail, and sessions go on, as they need no key.
 *
 * No octet of a private key's file is ever read here. Certificates may be loaded in another thread than the main one, which
 * waits then where it needs the key process itself.
 */
struct key_service;

/*
 * Starts it for `workers` workers (0: keys are loaded, and nothing signed). NULL with an error among the problems. Must be
 * in the main thread, whose end ends the key process too.
 */
struct key_service *key_service_new(const struct cfg *cfg, unsigned workers, struct cfg_problems *problems);

/* For tls_settings.keys, and tls_backend_settings.keys; lives as long as the service. */
const struct tls_key_source *key_service_source(const struct key_service *service);

/* The socket of a worker, given away; -1 where the key process has ended already: another follows by `connect`. */
int key_service_take_channel(struct key_service *service, unsigned worker);

/*
 * From here on it is watched, from the main thread's loop. After it has been started again `connect` gives each worker
 * its new socket away.
 */
struct key_service_hooks {
    void (*connect)(void *arg, unsigned worker, int channel);
    void (*lost)(void *arg); /* keys that could not be loaded again: what has them is to be loaded anew */
    void *arg;
    struct log *log;
};
int key_service_watch(struct key_service *service, uv_loop_t *loop, const struct key_service_hooks *hooks);

/* Can it sign, as far as is known? From the main thread, without waiting for another that asks it something. */
bool key_service_is_up(struct key_service *service);
/* How often it has been started again. From the main thread. */
unsigned key_service_restarts(const struct key_service *service);

/* Closes the loop's handles. */
void key_service_unwatch(struct key_service *service);

/* Ends the process. No worker may use it any more, and no context may have keys there. */
void key_service_free(struct key_service **service);

/* The library that signs, and its version, asked of the program; NULL where it is not there. Static. */
const char *key_service_library(void);

#endif
