/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be wrong with the values: each kind of mistake with its place, and many of them in one file. */
#include "base/array.h"
#include "cfg_file.h"
#include "run_suite.h"

#include <stdlib.h>

/* Line 1 to 3, and then what is tested. */
#define WHOLE CFG_TLS CFG_IMAP_SERVICE CFG_POOL

#define FIFTY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

#define KEYS_OF_FILE                                                                                         \
    "\"hostname\", \"user\", \"group\", \"key_isolation\", \"key_user\", \"workers\", \"max_connections\", " \
    "\"log_level\", \"state_file\", \"tls\", "                                                               \
    "\"deep\", "                                                                                             \
    "\"backends\", \"services\", \"hosts\", \"timeouts\", \"limits\", \"admin\""

static const struct cfg_case file_cases[] = {
    {"nothing wrong", WHOLE, ""},
    {"an empty file", "",
     "F: error: the key \"tls\" is missing in the file, expected a group: tls = { certificates = ( { chain = "
     "\"mail.pem\"; key = \"mail.key\"; } ); }\n"
     "F: error: the key \"backends\" is missing in the file, expected backends = ( { name = \"stores\"; "
     "servers = ( { "
     "address = \"10.0.0.11:143\"; } ); } )\n"
     "F: error: the key \"services\" is missing in the file, expected services = ( { protocol = \"imap\"; "
     "listen = [ "
     "\"[::]:993\" ]; backend = \"stores\"; } )\n"},
    {"a misspelt key", WHOLE "hostnam = \"x\";\n",
     "F:4: error: unknown key \"hostnam\" in the file; did you mean \"hostname\"?\n"},
    {"letters swapped", WHOLE "wrokers = 1;\n",
     "F:4: error: unknown key \"wrokers\" in the file; did you mean \"workers\"?\n"},
    {"a hyphen", WHOLE "max-connections = 1;\n",
     "F:4: error: unknown key \"max-connections\" in the file; did you mean \"max_connections\"?\n"},
    {"a key from elsewhere", WHOLE "listener = 1;\n",
     "F:4: error: unknown key \"listener\" in the file; expected one of " KEYS_OF_FILE "\n"},
    {"a key twice", WHOLE "workers = 1;\nworkers = 1000;\n",
     "F:5: error: the key \"workers\" is there twice in the same group, first in F:4\n"},
    {"a group twice", WHOLE "tls = { certificates = [ ]; x = 1; };\n",
     "F:4: error: the key \"tls\" is there twice in the same group, first in F:1\n"},
    {"a misspelt isolation", WHOLE "key_isolaton = true;\n",
     "F:4: error: unknown key \"key_isolaton\" in the file; did you mean \"key_isolation\"?\n"},
    {"isolation by a word", WHOLE "key_isolation = \"yes\";\n",
     "F:4: error: \"key_isolation\" is a string, expected true or false, without quotation marks\n"},
    {"a user of no process", WHOLE "key_isolation = false;\nkey_user = \"keys\";\n",
     "F:5: error: \"key_user\" is for the process that has the private keys, and with key_isolation = false "
     "there is "
     "none\n"},
    {"a number too large", WHOLE "workers = 257;\n",
     "F:4: error: \"workers\" is out of range, expected a number from 0 to 256\n"},
    {"a negative number", WHOLE "workers = -1;\n",
     "F:4: error: \"workers\" is out of range, expected a number from 0 to 256\n"},
    {"what wraps in 32 bits", WHOLE "workers = 4294967296;\n",
     "F:4: error: \"workers\" is out of range, expected a number from 0 to 256\n"},
    {"what wraps in 64 bits", WHOLE "max_connections = 18446744073709551616;\n",
     "F:4: error: \"max_connections\" is out of range, expected a number from 0 to 10000000\n"},
    {"connections", WHOLE "max_connections = 10000001;\n",
     "F:4: error: \"max_connections\" is out of range, expected a number from 0 to 10000000\n"},
    {"the largest numbers", WHOLE "max_connections = 10000000; workers = 256;\n", ""},
    {"a string for a number", WHOLE "workers = \"4\";\n",
     "F:4: error: \"workers\" is a string, expected a whole number from 0 to 256\n"},
    {"a fraction", WHOLE "workers = 1.5;\n",
     "F:4: error: \"workers\" is a number with a fraction, expected a whole number from 0 to 256\n"},
    {"a fraction with an exponent", WHOLE "workers = +1.5e-3;\n",
     "F:4: error: \"workers\" is a number with a fraction, expected a whole number from 0 to 256\n"},
    {"a host name of 256", WHOLE "hostname = \"" FIFTY "." FIFTY "." FIFTY "." FIFTY "." FIFTY ".a\";\n",
     "F:4: error: \"" FIFTY "." FIFTY "." FIFTY "." FIFTY "." FIFTY
     ".a\" is no host name, expected one like \"mail.example.com\"\n"},
    {"a number for a string", WHOLE "state_file = 4;\n",
     "F:4: error: \"state_file\" is a number, expected a path in quotation marks: state_file = "
     "\"/var/lib/deepproxy/promises\"\n"},
    {"a group for a string", WHOLE "hostname = { };\n",
     "F:4: error: \"hostname\" is a group { }, expected a string in quotation marks: hostname = "
     "\"mail.example.com\"\n"},
    {"users and groups as numbers", WHOLE "user = 0; group = 4294967294; key_user = \"998\";\n", ""},
    {"a group for a user", WHOLE "group = { };\n",
     "F:4: error: \"group\" is a group { }, expected a number, or a name in quotation marks: group = "
     "\"deepproxy\"\n"},
    {"no number of a user", WHOLE "user = 4294967295;\n",
     "F:4: error: \"user\" is out of range, expected a number from 0 to 4294967294\n"},
    {"a negative number of a user", WHOLE "key_user = -1;\n",
     "F:4: error: \"key_user\" is out of range, expected a number from 0 to 4294967294\n"},
    {"a list for a group", WHOLE "timeouts = ( );\n",
     "F:4: error: \"timeouts\" is a list ( ), expected a group: { key = value; }\n"},
    {"an empty string", WHOLE "user = \"\";\n",
     "F:4: error: \"user\" is an empty string, expected a number, or a name in quotation marks: user = "
     "\"deepproxy\"\n"},
    {"a control character by an escape", WHOLE "user = \"a\\nb\";\n",
     "F:4: error: \"user\" has a control character in it, expected a number, or a name in quotation marks: "
     "user = \"deepproxy\"\n"},
    {"a word nearly right", WHOLE "log_level = \"inf\";\n",
     "F:4: error: \"log_level\" can't be \"inf\"; did you mean \"info\"? Expected one of \"error\", "
     "\"warning\", "
     "\"info\", \"debug\"\n"},
    {"another word", WHOLE "log_level = \"loud\";\n",
     "F:4: error: \"log_level\" can't be \"loud\"; expected one of \"error\", \"warning\", \"info\", "
     "\"debug\"\n"},
    {"a number for a word", WHOLE "log_level = 3;\n",
     "F:4: error: \"log_level\" is a number, expected one of \"error\", \"warning\", \"info\", \"debug\"\n"},
    {"no host name", WHOLE "hostname = \"mail example\";\n",
     "F:4: error: \"mail example\" is no host name, expected one like \"mail.example.com\"\n"},
};

#define TLS_WITH(what)                                                                                       \
    CFG_IMAP_SERVICE CFG_POOL "tls = {\n certificates = ( { chain = \"c\"; key = \"k\"; } );\n" what "};\n"
#define CERTIFICATES_WITH(what) CFG_IMAP_SERVICE CFG_POOL "tls = {\n certificates = " what ";\n};\n"
#define CERTIFICATE_FORM        "{ chain = \"mail.pem\"; key = \"mail.key\"; }"
#define CERTIFICATES_FORM       "a list of groups: certificates = ( " CERTIFICATE_FORM " )"

static const struct cfg_case tls_cases[] = {
    {"not a group", "tls = \"yes\";\n" CFG_IMAP_SERVICE CFG_POOL,
     "F:1: error: \"tls\" is a string, expected a group: { key = value; }\n"},
    {"no certificates", "tls = { };\n" CFG_IMAP_SERVICE CFG_POOL,
     "F:1: error: the key \"certificates\" is missing in tls, expected certificates = ( { chain = "
     "\"mail.pem\"; key = "
     "\"mail.key\"; } )\n"},
    {"an empty list", CERTIFICATES_WITH("( )"),
     "F:4: error: \"certificates\" is empty, expected " CERTIFICATES_FORM "\n"},
    {"an empty array", CERTIFICATES_WITH("[ ]"),
     "F:4: error: \"certificates\" is empty, expected " CERTIFICATES_FORM "\n"},
    {"a string", CERTIFICATES_WITH("\"mail.pem\""),
     "F:4: error: \"certificates\" is a string, expected " CERTIFICATES_FORM "\n"},
    {"strings", CERTIFICATES_WITH("[ \"mail.pem\" ]"),
     "F:4: error: \"certificates\" is an array [ ], expected " CERTIFICATES_FORM "\n"},
    {"a group alone", CERTIFICATES_WITH("{ chain = \"c\"; key = \"k\"; }"),
     "F:4: error: \"certificates\" is a group { }, expected " CERTIFICATES_FORM "\n"},
    {"a string in the list", CERTIFICATES_WITH("( { chain = \"c\"; key = \"k\"; },\n \"mail.pem\" )"),
     "F:5: error: \"certificates\" is a string, expected " CERTIFICATES_FORM "\n"},
    {"no key and no chain", CERTIFICATES_WITH("( { chain = \"c\"; },\n { key = \"k\"; cert = \"c\"; } )"),
     "F:4: error: the key \"key\" is missing in a certificate, expected the path of a PEM file with the "
     "private key\n"
     "F:5: error: the key \"chain\" is missing in a certificate, expected the path of a PEM file with the "
     "certificate "
     "and its issuers\n"
     "F:5: error: unknown key \"cert\" in a certificate; expected one of \"chain\", \"key\", \"passphrase\", "
     "\"ocsp\"\n"},
    {"an unknown version", TLS_WITH("min_version = \"TLSv1.4\";\n"),
     "F:5: error: \"min_version\" can't be \"TLSv1.4\"; did you mean \"TLSv1.0\"? Expected one of "
     "\"TLSv1.0\", "
     "\"TLSv1.1\", \"TLSv1.2\", \"TLSv1.3\"\n"},
    {"a version as others spell it", TLS_WITH("max_version = \"tls1.2\";\n"),
     "F:5: error: \"max_version\" can't be \"tls1.2\"; did you mean \"TLSv1.2\"? Expected one of "
     "\"TLSv1.0\", "
     "\"TLSv1.1\", \"TLSv1.2\", \"TLSv1.3\"\n"},
    {"no version left", TLS_WITH("min_version = \"TLSv1.3\";\n max_version = \"TLSv1.2\";\n"),
     "F:6: error: no version of TLS is left: \"min_version\" is TLSv1.3 and \"max_version\" is TLSv1.2\n"},
    {"no version left with the default", TLS_WITH("max_version = \"TLSv1.1\";\n"),
     "F:5: error: no version of TLS is left: \"min_version\" is TLSv1.2 and \"max_version\" is TLSv1.1\n"},
    {"a switch as a string", TLS_WITH("session_tickets = \"no\";\n"),
     "F:5: error: \"session_tickets\" is a string, expected true or false, without quotation marks\n"},
    {"a switch as a number", TLS_WITH("session_tickets = 0;\n"),
     "F:5: error: \"session_tickets\" is a number, expected true or false, without quotation marks\n"},
    {"a number for a file", TLS_WITH("ticket_keys = 3;\n"),
     "F:5: error: \"ticket_keys\" is a number, expected a path in quotation marks: ticket_keys = "
     "\"tickets.key\"\n"},
    {"an empty name of a file", TLS_WITH("ticket_keys = \"\";\n"),
     "F:5: error: \"ticket_keys\" is an empty string, expected a path in quotation marks: ticket_keys = "
     "\"tickets.key\"\n"},
    {"a key for one file", TLS_WITH("ticket_key = \"x\";\n"),
     "F:5: error: unknown key \"ticket_key\" in tls; did you mean \"ticket_keys\"?\n"},
    {"keys for tickets that are off", TLS_WITH("session_tickets = false;\n ticket_keys = \"x\";\n"),
     "F:6: warning: \"ticket_keys\" has no effect: \"session_tickets\" is false\n"},
    {"a string as a switch", TLS_WITH("ciphers = true;\n"),
     "F:5: error: \"ciphers\" is a switch (true or false), expected a string in quotation marks: ciphers = "
     "\"ECDHE+AESGCM:ECDHE+CHACHA20\"\n"},
    {"a folder that is none", TLS_WITH("certificate_dir = 1;\n"),
     "F:5: error: \"certificate_dir\" is a number, expected a list of strings: certificate_dir = [ "
     "\"/etc/deepproxy/certificates\" ]\n"},
    {"an empty folder name", TLS_WITH("certificate_dir = \"\";\n"),
     "F:5: error: \"certificate_dir\" is an empty string, expected a string, or a list of them: "
     "certificate_dir = \"/etc/deepproxy/certificates\"\n"},
    {"a misspelt key", TLS_WITH("cipher = \"x\";\n"),
     "F:5: error: unknown key \"cipher\" in tls; did you mean \"ciphers\"?\n"},
};

#define DEEP(what) WHOLE "deep = {\n " what "\n};\n"
#define TAG_FORM   "is no security tag, expected a letter and then at most 63 letters, digits, - or _\n"
#define URL_FORM   "is no https URL (RFC 3986), expected for example \"https://mail.example.com/help\"\n"
#define REGISTERED "is no registered tag (they are \"tls11\", \"tls12\", \"tls-cert\", \"tls-dane-tlsa\")"

static const struct cfg_case deep_cases[] = {
    {"all that is registered", DEEP("tags = ( \"tls11\", \"tls12\", \"tls-cert\", \"tls-dane-tlsa\" );"), ""},
    {"nothing at all", DEEP("tags = [ ];"), ""},
    {"a URL in brackets", DEEP("url = \"<https://example.com>\";"), ""},
    {"a tag with a space", DEEP("tags = [ \"tls-cert\",\n\"tls 12\"\n];"),
     "F:6: error: \"tls 12\" " TAG_FORM},
    {"a tag with a digit first", DEEP("tags = [ \"1tls\" ];"), "F:5: error: \"1tls\" " TAG_FORM},
    {"a tag of 65", DEEP("tags = [ \"" FIFTY "123456789012345\" ];"),
     "F:5: error: \"" FIFTY "123456789012345\" " TAG_FORM},
    {"a number for a tag", DEEP("tags = [ 11, 12 ];"),
     "F:5: error: \"tags\" is a number, expected a list of strings: tags = [ \"tls-cert\" ]\n"
     "F:5: error: \"tags\" is a number, expected a list of strings: tags = [ \"tls-cert\" ]\n"},
    {"a string for the tags", DEEP("tags = \"tls11\";"),
     "F:5: error: \"tags\" is a string, expected a list of strings: tags = [ \"tls-cert\" ]\n"},
    {"a tag that nobody knows", DEEP("tags = [ \"quantum\" ];"),
     "F:5: warning: \"quantum\" " REGISTERED "\n"},
    {"a tag that nobody knows, but nearly", DEEP("tags = [ \"TLS12\" ];"),
     "F:5: warning: \"TLS12\" " REGISTERED "; did you mean \"tls12\"?\n"},
    {"a tag twice", DEEP("tags = [ \"tls11\",\n\"tls11\" ];"),
     "F:6: warning: the tag \"tls11\" is there twice\n"},
    {"http", DEEP("url = \"http://example.com/\";"), "F:5: error: \"http://example.com/\" " URL_FORM},
    {"no host", DEEP("url = \"https:///x\";"), "F:5: error: \"https:///x\" " URL_FORM},
    {"a space in the URL", DEEP("url = \"https://example.com/a b\";"),
     "F:5: error: \"https://example.com/a b\" " URL_FORM},
    {"half a bracket", DEEP("url = \"<https://example.com/\";"),
     "F:5: error: \"<https://example.com/\" " URL_FORM},
    {"an extension", DEEP("extensions = [ \"+x<y\", \"5\" ];"), ""},
    {"no extension", DEEP("extensions = [ \"x\" ];"),
     "F:5: error: \"x\" is no deep-extend (draft section 5.3), expected printable ASCII without space, \", / "
     "and \\, that "
     "does not begin with a letter or <\n"},
    {"too long in all", DEEP("url = \"https://" FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY "\";"),
     "F:4: error: the DEEP status is longer than 400 octets and would not fit into an SMTP reply line\n"},
    {"a misspelt key", DEEP("tag = [ ];"),
     "F:5: error: unknown key \"tag\" in deep; did you mean \"tags\"?\n"},
    {"tls12 without TLS 1.2",
     TLS_WITH("min_version = \"TLSv1.0\"; max_version = \"TLSv1.1\";\n") "deep = { tags = [ \"tls11\", "
                                                                         "\"tls12\" ]; };\n",
     "F:7: error: \"tls12\" promises TLSv1.2 or later, which \"max_version\" (TLSv1.1) rules out\n"},
    {"tls11 without TLS 1.1",
     TLS_WITH("min_version = \"TLSv1.0\"; max_version = \"TLSv1.0\";\n") "deep = { tags = [ \"tls11\", "
                                                                         "\"tls-cert\" ]; };\n",
     "F:7: error: \"tls11\" promises TLSv1.1 or later, which \"max_version\" (TLSv1.0) rules out\n"},
    {"merging", DEEP("backend = \"merge\";"), ""},
    {"a misspelt word for merging", DEEP("backend = \"merged\";"),
     "F:5: error: \"backend\" can't be \"merged\"; did you mean \"merge\"? Expected one of \"replace\", "
     "\"merge\"\n"},
    {"merging what TLS can't keep",
     TLS_WITH("min_version = \"TLSv1.0\"; max_version = \"TLSv1.1\";\n") "deep = { tags = [ \"tls11\" ];\n"
                                                                         "backend = \"merge\"; };\n",
     "F:8: error: \"merge\" would promise \"tls12\" for a server that does, and \"max_version\" (TLSv1.1) "
     "rules "
     "that out; expected \"replace\", or TLSv1.2 and later allowed\n"},
    {"replacing it",
     TLS_WITH(
         "min_version = \"TLSv1.0\"; max_version = \"TLSv1.1\";\n") "deep = { backend = \"replace\"; };\n",
     ""},
    {"a service's own status",
     CFG_TLS CFG_POOL "services = ( { protocol = \"imap\"; listen = [ \"*:1\" ]; backend = \"stores\";\n"
                      "deep = { tags = [ \"-\" ]; }; } );\n",
     "F:4: error: \"-\" " TAG_FORM},
};

#define TIMEOUTS(what) WHOLE "timeouts = {\n " what "\n};\n"
#define TIMES          "\"500 ms\", \"30 s\", \"3 min\", \"1 h\""
#define TIME_FORM      ", expected a time like " TIMES ", or a number of seconds\n"

static const struct cfg_case timeout_cases[] = {
    {"no unit", TIMEOUTS("login = \"30\";"), "F:5: error: \"login\": the unit is missing" TIME_FORM},
    {"an unknown unit", TIMEOUTS("login = \"3 fortnights\";"),
     "F:5: error: \"login\": the unit is unknown" TIME_FORM},
    {"no number", TIMEOUTS("login = \"min\";"),
     "F:5: error: \"login\": it does not begin with a number" TIME_FORM},
    {"too long for a number", TIMEOUTS("login = \"99999999999999999999 h\";"),
     "F:5: error: \"login\": the time is too long" TIME_FORM},
    {"too long in milliseconds", TIMEOUTS("login = \"9999999999999999999 h\";"),
     "F:5: error: \"login\": the time is too long" TIME_FORM},
    {"negative", TIMEOUTS("login = -1;"), "F:5: error: \"login\": a time can't be negative" TIME_FORM},
    {"a fraction", TIMEOUTS("login = 0.5;"), "F:5: error: \"login\" is a number with a fraction" TIME_FORM},
    {"zero", TIMEOUTS("login = 0;"),
     "F:5: error: \"login\" is out of range, expected a time from 1 ms to 168 h\n"},
    {"a week and a second", TIMEOUTS("login = \"604801 s\";"),
     "F:5: error: \"login\" is out of range, expected a time from 1 ms to 168 h\n"},
    {"no grace time", TIMEOUTS("grace = 0;"), ""},
    {"no shutdown time", TIMEOUTS("shutdown = 0;"), ""},
    {"a misspelt key", TIMEOUTS("idel = \"1 h\";"),
     "F:5: error: unknown key \"idel\" in timeouts; did you mean \"idle\"?\n"},
    {"idle below what IMAP allows", TIMEOUTS("idle = \"29 min\";"),
     "F:5: warning: \"idle\" is 29 min: imap clients may be silent for 30 min (RFC 3501 section 5.4), and "
     "lose their "
     "session here\n"},
    {"idle as IMAP allows", TIMEOUTS("idle = \"30 min\";"), ""},
    {"idle below what POP3 allows",
     CFG_TLS CFG_POOL
     "services = ( { protocol = \"pop3\"; listen = [ \"*:1\", \"*:2\" ]; backend = \"stores\"; } );\n"
     "timeouts = { idle = \"599 s\"; };\n",
     "F:4: warning: \"idle\" is 599 s: pop3 clients may be silent for 10 min (RFC 1939 section 3), and lose "
     "their "
     "session here\n"},
};

/* Every group has a mistake, and all of them are said, in the order of their lines. */
static const struct cfg_case together[] = {
    {"everything at once",
     "timeouts = { idle = \"soon\"; };\n"                                                       /* 1 */
     "services = (\n"                                                                           /* 2 */
     "  { protocol = \"imap\"; listen = [ \"[::]:993\" ]; backend = \"store\"; },\n"            /* 3 */
     "  { protocol = \"smtp\"; listen = [ \"[::]:993\" ]; backend = \"stores\"; color = 1; }\n" /* 4 */
     ");\n"                                                                                     /* 5 */
     "backends = (\n"                                                                           /* 6 */
     "  { name = \"stores\"; servers = ( { address = \"10.0.0.11\"; } ); ballance = \"x\"; }\n" /* 7 */
     ");\n"                                                                                     /* 8 */
     "deep = { url = \"ftp://x\"; };\n"                                                         /* 9 */
     "tls = { certificates = ( { chain = \"c\"; } ); max_version = 2; };\n"                     /* 10 */
     "worker = 4;\n"                                                                            /* 11 */
     "tls = { };\n",                                                                            /* 12 */
     "F:1: error: \"idle\": it does not begin with a number" TIME_FORM
     "F:3: error: no pool in \"backends\" is called \"store\"; did you mean \"stores\"?\n"
     "F:4: error: \"protocol\" can't be \"smtp\"; expected one of \"imap\", \"pop3\", \"submission\"\n"
     "F:4: error: unknown key \"color\" in a service; expected one of \"name\", \"protocol\", \"listen\", "
     "\"freebind\", "
     "\"tls\", "
     "\"backend\", \"deep\", \"received\", \"bare_newline\", \"client_certificates\", \"proxy_protocol\", "
     "\"allow\", \"deny\"\n"
     "F:4: error: the service \"imap\" listens on \"[::]:993\" already, in F:3\n"
     "F:7: error: \"10.0.0.11\": the port is missing, expected for example \"10.0.0.11:143\", "
     "\"[fd00::11]:143\" or "
     "\"store1.internal:143\"\n"
     "F:7: error: unknown key \"ballance\" in a pool of backends; did you mean \"balance\"?\n"
     "F:9: error: \"ftp://x\" " URL_FORM "F:10: error: the key \"key\" is missing in a certificate, expected "
     "the path of a PEM file with the private key\n"
     "F:10: error: \"max_version\" is a number, expected one of \"TLSv1.0\", \"TLSv1.1\", \"TLSv1.2\", "
     "\"TLSv1.3\"\n"
     "F:11: error: unknown key \"worker\" in the file; did you mean \"workers\"?\n"
     "F:12: error: the key \"tls\" is there twice in the same group, first in F:10\n"},
};

#define COUNT(array) ((int)(ARRAY_LEN(array)))

START_TEST(file)
{
    cfg_case_check(&file_cases[_i]);
}
END_TEST

START_TEST(tls)
{
    cfg_case_check(&tls_cases[_i]);
}
END_TEST

START_TEST(deep)
{
    cfg_case_check(&deep_cases[_i]);
}
END_TEST

START_TEST(timeouts)
{
    cfg_case_check(&timeout_cases[_i]);
}
END_TEST

START_TEST(all_in_one)
{
    cfg_case_check(&together[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_values");
    TCase *tcase = tcase_create("values");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, file, 0, COUNT(file_cases));
    tcase_add_loop_test(tcase, tls, 0, COUNT(tls_cases));
    tcase_add_loop_test(tcase, deep, 0, COUNT(deep_cases));
    tcase_add_loop_test(tcase, timeouts, 0, COUNT(timeout_cases));
    tcase_add_loop_test(tcase, all_in_one, 0, COUNT(together));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
