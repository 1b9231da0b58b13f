# SPDX-License-Identifier: BSD-2-Clause
"""A disk on which fsync takes its time, and which tells what was written to it: for programs that are started meanwhile."""

import contextlib
import os
import shutil
import subprocess

import harness

SOURCE = """
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


@contextlib.contextmanager
def slow_disk(folder, seconds):
    """
    A context in which to start a program. Yields the file that has the path of each fsync, a line each. As long as there is
    a file "held" in the folder none ends, however long that is.
    """
    told = folder.write("synced", "")
    os.chmod(told, 0o666)
    source = folder.write("slow_disk.c", SOURCE % (
        told, int(seconds), round(seconds % 1 * 1e9), folder.path / "held"))
    library = source.with_suffix(".so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    os.environ["LD_PRELOAD"] = str(library)
    try:
        yield told
    finally:
        del os.environ["LD_PRELOAD"]
