/* SPDX-License-Identifier: BSD-2-Clause */
/* What a configuration is read into: defaults, every key, other files, and the sample that is installed. */
#include "base/array.h"
#include "cfg_file.h"
#include "config/cfg_keys.h"
#include "run_suite.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(defaults_of_the_program)
{
    char machine[256];
    ck_assert_int_eq(gethostname(machine, sizeof machine), 0);
    struct cfg *cfg = cfg_text_load_clean(CFG_TLS CFG_IMAP_SERVICE CFG_POOL);
    ck_assert_str_eq(cfg->hostname, machine);
    ck_assert_ptr_null(cfg->user);
    ck_assert_ptr_null(cfg->group);
    ck_assert(cfg->key_isolation);
    ck_assert_ptr_null(cfg->key_user);
    ck_assert_uint_eq(cfg->workers, 0);
    ck_assert_uint_eq(cfg->max_connections, 0);
    ck_assert_int_eq(cfg->log_level, CFG_LOG_INFO);
    ck_assert_uint_eq(cfg->timeouts.handshake_ms, 30000);
    ck_assert_uint_eq(cfg->timeouts.login_ms, 180000);
    ck_assert_uint_eq(cfg->timeouts.command_ms, 300000);
    ck_assert_uint_eq(cfg->timeouts.idle_ms, 2100000);
    ck_assert_uint_eq(cfg->timeouts.connect_ms, 5000);
    ck_assert_uint_eq(cfg->timeouts.greeting_ms, 30000);
    ck_assert_uint_eq(cfg->timeouts.grace_ms, 0);
    ck_assert_uint_eq(cfg->timeouts.shutdown_ms, 30000);
    cfg_free(&cfg);
    ck_assert_ptr_null(cfg);
    cfg_free(&cfg);
}
END_TEST

START_TEST(defaults_of_the_groups)
{
    struct cfg *cfg = cfg_text_load_clean(CFG_TLS CFG_IMAP_SERVICE CFG_POOL);
    ck_assert_uint_eq(cfg->tls.certificate_count, 1);
    ck_assert_int_eq(cfg->tls.min_version, CFG_TLS_1_2);
    ck_assert_int_eq(cfg->tls.max_version, CFG_TLS_1_3);
    ck_assert_ptr_null(cfg->tls.ciphers);
    ck_assert_ptr_null(cfg->tls.groups);
    ck_assert(cfg->tls.session_tickets);
    ck_assert_ptr_null(cfg->tls.ticket_keys);
    ck_assert_uint_eq(cfg->service_count, 1);
    ck_assert_str_eq(cfg->services[0].name, "imap");
    ck_assert_int_eq(cfg->services[0].protocol, PROTOCOL_IMAP);
    ck_assert_str_eq(cfg->services[0].deep->status, "");
    ck_assert_uint_eq(cfg->services[0].pool, 0);
    ck_assert_uint_eq(cfg->services[0].place.line, 2);
    ck_assert_uint_eq(cfg->pool_count, 1);
    ck_assert_int_eq(cfg->pools[0].balance, CFG_BALANCE_ROUND_ROBIN);
    ck_assert_int_eq(cfg->pools[0].identity, CFG_IDENTITY_NONE);
    ck_assert_uint_eq(cfg->pools[0].place.line, 3);
    cfg_free(&cfg);
}
END_TEST

START_TEST(every_key_of_the_program)
{
    struct cfg *cfg = cfg_text_load_clean(
        "hostname = \"mail.example.com\"; user = \"mail\"; group = \"adm\"; workers = 4;\n"
        "max_connections = 5000; log_level = \"debug\"; key_isolation = true; key_user = \"keys\";\n"
        "timeouts = { handshake = \"1 s\"; login = 2; idle = \"1h\"; connect = \"250 ms\";\n"
        "greeting = \"2 min\"; grace = \"15 s\"; shutdown = \"0 s\"; };\n" CFG_TLS CFG_IMAP_SERVICE CFG_POOL);
    ck_assert_str_eq(cfg->hostname, "mail.example.com");
    ck_assert_str_eq(cfg->user, "mail");
    ck_assert_str_eq(cfg->group, "adm");
    ck_assert(cfg->key_isolation);
    ck_assert_str_eq(cfg->key_user, "keys");
    ck_assert_uint_eq(cfg->workers, 4);
    ck_assert_uint_eq(cfg->max_connections, 5000);
    ck_assert_int_eq(cfg->log_level, CFG_LOG_DEBUG);
    ck_assert_uint_eq(cfg->timeouts.handshake_ms, 1000);
    ck_assert_uint_eq(cfg->timeouts.login_ms, 2000);
    ck_assert_uint_eq(cfg->timeouts.command_ms, 2000);
    ck_assert_uint_eq(cfg->timeouts.idle_ms, 3600000);
    ck_assert_uint_eq(cfg->timeouts.connect_ms, 250);
    ck_assert_uint_eq(cfg->timeouts.greeting_ms, 120000);
    ck_assert_uint_eq(cfg->timeouts.grace_ms, 15000);
    ck_assert_uint_eq(cfg->timeouts.shutdown_ms, 0);
    cfg_free(&cfg);
}
END_TEST

START_TEST(keys_in_the_proxy_itself)
{
    struct cfg *cfg = cfg_text_load_clean("key_isolation = false;\n" CFG_TLS CFG_IMAP_SERVICE CFG_POOL);
    ck_assert(!cfg->key_isolation);
    cfg_free(&cfg);
}
END_TEST

START_TEST(a_folder_of_certificates_in_place_of_the_list)
{
    struct cfg *cfg =
        cfg_text_load_clean(CFG_IMAP_SERVICE CFG_POOL "tls = { certificate_dir = \"/etc/all\"; };\n");
    ck_assert_uint_eq(cfg->tls.certificate_count, 0);
    ck_assert_uint_eq(cfg->tls.directory_count, 1);
    ck_assert_str_eq(cfg->tls.directories[0].path, "/etc/all");
    ck_assert_ptr_null(cfg->tls.passphrase);
    ck_assert(!cfg->tls.strict_sni);
    cfg_free(&cfg);
}
END_TEST

START_TEST(every_key_of_a_host)
{
    struct cfg *cfg = cfg_text_load_clean(
        CFG_TLS CFG_IMAP_SERVICE CFG_POOL
        "hosts = ( { names = [ \"Mail.Example.org\", \"*.example.org\" ];\n"
        "  deep = { tags = [ \"tls12\" ]; backend = \"merge\"; }; backends = { imap = \"stores\"; }; },\n"
        "  { names = \"other.example\"; } );\n");
    ck_assert_uint_eq(cfg->host_count, 2);
    const struct cfg_host *host = &cfg->hosts[0];
    ck_assert_uint_eq(host->name_count, 2);
    ck_assert_str_eq(host->names[0], "mail.example.org");
    ck_assert_str_eq(host->names[1], "*.example.org");
    ck_assert_str_eq(host->deep->status, "tls12");
    ck_assert(host->deep->merge);
    ck_assert_int_eq(host->pools[PROTOCOL_IMAP], 0);
    ck_assert_int_eq(host->pools[PROTOCOL_POP3], CFG_NO_POOL);
    ck_assert_uint_eq(host->place.line, 4);
    ck_assert_ptr_null(cfg->hosts[1].deep);
    ck_assert_int_eq(cfg->hosts[1].pools[PROTOCOL_IMAP], CFG_NO_POOL);
    cfg_free(&cfg);
}
END_TEST

/* More than there is room for at first, twice: a name is found again wherever it stands. */
START_TEST(many_hosts)
{
    enum { MANY = 300 };
    static char text[64 * MANY + 1024];
    char twice[96];
    for (size_t again = 0; again <= MANY; again += 60) {
        size_t len = (size_t)snprintf(text, sizeof text, "%s%s%shosts = ( { names = \"first.example\"; }",
                                      CFG_TLS, CFG_IMAP_SERVICE, CFG_POOL);
        for (size_t i = 0; i < MANY; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, ",\n{ names = \"host-%zu.example\"; }", i);
        if (again < MANY)
            len += (size_t)snprintf(text + len, sizeof text - len, ",\n{ names = \"HOST-%zu.example\"; }",
                                    again);
        snprintf(text + len, sizeof text - len, " );\n");
        snprintf(twice, sizeof twice,
                 "F:%d: error: the name \"host-%zu.example\" is there twice in \"hosts\", first in F:%zu\n",
                 MANY + 5, again, again + 5);
        struct cfg *cfg;
        char *printed = cfg_text_load(text, &cfg);
        ck_assert_str_eq(printed, again < MANY ? twice : "");
        free(printed);
        for (size_t i = 0; cfg != NULL && i < MANY; i++) {
            snprintf(twice, sizeof twice, "host-%zu.example", i);
            ck_assert_str_eq(cfg->hosts[i + 1].names[0], twice);
        }
        cfg_free(&cfg);
    }
}
END_TEST

START_TEST(every_key_of_tls)
{
    struct cfg *cfg = cfg_text_load_clean(
        CFG_IMAP_SERVICE CFG_POOL
        "tls = {\n"
        "  certificates = ( { chain = \"/etc/a.pem\"; key = \"/etc/a.key\"; },\n"
        "                   { chain = \"/etc/b.pem\"; key = \"/etc/b.key\"; passphrase = "
        "\"/etc/b.pass\"; ocsp = \"/etc/b.ocsp\"; } );\n"
        "  certificate_dir = [ \"/etc/all\", \"/etc/more\" ]; passphrase = \"/etc/all.pass\"; "
        "strict_sni = true;\n"
        "  min_version = \"TLSv1.0\"; max_version = \"TLSv1.2\";\n"
        "  ciphers = \"AES128-SHA\"; groups = \"X25519\"; session_tickets = FALSE; };\n");
    ck_assert_uint_eq(cfg->tls.place.line, 3);
    ck_assert_uint_eq(cfg->tls.certificate_count, 2);
    ck_assert_str_eq(cfg->tls.certificates[1].chain, "/etc/b.pem");
    ck_assert_str_eq(cfg->tls.certificates[1].key, "/etc/b.key");
    ck_assert_str_eq(cfg->tls.certificates[1].passphrase, "/etc/b.pass");
    ck_assert_str_eq(cfg->tls.certificates[1].ocsp, "/etc/b.ocsp");
    ck_assert_ptr_null(cfg->tls.certificates[0].passphrase);
    ck_assert_ptr_null(cfg->tls.certificates[0].ocsp);
    ck_assert_uint_eq(cfg->tls.certificates[1].place.line, 5);
    ck_assert_uint_eq(cfg->tls.directory_count, 2);
    ck_assert_str_eq(cfg->tls.directories[1].path, "/etc/more");
    ck_assert_uint_eq(cfg->tls.directories[1].place.line, 6);
    ck_assert_str_eq(cfg->tls.passphrase, "/etc/all.pass");
    ck_assert(cfg->tls.strict_sni);
    ck_assert_int_eq(cfg->tls.min_version, CFG_TLS_1_0);
    ck_assert_int_eq(cfg->tls.max_version, CFG_TLS_1_2);
    ck_assert_str_eq(cfg->tls.ciphers, "AES128-SHA");
    ck_assert_str_eq(cfg->tls.groups, "X25519");
    ck_assert(!cfg->tls.session_tickets);
    cfg_free(&cfg);
}
END_TEST

START_TEST(file_of_ticket_keys)
{
    struct cfg *cfg =
        cfg_text_load_clean(CFG_IMAP_SERVICE CFG_POOL
                            "tls = { certificates = ( { chain = \"/etc/a.pem\"; key = \"/etc/a.key\"; } );\n"
                            "  ticket_keys = \"/run/tickets.key\"; };\n");
    ck_assert_str_eq(cfg->tls.ticket_keys, "/run/tickets.key");
    ck_assert_uint_eq(cfg->tls.ticket_keys_place.line, 4);
    ck_assert(cfg->tls.session_tickets);
    cfg_free(&cfg);
}
END_TEST

START_TEST(services_and_pools)
{
    struct cfg *cfg = cfg_text_load_clean(
        CFG_TLS
        "services = (\n"
        " { protocol = \"pop3\"; listen = [ \"*:995\" ]; backend = \"pop\"; },\n"
        " { protocol = \"imap\"; listen = [ \"*:993\" ]; backend = \"a.b_c-1\"; name = \"imap-2\"; },\n"
        " { protocol = \"imap\"; listen = [ \"*:1\" ]; backend = \"a.b_c-1\"; },\n"
        " { protocol = \"imap\"; listen = [ \"*:2\" ]; backend = \"a.b_c-1\"; },\n"
        " { protocol = \"submission\"; listen = [ \"*:3\" ]; backend = \"msa\"; } );\n"
        "backends = (\n"
        " { name = \"a.b_c-1\"; servers = ( { address = \"10.0.0.1:1\"; }, { address = \"store.example:2\"; "
        "} ); },\n"
        " { name = \"msa\"; identity = \"proxy-v2\"; servers = ( { address = \"[::1]:65535\"; } ); },\n"
        " { name = \"pop\"; identity = \"none\"; balance = \"round-robin\"; servers = ( { address = \"h:9\"; "
        "} ); } );\n");
    static const char *const names[] = {"pop3", "imap-2", "imap", "imap-3", "submission"};
    static const size_t pools[] = {2, 0, 0, 0, 1};
    ck_assert_uint_eq(cfg->service_count, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_str_eq(cfg->services[i].name, names[i]);
        ck_assert_uint_eq(cfg->services[i].pool, pools[i]);
        ck_assert_uint_eq(cfg->services[i].place.line, i + 3);
    }
    ck_assert_int_eq(cfg->pools[1].identity, CFG_IDENTITY_PROXY_V2);
    ck_assert_int_eq(cfg->pools[2].identity, CFG_IDENTITY_NONE);
    ck_assert_uint_eq(cfg->pools[0].server_count, 2);
    ck_assert_str_eq(cfg->pools[0].servers[1].address.text, "store.example:2");
    ck_assert_str_eq(cfg->pools[0].servers[1].address.host, "store.example");
    ck_assert_uint_eq(cfg->pools[0].servers[1].address.port, 2);
    ck_assert_uint_eq(cfg->pools[0].servers[1].address.address_len, 0);
    ck_assert_uint_ne(cfg->pools[0].servers[0].address.address_len, 0);
    ck_assert_str_eq(cfg->pools[1].servers[0].address.host, "::1");
    cfg_free(&cfg);
}
END_TEST

START_TEST(addresses)
{
    struct cfg *cfg = cfg_text_load_clean(
        CFG_TLS CFG_POOL "services = ( { protocol = \"imap\"; backend = \"stores\"; listen = [\n"
                         "  \"127.0.0.1:0\",\n  \"[2001:db8::1]:993\",\n  \"*:993\"\n ]; } );\n");
    const struct cfg_endpoint *listen = cfg->services[0].listen;
    ck_assert_uint_eq(cfg->services[0].listen_count, 3);
    const struct sockaddr_in *v4 = (const void *)&listen[0].address;
    ck_assert_int_eq(v4->sin_family, AF_INET);
    ck_assert_uint_eq(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
    ck_assert_uint_eq(v4->sin_port, 0);
    ck_assert_uint_eq(listen[0].address_len, sizeof *v4);
    const struct sockaddr_in6 *v6 = (const void *)&listen[1].address;
    ck_assert_int_eq(v6->sin6_family, AF_INET6);
    ck_assert_uint_eq(v6->sin6_addr.s6_addr[15], 1);
    ck_assert_uint_eq(ntohs(v6->sin6_port), 993);
    ck_assert_uint_eq(listen[1].place.line, 5);
    const struct sockaddr_in6 *any = (const void *)&listen[2].address;
    ck_assert_mem_eq(&any->sin6_addr, &in6addr_any, sizeof in6addr_any);
    ck_assert_uint_eq(listen[2].address_len, sizeof *any);
    ck_assert_str_eq(listen[2].text, "*:993");
    ck_assert_str_eq(listen[2].host, "::");
    ck_assert_uint_eq(listen[2].place.line, 6);
    cfg_free(&cfg);
}
END_TEST

START_TEST(deep_status)
{
    struct cfg *cfg = cfg_text_load_clean(
        CFG_TLS CFG_POOL
        "deep = { extensions = [ \"+x\", \"5y\" ]; url = \"https://example.com/\"; tags = [ "
        "\"tls11\", \"tls-cert\" ]; };\n"
        "services = ( { protocol = \"imap\"; listen = [ \"*:1\" ]; backend = \"stores\"; },\n"
        "  { protocol = \"imap\"; listen = [ \"*:2\" ]; backend = \"stores\"; deep = { tags = [ "
        "\"tls12\" ]; }; },\n"
        "  { protocol = \"imap\"; listen = [ \"*:3\" ]; backend = \"stores\"; deep = { url = "
        "\"<https://example.net>\"; }; },\n"
        "  { protocol = \"imap\"; listen = [ \"*:4\" ]; backend = \"stores\"; deep = { }; } );\n");
    ck_assert_str_eq(cfg->services[0].deep->status, "tls11 tls-cert <https://example.com/> +x 5y");
    ck_assert_str_eq(cfg->services[1].deep->status, "tls12");
    ck_assert_str_eq(cfg->services[2].deep->status, "<https://example.net>");
    ck_assert_str_eq(cfg->services[3].deep->status, "");
    cfg_free(&cfg);
}
END_TEST

START_TEST(deep_backend)
{
    struct cfg *cfg = cfg_text_load_clean(
        CFG_TLS CFG_POOL
        "deep = { tags = [ \"tls12\" ]; backend = \"merge\"; };\n"
        "services = ( { protocol = \"imap\"; listen = [ \"*:1\" ]; backend = \"stores\"; },\n"
        "  { protocol = \"imap\"; listen = [ \"*:2\" ]; backend = \"stores\"; deep = { tags = [ "
        "\"tls12\" ]; }; } );\n");
    ck_assert(cfg->services[0].deep->merge);
    ck_assert(!cfg->services[1].deep->merge);
    cfg_free(&cfg);
    cfg = cfg_text_load_clean(CFG_TLS CFG_POOL CFG_IMAP_SERVICE);
    ck_assert(!cfg->services[0].deep->merge);
    cfg_free(&cfg);
}
END_TEST

START_TEST(names)
{
    ck_assert_str_eq(protocol_traits(PROTOCOL_SUBMISSION)->name, "submission");
    ck_assert_str_eq(protocol_traits(PROTOCOL_POP3)->name, "pop3");
    ck_assert_str_eq(protocol_traits(PROTOCOL_IMAP)->name, "imap");
    ck_assert_str_eq(cfg_tls_version_name(CFG_TLS_1_0), "TLSv1.0");
    ck_assert_str_eq(cfg_tls_version_name(CFG_TLS_1_3), "TLSv1.3");
    ck_assert_ptr_eq(strstr(cfg_library_name(), "libconfig 1."), cfg_library_name());
}
END_TEST

/* ---- files ---- */

static char *write_file(const char *folder, const char *name, const char *text)
{
    return cfg_folder_write(folder, name, text, strlen(text));
}

/* Writes three files, loads the first and compares; a text that is NULL is no file. */
static struct cfg *load_three(char *folder, const char *first, const char *second, const char *third,
                              const char *expected)
{
    struct cfg *cfg;
    char *path = write_file(folder, "F", first);
    free(second != NULL ? write_file(folder, "G", second) : NULL);
    free(third != NULL ? write_file(folder, "H", third) : NULL);
    char *printed = cfg_folder_load(folder, path, &cfg);
    ck_assert_str_eq(printed, expected);
    free(printed);
    free(path);
    return cfg;
}

#define CFG_TLS_TICKETS                                                                                      \
    "tls = { certificates = ( { chain = \"a.pem\"; key = \"a.key\"; } ); ticket_keys = \"tickets.key\"; "    \
    "};\n"

START_TEST(included_files)
{
    char *folder = cfg_folder_make();
    struct cfg *cfg = load_three(folder, "# main\n@include \"G\" workers = 1;\n" CFG_POOL,
                                 "\n" CFG_TLS_TICKETS "\t@include \"H\"", "\n\n" CFG_IMAP_SERVICE, "");
    char *expected;
    ck_assert_int_gt(asprintf(&expected, "%s/a.key", folder), 0);
    ck_assert_str_eq(cfg->tls.certificates[0].key, expected);
    free(expected);
    ck_assert_int_gt(asprintf(&expected, "%s/tickets.key", folder), 0);
    ck_assert_str_eq(cfg->tls.ticket_keys, expected);
    ck_assert_uint_eq(cfg->workers, 1);
    ck_assert_uint_eq(cfg->tls.place.line, 2);
    ck_assert_uint_eq(cfg->services[0].place.line, 3);
    ck_assert_uint_eq(cfg->pools[0].place.line, 3);
    ck_assert_str_eq(strrchr(cfg->services[0].place.file, '/'), "/H");
    ck_assert_str_eq(strrchr(cfg->pools[0].place.file, '/'), "/F");
    free(expected);
    cfg_folder_remove(folder);
    cfg_free(&cfg);
}
END_TEST

START_TEST(problems_of_included_files)
{
    char *folder = cfg_folder_make();
    load_three(
        folder, "workers = 300;\n@include \"G\"\n" CFG_POOL "log_level = 2;\n",
        CFG_TLS "@include \"H\"\nworkers = 1;\n", CFG_IMAP_SERVICE "color = 1;\n",
        "F:1: error: \"workers\" is out of range, expected a number from 0 to 256\n"
        "F:4: error: \"log_level\" is a number, expected one of \"error\", \"warning\", \"info\", \"debug\"\n"
        "G:3: error: the key \"workers\" is there twice in the same group, first in F:1\n"
        "H:2: error: unknown key \"color\" in the file; expected one of \"hostname\", \"user\", \"group\", "
        "\"key_isolation\", \"key_user\", \"workers\", \"max_connections\", \"log_level\", \"state_file\", "
        "\"tls\", \"deep\", \"backends\", "
        "\"services\", "
        "\"hosts\", "
        "\"timeouts\", \"limits\", \"admin\"\n");
    load_three(folder, CFG_TLS "@include \"G\"\n", "a = 1;\nb = ;\n", NULL,
               "G:2: error: a value is missing after \"b =\"\n");
    cfg_folder_remove(folder);
}
END_TEST

START_TEST(files_that_can_not_be_included)
{
    char *folder = cfg_folder_make();
    char *sub;
    ck_assert_int_gt(asprintf(&sub, "%s/sub", folder), 0);
    ck_assert_int_eq(mkdir(sub, 0700), 0);
    free(sub);
    load_three(folder,
               CFG_TLS CFG_POOL CFG_IMAP_SERVICE "@include \"none\"\n"
                                                 "@include \"sub\"\n"
                                                 "@include \"G\"\n"
                                                 "@include \"H\"\n"
                                                 "@include \"/nowhere/x\"\n",
               "@include \"F\"\n", "",
               "F:4: error: can't include \"none\": No such file or directory\n"
               "F:5: error: can't include \"sub\": it is a folder, expected a file\n"
               "F:8: error: can't include \"/nowhere/x\": No such file or directory\n"
               "G:1: error: can't include \"F\": the file includes itself\n");
    cfg_folder_remove(folder);
}
END_TEST

START_TEST(files_too_deep)
{
    struct cfg *cfg;
    char *folder = cfg_folder_make();
    for (int i = 1; i <= 11; i++) {
        char name[8], text[32];
        snprintf(name, sizeof name, "%d", i);
        snprintf(text, sizeof text, "@include \"%d\"\n", i + 1);
        free(write_file(folder, name, i < 11 ? text : ""));
    }
    char *path = write_file(folder, "F", CFG_TLS CFG_POOL CFG_IMAP_SERVICE "@include \"3\"\n");
    char *printed = cfg_folder_load(folder, path, &cfg);
    ck_assert_str_eq(printed, "");
    free(printed);
    cfg_free(&cfg);
    free(path);
    path = write_file(folder, "F", CFG_TLS CFG_POOL CFG_IMAP_SERVICE "@include \"2\"\n");
    printed = cfg_folder_load(folder, path, &cfg);
    ck_assert_str_eq(printed, "10:1: error: can't include \"11\": files are included more than 10 deep\n");
    free(printed);
    free(path);
    cfg_folder_remove(folder);
}
END_TEST

enum { NOBODY = 65534 };

static void check_path(const char *path, const char *expected)
{
    struct cfg *cfg;
    char *printed = cfg_folder_load("/dev", path, &cfg);
    ck_assert_ptr_null(cfg);
    ck_assert_str_eq(printed, expected);
    free(printed);
}

START_TEST(files_that_can_not_be_read)
{
    check_path("/dev/nowhere/x",
               "nowhere/x: error: can't read the configuration: No such file or directory\n");
    check_path("/dev/pts", "pts: error: can't read the configuration: it is a folder, expected a file\n");
    check_path("/dev/zero",
               "zero: error: can't read the configuration: the configuration is larger than 4 MiB\n");
    char *folder = cfg_folder_make();
    char *path = write_file(folder, "F", CFG_TLS);
    struct cfg *cfg;
    uid_t before = geteuid();
    ck_assert_int_eq(chmod(path, 0), 0);
    if (before == 0)
        ck_assert_int_eq(seteuid(NOBODY), 0); /* no permission stops root */
    char *printed = cfg_folder_load(folder, path, &cfg);
    ck_assert_int_eq(seteuid(before), 0);
    ck_assert_str_eq(printed, "F: error: can't read the configuration: Permission denied\n");
    free(printed);
    free(path);
    cfg_folder_remove(folder);
}
END_TEST

/* A path without a folder: what stands in the file is meant from where the program was started, too. */
START_TEST(path_without_folder)
{
    char *folder = cfg_folder_make();
    free(write_file(folder, "F", CFG_TLS CFG_POOL CFG_IMAP_SERVICE));
    ck_assert_int_eq(chdir(folder), 0);
    struct cfg_problems problems = {0};
    struct cfg *cfg = cfg_load("F", &problems);
    ck_assert_ptr_nonnull(cfg);
    ck_assert_str_eq(cfg->path, "F");
    ck_assert_str_eq(cfg->tls.certificates[0].chain, "a.pem");
    cfg_free(&cfg);
    cfg_problems_free(&problems);
    cfg_folder_remove(folder);
}
END_TEST

/* Problems of before stay first, and don't count against the file. */
START_TEST(problems_of_before)
{
    struct cfg_problems problems = {0};
    cfg_problems_add(&problems, CFG_ERROR, (struct cfg_place){"z", 9}, "%s", "old");
    char *folder = cfg_folder_make();
    char *path = write_file(folder, "F", CFG_TLS CFG_POOL CFG_IMAP_SERVICE "timeouts = { idle = 60; };\n");
    struct cfg *cfg = cfg_load(path, &problems);
    ck_assert_ptr_nonnull(cfg);
    ck_assert_uint_eq(problems.count, 2);
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_str_eq(problems.items[0].text, "old");
    ck_assert_int_eq(problems.items[1].severity, CFG_WARNING);
    ck_assert_str_eq(problems.items[1].file, path);
    ck_assert_uint_eq(problems.items[1].line, 4);
    cfg_free(&cfg);
    cfg_problems_free(&problems);
    free(path);
    cfg_folder_remove(folder);
}
END_TEST

/* ---- what is installed ---- */

static char *read_whole(const char *path)
{
    char *text = NULL;
    size_t cap = 0;
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(getdelim(&text, &cap, '\0', file), 0);
    fclose(file);
    return text;
}

#define SAMPLE TEST_SOURCE_DIR "/../config/deepproxy.conf.sample"
#define MANUAL TEST_SOURCE_DIR "/../config/deepproxy.conf.5"

START_TEST(sample)
{
    struct cfg *cfg;
    char *printed = cfg_folder_load("", SAMPLE, &cfg);
    ck_assert_str_eq(printed, "");
    ck_assert_uint_eq(cfg->service_count, 6);
    ck_assert_uint_eq(cfg->pool_count, 3);
    free(printed);
    cfg_free(&cfg);
}
END_TEST

static char *read_sample_switched_on(void)
{
    char *text = read_whole(SAMPLE);
    for (char *off = strstr(text, "#| "); off != NULL; off = strstr(off, "#| "))
        memcpy(off, "   ", 3);
    return text;
}

/* With what is off in it switched on the sample has every key, and is still right. */
START_TEST(sample_switched_on)
{
    char *text = read_sample_switched_on();
    struct cfg *cfg = cfg_text_load_clean(text);
    ck_assert_str_eq(cfg->user, "deepproxy");
    ck_assert_uint_eq(cfg->admin.listen_count, 1);
    ck_assert_str_eq(cfg->services[0].deep->status, "tls12");
    ck_assert_str_eq(cfg->services[1].deep->status,
                     "tls11 tls12 tls-cert <https://www.example.com/mail-security> +example");
    free(text);
    cfg_free(&cfg);
}
END_TEST

/* The next string of the text from `at` on that is no comment's; false if there is none. */
static bool find_string(const char *text, size_t *at, size_t *end)
{
    for (size_t i = *at; text[i] != '\0'; i++) {
        if (text[i] == '#')
            i += strcspn(text + i, "\n") - 1;
        if (text[i] != '"')
            continue;
        *at = i;
        *end = i + 2 + strcspn(text + i + 1, "\"");
        return true;
    }
    return false;
}

/* Is there an error in this line that has, after these words, an example? */
static bool has_error_with_example(const char *printed, unsigned line, const char *words)
{
    char place[32];
    snprintf(place, sizeof place, "F:%u: error: ", line);
    for (const char *error = strstr(printed, place); error != NULL; error = strstr(error + 1, place)) {
        const char *found = strstr(error, words);
        if (found != NULL && memchr(error, '\n', (size_t)(found - error)) == NULL &&
            strcspn(found, "\"") < strcspn(found, "\n"))
            return true;
    }
    return false;
}

static void check_instead(const char *text, size_t at, size_t end, unsigned line, const char *value)
{
    char *changed;
    ck_assert_int_gt(asprintf(&changed, "%.*s%s%s", (int)at, text, value, text + end), 0);
    char *printed = cfg_text_load(changed, NULL);
    ck_assert_msg(has_error_with_example(printed, line, ", expected "), "%s in line %u: %s", value, line,
                  printed);
    free(printed);
    free(changed);
}

/* Every string of the sample as one that can't be used: the message tells what can, with an example. */
START_TEST(no_string_without_what_was_expected)
{
    char *text = read_sample_switched_on();
    unsigned count = 0;
    for (size_t at = 0, end; find_string(text, &at, &end); at = end, count++) {
        unsigned line = 1;
        size_t before = at;
        for (size_t i = 0; i < at; i++)
            line += text[i] == '\n';
        check_instead(text, at, end, line, "\"\"");
        check_instead(text, at, end, line, "\"a\\tb\"");
        while (before > 0 && text[before - 1] == ' ')
            before--;
        if (text[before - 1] == '=')
            check_instead(text, at, end, line, "1.5");
    }
    ck_assert_uint_gt(count, 80);
    free(text);
}
END_TEST

/* A key that the reader knows, and whether the sample has it. */
struct known_key {
    char *group;
    char *key;
    bool is_set;
};

struct known_keys {
    struct known_key items[256];
    size_t count;
};

static void add_known_key(void *arg, const char *group, const char *key, bool is_set)
{
    struct known_keys *keys = arg;
    for (size_t i = 0; i < keys->count; i++) {
        struct known_key *known = &keys->items[i];
        if (strcmp(known->group, group) == 0 && strcmp(known->key, key) == 0) {
            known->is_set = known->is_set || is_set;
            return;
        }
    }
    ck_assert_uint_lt(keys->count, ARRAY_LEN(keys->items));
    keys->items[keys->count++] = (struct known_key){strdup(group), strdup(key), is_set};
}

/* Is the key a word of the line, up to its end? */
static bool has_word(const char *line, const char *key)
{
    static const char between[] = " ,{}();";
    size_t len = strlen(key);
    while (*line != '\n' && *line != '\0') {
        line += strspn(line, between);
        size_t word_len = strcspn(line, " ,{}();\n");
        if (word_len == len && strncmp(line, key, len) == 0)
            return true;
        line += word_len;
    }
    return false;
}

/* Does the page have the key in an item (".It Ic"), or as a keyword of its own (".Ic")? */
static bool is_in_manual(const char *page, const char *key)
{
    for (const char *line = page; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if ((strncmp(line, ".It Ic ", 7) == 0 && has_word(line + 7, key)) ||
            (strncmp(line, ".Ic ", 4) == 0 && has_word(line + 4, key)))
            return true;
    }
    return false;
}

/*
 * Every key that the reader knows, in each group, is set in the sample (switched on), and in the manual page.
 */
START_TEST(all_keys_are_documented)
{
    static struct known_keys keys;
    char *missing = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&missing, &len);
    char *manual = read_whole(MANUAL);
    char *text = read_sample_switched_on();
    char *folder = cfg_folder_make();
    char *path = write_file(folder, "sample", text);
    cfg_keys_each(path, add_known_key, &keys);
    ck_assert_uint_gt(keys.count, 80);
    for (size_t i = 0; i < keys.count; i++) {
        const struct known_key *known = &keys.items[i];
        if (!known->is_set)
            fprintf(to, "%s of %s is not in the sample\n", known->key, known->group);
        if (!is_in_manual(manual, known->key))
            fprintf(to, "%s of %s is not in the manual page\n", known->key, known->group);
        free(known->group);
        free(known->key);
    }
    fclose(to);
    ck_assert_str_eq(missing, "");
    free(missing);
    free(path);
    free(text);
    free(manual);
    cfg_folder_remove(folder);
}
END_TEST

static TCase *values(void)
{
    TCase *tcase = tcase_create("values");
    tcase_add_test(tcase, defaults_of_the_program);
    tcase_add_test(tcase, defaults_of_the_groups);
    tcase_add_test(tcase, every_key_of_the_program);
    tcase_add_test(tcase, keys_in_the_proxy_itself);
    tcase_add_test(tcase, a_folder_of_certificates_in_place_of_the_list);
    tcase_add_test(tcase, every_key_of_a_host);
    tcase_add_test(tcase, many_hosts);
    tcase_add_test(tcase, every_key_of_tls);
    tcase_add_test(tcase, file_of_ticket_keys);
    tcase_add_test(tcase, services_and_pools);
    tcase_add_test(tcase, addresses);
    tcase_add_test(tcase, deep_status);
    tcase_add_test(tcase, deep_backend);
    tcase_add_test(tcase, names);
    return tcase;
}

static TCase *files(void)
{
    TCase *tcase = tcase_create("files");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, included_files);
    tcase_add_test(tcase, problems_of_included_files);
    tcase_add_test(tcase, files_that_can_not_be_included);
    tcase_add_test(tcase, files_too_deep);
    tcase_add_test(tcase, files_that_can_not_be_read);
    tcase_add_test(tcase, path_without_folder);
    tcase_add_test(tcase, problems_of_before);
    tcase_add_test(tcase, sample);
    tcase_add_test(tcase, sample_switched_on);
    tcase_add_test(tcase, no_string_without_what_was_expected);
    tcase_add_test(tcase, all_keys_are_documented);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("cfg");
    suite_add_tcase(suite, values());
    suite_add_tcase(suite, files());
    return run_suite(suite);
}
