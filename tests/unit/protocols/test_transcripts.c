/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "transcript.h"
#include "run_suite.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct transcript *transcripts[512];
static size_t transcript_total;

/* The dialogues of all files, numbered through. */
static const struct transcript *find(int number, size_t *index)
{
    size_t left = (size_t)number;
    for (size_t i = 0; i < transcript_total; i++) {
        if (left < transcript_count(transcripts[i])) {
            *index = left;
            return transcripts[i];
        }
        left -= transcript_count(transcripts[i]);
    }
    return NULL;
}

START_TEST(dialogue)
{
    size_t index;
    const struct transcript *t = find(_i, &index);
    ck_assert_ptr_nonnull(t);
    char *failure = transcript_run(t, index);
    if (failure != NULL)
        ck_abort_msg("%s", failure);
}
END_TEST

static int load_all(const char *folder)
{
    char pattern[512];
    snprintf(pattern, sizeof pattern, "%s/%s/*.txt", TEST_SOURCE_DIR "/transcripts", folder);
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    int dialogues = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct transcript *t = transcript_load(found.gl_pathv[i]);
        if (t == NULL || transcript_total == ARRAY_LEN(transcripts))
            exit(1);
        transcripts[transcript_total++] = t;
        dialogues += (int)transcript_count(t);
    }
    globfree(&found);
    return dialogues;
}

/* With arguments: only these folders of tests/transcripts. */
int main(int argc, char **argv)
{
    static const char *const folders[] = {"imap", "pop3", "submission"};
    int dialogues = 0;
    for (int i = 1; i < argc; i++)
        dialogues += load_all(argv[i]);
    for (size_t i = 0; argc == 1 && i < ARRAY_LEN(folders); i++)
        dialogues += load_all(folders[i]);
    if (dialogues == 0) {
        fprintf(stderr, "no transcripts found below %s/transcripts\n", TEST_SOURCE_DIR);
        return 1;
    }
    TCase *tcase = tcase_create("dialogues");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, dialogue, 0, dialogues);
    Suite *suite = suite_create("transcripts");
    suite_add_tcase(suite, tcase);
    int status = run_suite(suite);
    for (size_t i = 0; i < transcript_total; i++)
        transcript_free(transcripts[i]);
    return status;
}
