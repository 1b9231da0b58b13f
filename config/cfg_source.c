/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

char *cfg_source_resolve(struct cfg_arena *arena, const char *file, struct slice path)
{
    const char *slash = strrchr(file, '/');
    if (slash == NULL || slice_has_prefix(path, "/"))
        return cfg_arena_copy(arena, path);
    return cfg_arena_format(arena, "%.*s%.*s", (int)(slash + 1 - file), file, (int)path.len,
                            (const char *)path.data);
}

/* Reads the rest of a stream; false with errno if that fails or is more than `limit` octets. */
static bool read_all(FILE *stream, struct cfg_arena *arena, size_t limit, struct slice *text)
{
    size_t cap = 16 * 1024;
    size_t len = 0;
    uint8_t *data = cfg_arena_alloc_or_null(arena, cap, 1);
    while (data != NULL) {
        len += fread(data + len, 1, cap - len, stream);
        if (len < cap)
            break;
        if (cap > limit) {
            errno = EFBIG;
            return false;
        }
        uint8_t *larger = cfg_arena_alloc_or_null(arena, cap * 2, 1);
        if (larger != NULL)
            memcpy(larger, data, len);
        data = larger;
        cap *= 2;
    }
    if (data == NULL) {
        errno = ENOMEM;
        return false;
    }
    *text = (struct slice){data, len};
    return ferror(stream) == 0;
}

/* Opens and reads a file into the next place of the stack; false with errno. */
static bool read_file(struct cfg_source *source, const char *path)
{
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return false;
    struct stat about;
    struct slice text = {0};
    bool ok = fstat(fileno(stream), &about) == 0;
    if (ok && S_ISDIR(about.st_mode)) {
        errno = EISDIR;
        ok = false;
    }
    ok = ok && read_all(stream, &source->texts, CFG_SOURCE_OCTETS - source->octets, &text);
    int reason = errno;
    fclose(stream);
    errno = reason;
    if (!ok)
        return false;
    source->octets +=
        text.len < CFG_SOURCE_OCTETS - source->octets ? text.len : CFG_SOURCE_OCTETS - source->octets;
    size_t mark =
        slice_has_prefix(text, "\xef\xbb\xbf") ? 3 : 0; /* some editors put UTF-8's byte order mark first */
    source->open[source->depth].device = about.st_dev;
    source->open[source->depth].inode = about.st_ino;
    source->open[source->depth].lexer = (struct cfg_lexer){slice_from(text, mark), path, 1, 0};
    source->depth++;
    return true;
}

static const char *reason_text(int reason)
{
    if (reason == EISDIR)
        return "it is a folder, expected a file";
    if (reason == EFBIG)
        return "the configuration is larger than 4 MiB";
    return strerror(reason);
}

bool cfg_source_open(struct cfg_source *source, struct cfg_arena *names, struct cfg_problems *problems,
                     const char *path)
{
    *source = (struct cfg_source){.names = names, .problems = problems};
    const char *name = cfg_arena_copy(names, slice_of(path));
    if (read_file(source, name))
        return true;
    cfg_problems_add(problems, CFG_ERROR, (struct cfg_place){name, 0}, "can't read the configuration: %s",
                     reason_text(errno));
    return false;
}

static bool includes_itself(const struct cfg_source *source)
{
    size_t last = source->depth - 1;
    for (size_t i = 0; i < last; i++)
        if (source->open[i].device == source->open[last].device &&
            source->open[i].inode == source->open[last].inode)
            return true;
    return false;
}

static void include_file(struct cfg_source *source, const struct cfg_token *token)
{
    const char *path = cfg_source_resolve(source->names, token->place.file, token->text);
    const char *wrong = NULL;
    if (source->depth == CFG_SOURCE_DEPTH)
        wrong = "files are included more than 10 deep";
    else if (!read_file(source, path))
        wrong = reason_text(errno);
    else if (includes_itself(source)) {
        source->depth--;
        wrong = "the file includes itself";
    }
    if (wrong != NULL)
        cfg_problems_add(source->problems, CFG_ERROR, token->place, "can't include \"%s\": %s", path, wrong);
}

struct cfg_token cfg_source_next(struct cfg_source *source)
{
    for (;;) {
        struct cfg_token token = cfg_lexer_next(&source->open[source->depth - 1].lexer);
        if (token.kind == CFG_TOKEN_INCLUDE)
            include_file(source, &token);
        else if (token.kind == CFG_TOKEN_END && source->depth > 1)
            source->depth--;
        else
            return token;
    }
}

void cfg_source_close(struct cfg_source *source)
{
    cfg_arena_free(&source->texts);
    *source = (struct cfg_source){0};
}
