/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_KEYCLIENT_KEY_MANAGER_PRIVATE_H
#define DEEPPROXY_PROXY_KEYCLIENT_KEY_MANAGER_PRIVATE_H

#include "base/bytes.h"
#include "proxy/keyclient/key_entries.h"
#include "proxy/keyclient/key_manager.h"
#include "proxy/keyclient/key_process.h"

/*
 * Shared by key_manager.c (start, end, and what other threads ask for), key_files.c (what they ask of files
 * without keys), key_supervision.c (the life of the key process, and the dialogue with it) and key_tasks.c
 * (what a signer is asked for), and by nothing else.
 *
 * One thread has the control socket: the main thread. It never waits for it: what is asked, and what its
 * answer means, is a state here. Another thread that wants a key loaded leaves a request, and waits for its
 * answer. A state machine on the loop was chosen, and not a thread that may wait: what it does is a few
 * system calls for each key, nothing has to be ended or waited for when the program ends, and hooks are
 * called where they may act.
 */

/* What the supervision is at. A signer can sign in KEYS_UP and KEYS_LOADING. */
enum key_phase {
    KEYS_UP,
    KEYS_LOADING, /* a new signer has its channels, and gets its keys: first those that handshakes wait for */
    KEYS_STARTING, /* the answer to KEYS_START is still to come */
    KEYS_RESTING,  /* there is no signer; the next one is started when the timer expires */
    KEYS_KILLING,  /* the signer hangs; the guard was told to end it */
    KEYS_NO_GUARD  /* the control socket is closed; key_manager_replace_guard brings another one */
};

/* The command whose answer is still to come. */
enum key_asked {
    ASKED_NOTHING,
    ASKED_START,
    ASKED_KEY,     /* the key `asked_key` once more */
    ASKED_REQUEST, /* another thread's */
    ASKED_PING
};

/*
 * A command of another thread, on its stack. The lock guards it; it is in the queue, or
 * manager->asked_request, or done. The command's slices stay valid until it is done.
 */
struct key_request {
    struct keys_command command;
    struct key_request *next;
    bool is_done;
    bool is_ok;
    struct bytes answer; /* of one that is ok; the requester frees it */
    char error[KEY_PROCESS_ERROR_MAX];
};

struct key_manager {
    struct key_process process;
    struct tls_key_source source;
    int *channels; /* the workers' ends, until key_manager_take_channel; -1: taken, or closed */
    unsigned workers;
    uv_mutex_t lock; /* held for moments alone */
    uv_cond_t done;  /* a request is */
    /* Under the lock: */
    struct key_entries entries;
    struct key_request *first; /* the queue of requests */
    struct key_request *last;
    struct key_request *asked_request; /* NULL: none, or its thread waits no more */
    uint32_t *released; /* numbers of keys to be dropped, as no certificate has them any more */
    size_t released_count;
    size_t released_cap;
    enum { KEYS_ALONE, KEYS_WATCHED, KEYS_OVER } mode; /* before, during and after the watching */
    /* The main thread's: */
    struct key_manager_hooks hooks;
    uv_poll_t *control; /* on the heap, as it lives until its close callback; NULL: there is no guard */
    uv_timer_t timer;   /* what it means depends on phase and asked */
    uv_async_t wake;
    enum key_phase phase;
    enum key_asked asked;
    uint32_t asked_key;
    uint32_t cursor;  /* KEYS_LOADING: keys below were loaded, or lost */
    uint32_t *wanted; /* KEYS_LOADING: numbers of keys that handshakes wait for, the oldest first */
    size_t wanted_at; /* the next one's index */
    size_t wanted_count;
    size_t wanted_cap;
    unsigned drops;   /* KEYS_DROP sent after the last command with an answer */
    bool is_blocked;  /* the control socket is full */
    bool has_lost;    /* KEYS_LOADING: some keys could not be loaded again */
    bool is_given_up; /* KEYS_NO_GUARD: nobody has brought another one in time */
    bool is_idle;     /* KEYS_UP: nothing is asked, and the timer says when to ask whether it is alive */
    uint64_t wait_ms; /* before the last start */
    uint64_t started_at;
    uint64_t ended_at; /* when the signer was last up */
    unsigned restarts;
    char library[128]; /* that the restarted signer signs with */
};

/* A socket for each worker in place of those before; the far ends into `far`. False with errno. */
MUST_CHECK bool key_manager_open_channels(struct key_manager *manager, int far[KEYS_CHANNELS_MAX]);

/* Closes the workers' ends that were not taken. */
void key_manager_close_channels(struct key_manager *manager);

/* Notes that no certificate has the key any more. If memory is short it stays loaded. Under the lock. */
void key_manager_note_released(struct key_manager *manager, uint32_t number);

/* The command that loads an entry. Its slices are the entry's. Under the lock. */
struct keys_command key_manager_load_command(const struct key_entry *entry, uint32_t number);

/*
 * Asks, and waits for the answer, in any thread that may wait (tls_key_source): request->command is the
 * question. True: request->answer has the answer, which the caller frees. False: request->error has the
 * reason.
 */
MUST_CHECK bool key_manager_ask(struct key_manager *manager, struct key_request *request);

/* The functions of tls_key_source for files that have no key (key_files.c). */
void key_files_offer(struct tls_key_source *source);

/* Ends a request: wakes its thread. Under the lock. */
void key_manager_settle(struct key_manager *manager, struct key_request *request, bool is_ok);

/* ---- the supervision: all of it on the main thread's loop ---- */

/* Other threads have left something to do. */
void key_supervision_wake(struct key_manager *manager);

/* Begins: the signer runs, or has ended by now. Returns 0, or a libuv error. */
MUST_CHECK int key_supervision_begin(struct key_manager *manager, uv_loop_t *loop);

/* Closes the loop's handles; nothing is sent or received after it. */
void key_supervision_end(struct key_manager *manager);

/* Moves to another phase, if the table allows it. Nothing may be asked. */
void key_supervision_move(struct key_manager *manager, enum key_phase to);

/* Whether there is a signer that signs. */
bool key_supervision_has_signer(const struct key_manager *manager);

/* The timer expires after this time, and not when it was to before. */
void key_supervision_set_timer(struct key_manager *manager, uint64_t ms);

/* Sends a command that has no answer. False if it could not: that is handled already. */
bool key_supervision_send(struct key_manager *manager, const struct keys_command *command);

/* Sends a command, and notes what is asked, unless it could not. The timer is set to `answer_ms`. */
void key_supervision_ask(struct key_manager *manager, enum key_asked asked,
                         const struct keys_command *command, uint64_t answer_ms);

/*
 * A command could not be sent, with this errno: the socket is full, and is watched for room; or the guard is
 * gone.
 */
void key_supervision_note_unsent(struct key_manager *manager, int error);

/* ---- what a signer is asked for (key_tasks.c), on the same loop ---- */

/* Sends what is due, if the last command was answered: first what handshakes wait for. */
void key_tasks_step(struct key_manager *manager);

/* A new signer runs: connects the workers, and begins to load all keys. */
void key_tasks_begin(struct key_manager *manager);

/* Asks whether the signer is alive. */
void key_tasks_ping(struct key_manager *manager);

/* The answer to ASKED_KEY. */
void key_tasks_note_loaded(struct key_manager *manager, bool ok, struct slice answer);

/* The signer has ended while it loaded this key. */
void key_tasks_note_end_by(struct key_manager *manager, uint32_t number);

/* A handshake waits for a key. False if the message is malformed. */
MUST_CHECK bool key_tasks_note_wanted(struct key_manager *manager, struct slice payload);

/* The answer to ASKED_REQUEST: what was asked for, or why not. */
void key_tasks_answer(struct key_manager *manager, struct slice answer);
void key_tasks_fail_asked(struct key_manager *manager, struct slice error);

/* There is no signer that would have to drop the keys that were released. */
void key_tasks_forget_released(struct key_manager *manager);

/* Nobody will answer what other threads have queued. */
void key_tasks_fail_queued(struct key_manager *manager);

#endif
