/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_tls.h"

#include "base/array.h"

#include "config/cfg_source.h"
#include "config/cfg_syntax.h"

static const char *const versions[] = {[CFG_TLS_1_0] = "TLSv1.0",
                                       [CFG_TLS_1_1] = "TLSv1.1",
                                       [CFG_TLS_1_2] = "TLSv1.2",
                                       [CFG_TLS_1_3] = "TLSv1.3"};

static const struct cfg_words version_words = {versions, ARRAY_LEN(versions)};

static const char example[] = "certificates = ( { chain = \"mail.pem\"; key = \"mail.key\"; } )";

const char *cfg_tls_version_name(enum cfg_tls_version version)
{
    return versions[version];
}

static void read_certificate(struct cfg_loader *loader, config_setting_t *group,
                             struct cfg_certificate *certificate)
{
    struct cfg_reader reader;
    cfg_reader_open(&reader, loader, group, "a certificate");
    certificate->place = cfg_tree_place(group);
    if (cfg_reader_require(&reader, "chain", "the path of a PEM file with the certificate and its issuers"))
        cfg_read_path(&reader, "chain", "mail.pem", &certificate->chain);
    if (cfg_reader_require(&reader, "key", "the path of a PEM file with the private key"))
        cfg_read_path(&reader, "key", "mail.key", &certificate->key);
    cfg_read_path(&reader, "passphrase", "mail.pass", &certificate->passphrase);
    cfg_read_path(&reader, "ocsp", "mail.ocsp", &certificate->ocsp);
    cfg_reader_close(&reader);
}

static void read_certificates(struct cfg_reader *reader, struct cfg_tls *tls)
{
    config_setting_t *list;
    tls->certificate_count = cfg_read_groups(reader, "certificates", example, &list);
    tls->certificates =
        cfg_arena_alloc(reader->loader->arena, tls->certificate_count, sizeof *tls->certificates);
    for (unsigned i = 0; i < tls->certificate_count; i++)
        read_certificate(reader->loader, config_setting_get_elem(list, i), &tls->certificates[i]);
}

/* One path or a list of them. */
static void read_directories(struct cfg_reader *reader, struct cfg_tls *tls)
{
    struct cfg_item *items;
    struct cfg_loader *loader = reader->loader;
    size_t count = cfg_read_one_or_more(reader, "certificate_dir", "/etc/deepproxy/certificates", &items);
    tls->directories = cfg_arena_alloc(loader->arena, count, sizeof *tls->directories);
    for (size_t i = 0; i < count; i++)
        tls->directories[i] = (struct cfg_directory){
            cfg_source_resolve(loader->arena, items[i].place.file, slice_of(items[i].text)), items[i].place};
    tls->directory_count = count;
}

static void read_sources(struct cfg_reader *reader, struct cfg_tls *tls)
{
    size_t errors = reader->loader->problems->errors;
    read_certificates(reader, tls);
    read_directories(reader, tls);
    if (tls->certificate_count + tls->directory_count == 0 && reader->loader->problems->errors == errors)
        cfg_reader_require(reader, "certificates", example);
}

static void read_versions(struct cfg_reader *reader, struct cfg_tls *tls)
{
    size_t min = CFG_TLS_1_2;
    size_t max = CFG_TLS_1_3;
    cfg_read_word(reader, "min_version", version_words, &min);
    cfg_read_word(reader, "max_version", version_words, &max);
    tls->min_version = (enum cfg_tls_version)min;
    tls->max_version = (enum cfg_tls_version)max;
    if (min > max)
        CFG_FAIL(reader->loader, cfg_reader_place(reader, "max_version"),
                 "no version of TLS is left: \"min_version\" is %s and \"max_version\" is %s", versions[min],
                 versions[max]);
}

static void read_lists(struct cfg_reader *reader, struct cfg_tls *tls)
{
    cfg_read_string(reader, "ciphers", "ECDHE+AESGCM:ECDHE+CHACHA20", &tls->ciphers);
    tls->ciphers_place = cfg_reader_place(reader, "ciphers");
    cfg_read_string(reader, "groups", "X25519:P-256:P-384", &tls->groups);
    tls->groups_place = cfg_reader_place(reader, "groups");
}

static void read_tickets(struct cfg_reader *reader, struct cfg_tls *tls)
{
    cfg_read_switch(reader, "session_tickets", &tls->session_tickets);
    cfg_read_path(reader, "ticket_keys", "tickets.key", &tls->ticket_keys);
    tls->ticket_keys_place = cfg_reader_place(reader, "ticket_keys");
    if (tls->ticket_keys != NULL && !tls->session_tickets)
        cfg_problems_add(reader->loader->problems, CFG_WARNING, tls->ticket_keys_place,
                         "\"ticket_keys\" has no effect: \"session_tickets\" is false");
}

void cfg_tls_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg_tls *tls)
{
    static const char expected[] =
        "a group: tls = { certificates = ( { chain = \"mail.pem\"; key = \"mail.key\"; } ); }";
    *tls = (struct cfg_tls){.min_version = CFG_TLS_1_2, .max_version = CFG_TLS_1_3, .session_tickets = true};
    config_setting_t *group = cfg_reader_require(top, "tls", expected) ? cfg_read_group(top, "tls") : NULL;
    tls->place = cfg_reader_place(top, "tls");
    if (group == NULL)
        return;
    struct cfg_reader reader;
    cfg_reader_open(&reader, loader, group, "tls");
    read_sources(&reader, tls);
    cfg_read_path(&reader, "passphrase", "mail.pass", &tls->passphrase);
    tls->passphrase_place = cfg_reader_place(&reader, "passphrase");
    cfg_read_switch(&reader, "strict_sni", &tls->strict_sni);
    read_versions(&reader, tls);
    read_lists(&reader, tls);
    read_tickets(&reader, tls);
    cfg_reader_close(&reader);
}
