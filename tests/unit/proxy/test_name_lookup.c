/* SPDX-License-Identifier: BSD-2-Clause */
/* Names are looked up in threads, with a resolver of the test's own that answers when it is told to. */
#include "proxy/names/name_lookup.h"

#include "run_suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);
void __wrap_freeaddrinfo(struct addrinfo *result);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg),
                          void *arg);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg),
                          void *arg);

enum { LONG_MS = 20000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_silent; /* "silent..." gets no answer */
static unsigned in_resolver;
static unsigned most_in_resolver;
static unsigned questions;
static bool signals_were_held;
static unsigned threads_allowed;
static atomic_uint lists_held;
static atomic_uint notified;

static void add_address(struct addrinfo **list, const char *text)
{
    struct {
        struct addrinfo info;
        struct sockaddr_in address;
    } *made = calloc(1, sizeof *made);
    made->address.sin_family = AF_INET;
    (void)!inet_pton(AF_INET, text, &made->address.sin_addr); /* Check is not for threads */
    made->info.ai_addr = (struct sockaddr *)&made->address;
    made->info.ai_addrlen = sizeof made->address;
    made->info.ai_next = *list;
    *list = &made->info;
    atomic_fetch_add(&lists_held, 1);
}

static void enter(const char *node)
{
    sigset_t held;
    pthread_sigmask(SIG_BLOCK, NULL, &held);
    pthread_mutex_lock(&mutex);
    signals_were_held = sigismember(&held, SIGTERM) == 1 && sigismember(&held, SIGHUP) == 1;
    questions++;
    in_resolver++;
    most_in_resolver = in_resolver > most_in_resolver ? in_resolver : most_in_resolver;
    pthread_cond_broadcast(&changed);
    while (is_silent && strncmp(node, "silent", 6) == 0)
        pthread_cond_wait(&changed, &mutex);
    in_resolver--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result)
{
    (void)service;
    (void)hints;
    enter(node);
    if (strncmp(node, "wrong", 5) == 0)
        return EAI_NONAME;
    *result = NULL;
    if (strncmp(node, "empty", 5) == 0)
        return 0;
    add_address(result, "10.0.0.2");
    add_address(result, "10.0.0.1");
    return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *result)
{
    while (result != NULL) {
        struct addrinfo *next = result->ai_next;
        free(result);
        atomic_fetch_sub(&lists_held, 1);
        result = next;
    }
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg),
                          void *arg)
{
    if (threads_allowed == 0)
        return EAGAIN;
    threads_allowed--;
    return __real_pthread_create(thread, attributes, run, arg);
}

static void set_silent(bool silent)
{
    pthread_mutex_lock(&mutex);
    is_silent = silent;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void await_in_resolver(unsigned count)
{
    pthread_mutex_lock(&mutex);
    while (in_resolver != count)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static unsigned count_questions(void)
{
    pthread_mutex_lock(&mutex);
    unsigned count = questions;
    pthread_mutex_unlock(&mutex);
    return count;
}

static struct name_lookup *lookup;

static void note(void *arg)
{
    atomic_uint *count = arg;
    atomic_fetch_add(count, 1);
}

static void set_up(void)
{
    threads_allowed = 100;
    is_silent = false;
    questions = most_in_resolver = 0;
    atomic_store(&notified, 0);
    lookup = name_lookup_new(note, &notified);
    ck_assert_ptr_nonnull(lookup);
}

static void tear_down(void)
{
    name_lookup_free(&lookup);
    ck_assert_ptr_null(lookup);
    set_silent(false);
    await_in_resolver(0);
}

static struct name_answer await_answer(void)
{
    struct name_answer answer;
    ck_assert(name_lookup_wait(lookup, LONG_MS));
    ck_assert(name_lookup_take(lookup, &answer));
    return answer;
}

static void ask(const char *host)
{
    ck_assert(name_lookup_ask(lookup, host, false));
}

START_TEST(answers)
{
    ask("store.example");
    struct name_answer answer = await_answer();
    ck_assert_str_eq(answer.host, "store.example");
    ck_assert_int_eq(answer.error, 0);
    ck_assert_uint_eq(answer.set.count, 2);
    ck_assert_uint_eq(atomic_load(&notified), 1);
    ck_assert_uint_eq(atomic_load(&lists_held), 0);
    ck_assert(signals_were_held);
    ck_assert(!name_lookup_take(lookup, &answer));
    ck_assert(!name_lookup_wait(lookup, 1));
}
END_TEST

START_TEST(failures)
{
    ask("wrong.example");
    struct name_answer answer = await_answer();
    ck_assert_int_eq(answer.error, EAI_NONAME);
    ck_assert_uint_eq(answer.set.count, 0);
    ck_assert_str_eq(name_answer_words(&answer), gai_strerror(EAI_NONAME));
    ask("empty.example");
    answer = await_answer();
    ck_assert_int_eq(answer.error, 0);
    ck_assert_uint_eq(answer.set.count, 0);
    ck_assert_str_eq(name_answer_words(&answer), "The answer has no address");
}
END_TEST

START_TEST(one_question_for_each_name_at_a_time)
{
    set_silent(true);
    ask("silent.example");
    await_in_resolver(1);
    ask("silent.example");
    ask("silent.example");
    set_silent(false);
    await_answer();
    ck_assert_uint_eq(count_questions(), 1);
    ask("silent.example");
    ck_assert_str_eq(await_answer().host, "silent.example");
    ck_assert_uint_eq(count_questions(), 2);
}
END_TEST

/* As many as there are threads, and the others wait. */
START_TEST(many_names)
{
    char host[32];
    set_silent(true);
    for (int i = 0; i < 100; i++) {
        snprintf(host, sizeof host, "silent%d.example", i);
        ask(host);
    }
    await_in_resolver(NAME_LOOKUP_THREADS_MAX);
    set_silent(false);
    for (int i = 0; i < 100; i++)
        await_answer();
    ck_assert_uint_eq(most_in_resolver, NAME_LOOKUP_THREADS_MAX);
    ck_assert_uint_eq(count_questions(), 100);
}
END_TEST

/* Names that are known to be slow leave threads for others. */
START_TEST(slow_names_delay_no_others)
{
    char host[32];
    set_silent(true);
    for (int i = 0; i < 20; i++) {
        snprintf(host, sizeof host, "silent%d.example", i);
        ck_assert(name_lookup_ask(lookup, host, true));
    }
    await_in_resolver(NAME_LOOKUP_SLOW_MAX);
    ask("store.example");
    ck_assert_str_eq(await_answer().host, "store.example");
    ck_assert_uint_le(most_in_resolver, NAME_LOOKUP_SLOW_MAX + 1);
    set_silent(false);
    for (int i = 0; i < 20; i++)
        await_answer();
}
END_TEST

START_TEST(too_many_wait)
{
    char host[32];
    set_silent(true);
    int asked = 0;
    do
        snprintf(host, sizeof host, "silent%d.example", asked++);
    while (asked < 5000 && name_lookup_ask(lookup, host, false));
    ck_assert_int_gt(asked, NAME_LOOKUP_QUEUE_MAX);
    ck_assert_int_le(asked, NAME_LOOKUP_QUEUE_MAX + NAME_LOOKUP_THREADS_MAX + 1);
}
END_TEST

START_TEST(name_that_is_too_long)
{
    char host[400];
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    ck_assert(!name_lookup_ask(lookup, host, false));
}
END_TEST

START_TEST(no_thread_can_begin)
{
    threads_allowed = 0;
    ck_assert(!name_lookup_ask(lookup, "store.example", false));
    threads_allowed = 1;
    ask("store.example");
    ask("other.example"); /* the one thread does both */
    await_answer();
    await_answer();
}
END_TEST

/* Nothing waits for a thread in the resolver, and nobody is told of its answer. */
START_TEST(free_while_names_are_under_way)
{
    set_silent(true);
    ask("silent.example");
    ask("silent2.example");
    await_in_resolver(2);
    name_lookup_free(&lookup);
    set_silent(false);
    await_in_resolver(0);
    ck_assert_uint_eq(atomic_load(&notified), 0);
}
END_TEST

START_TEST(free_with_answers_left)
{
    ask("store.example");
    ck_assert(name_lookup_wait(lookup, LONG_MS));
    name_lookup_free(&lookup);
    name_lookup_free(&lookup);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("name_lookup");
    TCase *cases = tcase_create("lookup");
    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, answers);
    tcase_add_test(cases, failures);
    tcase_add_test(cases, one_question_for_each_name_at_a_time);
    tcase_add_test(cases, many_names);
    tcase_add_test(cases, slow_names_delay_no_others);
    tcase_add_test(cases, too_many_wait);
    tcase_add_test(cases, name_that_is_too_long);
    tcase_add_test(cases, no_thread_can_begin);
    tcase_add_test(cases, free_while_names_are_under_way);
    tcase_add_test(cases, free_with_answers_left);
    return run_suite(suite);
}
