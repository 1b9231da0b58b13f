/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_CFG_FILE_H
#define DEEPPROXY_TESTS_CFG_FILE_H

#include "config/cfg.h"

#include <stddef.h>

/* Configurations in temporary files, for the tests of config/. */

/* A whole configuration without a problem, in parts of a line each. */
#define CFG_TLS "tls = { certificates = ( { chain = \"a.pem\"; key = \"a.key\"; } ); };\n"
#define CFG_IMAP_SERVICE                                                                                     \
    "services = ( { protocol = \"imap\"; listen = [ \"[::]:993\" ]; backend = \"stores\"; } );\n"
#define CFG_POOL "backends = ( { name = \"stores\"; servers = ( { address = \"10.0.0.11:143\"; } ); } );\n"

/* Makes a folder in TMPDIR; frees it with all files in it. */
char *cfg_folder_make(void);
void cfg_folder_remove(char *folder);

/* Writes a file into a folder and returns its path, to be freed. */
char *cfg_folder_write(const char *folder, const char *name, const char *text, size_t len);

/*
 * Loads a file; `*cfg` is to be freed. Returns the problems as they are printed, to be freed, without
 * `folder` and its slash wherever a path begins with it.
 */
char *cfg_folder_load(const char *folder, const char *path, struct cfg **cfg);

/* All of that for one text, in a file that is called "F" in what is returned. `cfg` may be NULL. */
char *cfg_text_load(const char *text, struct cfg **cfg);

/* Fails the test where anything is printed about it; to be freed. */
struct cfg *cfg_text_load_clean(const char *text);

/* A text and what is printed about it; the texts of warnings alone come with a configuration. */
struct cfg_case {
    const char *name;
    const char *text;
    const char *printed;
};

/* Fails the test where something else is printed, or a configuration comes with an error or none without. */
void cfg_case_check(const struct cfg_case *c);

#endif
