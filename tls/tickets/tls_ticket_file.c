/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tickets/tls_ticket_file.h"

#include "base/bytes.h"
#include "base/ensure.h"

#include <openssl/base64.h>

#include <string.h>

enum { SEALING = TLS_TICKET_KEYS - 2, SHORT_KEY = 48 };

/* NULL on success, otherwise what is wrong with the line. */
static const char *parse_line(struct slice line, struct tls_ticket_key *key)
{
    uint8_t octets[sizeof *key + 2]; /* the decoder wants room for whole groups of three */
    size_t len = 0;
    if (line.data[0] == '#')
        return "a file of ticket keys can't have comments";
    if (line.len > TLS_TICKET_FILE_LINE)
        return "the line is too long; a key is 80 octets in base64: 108 characters";
    bool is_base64 = EVP_DecodeBase64(octets, &len, sizeof octets, line.data, line.len) == 1;
    if (is_base64 && len == sizeof *key)
        memcpy(key, octets, sizeof *key);
    wipe(octets, sizeof octets);
    if (!is_base64)
        return "the line is no base64; a key is 80 octets in base64, on a line of its own";
    if (len == SHORT_KEY)
        return "the key has 48 octets, for AES-128; expected 80 octets, for AES-256";
    return len == sizeof *key ? NULL : "the key has the wrong size; expected 80 octets, in base64";
}

static struct slice next_line(struct slice *rest)
{
    size_t end = slice_find(*rest, '\n');
    struct slice line = slice_first(*rest, end);
    *rest = slice_from(*rest, end + 1);
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

static const char *add_line(struct slice line, struct tls_ticket_set *set)
{
    struct tls_ticket_key key;
    const char *wrong = parse_line(line, &key);
    /* Of two keys with one name the older would never be tried. */
    if (wrong == NULL && tls_ticket_set_find(set, key.name) < TLS_TICKET_KEYS)
        wrong = "the key has the same name as one above; was the line copied?";
    if (wrong == NULL)
        tls_ticket_set_add(set, &key);
    wipe(&key, sizeof key);
    return wrong;
}

bool tls_ticket_file_parse(struct slice text, struct tls_ticket_set *set, struct tls_ticket_problem *problem)
{
    *set = (struct tls_ticket_set){.sealing = SEALING};
    *problem = (struct tls_ticket_problem){0};
    if (text.len > TLS_TICKET_FILE_MAX)
        problem->text = "the file is too large for one of ticket keys";
    for (unsigned number = 1; problem->text == NULL && text.len > 0; number++) {
        struct slice line = next_line(&text);
        const char *wrong = line.len > 0 ? add_line(line, set) : NULL;
        if (wrong != NULL)
            *problem = (struct tls_ticket_problem){number, wrong};
    }
    if (problem->text == NULL && set->count < TLS_TICKET_KEYS)
        problem->text = "there are fewer than three keys; make a file with: deepproxy ticket-keys FILE";
    if (problem->text != NULL)
        tls_ticket_set_wipe(set);
    return problem->text == NULL;
}

void tls_ticket_file_format(const struct tls_ticket_set *set, char text[TLS_TICKET_FILE_TEXT])
{
    ENSURE(set->count == TLS_TICKET_KEYS);
    for (size_t i = 0; i < TLS_TICKET_KEYS; i++) {
        uint8_t line[TLS_TICKET_FILE_LINE + 1]; /* the encoder ends it with NUL */
        size_t len = EVP_EncodeBlock(line, (const uint8_t *)&set->keys[i], sizeof set->keys[i]);
        ENSURE(len == TLS_TICKET_FILE_LINE);
        line[len] = '\n';
        memcpy(text + i * sizeof line, line, sizeof line);
        wipe(line, sizeof line);
    }
}

void tls_ticket_file_make(struct tls_ticket_set *set)
{
    *set = (struct tls_ticket_set){.sealing = SEALING};
    for (size_t i = 0; i < TLS_TICKET_KEYS; i++)
        tls_ticket_set_add_new(set);
}

void tls_ticket_file_rotate(struct tls_ticket_set *set)
{
    ENSURE(set->count == TLS_TICKET_KEYS && set->sealing == SEALING);
    tls_ticket_set_add_new(set);
}
