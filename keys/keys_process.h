/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_PROCESS_H
#define DEEPPROXY_KEYS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * deepproxy-keys: private keys in processes of their own.
 *
 *     proxy, main thread  -- control socket: paths of keys -->   guard    opens files; has what privilege there is
 *                                                                  |      descriptors of opened files
 *                                                                  v
 *     proxy, workers      -- a socket each: what to sign    -->  signer   has the keys; opens nothing
 *
 * What this keeps out, and what it does not:
 *
 * - The keys are those of the certificates that clients are shown, and those that the proxy, as a client, shows to the
 *   servers of a pool. Each is loaded for one of the two, and signs that role's handshakes.
 * - Somebody who reads the proxy's memory (a bug in TLS, in an engine, in a library) finds none of them: no octet of a key's file
 *   ever is in it. He who runs code in it can have signatures made as long as he is there, for handshakes of TLS
 *   alone (tls_form.h), and takes no key away. As he can have a file loaded for either role, that includes a client's
 *   proof with a server's key: to whom such a certificate opens doors, it opens them to him.
 * - He can have the guard open any path that the guard may read. What is in the file goes to the signer, not to him;
 *   he learns that it is there, whether it has a key that can be used, and, as he may name a key of his own making with it,
 *   whether its first line is the passphrase that he guessed. Only regular files are opened, and only to read.
 *   A guard that was started by root can read them all, as at a reload keys that only root reads are to be had.
 * - The signer takes octets from the proxy, and files from whoever can write the certificates' folder. Should one of them
 *   break it, there is no file to open for him, no network, no program to start (seccomp), no capability, and a user who
 *   may be one that nothing else runs as. The keys are his then: nothing else in the system is.
 * - The guard takes paths from the proxy, and forwards, without looking, what the signer says. It has no key, and
 *   has no use for memory: whoever reads it finds nothing.
 * - Neither dumps core, nor can be traced or read by another process of the same user. Keys are in locked memory where the
 *   limit allows. Against root, and against the kernel, nothing here helps.
 * - A restarted signer has the address space of the one before, as it is forked and not executed anew: the proxy waits
 *   longer each time before it restarts one that ended, so that it is no means to guess addresses.
 *
 * The control socket is descriptor KEYS_CONTROL_FD; its end is the end of both processes.
 */
enum { KEYS_CONTROL_FD = 3 };

struct keys_identity {
    bool changes; /* the signer becomes another user */
    uid_t uid;
    gid_t gid;
};

/* The guard, until the proxy has gone; the process's exit status. */
int guard_run(const struct keys_identity *signer, pid_t proxy);

/*
 * The signer, in a child of the guard: takes over the channels, and the socket to the guard. Never returns.
 */
_Noreturn void signer_run(int control, const int *channels, size_t channel_count,
                          const struct keys_identity *identity, pid_t guard);

#endif
