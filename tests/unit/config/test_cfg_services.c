/* SPDX-License-Identifier: BSD-2-Clause */
/* Services, pools and their addresses: what is wrong with each, and with both together. */
#include "base/array.h"
#include "cfg_file.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One service, its keys from line 3 on. */
#define SERVICE(what)     CFG_TLS CFG_POOL "services = ( {\n" what "\n} );\n"
#define WITH_LISTEN(what) SERVICE("protocol = \"imap\"; backend = \"stores\"; listen = " what ";")
#define SUBMISSION_SERVICE(what)                                                                             \
    CFG_TLS "backends = ( { name = \"msa\"; identity = \"proxy-v2\"; "                                       \
            "servers = ( { address = \"10.0.0.21:587\"; } ); } );\n"                                         \
            "services = ( {\nprotocol = \"submission\"; backend = \"msa\"; listen = [ \"*:1\" ]; " what      \
            "\n} );\n"
#define LISTEN_EXAMPLE ", expected for example \"[::]:993\" or \"0.0.0.0:993\"\n"

static const struct cfg_case service_cases[] = {
    {"nothing in it", SERVICE(""),
     "F:2: warning: no service uses the pool \"stores\"\n"
     "F:3: error: the key \"protocol\" is missing in a service, expected \"imap\", \"pop3\" or "
     "\"submission\"\n"
     "F:3: error: the key \"listen\" is missing in a service, expected a list of addresses: listen = [ "
     "\"[::]:993\" ]\n"
     "F:3: error: the key \"backend\" is missing in a service, expected the name of a pool in "
     "\"backends\"\n"},
    {"no service", CFG_TLS CFG_POOL "services = ( );\n",
     "F:2: warning: no service uses the pool \"stores\"\n"
     "F:3: error: \"services\" is empty, expected a list of groups: services = ( { protocol = \"imap\"; "
     "listen = [ "
     "\"[::]:993\" ]; backend = \"stores\"; } )\n"},
    {"a protocol with an s", SERVICE("protocol = \"imaps\"; listen = [ \"*:1\" ]; backend = \"stores\";"),
     "F:4: error: \"protocol\" can't be \"imaps\"; did you mean \"imap\"? Expected one of \"imap\", "
     "\"pop3\", "
     "\"submission\"\n"},
    {"starttls", WITH_LISTEN("[ \"*:1\", \"*:143\" ];\ntls = \"starttls\""), ""},
    {"starttls where clients begin with TLS", WITH_LISTEN("[ \"*:1\",\n\"*:993\" ];\ntls = \"starttls\""),
     "F:5: warning: clients that come to port 993 begin with TLS at once: tls = \"implicit\" is meant for "
     "it\n"},
    {"TLS where clients begin in the clear", WITH_LISTEN("[ \"*:143\" ]"),
     "F:4: warning: clients that come to port 143 begin in the clear and ask for TLS: tls = \"starttls\" is "
     "meant for it\n"},
    {"the port of another protocol", WITH_LISTEN("[ \"*:110\" ]"), ""},
    {"implicit", WITH_LISTEN("[ \"*:1\" ]; tls = \"implicit\""), ""},
    {"another way of TLS", WITH_LISTEN("[ \"*:1\" ];\ntls = \"none\""),
     "F:5: error: \"tls\" can't be \"none\"; expected one of \"implicit\", \"starttls\"\n"},
    {"a Received field", SUBMISSION_SERVICE("received = \"add\";"), ""},
    {"no Received field", SUBMISSION_SERVICE("received = \"none\";"), ""},
    {"something else than a Received field", SUBMISSION_SERVICE("\nreceived = \"ad\";"),
     "F:5: error: \"received\" can't be \"ad\"; did you mean \"add\"? Expected one of \"none\", \"add\"\n"},
    {"a Received field in IMAP", WITH_LISTEN("[ \"*:1\" ];\nreceived = \"none\""),
     "F:5: error: \"received\" is a key of submission services, and this one speaks \"imap\"\n"},
    {"bare LF as ever", SUBMISSION_SERVICE("bare_newline = \"normalize\";"), ""},
    {"no bare LF", SUBMISSION_SERVICE("bare_newline = \"reject\";"), ""},
    {"something else with a bare LF", SUBMISSION_SERVICE("\nbare_newline = \"refuse\";"),
     "F:5: error: \"bare_newline\" can't be \"refuse\"; expected one of \"normalize\", \"reject\"\n"},
    {"no bare LF in POP3",
     SERVICE("protocol = \"pop3\"; backend = \"stores\"; listen = [ \"*:1\" ];\nbare_newline = \"reject\";"),
     "F:5: error: \"bare_newline\" is a key of submission services, and this one speaks \"pop3\"\n"},
    {"a name with a space", WITH_LISTEN("[ \"*:1\" ];\nname = \"my imap\""),
     "F:5: error: \"my imap\" is no name, expected at most 64 letters, digits, \".\", \"_\" or \"-\"\n"},
    {"an unknown pool", SERVICE("protocol = \"imap\"; listen = [ \"*:1\" ];\nbackend = \"msa\";"),
     "F:2: warning: no service uses the pool \"stores\"\n"
     "F:5: error: no pool in \"backends\" is called \"msa\", expected one of \"stores\"\n"},
    {"a misspelt pool", SERVICE("protocol = \"imap\"; listen = [ \"*:1\" ];\nbackend = \"stroes\";"),
     "F:2: warning: no service uses the pool \"stores\"\n"
     "F:5: error: no pool in \"backends\" is called \"stroes\"; did you mean \"stores\"?\n"},
    {"a string for the list", WITH_LISTEN("\n\"[::]:993\""),
     "F:4: error: \"listen\" is a string, expected a list of strings: listen = [ \"[::]:993\" ]\n"},
    {"numbers in the list", WITH_LISTEN("[ 993,\n 994 ]"),
     "F:4: error: \"listen\" is a number, expected a list of strings: listen = [ \"[::]:993\" ]\n"
     "F:5: error: \"listen\" is a number, expected a list of strings: listen = [ \"[::]:993\" ]\n"},
    {"an empty list", WITH_LISTEN("[ ]"),
     "F:4: error: \"listen\" is empty, expected at least one address: listen = [ \"[::]:993\" ]\n"},
    {"an empty string", WITH_LISTEN("[ \"\" ]"),
     "F:4: error: \"listen\" is an empty string, expected a list of strings: listen = [ \"[::]:993\" ]\n"},
    {"the last address of a list has its own line", WITH_LISTEN("[\n\"*:1\",\n\"x\"\n]"),
     "F:6: error: \"x\": the port is missing" LISTEN_EXAMPLE},
    {"no port", WITH_LISTEN("[ \"0.0.0.0\" ]"),
     "F:4: error: \"0.0.0.0\": the port is missing" LISTEN_EXAMPLE},
    {"no port behind brackets", WITH_LISTEN("[ \"[::1]\" ]"),
     "F:4: error: \"[::1]\": the port is missing" LISTEN_EXAMPLE},
    {"a port alone", WITH_LISTEN("[ \":993\" ]"),
     "F:4: error: \":993\": the host is no numeric address" LISTEN_EXAMPLE},
    {"no digits", WITH_LISTEN("[ \"*:imaps\" ]"),
     "F:4: error: \"*:imaps\": the port is not a number up to 65535" LISTEN_EXAMPLE},
    {"an empty port", WITH_LISTEN("[ \"*:\" ]"),
     "F:4: error: \"*:\": the port is not a number up to 65535" LISTEN_EXAMPLE},
    {"a port too high", WITH_LISTEN("[ \"*:65536\" ]"),
     "F:4: error: \"*:65536\": the port is not a number up to 65535" LISTEN_EXAMPLE},
    {"a port that wraps", WITH_LISTEN("[ \"*:4294968289\" ]"),
     "F:4: error: \"*:4294968289\": the port is not a number up to 65535" LISTEN_EXAMPLE},
    {"the highest port", WITH_LISTEN("[ \"*:65535\" ]"), ""},
    {"IPv6 without brackets", WITH_LISTEN("[ \"::1:993\" ]"),
     "F:4: error: \"::1:993\": an IPv6 address is written in brackets, with the port after "
     "it" LISTEN_EXAMPLE},
    {"IPv4 in brackets", WITH_LISTEN("[ \"[127.0.0.1]:993\" ]"),
     "F:4: error: \"[127.0.0.1]:993\": the text in brackets is no IPv6 address" LISTEN_EXAMPLE},
    {"a bracket alone", WITH_LISTEN("[ \"[\" ]"), "F:4: error: \"[\": the port is missing" LISTEN_EXAMPLE},
    {"empty brackets", WITH_LISTEN("[ \"[]:1\" ]"),
     "F:4: error: \"[]:1\": the text in brackets is no IPv6 address" LISTEN_EXAMPLE},
    {"a name", WITH_LISTEN("[ \"localhost:993\" ]"),
     "F:4: error: \"localhost:993\": listening takes a numeric address, and this is a name" LISTEN_EXAMPLE},
    {"no address at all", WITH_LISTEN("[ \"10.0.0.256:993\" ]"),
     "F:4: error: \"10.0.0.256:993\": the host is no numeric address" LISTEN_EXAMPLE},
    {"an address twice in a service", WITH_LISTEN("[ \"[::]:993\",\n\"*:993\" ]"),
     "F:5: error: the service \"imap\" listens on \"*:993\" already, in F:4\n"},
    {"another spelling of one address", WITH_LISTEN("[ \"[::1]:993\",\n\"[0:0::0:1]:993\" ]"),
     "F:5: error: the service \"imap\" listens on \"[0:0::0:1]:993\" already, in F:4\n"},
    {"an IPv4 address as an IPv6 one", WITH_LISTEN("[ \"127.0.0.1:993\",\n\"[::ffff:127.0.0.1]:993\" ]"),
     "F:5: error: the service \"imap\" listens on \"[::ffff:127.0.0.1]:993\" already, in F:4\n"},
    {"host and port", WITH_LISTEN("[ \"localhost:imaps\" ]"),
     "F:4: error: \"localhost:imaps\": listening takes a numeric address, and this is a name" LISTEN_EXAMPLE
     "F:4: error: \"localhost:imaps\": the port is not a number up to 65535" LISTEN_EXAMPLE},
    {"a URL", WITH_LISTEN("[ \"imaps://192.0.2.1:993\" ]"),
     "F:4: error: \"imaps://192.0.2.1:993\": that is a URL, and an address is a host and a port "
     "alone" LISTEN_EXAMPLE},
    {"a name with an umlaut", WITH_LISTEN("[ \"b\303\274ro.example:993\" ]"),
     "F:4: error: \"b\303\274ro.example:993\": the host has letters that DNS does not have: write it as DNS "
     "has it, "
     "beginning with \"xn--\" (the command idn2 prints that form)" LISTEN_EXAMPLE},
    {"freebind", WITH_LISTEN("[ \"192.0.2.1:993\" ]; freebind = true"), ""},
    {"a word for a switch", WITH_LISTEN("[ \"192.0.2.1:993\" ];\nfreebind = \"yes\""),
     "F:5: error: \"freebind\" is a string, expected true or false, without quotation marks\n"},
    {"port 0 twice is two ports", WITH_LISTEN("[ \"127.0.0.1:0\", \"127.0.0.1:0\" ]"), ""},
    {"two families, two ports, two addresses",
     WITH_LISTEN("( \"0.0.0.0:993\", \"[::]:993\", \"[::]:994\", \"[::1]:993\" )"), ""},
};

#define TWO_SERVICES(one, two)                                                                               \
    CFG_TLS CFG_POOL "services = (\n{ protocol = \"imap\"; backend = \"stores\"; " one                       \
                     " },\n{ protocol = \"imap\"; "                                                          \
                     "backend = \"stores\"; " two " } );\n"

static const struct cfg_case services_cases[] = {
    {"an address twice", TWO_SERVICES("listen = [ \"*:993\" ];", "listen = [ \"*:993\" ];"),
     "F:5: error: the service \"imap\" listens on \"*:993\" already, in F:4\n"},
    {"a name twice",
     TWO_SERVICES("name = \"a\"; listen = [ \"*:1\" ];", "name = \"a\"; listen = [ \"*:2\" ];"),
     "F:5: error: another service is called \"a\" already, in F:4\n"},
    {"one address beside all",
     TWO_SERVICES("listen = [ \"*:993\" ];", "name = \"b\"; listen = [ \"192.0.2.1:993\", \"[::1]:994\" ];"),
     "F:5: warning: clients that connect to 192.0.2.1:993 get the service \"b\", and all others on this port "
     "get "
     "\"imap\", which listens on \"*:993\" in F:4\n"},
    {"one IPv6 address beside all",
     TWO_SERVICES("listen = [ \"[::1]:993\" ];",
                  "name = \"b\"; listen = [ \"[::]:993\", \"192.0.2.1:993\" ];"),
     "F:4: warning: clients that connect to [::1]:993 get the service \"imap\", and all others on this port "
     "get \"b\", "
     "which listens on \"[::]:993\" in F:5\n"},
    {"all IPv4 addresses beside all",
     TWO_SERVICES("listen = [ \"*:993\" ];", "name = \"b\"; listen = [ \"0.0.0.0:993\" ];"),
     "F:5: warning: clients that connect by IPv4 (0.0.0.0:993) get the service \"b\", and all others on this "
     "port get "
     "\"imap\", which listens on \"*:993\" in F:4\n"},
    {"all IPv4 addresses beside an IPv6 one",
     TWO_SERVICES("listen = [ \"0.0.0.0:993\" ];", "name = \"b\"; listen = [ \"[::1]:993\" ];"), ""},
    {"any port beside all", TWO_SERVICES("listen = [ \"*:0\" ];", "listen = [ \"192.0.2.1:0\" ];"), ""},
    {"a name that the default would be",
     TWO_SERVICES("listen = [ \"*:1\" ];", "name = \"imap\"; listen = [ \"*:2\" ];"), ""},
};

/* Line 3 is "backends", and line 4 the pool. */
#define POOL(what)      CFG_TLS CFG_IMAP_SERVICE "backends = (\n" what "\n);\n"
#define SERVER(address) POOL("{ name = \"stores\"; servers = ( { address = \"" address "\"; } ); }")
#define SERVER_EXAMPLE                                                                                       \
    ", expected for example \"10.0.0.11:143\", \"[fd00::11]:143\" or \"store1.internal:143\"\n"
#define SERVERS_FORM "servers = ( { address = \"10.0.0.11:143\"; } )\n"

static const struct cfg_case pool_cases[] = {
    {"no pool", POOL(""),
     "F:2: error: no pool in \"backends\" is called \"stores\"\n"
     "F:3: error: \"backends\" is empty, expected a list of groups: backends = ( { name = \"stores\"; "
     "servers = ( { "
     "address = \"10.0.0.11:143\"; } ); } )\n"},
    {"nothing in it", POOL("{ }"),
     "F:2: error: no pool in \"backends\" is called \"stores\"\n"
     "F:4: error: the key \"name\" is missing in a pool of backends, expected the name by which services ask "
     "for this "
     "pool\n"
     "F:4: error: the key \"servers\" is missing in a pool of backends, expected " SERVERS_FORM},
    {"no servers", POOL("{ name = \"stores\"; servers = ( ); }"),
     "F:4: error: \"servers\" is empty, expected a list of groups: " SERVERS_FORM},
    {"servers as strings", POOL("{ name = \"stores\"; servers = [ \"10.0.0.11:143\" ]; }"),
     "F:4: error: \"servers\" is an array [ ], expected a list of groups: " SERVERS_FORM},
    {"a server without address", POOL("{ name = \"stores\"; servers = ( { wieght = 2; } ); }"),
     "F:4: error: the key \"address\" is missing in a server, expected a host and a port: \"10.0.0.11:143\"\n"
     "F:4: error: unknown key \"wieght\" in a server; did you mean \"weight\"?\n"},
    {"another balance",
     POOL("{ name = \"stores\"; balance = \"by-magic\"; servers = ( { address = \"a:1\"; } ); }"),
     "F:4: error: \"balance\" can't be \"by-magic\"; expected one of \"round-robin\", "
     "\"least-connections\", \"source-hash\"\n"},
    {"another identity",
     POOL("{ name = \"stores\"; identity = \"proxy_v2\"; servers = ( { address = \"a:1\"; } ); }"),
     "F:4: error: \"identity\" can't be \"proxy_v2\"; did you mean \"proxy-v2\"? Expected one of \"none\", "
     "\"proxy-v1\", "
     "\"proxy-v2\", \"native\"\n"},
    {"a name twice",
     POOL("{ name = \"stores\"; servers = ( { address = \"a:1\"; } ); },\n{ name = \"stores\"; servers = ( { "
          "address = "
          "\"b:1\"; } ); }"),
     "F:5: error: another pool is called \"stores\" already, in F:4\n"
     "F:5: warning: no service uses the pool \"stores\"\n"},
    {"a pool that nobody uses",
     POOL("{ name = \"stores\"; servers = ( { address = \"a:1\"; } ); },\n{ name = \"old\"; servers = ( { "
          "address = "
          "\"b:1\"; } ); }"),
     "F:5: warning: no service uses the pool \"old\"\n"},
    {"a server twice",
     POOL("{ name = \"stores\"; servers = ( { address = \"Store:1\"; },\n{ address = \"store:1\"; } ); }"),
     "F:5: warning: \"store:1\" is there twice in this pool, first in F:4\n"},
    {"a numeric server twice",
     POOL("{ name = \"stores\"; servers = ( { address = \"[fd00::1]:1\"; },\n{ address = \"[fd00:0::1]:1\"; "
          "} ); }"),
     "F:5: warning: \"[fd00:0::1]:1\" is there twice in this pool, first in F:4\n"},
    {"names of all kinds",
     POOL(
         "{ name = \"stores\"; servers = ( { address = \"a:1\"; }, { address = \"_imap.x-1.y.:143\"; } ); }"),
     ""},
    {"no port", SERVER("store1"), "F:4: error: \"store1\": the port is missing" SERVER_EXAMPLE},
    {"port 0", SERVER("store1:0"), "F:4: error: \"store1:0\": a server's port can't be 0" SERVER_EXAMPLE},
    {"port 65536", SERVER("store1:65536"),
     "F:4: error: \"store1:65536\": the port is not a number up to 65535" SERVER_EXAMPLE},
    {"IPv6 without brackets", SERVER("fd00::11:143"),
     "F:4: error: \"fd00::11:143\": an IPv6 address is written in brackets, with the port after "
     "it" SERVER_EXAMPLE},
    {"an address that is none", SERVER("10.0.0.256:143"),
     "F:4: error: \"10.0.0.256:143\": the host is neither an address nor a name" SERVER_EXAMPLE},
    {"a path", SERVER("/run/imap:143"),
     "F:4: error: \"/run/imap:143\": the host is neither an address nor a name" SERVER_EXAMPLE},
    {"all addresses", SERVER("*:143"),
     "F:4: error: \"*:143\": the host is neither an address nor a name" SERVER_EXAMPLE},
    {"no host", SERVER(":143"),
     "F:4: error: \":143\": the host is neither an address nor a name" SERVER_EXAMPLE},
    {"a dot alone", SERVER(".:143"),
     "F:4: error: \".:143\": the host is neither an address nor a name" SERVER_EXAMPLE},
    {"a label that is empty", SERVER("a..b:143"),
     "F:4: error: \"a..b:143\": the host is neither an address nor a name" SERVER_EXAMPLE},
    {"a label that ends in -", SERVER("a-.b:143"),
     "F:4: error: \"a-.b:143\": the host is neither an address nor a name" SERVER_EXAMPLE},
};

/* A submission service whose pool says this of identity in line 4. */
#define SUBMISSION(identity)                                                                                 \
    CFG_TLS "services = ( { protocol = \"submission\"; listen = [ \"*:465\" ]; backend = \"msa\"; } );\n"    \
            "backends = ( { name = \"msa\"; servers = ( { address = \"10.0.0.21:587\"; } );\n" identity      \
            "} );\n"

/* Hosts, the first key of the first on line 4. */
#define HOSTS(what) CFG_TLS CFG_IMAP_SERVICE CFG_POOL "hosts = ( {\n" what "\n} );\n"

static const struct cfg_case host_cases[] = {
    {"a name alone", HOSTS("names = \"mail.example.org\";"), ""},
    {"all of it",
     HOSTS("names = [ \"Mail.Example.ORG\", \"*.example.org\" ]; backends = { imap = \"stores\"; }; deep = { "
           "tags = [ \"tls12\" ]; };"),
     ""},
    {"no name", HOSTS(""),
     "F:4: error: the key \"names\" is missing in a host, expected a list of host names: names = [ "
     "\"mail.example.org\" ]\n"},
    {"an empty list", HOSTS("names = [ ];"),
     "F:5: error: \"names\" is empty, expected at least one: names = [ \"mail.example.org\" ]\n"},
    {"what is no name", HOSTS("names = [ \"a.example.org\",\n\"b.*.org\",\n\"*\",\n\"c_example org\" ];"),
     "F:6: error: \"b.*.org\" is no host name, expected one like \"mail.example.org\" or \"*.example.org\"\n"
     "F:7: error: \"*\" is no host name, expected one like \"mail.example.org\" or \"*.example.org\"\n"
     "F:8: error: \"c_example org\" is no host name, expected one like \"mail.example.org\" or "
     "\"*.example.org\"\n"},
    {"a name twice", HOSTS("names = [ \"a.example\", \"b.example\" ]; },\n{ names = [ \"B.Example\" ];"),
     "F:6: error: the name \"b.example\" is there twice in \"hosts\", first in F:5\n"},
    {"no such pool", HOSTS("names = \"a.example\"; backends = { imap = \"store\"; };"),
     "F:5: error: no pool in \"backends\" is called \"store\"; did you mean \"stores\"?\n"},
    {"no such protocol", HOSTS("names = \"a.example\"; backends = { imaps = \"stores\"; };"),
     "F:5: error: unknown key \"imaps\" in backends of a host; did you mean \"imap\"?\n"},
    {"a promise that can't be kept", HOSTS("names = \"a.example\"; deep = { tags = [ \"1\" ]; };"),
     "F:5: error: \"1\" is no security tag, expected a letter and then at most 63 letters, digits, - or _\n"},
    {"a pool of another protocol", HOSTS("names = \"a.example\"; backends = { pop3 = \"stores\"; };"),
     "F:3: warning: services of different protocols use the pool \"stores\", and a server speaks one at a "
     "port\n"},
    {"no list", CFG_TLS CFG_IMAP_SERVICE CFG_POOL "hosts = { };\n",
     "F:4: error: \"hosts\" is a group { }, expected a list of groups: hosts = ( { names = [ "
     "\"mail.example.org\" "
     "]; backends = { imap = \"stores\"; }; } )\n"},
};

static const struct cfg_case identity_cases[] = {
    {"submission with PROXY v2", SUBMISSION("identity = \"proxy-v2\";"), ""},
    {"submission with XCLIENT", SUBMISSION("identity = \"native\";"), ""},
    {"submission with PROXY v1", SUBMISSION("identity = \"proxy-v1\";"), ""},
    {"IMAP with PROXY v1",
     CFG_TLS "backends = ( { name = \"stores\"; servers = ( { address = \"10.0.0.11:143\"; } );\n"
             "identity = \"proxy-v1\"; } );\n" CFG_IMAP_SERVICE,
     "F:3: warning: the servers of the pool \"stores\" do not learn by proxy-v1 that their clients are on "
     "TLS: a "
     "Dovecot refuses their logins (LOGINDISABLED) unless it allows them in clear; proxy-v2 tells it\n"},
    {"submission without a word", SUBMISSION(""),
     "F:3: error: the key \"identity\" is missing in the pool \"msa\", which a submission service uses: a "
     "server that takes the proxy for the client relays mail for everybody if it trusts the proxy's "
     "address "
     "(Postfix: mynetworks). Say identity = \"proxy-v2\" if the server reads the PROXY protocol (Postfix: "
     "smtpd_upstream_proxy_protocol = haproxy), \"native\" if it accepts XCLIENT from the proxy (Postfix: "
     "smtpd_authorized_xclient_hosts), or \"none\" if the proxy's address is trusted with nothing\n"},
    {"submission with none", SUBMISSION("identity = \"none\";"),
     "F:4: warning: the pool \"msa\" hides its clients' addresses from a submission server: make sure that "
     "the proxy's "
     "address is trusted with nothing there (Postfix: mynetworks), or it is an open relay\n"},
    {"submission with a mistake in it", SUBMISSION("identity = 2;"),
     "F:4: error: \"identity\" is a number, expected one of \"none\", \"proxy-v1\", \"proxy-v2\", "
     "\"native\"\n"},
    {"imap without a word", CFG_TLS CFG_IMAP_SERVICE CFG_POOL, ""},
    {"a pool for two protocols",
     CFG_TLS CFG_POOL "services = ( { protocol = \"imap\"; listen = [ \"*:1\" ]; backend = \"stores\"; },\n"
                      "{ protocol = \"pop3\"; listen = [ \"*:2\" ]; backend = \"stores\"; } );\n",
     "F:2: warning: services of different protocols use the pool \"stores\", and a server speaks one at a "
     "port\n"},
};

#define COUNT(array) ((int)(ARRAY_LEN(array)))

START_TEST(service)
{
    cfg_case_check(&service_cases[_i]);
}
END_TEST

START_TEST(services)
{
    cfg_case_check(&services_cases[_i]);
}
END_TEST

START_TEST(pool)
{
    cfg_case_check(&pool_cases[_i]);
}
END_TEST

START_TEST(host)
{
    cfg_case_check(&host_cases[_i]);
}
END_TEST

START_TEST(identity)
{
    cfg_case_check(&identity_cases[_i]);
}
END_TEST

/* ---- what each protocol has a row of ---- */

/*
 * Two services for each protocol: what is counted for each, as here the warning about a short "idle", has
 * room for all.
 */
START_TEST(each_protocol_has_its_autologout)
{
    char list[1024] = "";
    char idle[256];
    for (int i = 0; i < PROTOCOLS; i++) {
        const char *name = protocol_traits((enum protocol)i)->name;
        size_t len = strlen(list);
        snprintf(list + len, sizeof list - len,
                 "%s{ protocol = \"%s\"; listen = [ \"*:%d\" ]; backend = \"stores\"; },"
                 " { protocol = \"%s\"; listen = [ \"*:%d\" ]; backend = \"stores\"; }",
                 i > 0 ? ", " : "", name, 2000 + i, name, 3000 + i);
    }
    char *text;
    ck_assert_int_gt(
        asprintf(&text, CFG_TLS CFG_POOL "services = ( %s );\ntimeouts = { idle = 1; };\n", list), 0);
    char *printed = cfg_text_load(text, NULL);
    for (int i = 0; i < PROTOCOLS; i++) {
        const char *name = protocol_traits((enum protocol)i)->name;
        snprintf(idle, sizeof idle, "\"idle\" is 1 s: %s clients may be silent for ", name);
        const char *found = strstr(printed, idle);
        ck_assert_msg(found != NULL, "%s: %s", name, printed);
        ck_assert_ptr_null(strstr(found + 1, idle));
    }
    free(printed);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_services");
    TCase *tcase = tcase_create("services");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, service, 0, COUNT(service_cases));
    tcase_add_loop_test(tcase, services, 0, COUNT(services_cases));
    tcase_add_loop_test(tcase, host, 0, COUNT(host_cases));
    tcase_add_loop_test(tcase, pool, 0, COUNT(pool_cases));
    tcase_add_loop_test(tcase, identity, 0, COUNT(identity_cases));
    tcase_add_test(tcase, each_protocol_has_its_autologout);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
