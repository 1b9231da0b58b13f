/* SPDX-License-Identifier: BSD-2-Clause */
/* The state file on a disk that takes its time: the loop goes on, and the newest state wins. */
#include "proxy/control/state_file.h"

#include "cfg_file.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

enum { STATES = 4, LOG_MAX = 1024 };

static uv_sem_t disk;  /* each fsync takes one */
static uv_sem_t begun; /* each fsync gives one when it begins */
static int rename_error;
static unsigned renames;

static uv_loop_t loop;
static uv_async_t ended;
static unsigned ends;
static char *folder;
static char *path;
static struct state_file file;
static struct cfg cfg;
static char *tags[STATES] = {"a", "b", "c", "d"};
static struct commitment items[STATES];
static struct shared_commitments commitments[STATES];
static struct snapshot snapshots[STATES];

int __wrap_fsync(int fd)
{
    uv_sem_post(&begun);
    uv_sem_wait(&disk);
    return __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    renames++;
    errno = rename_error;
    return rename_error == 0 ? __real_rename(from, to) : -1;
}

static void on_ended(uv_async_t *async)
{
    (void)async;
    ends++;
}

static void set_up(void)
{
    folder = cfg_folder_make();
    ck_assert_int_gt(asprintf(&path, "%s/state", folder), 0);
    cfg.state_file = path;
    for (size_t i = 0; i < STATES; i++) {
        items[i] = (struct commitment){.host = "*", .protocol = PROTOCOL_IMAP, .tags = tags[i]};
        commitments[i].list = (struct commitments){&items[i], 1, 1};
        snapshots[i] = (struct snapshot){.cfg = &cfg, .commitments = &commitments[i]};
        refcount_init(&snapshots[i].references); /* the test's own stays to the end */
    }
    ck_assert_int_eq(uv_sem_init(&disk, 0), 0);
    ck_assert_int_eq(uv_sem_init(&begun, 0), 0);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(uv_async_init(&loop, &ended, on_ended), 0);
    state_file_init(&file, &loop, &ended, NULL);
}

static void tear_down(void)
{
    uv_close((uv_handle_t *)&ended, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    uv_sem_destroy(&disk);
    uv_sem_destroy(&begun);
    cfg_folder_remove(folder);
    free(path);
}

/* True if the file has the state, and nothing else. */
static bool has_state(size_t state)
{
    char text[1024] = "";
    char wanted[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ck_assert_int_ge(read(fd, text, sizeof text - 1), 0);
    close(fd);
    snprintf(wanted, sizeof wanted, "\n* imap %s\n", tags[state]);
    return strstr(text, wanted) != NULL;
}

/* The disk answers all that is asked of it: of each write the file, and then its folder. */
static void let_write(void)
{
    for (int i = 0; i < 2; i++)
        uv_sem_post(&disk);
}

static void wait_for_ends(unsigned count)
{
    while (ends < count)
        uv_run(&loop, UV_RUN_ONCE);
}

static void on_timer(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* The loop serves others, and does not wait. */
static void loop_goes_on(void)
{
    uv_timer_t timer;
    bool fired = false;
    uv_timer_init(&loop, &timer);
    timer.data = &fired;
    uv_timer_start(&timer, on_timer, 1, 1);
    while (!fired)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

START_TEST(a_slow_disk_holds_nothing_up)
{
    ck_assert(!state_file_is_busy(&file));
    state_file_write(&file, &snapshots[0]);
    uv_sem_wait(&begun);
    ck_assert(state_file_is_busy(&file));
    loop_goes_on();
    ck_assert(!has_state(0));
    let_write();
    wait_for_ends(1);
    ck_assert(has_state(0));
    ck_assert(!state_file_is_busy(&file));
}
END_TEST

START_TEST(one_at_a_time_and_the_newest_wins)
{
    state_file_write(&file, &snapshots[0]);
    uv_sem_wait(&begun);
    for (size_t i = 1; i < STATES; i++)
        state_file_write(&file, &snapshots[i]);
    loop_goes_on();
    ck_assert_int_ne(uv_sem_trywait(&begun), 0); /* no other has begun */
    let_write();
    wait_for_ends(1);
    ck_assert(state_file_is_busy(&file));
    let_write();
    wait_for_ends(2);
    ck_assert(!state_file_is_busy(&file));
    ck_assert(has_state(STATES - 1));
    ck_assert_uint_eq(renames, 2);
}
END_TEST

/* What the function logs, in static memory. */
static const char *logged(void (*act)(void))
{
    static char said[LOG_MAX];
    char *name = cfg_folder_write(folder, "log", "", 0);
    int to = open(name, O_RDWR | O_CLOEXEC);
    int before = dup(STDERR_FILENO);
    ck_assert(to >= 0 && before >= 0 && dup2(to, STDERR_FILENO) >= 0);
    act();
    dup2(before, STDERR_FILENO);
    ssize_t len = pread(to, said, sizeof said - 1, 0);
    ck_assert_int_ge(len, 0);
    said[len] = '\0';
    close(before);
    close(to);
    free(name);
    return said;
}

static void fail_to_write(void)
{
    rename_error = ENOSPC;
    let_write();
    state_file_write(&file, &snapshots[0]);
    wait_for_ends(1);
}

START_TEST(a_failure_is_logged_and_the_next_write_is_another)
{
    const char *said = logged(fail_to_write);
    ck_assert_ptr_nonnull(strstr(said, "level=error event=promises-not-remembered file="));
    ck_assert_ptr_nonnull(strstr(said, "error=\"No space left on device\""));
    rename_error = 0;
    let_write();
    state_file_write(&file, &snapshots[1]);
    wait_for_ends(2);
    ck_assert(has_state(1));
}
END_TEST

static void give_up(void)
{
    state_file_give_up(&file);
}

START_TEST(what_is_given_up_is_logged)
{
    state_file_write(&file, &snapshots[0]);
    uv_sem_wait(&begun);
    ck_assert_ptr_nonnull(strstr(logged(give_up), "event=promises-not-remembered"));
    let_write();
    wait_for_ends(1);
}
END_TEST

START_TEST(without_a_file_nothing_is_written)
{
    cfg.state_file = NULL;
    state_file_write(&file, &snapshots[0]);
    ck_assert(!state_file_is_busy(&file));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state_file");
    TCase *tests = tcase_create("state_file");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_slow_disk_holds_nothing_up);
    tcase_add_test(tests, one_at_a_time_and_the_newest_wins);
    tcase_add_test(tests, a_failure_is_logged_and_the_next_write_is_another);
    tcase_add_test(tests, what_is_given_up_is_logged);
    tcase_add_test(tests, without_a_file_nothing_is_written);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
