/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/settings_file.h"

#include "base/bytes.h"
#include "proxy/common/durable_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char suffix[] = ".admin";
static const char broken_suffix[] = ".admin.broken";

/* For the caller to free; NULL if memory is short. */
static char *beside(const char *state_file, const char *end)
{
    size_t size = strlen(state_file) + strlen(end) + 1;
    char *path = malloc(size);
    if (path != NULL)
        snprintf(path, size, "%s%s", state_file, end);
    return path;
}

/* ---- reading ---- */

/* False with errno; EFBIG if it is none of ours. */
static bool read_all(int fd, struct bytes *text)
{
    struct stat file;
    uint8_t octets[16384];
    ssize_t len = fstat(fd, &file);
    errno = len == 0 ? EFBIG : errno;
    if (len != 0 || !S_ISREG(file.st_mode) || file.st_size > SERVER_SETTINGS_TEXT_MAX)
        return false;
    while ((len = read(fd, octets, sizeof octets)) > 0)
        if (!bytes_append(text, (struct slice){octets, (size_t)len}, SERVER_SETTINGS_TEXT_MAX)) {
            errno = ENOMEM;
            return false;
        }
    return len == 0;
}

/* The folder may be another user's, and this process root: nothing is followed, and nothing waited for. */
static bool read_file(const char *path, struct bytes *text)
{
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY) : -1;
    if (fd < 0)
        return false;
    bool ok = read_all(fd, text);
    int error = errno;
    close(fd);
    errno = error;
    return ok;
}

void settings_file_read(const char *state_file, struct server_settings *settings,
                        char problem[SERVER_SETTINGS_PROBLEM_MAX])
{
    struct bytes text = {0};
    problem[0] = '\0';
    if (state_file == NULL)
        return;
    char *path = beside(state_file, suffix);
    if (read_file(path, &text))
        (void)!server_settings_read(settings, bytes_view(&text), problem);
    else if (errno != ENOENT)
        snprintf(problem, SERVER_SETTINGS_PROBLEM_MAX, "%s",
                 errno == EFBIG ? "it is no file of settings" : strerror(errno));
    bytes_free(&text);
    free(path);
}

void settings_file_set_aside(const char *state_file, const char *problem, struct log *log)
{
    struct log_line line;
    char *path = beside(state_file, suffix);
    char *kept = beside(state_file, broken_suffix);
    bool ok = path != NULL && kept != NULL && durable_file_rename(path, kept);
    int error = errno;
    log_line_begin(&line, CFG_LOG_ERROR, "settings-broken");
    log_line_add_text(&line, "file", path != NULL ? path : state_file);
    log_line_add_text(&line, "problem", problem);
    if (ok)
        log_line_add_text(&line, "kept", kept);
    else
        log_line_add_text(&line, "error", strerror(error));
    log_write(log, &line);
    free(path);
    free(kept);
}

/* ---- writing ---- */

static void free_text(struct settings_text *text)
{
    free(text->path);
    server_settings_free(&text->settings);
    *text = (struct settings_text){0};
}

static bool begin(void *arg)
{
    struct settings_file *file = arg;
    file->written = file->wanted;
    file->wanted = (struct settings_text){0};
    return file->written.path != NULL;
}

static bool print(FILE *file, const void *arg)
{
    return server_settings_write(file, arg);
}

static void run(void *arg)
{
    struct settings_file *file = arg;
    bool ok = durable_file_replace(file->written.path, 0600, print, &file->written.settings);
    file->error = ok ? 0 : errno;
}

static void log_failure(const struct settings_file *file, const char *path, const char *error)
{
    struct log_line line;
    log_line_begin(&line, CFG_LOG_ERROR, "settings-not-remembered");
    log_line_add_text(&line, "file", path);
    log_line_add_text(&line, "error", error);
    log_write(file->log, &line);
}

static void end(void *arg)
{
    struct settings_file *file = arg;
    if (file->error != 0)
        log_failure(file, file->written.path, strerror(file->error));
    free_text(&file->written);
}

void settings_file_init(struct settings_file *file, uv_loop_t *loop, uv_async_t *ended, struct log *log)
{
    *file = (struct settings_file){
        .log = log,
        .job = {.loop = loop, .begin = begin, .run = run, .end = end, .arg = file, .ended = ended}};
}

void settings_file_write(struct settings_file *file, const char *state_file,
                         const struct server_settings *settings)
{
    struct settings_text text = {0};
    if (state_file == NULL)
        return;
    text.path = beside(state_file, suffix);
    if (text.path == NULL || !server_settings_copy(&text.settings, settings)) {
        free_text(&text);
        log_failure(file, state_file, strerror(ENOMEM));
        return;
    }
    free_text(&file->wanted);
    file->wanted = text;
    pool_job_request(&file->job);
}

void settings_file_give_up(const struct settings_file *file)
{
    log_failure(file, file->written.path, "the program ends, and the disk has not answered");
}

bool settings_file_is_busy(const struct settings_file *file)
{
    return pool_job_is_running(&file->job);
}
