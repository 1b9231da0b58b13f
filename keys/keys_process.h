/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_PROCESS_H
#define DEEPPROXY_KEYS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * deepproxy-keys: private keys in processes of their own.
 *
 *     proxy, main thread  -- control socket: paths -->           guard    opens files; has the privileges
 *                                                                  |      descriptors of opened files
 *                                                                  v
 *     proxy, workers      -- a socket each: what to sign    -->  signer   has the keys; opens nothing
 *
 * What this keeps out, and what it does not:
 *
 * - The keys are those of the certificates that the proxy sends to clients, and those that it sends, as a
 *   client, to the servers of a pool. Each is loaded for one of the two roles, and signs the handshakes of
 *   that role.
 * - An attacker who reads the proxy's memory (a bug in TLS, in an engine, in a library) finds no key: no
 *   octet of a key's file is ever in it. An attacker who runs code in the proxy can have signatures made for
 *   as long as that code runs, only for handshakes of TLS (sign_input.h), and takes no key away. Such an
 *   attacker can load a file for either role, and so can also have a server's key sign a client's proof:
 *   whatever accepts that certificate from a client accepts the attacker.
 * - Code in the proxy can have the guard open any path that the guard may read. The content goes to the
 *   signer, not to the proxy. The attacker learns that the file is there, and whether it has a key that can
 *   be used. By naming the file as the passphrase of an encrypted key of their own, the attacker also learns
 *   whether its first line is a guessed passphrase. Only regular files are opened, and only to read. A guard
 *   that root has started can read all files, as a reload may need keys that only root can read.
 * - The same guard serves for what is not secret and still out of the proxy's reach: tools keep certificates
 *   in folders that only root may enter. Of such a file the proxy gets certificates and OCSP responses that
 *   the signer has decoded and encoded again (public_file.h): never a descriptor, and never another octet.
 *   The signer decodes them, and not the guard: files come from customers too. Of paths the guard itself
 *   tells what the proxy needs to find files, and to see that one has not changed: the names in a folder,
 *   what a path leads to, and a regular file's size, times and number. So code in the proxy can list all
 *   folders, see when files change, and copy certificates and OCSP responses. It reads no other file.
 * - The signer receives octets from the proxy, and files from everybody who can write to the folder of
 *   certificates. If one of these breaks it, the attacker has no file to open, no network, no program to
 *   start (seccomp), no capability, and a user that may be one that runs nothing else. The attacker then has
 *   the keys, and nothing else in the system.
 * - The guard receives paths from the proxy, and forwards what the signer sends without looking at it. It has
 *   no key, and an attacker who reads its memory finds nothing.
 * - Neither process dumps core, or can be traced or read by another process of the same user. Keys are in
 *   locked memory if the limit allows it. Nothing here helps against root, or against the kernel.
 * - A restarted signer has the same address space as the one before, as it is forked and not executed anew.
 *   So the proxy waits longer each time before it restarts a signer that has ended, by itself or by force
 *   because it hangs: for whoever is outside the proxy, restarts are no means to guess addresses. A new guard
 *   is executed anew, and with it the signers that it forks have other addresses. Code in the proxy's main
 *   thread can have signers ended and started as often as it likes.
 *
 * Nobody waits for a faulty neighbour. The proxy asks the signer each few seconds whether it is alive, and
 * has the guard end one that does not answer. The guard never waits for the signer, so that it can end it. In
 * the signer each worker has a thread, which alone waits for a worker that does not read; what is loaded,
 * dropped or signed for others goes on. A new signer signs before it has all of its keys: a request for one
 * that is still to come waits, and the signer tells the proxy, which has that key loaded next (KEYS_WANTED).
 *
 * The control socket is descriptor KEYS_CONTROL_FD. Its end ends both processes. A guard that hangs would not
 * see that. So a guard that is watched sends an octet each KEYS_BEAT_MS to descriptor KEYS_BEAT_FD, whose
 * other end has who started it, and ends one that is silent. The proxy, which may not end a guard of root's,
 * has no part in it.
 */
enum { KEYS_CONTROL_FD = 3, KEYS_BEAT_FD = 4, KEYS_BEAT_MS = 2000 };

/* The user that the signer runs as. */
struct keys_user {
    bool changes; /* false: the signer stays the guard's user, and the rest is not used */
    uid_t uid;
    gid_t gid;
};

/*
 * Runs the guard until the proxy closes the control socket. `is_watched`: there is a KEYS_BEAT_FD. Returns
 * the exit status of the process.
 */
int guard_run(const struct keys_user *signer, bool is_watched, pid_t proxy);

/*
 * Runs the signer, in a child of the guard. It owns `control`, the socket to the guard, and the channels, the
 * workers' sockets. Never returns.
 */
_Noreturn void signer_run(int control, const int *channels, size_t channel_count,
                          const struct keys_user *user, pid_t guard);

#endif
