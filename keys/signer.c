/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/chain_text.h"
#include "keys/channel.h"
#include "keys/key_file.h"
#include "keys/keys_message.h"
#include "keys/keys_process.h"
#include "keys/public_file.h"
#include "keys/sandbox.h"

#include "base/bytes.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Octets. libcrypto keeps its big numbers on the heap, and needs a few kilobytes of stack. */
#define STACK_SIZE (256 * 1024)
/*
 * Octets. More than a key takes while it is read: if this much can't be locked, nothing is locked any more.
 */
#define HEADROOM (1024 * 1024)

static struct signer {
    int control;
    bool locked;
    struct channel *channels[KEYS_CHANNELS_MAX];
    size_t channel_count;
    pthread_barrier_t begun; /* all threads have started, with the system calls that glibc makes for that */
    pthread_barrier_t confined;
    uint8_t message[KEYS_REPLY_MAX];
    uint8_t decoded[KEYS_REPLY_MAX - 1];
    uint8_t file[KEY_FILE_MAX + 1];
    uint8_t passphrase[KEY_PASSPHRASE_MAX + 1];
} signer;

static void reply(enum keys_reply_type type, struct slice payload)
{
    struct slice message = {signer.message, keys_put_reply(signer.message, type, payload)};
    /* Without the guard there is nothing left to do. */
    if (!keys_message_send(signer.control, message, NULL, 0))
        _exit(0);
}

static _Noreturn void give_up(const char *step)
{
    char text[256];
    snprintf(text, sizeof text, "can't %s: %s", step, strerror(errno));
    reply(KEYS_FAILED, slice_of(text));
    _exit(1);
}

/* ---- memory ---- */

static void unlock_memory(void)
{
    static const char note[] = "the limit on locked memory is too low: keys may be swapped out; raise it "
                               "(RLIMIT_MEMLOCK: in systemd LimitMEMLOCK=infinity, in a container "
                               "--ulimit memlock=-1)";
    sandbox_unlock_memory();
    signer.locked = false;
    reply(KEYS_NOTE, slice_of(note));
}

/* With all memory locked, an allocation beyond the limit would fail: unlock before that. */
static void keep_headroom(void)
{
    if (!signer.locked)
        return;
    /* It counts against the limit, but takes no memory, as nothing touches it. */
    void *probe = mmap(NULL, HEADROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED)
        unlock_memory();
    else
        munmap(probe, HEADROOM);
}

/* ---- keys ---- */

/* The length of the file; `cap` if it has that many octets or more; -1 with errno. */
static ssize_t read_all(int fd, uint8_t *into, size_t cap)
{
    size_t len = 0;
    while (len < cap) {
        ssize_t got = read(fd, into + len, cap - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

static void reply_public_half(EVP_PKEY *key)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    if (len > 0)
        reply(KEYS_DONE, (struct slice){der, (size_t)len});
    else
        reply(KEYS_FAILED, slice_of("has a key without a public half"));
    OPENSSL_free(der);
}

static void forget(uint32_t number)
{
    key_table_drop(number);
    for (size_t i = 0; i < signer.channel_count; i++)
        channel_forget(signer.channels[i], number);
}

static void drop(uint32_t number)
{
    forget(number);
    key_table_refuse(number);
}

/* In a channel's thread: it has a buffer of its own. */
static void want(uint32_t number)
{
    uint8_t message[1 + KEYS_WANTED_LEN];
    uint8_t payload[KEYS_WANTED_LEN];
    keys_put_wanted(payload, number);
    size_t len = keys_put_reply(message, KEYS_WANTED, (struct slice){payload, sizeof payload});
    if (!keys_message_send(signer.control, (struct slice){message, len}, NULL, 0))
        _exit(0);
}

static void use_key(const struct keys_command *command, struct slice pem, struct slice passphrase)
{
    const char *why = NULL;
    uint32_t number = command->key;
    struct known_key key = {.pkey = key_file_parse(pem, passphrase, &why),
                            .role = command->type == KEYS_LOAD_CLIENT ? SIGN_AS_CLIENT : SIGN_AS_SERVER};
    if (key.pkey == NULL) {
        reply(KEYS_FAILED, slice_of(why));
        return;
    }
    forget(number);
    if (key_table_set(number, key)) {
        reply_public_half(key.pkey);
        return;
    }
    EVP_PKEY_free(key.pkey);
    reply(KEYS_FAILED, slice_of("can't be kept: out of memory"));
}

static void reply_certificates(struct slice text, bool needs_key)
{
    size_t used = 0;
    if (needs_key && (text.len == sizeof signer.file || !chain_text_has_key(text)))
        reply(KEYS_FAILED, slice_of("has no private key"));
    else if (text.len == sizeof signer.file)
        reply(KEYS_FAILED, slice_of("is larger than 128 KB: it is not the file of a chain"));
    else if (!public_file_certificates(text, signer.decoded, sizeof signer.decoded, &used))
        reply(KEYS_FAILED, slice_of("has more certificates than a chain has, or one that is damaged"));
    else if (used == 0 && !needs_key)
        reply(KEYS_FAILED, slice_of("has no certificate in PEM form (\"-----BEGIN CERTIFICATE-----\")"));
    else
        reply(KEYS_DONE, (struct slice){signer.decoded, used});
}

static void reply_ocsp(struct slice der)
{
    size_t used = 0;
    if (der.len < sizeof signer.file && public_file_ocsp(der, signer.decoded, sizeof signer.decoded, &used))
        reply(KEYS_DONE, (struct slice){signer.decoded, used});
    else
        reply(KEYS_FAILED, slice_of("is no OCSP response in DER form"));
}

/* What is not secret in a file, decoded. */
static void send_public(enum keys_command_type type, const int *fds, size_t count)
{
    ssize_t len = count > 0 ? read_all(fds[0], signer.file, sizeof signer.file) : -1;
    struct slice content = {signer.file, len > 0 ? (size_t)len : 0};
    if (len < 0)
        reply(KEYS_FAILED, slice_of("can't be read"));
    else if (type == KEYS_OCSP)
        reply_ocsp(content);
    else
        reply_certificates(content, type == KEYS_CHAIN);
    wipe(signer.file, content.len);
}

static void load(const struct keys_command *command, const int *fds, size_t count)
{
    struct slice passphrase = {NULL, 0};
    ssize_t len = count > 0 ? read_all(fds[0], signer.file, sizeof signer.file) : -1;
    ssize_t passphrase_len = count > 1 ? read_all(fds[1], signer.passphrase, sizeof signer.passphrase) : 0;
    if (count > 1 && passphrase_len >= 0)
        passphrase = (struct slice){signer.passphrase, (size_t)passphrase_len};
    if (len < 0 || passphrase_len < 0)
        reply(KEYS_FAILED, slice_of(len < 0 ? "can't be read" : "is encrypted by a file that can't be read"));
    else if ((size_t)len == sizeof signer.file)
        reply(KEYS_FAILED, slice_of("is larger than 128 KB: it is not the file of a key"));
    else
        use_key(command, (struct slice){signer.file, (size_t)len}, passphrase);
    wipe(signer.file, len > 0 ? (size_t)len : 0);
    wipe(signer.passphrase, sizeof signer.passphrase);
}

static void obey(struct slice message, const int *fds, size_t count)
{
    struct keys_command command;
    if (!keys_take_command(message, &command))
        _exit(1);
    keep_headroom();
    if (keys_command_loads(command.type))
        load(&command, fds, count);
    else if (keys_command_reads(command.type))
        send_public(command.type, fds, count);
    else if (command.type == KEYS_DROP)
        drop(command.key);
    else if (command.type == KEYS_READY)
        key_table_complete();
    else if (command.type == KEYS_PING)
        reply(KEYS_DONE, (struct slice){NULL, 0});
}

/* ---- the process ---- */

static void *run_channel(void *arg)
{
    pthread_barrier_wait(&signer.begun);
    pthread_barrier_wait(&signer.confined);
    channel_serve(arg);
    return NULL;
}

static bool start_channel(int socket, const pthread_attr_t *attributes)
{
    struct channel *channel = channel_new(socket, want);
    if (channel == NULL)
        return false;
    int error = pthread_create(&channel->thread, attributes, run_channel, channel);
    if (error != 0) {
        channel->socket = -1; /* it stays the caller's */
        channel_free(&channel);
        errno = error;
        return false;
    }
    signer.channels[signer.channel_count++] = channel;
    return true;
}

static void start_channels(const int *sockets, size_t count)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, STACK_SIZE) != 0 ||
        pthread_barrier_init(&signer.begun, NULL, (unsigned)count + 1) != 0 ||
        pthread_barrier_init(&signer.confined, NULL, (unsigned)count + 1) != 0)
        give_up("start threads");
    for (size_t i = 0; i < count; i++) {
        keep_headroom();
        if (!start_channel(sockets[i], &attributes))
            give_up("start a thread for each worker");
    }
    pthread_attr_destroy(&attributes);
    pthread_barrier_wait(&signer.begun);
}

/* Does now what the library does only once, with system calls that will be forbidden. */
static void prepare_library(void)
{
    uint8_t once[16];
    /* To make more arenas malloc would ask the system later how many processors there are. */
    mallopt(M_ARENA_MAX, 1);
#ifndef OPENSSL_IS_BORINGSSL
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS |
                            OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                        NULL);
#endif
    if (RAND_bytes(once, sizeof once) != 1)
        give_up("make random numbers");
}

static void confine(const int *channels, size_t channel_count, const struct keys_user *user, pid_t guard)
{
    const char *failed = sandbox_become(user->changes, user->uid, user->gid, guard);
    if (failed != NULL)
        give_up(failed);
    prepare_library();
    signer.locked = true;
    if (!sandbox_lock_memory())
        unlock_memory();
    start_channels(channels, channel_count);
    failed = sandbox_filter_signer();
    if (failed != NULL)
        give_up(failed);
    pthread_barrier_wait(&signer.confined);
}

_Noreturn void signer_run(int control, const int *channels, size_t channel_count,
                          const struct keys_user *user, pid_t guard)
{
    signer.control = control;
    confine(channels, channel_count, user, guard);
    reply(KEYS_DONE, slice_of(key_sign_library()));
    for (;;) {
        int fds[2];
        size_t count = 2;
        ssize_t len = keys_message_receive(control, signer.message, sizeof signer.message, fds, &count);
        if (len <= 0)
            _exit(0);
        obey((struct slice){signer.message, (size_t)len}, fds, count);
        keys_close_all(fds, count);
    }
}
