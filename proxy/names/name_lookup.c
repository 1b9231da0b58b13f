/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/names/name_lookup.h"

#include "base/refcount.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    /* Plugins of the resolver take more than our own threads. */
    STACK_SIZE = 1024 * 1024
};

/* A name from its question until its answer is taken. */
struct question {
    struct question *next;
    bool is_slow;
    struct name_answer answer;
};

/* First come, first served. */
struct queue {
    struct question *first;
    struct question **last;
    size_t count;
};

struct name_lookup {
    struct refcount references; /* the owner's, and one of each thread */
    pthread_mutex_t mutex;      /* never held while the resolver is asked */
    pthread_cond_t asked;       /* threads wait for it */
    pthread_cond_t answered;    /* name_lookup_wait */
    void (*notify)(void *arg);  /* NULL after name_lookup_free, too */
    void *arg;
    bool is_closed;
    struct queue waiting;
    struct queue done;
    /* In the resolver: the threads own them, and these point there. */
    struct question *under_way[NAME_LOOKUP_THREADS_MAX];
    unsigned threads;
    unsigned idle;
    unsigned slow; /* of those under way */
};

/* ---- queues ---- */

static void put(struct queue *queue, struct question *question)
{
    question->next = NULL;
    *queue->last = question;
    queue->last = &question->next;
    queue->count++;
}

/* Takes out what `place` points at, if there is any. */
static struct question *take_out(struct queue *queue, struct question **place)
{
    struct question *question = *place;
    if (question == NULL)
        return NULL;
    *place = question->next;
    if (*place == NULL)
        queue->last = place;
    queue->count--;
    return question;
}

static void clear(struct queue *queue)
{
    struct question *question;
    while ((question = take_out(queue, &queue->first)) != NULL)
        free(question);
}

static bool has(const struct queue *queue, const char *host)
{
    const struct question *question = queue->first;
    while (question != NULL && strcmp(question->answer.host, host) != 0)
        question = question->next;
    return question != NULL;
}

/* ---- life ---- */

static void unref(struct name_lookup *lookup)
{
    if (!refcount_drop(&lookup->references))
        return;
    clear(&lookup->waiting);
    clear(&lookup->done);
    pthread_cond_destroy(&lookup->answered);
    pthread_cond_destroy(&lookup->asked);
    pthread_mutex_destroy(&lookup->mutex);
    free(lookup);
}

struct name_lookup *name_lookup_new(void (*notify)(void *arg), void *arg)
{
    struct name_lookup *lookup = calloc(1, sizeof *lookup);
    pthread_condattr_t monotonic;
    if (lookup == NULL)
        return NULL;
    refcount_init(&lookup->references);
    lookup->notify = notify;
    lookup->arg = arg;
    lookup->waiting.last = &lookup->waiting.first;
    lookup->done.last = &lookup->done.first;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&lookup->mutex, NULL);
    pthread_cond_init(&lookup->asked, NULL);
    pthread_cond_init(&lookup->answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return lookup;
}

void name_lookup_free(struct name_lookup **lookup)
{
    struct name_lookup *freed = *lookup;
    *lookup = NULL;
    if (freed == NULL)
        return;
    pthread_mutex_lock(&freed->mutex);
    freed->is_closed = true;
    freed->notify = NULL;
    clear(&freed->waiting);
    pthread_cond_broadcast(&freed->asked);
    pthread_mutex_unlock(&freed->mutex);
    unref(freed);
}

/* ---- a thread ---- */

/* The first that may begin now; NULL: none may. */
static struct question *take_next(struct name_lookup *lookup)
{
    struct question **place = &lookup->waiting.first;
    if (lookup->slow >= NAME_LOOKUP_SLOW_MAX)
        while (*place != NULL && (*place)->is_slow)
            place = &(*place)->next;
    return take_out(&lookup->waiting, place);
}

static void note_under_way(struct name_lookup *lookup, const struct question *from, struct question *to)
{
    size_t i = 0;
    while (lookup->under_way[i] != from)
        i++;
    lookup->under_way[i] = to;
}

static void begin(struct name_lookup *lookup, struct question *question)
{
    note_under_way(lookup, NULL, question);
    lookup->slow += question->is_slow;
}

static void finish(struct name_lookup *lookup, struct question *question)
{
    note_under_way(lookup, question, NULL);
    lookup->slow -= question->is_slow;
    if (lookup->is_closed) {
        free(question);
        return;
    }
    put(&lookup->done, question);
    pthread_cond_signal(&lookup->answered);
    if (lookup->notify != NULL)
        lookup->notify(lookup->arg);
    /* One that had to wait for this one may begin, too. */
    pthread_cond_signal(&lookup->asked);
}

/* Addresses of a family that this machine has none of are left out. */
static void resolve(struct name_answer *answer)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    answer->error = getaddrinfo(answer->host, NULL, &hints, &found);
    if (answer->error != 0)
        return;
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next)
        name_set_add(&answer->set, one->ai_addr);
    freeaddrinfo(found);
}

/* Called with the mutex. NULL: the lookup is closed. */
static struct question *await_question(struct name_lookup *lookup)
{
    struct question *question = NULL;
    while (!lookup->is_closed && (question = take_next(lookup)) == NULL) {
        lookup->idle++;
        pthread_cond_wait(&lookup->asked, &lookup->mutex);
        lookup->idle--;
    }
    return question;
}

static void *run(void *arg)
{
    struct name_lookup *lookup = arg;
    struct question *question;
    pthread_mutex_lock(&lookup->mutex);
    while ((question = await_question(lookup)) != NULL) {
        begin(lookup, question);
        pthread_mutex_unlock(&lookup->mutex);
        resolve(&question->answer);
        pthread_mutex_lock(&lookup->mutex);
        finish(lookup, question);
    }
    pthread_mutex_unlock(&lookup->mutex);
    unref(lookup);
    return NULL;
}

/* With all signals held: they are the main thread's. */
static bool create_thread(struct name_lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool ok = pthread_create(&thread, &attributes, run, lookup) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return ok;
}

/* Called with the mutex. False if there is no thread at all. */
static bool have_thread(struct name_lookup *lookup)
{
    if (lookup->idle >= lookup->waiting.count || lookup->threads == NAME_LOOKUP_THREADS_MAX)
        return true;
    refcount_take(&lookup->references);
    if (create_thread(lookup))
        lookup->threads++;
    else
        (void)refcount_drop(&lookup->references); /* the owner has another one */
    return lookup->threads > 0;
}

/* ---- the owner ---- */

static bool is_known(const struct name_lookup *lookup, const char *host)
{
    bool found = has(&lookup->waiting, host) || has(&lookup->done, host);
    for (size_t i = 0; i < NAME_LOOKUP_THREADS_MAX && !found; i++)
        found = lookup->under_way[i] != NULL && strcmp(lookup->under_way[i]->answer.host, host) == 0;
    return found;
}

static bool add(struct name_lookup *lookup, const char *host, bool is_slow)
{
    size_t len = strlen(host);
    struct question *question = NULL;
    if (len <= NAME_LENGTH_MAX && lookup->waiting.count < NAME_LOOKUP_QUEUE_MAX)
        question = calloc(1, sizeof *question);
    if (question == NULL)
        return false;
    question->is_slow = is_slow;
    memcpy(question->answer.host, host, len);
    put(&lookup->waiting, question);
    if (have_thread(lookup)) {
        pthread_cond_signal(&lookup->asked);
        return true;
    }
    clear(&lookup->waiting);
    return false;
}

bool name_lookup_ask(struct name_lookup *lookup, const char *host, bool is_slow)
{
    pthread_mutex_lock(&lookup->mutex);
    bool ok = is_known(lookup, host) || add(lookup, host, is_slow);
    pthread_mutex_unlock(&lookup->mutex);
    return ok;
}

bool name_lookup_take(struct name_lookup *lookup, struct name_answer *answer)
{
    pthread_mutex_lock(&lookup->mutex);
    struct question *question = take_out(&lookup->done, &lookup->done.first);
    pthread_mutex_unlock(&lookup->mutex);
    if (question == NULL)
        return false;
    *answer = question->answer;
    free(question);
    return true;
}

static struct timespec after(uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

bool name_lookup_wait(struct name_lookup *lookup, uint64_t ms)
{
    struct timespec until = after(ms);
    int error = 0;
    pthread_mutex_lock(&lookup->mutex);
    while (lookup->done.count == 0 && error == 0)
        error = pthread_cond_timedwait(&lookup->answered, &lookup->mutex, &until);
    bool is_there = lookup->done.count > 0;
    pthread_mutex_unlock(&lookup->mutex);
    return is_there;
}

const char *name_answer_words(const struct name_answer *answer)
{
    return answer->error == 0 ? "The answer has no address" : gai_strerror(answer->error);
}
