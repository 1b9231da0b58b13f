/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/pool_thread.h"

#include <signal.h>

/*
 * The threads begin with the first request, and with its mask. The main thread holds signals when the program
 * ends: libuv has given them their default action back by then.
 */
int pool_thread_queue(uv_loop_t *loop, uv_work_t *work, uv_work_cb run, uv_after_work_cb after)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = uv_queue_work(loop, work, run, after);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}
