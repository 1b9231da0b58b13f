/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_FILE_FORM_H
#define DEEPPROXY_BASE_FILE_FORM_H

#include "base/slice.h"

/*
 * What a file is that should have had a certificate chain, or a private key, in PEM form and has none. Keys
 * and certificates come in a dozen forms, and somebody who has the wrong one needs its name and the command
 * that converts it. This looks at octets and decodes nothing: what it says is for a message, and nothing may
 * depend on it.
 */

/*
 * As a message has it after "it is " or "it has ": the form, and what to do. Static; NULL if the form is not
 * known. The commands have FILE for the file, and NEW for the new one. No octet of the file is in it.
 */
const char *file_form_instead_of_chain(struct slice content);
const char *file_form_instead_of_key(struct slice content);

#endif
