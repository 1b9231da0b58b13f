# SPDX-License-Identifier: BSD-2-Clause
"""
A C library before the program's own, for programs that are started meanwhile: a disk on which fsync takes its time, and
which tells what was written to it; a call that takes its time.
"""

import contextlib
import os
import shutil
import subprocess

import harness

FSYNC = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
int fsync(int fd)
{
    char link[64], line[4096];
    snprintf(link, sizeof(link), "/proc/self/fd/%%d", fd);
    ssize_t length = readlink(link, line, sizeof(line) - 1);
    int told = open("%s", O_WRONLY | O_APPEND | O_CLOEXEC);
    if (told >= 0 && length > 0) {
        line[length] = '\\n';
        length = write(told, line, (size_t)length + 1);
    }
    close(told);
    struct timespec time = {%d, %d}, moment = {0, 10000000};
    nanosleep(&time, 0);
    while ((told = open("%s", O_RDONLY | O_CLOEXEC)) >= 0) {
        close(told);
        nanosleep(&moment, 0);
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
int fdatasync(int fd)
{
    return fsync(fd);
}
"""


def is_possible():
    """A sanitizer wants to be the first library that is loaded."""
    return shutil.which("cc") is not None and not harness.is_sanitized()


SLOW_CALL = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <time.h>
int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    struct timespec time = {%d, %d};
    nanosleep(&time, 0);
    return ((int (*)(int, const char *, uint32_t))dlsym(RTLD_NEXT, "inotify_add_watch"))(fd, path, mask);
}
"""


def parts_of(seconds):
    return int(seconds), round(seconds % 1 * 1e9)


@contextlib.contextmanager
def preloaded(folder, name, source):
    path = folder.write(f"{name}.c", source)
    library = path.with_suffix(".so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, path], check=True)
    os.environ["LD_PRELOAD"] = str(library)
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"]


@contextlib.contextmanager
def slow_disk(folder, seconds):
    """
    A context in which to start a program. Yields the file that has the path of each fsync, a line each. As long as there is
    a file "held" in the folder none ends, however long that is.
    """
    told = folder.write("synced", "")
    os.chmod(told, 0o666)
    with preloaded(folder, "slow_disk", FSYNC % (told, *parts_of(seconds), folder.path / "held")):
        yield told


def slow_watches(folder, seconds):
    """A context in which to start a program: each folder that it watches takes that long, in the thread that does it."""
    return preloaded(folder, "slow_watches", SLOW_CALL % parts_of(seconds))
