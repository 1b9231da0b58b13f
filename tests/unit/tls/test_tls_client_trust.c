/* SPDX-License-Identifier: BSD-2-Clause */
/* Client certificates: which are taken, what is kept of them, and what a ticket is worth. */
#include "certificates.h"
#include "client_pki.h"
#include "raw_client.h"
#include "tls_pair.h"
#include "run_suite.h"

#include "base/array.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tls_certificate_files files[2];
static long long now = PKI_NOW;

static const struct identity *root, *other_root, *old_root, *middle, *revoked_middle, *for_servers_only;
static const char *ca, *other_ca, *middle_ca, *old_ca, *no_crl, *crl, *old_crl, *forged_crl, *root_crl,
    *middle_crl;

/* Those of the tables below, by name. */
enum who {
    NOBODY,
    JOE,
    JOE_BY_MIDDLE,
    JOE_BY_REVOKED,
    EXPIRED,
    NOT_YET,
    STRANGER,
    SELF_SIGNED,
    SERVER,
    ANYBODY,
    REVOKED,
    BY_LEAF,
    BY_SERVERS,
    WHOS
};
static const struct identity *who[WHOS];

static long long tell_now(void)
{
    return now;
}

static const struct identity *make_client(const struct identity *issuer, const char *name)
{
    return pki_make(&(struct identity_wish){.issuer = issuer, .names = {name}, .usage = NID_client_auth});
}

static const struct identity *make_authority(const struct identity *issuer, const char *name, int usage)
{
    return pki_make(
        &(struct identity_wish){.issuer = issuer, .is_authority = true, .names = {name}, .usage = usage});
}

static void make_clients(void)
{
    who[JOE] = pki_make(&(struct identity_wish){.issuer = root,
                                                .names = {"joe"},
                                                .emails = {"joe@example.com"},
                                                .other_name = "laptop.example.com",
                                                .usage = NID_client_auth,
                                                .serial = 0x0a3f});
    who[JOE_BY_MIDDLE] = make_client(middle, "joe");
    who[JOE_BY_REVOKED] = make_client(revoked_middle, "joe");
    who[EXPIRED] = pki_make(
        &(struct identity_wish){.issuer = root, .names = {"joe"}, .begins = -9 * PKI_DAY, .ends = -PKI_DAY});
    who[NOT_YET] = pki_make(
        &(struct identity_wish){.issuer = root, .names = {"joe"}, .begins = PKI_DAY, .ends = 9 * PKI_DAY});
    who[STRANGER] = make_client(other_root, "joe");
    who[SELF_SIGNED] = make_client(NULL, "joe");
    who[SERVER] =
        pki_make(&(struct identity_wish){.issuer = root, .names = {"joe"}, .usage = NID_server_auth});
    who[ANYBODY] = pki_make(&(struct identity_wish){.issuer = root, .names = {"joe"}});
    who[REVOKED] = make_client(root, "joe");
    who[BY_LEAF] = make_client(who[JOE], "root");
    who[BY_SERVERS] = make_client(for_servers_only, "joe");
}

static void write_files(void)
{
    ca = pki_write("ca.pem", (const struct identity *const[]){root, NULL});
    other_ca = pki_write("other-ca.pem", (const struct identity *const[]){other_root, root, NULL});
    middle_ca = pki_write("middle-ca.pem", (const struct identity *const[]){middle, NULL});
    old_ca = pki_write("old-ca.pem", (const struct identity *const[]){old_root, NULL});
    no_crl = NULL;
    const struct revocation_wish of_root = {root, {who[REVOKED], revoked_middle}, 0, false};
    const struct revocation_wish of_middle = {middle, {NULL}, 0, false};
    const struct revocation_wish of_revoked = {revoked_middle, {NULL}, 0, false};
    crl = pki_write_revoked("crl.pem", (struct revocation_wish[]){of_root, of_middle, of_revoked}, 3);
    root_crl = pki_write_revoked("root-crl.pem", &of_root, 1);
    middle_crl = pki_write_revoked("middle-crl.pem", &of_middle, 1);
    old_crl =
        pki_write_revoked("old-crl.pem", &(struct revocation_wish){.issuer = root, .ends = -PKI_DAY}, 1);
    forged_crl = pki_write_revoked("forged-crl.pem",
                                   &(struct revocation_wish){.issuer = root, .foreign_key = true}, 1);
}

static void make_world(void)
{
    files[0] = certificate_make(&(struct certificate_wish){.names = {"mail.example.com"}});
    files[1] = certificate_make(&(struct certificate_wish){.names = {"other.example.com"}});
    root = make_authority(NULL, "root", 0);
    other_root = make_authority(NULL, "other root", 0);
    old_root = pki_make(&(struct identity_wish){
        .is_authority = true, .names = {"old root"}, .begins = -90 * PKI_DAY, .ends = -PKI_DAY});
    middle = make_authority(root, "middle", 0);
    revoked_middle = make_authority(root, "revoked middle", 0);
    for_servers_only = make_authority(root, "for servers", NID_server_auth);
    make_clients();
    write_files();
}

/* ---- a service and its client ---- */

struct service {
    struct tls_context *context;
    struct tls_io *io;
    struct tls_service_settings tls;
    struct tls_endpoint *endpoint;
};

static void ignore(void *arg, int source, bool is_error, const char *text)
{
    (void)arg;
    (void)source;
    ck_assert_msg(!is_error, "%s", text);
}

static struct tls_client_trust *new_trust(const char *authorities, const char *revoked, bool required)
{
    const struct tls_report report = {.add = ignore};
    const struct tls_client_trust_settings settings = {authorities, revoked, required, tell_now};
    struct tls_client_trust *trust = tls_client_trust_new(&settings, &report);
    ck_assert_ptr_nonnull(trust);
    return trust;
}

/* All of them share one context, as the program has it: tickets of one can be read by the other. */
static struct tls_context *shared_context(void)
{
    static struct tls_context *context;
    if (context == NULL)
        context = tls_pair_server_context(
            &(struct tls_pair_settings){.certificates = files, .certificate_count = 2});
    return context;
}

static void open_service(struct service *service, const char *authorities, const char *revoked, bool required)
{
    *service = (struct service){.context = shared_context(), .io = tls_io_new(64 * 1024)};
    if (authorities != NULL)
        service->tls.clients = new_trust(authorities, revoked, required);
}

static void meet(struct service *service, struct raw_client *client,
                 const struct raw_client_settings *settings)
{
    tls_endpoint_free(&service->endpoint);
    service->endpoint = tls_endpoint_new_server(service->context, service->io, &service->tls);
    ck_assert_ptr_nonnull(service->endpoint);
    raw_client_run(client, settings, service->endpoint, service->io);
}

static void close_service(struct service *service)
{
    tls_endpoint_free(&service->endpoint);
    tls_client_trust_unref(&service->tls.clients);
    tls_io_free(&service->io);
}

static const uint16_t versions[] = {TLS_1_2, TLS_1_3};

/* ---- which are taken ---- */

static const struct trust_case {
    const char *name;
    const char *const *authorities;
    const char *const *revoked;
    enum who who;
    const struct identity *const *chain;
    bool required;
    const char *failure; /* words in it; NULL: the client is let in */
    int alert;           /* SSL_AD_... */
    int alert_1_2;       /* if it is a different one; 0: the same */
} cases[] = {
    {"nobody, where a certificate may be shown", &ca, &no_crl, NOBODY, NULL, false, NULL, 0, 0},
    {"nobody, where one must be", &ca, &no_crl, NOBODY, NULL, true, "shows no certificate",
     SSL_AD_CERTIFICATE_REQUIRED, SSL_AD_HANDSHAKE_FAILURE},
    {"a good one", &ca, &no_crl, JOE, NULL, false, NULL, 0, 0},
    {"a good one that is required", &ca, &no_crl, JOE, NULL, true, NULL, 0, 0},
    {"one of several authorities", &other_ca, &no_crl, JOE, NULL, true, NULL, 0, 0},
    {"without a usage", &ca, &no_crl, ANYBODY, NULL, false, NULL, 0, 0},
    {"with its issuer", &ca, &no_crl, JOE_BY_MIDDLE, &middle, true, NULL, 0, 0},
    {"without its issuer", &ca, &no_crl, JOE_BY_MIDDLE, NULL, true, "without its issuers", SSL_AD_UNKNOWN_CA,
     0},
    {"an authority that is no root", &middle_ca, &no_crl, JOE_BY_MIDDLE, NULL, true, NULL, 0, 0},
    {"what the root above it has certified", &middle_ca, &no_crl, JOE, NULL, true, "not trusted",
     SSL_AD_UNKNOWN_CA, 0},
    {"expired", &ca, &no_crl, EXPIRED, NULL, false, "has expired", SSL_AD_CERTIFICATE_EXPIRED, 0},
    {"not yet", &ca, &no_crl, NOT_YET, NULL, false, "is not valid yet", SSL_AD_CERTIFICATE_EXPIRED, 0},
    {"another authority", &ca, &no_crl, STRANGER, NULL, false, "not trusted", SSL_AD_UNKNOWN_CA, 0},
    {"another authority, which it sends", &ca, &no_crl, STRANGER, &other_root, false, "not trusted",
     SSL_AD_UNKNOWN_CA, 0},
    {"self-signed", &ca, &no_crl, SELF_SIGNED, NULL, false, "self-signed", SSL_AD_UNKNOWN_CA, 0},
    {"a server's", &ca, &no_crl, SERVER, NULL, false, "not meant for TLS clients",
     SSL_AD_UNSUPPORTED_CERTIFICATE, 0},
    {"by an authority for servers", &ca, &no_crl, BY_SERVERS, &for_servers_only, false,
     "not meant for TLS clients", SSL_AD_UNSUPPORTED_CERTIFICATE, 0},
    {"by another client", &ca, &no_crl, BY_LEAF, &who[JOE], false, "no authority", SSL_AD_UNKNOWN_CA, 0},
    {"not revoked", &ca, &crl, JOE, NULL, true, NULL, 0, 0},
    {"not revoked, nor its issuer", &ca, &crl, JOE_BY_MIDDLE, &middle, true, NULL, 0, 0},
    {"revoked", &ca, &crl, REVOKED, NULL, false, "is revoked", SSL_AD_CERTIFICATE_REVOKED, 0},
    {"revoked, and nobody looks", &ca, &no_crl, REVOKED, NULL, false, NULL, 0, 0},
    {"by an issuer that is revoked", &ca, &crl, JOE_BY_REVOKED, &revoked_middle, false, "is revoked",
     SSL_AD_CERTIFICATE_REVOKED, 0},
    {"no list covers it", &ca, &root_crl, JOE_BY_MIDDLE, &middle, false, "no revocation list",
     SSL_AD_CERTIFICATE_UNKNOWN, 0},
    {"no list covers its issuer", &ca, &middle_crl, JOE_BY_MIDDLE, &middle, false, "no revocation list",
     SSL_AD_CERTIFICATE_UNKNOWN, 0},
    {"no list has to cover an authority", &middle_ca, &middle_crl, JOE_BY_MIDDLE, NULL, true, NULL, 0, 0},
    {"a list out of date", &ca, &old_crl, JOE, NULL, false,
     "list (crl) for the client certificate has expired", SSL_AD_CERTIFICATE_UNKNOWN, 0},
    {"a list by somebody else", &ca, &forged_crl, JOE, NULL, false, "wrong signature",
     SSL_AD_CERTIFICATE_UNKNOWN, 0},
};

static struct raw_client_settings settings_of(const struct trust_case *c, uint16_t version)
{
    struct raw_client_settings settings = {.version = version, .identity = who[c->who]};
    if (c->chain != NULL)
        settings.chain[0] = *c->chain;
    return settings;
}

static void expect_served(const struct trust_case *c, const struct service *service)
{
    struct tls_info info = tls_endpoint_info(service->endpoint);
    ck_assert_msg(tls_endpoint_state(service->endpoint) == TLS_OPEN, "%s: %s", c->name,
                  tls_endpoint_failure(service->endpoint));
    ck_assert_msg((info.client_certificate != NULL) == (c->who != NOBODY), "%s: certificate", c->name);
    if (c->who != NOBODY)
        ck_assert_str_eq(info.client_certificate->common_name, "joe");
}

static void expect_refused(const struct trust_case *c, const struct service *service,
                           const struct raw_client *client, uint16_t version)
{
    const char *failure = tls_endpoint_failure(service->endpoint);
    int alert = version == TLS_1_2 && c->alert_1_2 != 0 ? c->alert_1_2 : c->alert;
    ck_assert_msg(tls_endpoint_state(service->endpoint) == TLS_FAILED, "%s: is let in", c->name);
    ck_assert_msg(strstr(failure, c->failure) != NULL, "%s: %s", c->name, failure);
    ck_assert_msg(client->alert == alert, "%s: alert %d, not %d", c->name, client->alert, alert);
    ck_assert_ptr_null(tls_endpoint_info(service->endpoint).client_certificate);
}

START_TEST(certificates_are_taken_or_not)
{
    const struct trust_case *c = &cases[_i / 2];
    uint16_t version = versions[_i % 2];
    struct service service;
    struct raw_client client;
    struct raw_client_settings settings = settings_of(c, version);
    open_service(&service, *c->authorities, *c->revoked, c->required);
    meet(&service, &client, &settings);
    ck_assert_msg(client.was_asked, "%s: not asked", c->name);
    ck_assert_uint_eq(client.asked_names, c->authorities == &other_ca ? 2 : 1);
    if (c->failure == NULL)
        expect_served(c, &service);
    else
        expect_refused(c, &service, &client, version);
    raw_client_close(&client);
    close_service(&service);
}
END_TEST

/* Draft section 9.1.1: MUST NOT request one. */
START_TEST(no_certificate_is_asked_for_without_authorities)
{
    struct service service;
    struct raw_client client;
    struct raw_client_settings settings = {.version = versions[_i], .identity = who[JOE]};
    open_service(&service, NULL, NULL, false);
    meet(&service, &client, &settings);
    ck_assert(client.open && !client.was_asked);
    ck_assert_ptr_null(tls_endpoint_info(service.endpoint).client_certificate);
    raw_client_close(&client);
    close_service(&service);
}
END_TEST

/* A certificate is no secret: a client that sends another's does not have its key. */
START_TEST(a_stolen_certificate)
{
    struct service service;
    struct raw_client client;
    struct raw_client_settings settings = {
        .version = versions[_i], .identity = who[JOE], .key_of = who[STRANGER]};
    open_service(&service, ca, NULL, false);
    meet(&service, &client, &settings);
    ck_assert_int_eq(tls_endpoint_state(service.endpoint), TLS_FAILED);
    ck_assert_ptr_null(tls_endpoint_info(service.endpoint).client_certificate);
    raw_client_close(&client);
    close_service(&service);
}
END_TEST

START_TEST(more_issuers_than_a_chain_has)
{
    struct service service;
    struct raw_client client;
    struct raw_client_settings settings = {.version = versions[_i], .identity = who[JOE]};
    open_service(&service, ca, NULL, false);
    for (size_t i = 0; i < 8; i++)
        settings.chain[i] = middle;
    meet(&service, &client, &settings);
    ck_assert_int_eq(tls_endpoint_state(service.endpoint), TLS_FAILED);
    ck_assert_str_eq(tls_endpoint_failure(service.endpoint),
                     "client certificate was sent with too many issuers");
    raw_client_close(&client);
    settings.chain[7] = NULL;
    meet(&service, &client, &settings);
    ck_assert_int_eq(tls_endpoint_state(service.endpoint), TLS_OPEN);
    raw_client_close(&client);
    close_service(&service);
}
END_TEST

START_TEST(a_chain_of_too_many_octets)
{
    static char name[20000];
    struct service service;
    struct raw_client client;
    memset(name, 'a', sizeof name - 1);
    const struct identity *large = pki_make(&(struct identity_wish){
        .issuer = root, .names = {"joe"}, .emails = {name, name}, .usage = NID_client_auth});
    struct raw_client_settings settings = {.version = versions[_i], .identity = large};
    open_service(&service, ca, NULL, false);
    meet(&service, &client, &settings);
    ck_assert_int_eq(tls_endpoint_state(service.endpoint), TLS_FAILED);
    raw_client_close(&client);
    close_service(&service);
}
END_TEST

/* ---- what is kept of one ---- */

START_TEST(the_identity_in_words)
{
    struct service service;
    struct raw_client client;
    struct raw_client_settings settings = {.version = versions[_i], .identity = who[JOE]};
    char hex[65] = "";
    uint8_t digest[32];
    unsigned len;
    open_service(&service, ca, NULL, false);
    meet(&service, &client, &settings);
    const struct tls_client_certificate *kept = tls_endpoint_info(service.endpoint).client_certificate;
    ck_assert_ptr_nonnull(kept);
    ck_assert_str_eq(kept->subject, "CN=joe,O=Example\\, Inc.");
    ck_assert_str_eq(kept->common_name, "joe");
    ck_assert_str_eq(kept->email, "joe@example.com");
    ck_assert_str_eq(kept->serial, "0A3F");
    ck_assert(X509_digest(who[JOE]->certificate, EVP_sha256(), digest, &len));
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02X", digest[i]);
    ck_assert_str_eq(kept->fingerprint, hex);
    raw_client_close(&client);
    close_service(&service);
}
END_TEST

#define A_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct name_case {
    struct identity_wish wish;
    const char *common_name;
    const char *email;
} name_cases[] = {
    {{.names = {NULL}}, NULL, NULL},
    {{.names = {"joe"}, .emails = {""}}, "joe", NULL},
    {{.names = {"joe", "root"}, .emails = {"a@example.com", "b@example.com"}}, NULL, NULL},
    {{.names = {"joe", "joe"}, .emails = {"a@example.com", "a@example.com"}}, NULL, NULL},
    {{.names = {"J\xc3\xb6rg D."}, .emails = {"j\xc3\xb6rg@example.com"}}, "J\xc3\xb6rg D.", NULL},
    {{.names = {"joe\nroot"}, .emails = {"joe\n@example.com"}}, NULL, NULL},
    {{.names = {"joe\x7f"}, .emails = {"joe @example.com"}}, NULL, NULL},
    {{.names = {"joe\xc2\x85root"}, .emails = {"joe"}}, NULL, NULL},
    {{.names = {"j"}, .emails = {"j@e"}}, "j", "j@e"}, /* as short as they can be */
    {{.names = {"joe"}, .emails = {"@example.com"}}, "joe", NULL},
    {{.names = {"joe"}, .emails = {"joe@"}}, "joe", NULL},
    {{.names = {"joe"}, .emails = {"joe@a@b"}}, "joe", NULL},
    {{.names = {A_64}, .emails = {A_64 A_64 A_64 "@" A_64 A_64}}, A_64, NULL},
};

START_TEST(names_that_are_clear_and_those_that_are_not)
{
    const struct name_case *c = &name_cases[_i];
    struct identity_wish wish = c->wish;
    struct service service;
    struct raw_client client;
    wish.issuer = root;
    struct raw_client_settings settings = {.version = TLS_1_3, .identity = pki_make(&wish)};
    open_service(&service, ca, NULL, false);
    meet(&service, &client, &settings);
    const struct tls_client_certificate *kept = tls_endpoint_info(service.endpoint).client_certificate;
    ck_assert_ptr_nonnull(kept);
    ck_assert_pstr_eq(kept->common_name, c->common_name);
    ck_assert_pstr_eq(kept->email, c->email);
    for (const char *p = kept->subject; *p != '\0'; p++)
        ck_assert(*p >= ' ' && *p <= '~');
    raw_client_close(&client);
    close_service(&service);
}
END_TEST

START_TEST(a_subject_that_is_cut)
{
    struct service service;
    struct raw_client client;
    struct raw_client_settings settings = {
        .version = TLS_1_3,
        .identity = pki_make(&(struct identity_wish){.issuer = root, .names = {A_64, A_64, A_64, A_64}})};
    open_service(&service, ca, NULL, false);
    meet(&service, &client, &settings);
    const struct tls_client_certificate *kept = tls_endpoint_info(service.endpoint).client_certificate;
    ck_assert_uint_eq(strlen(kept->subject), TLS_CLIENT_SUBJECT_MAX - 1);
    ck_assert_ptr_nonnull(strstr(kept->subject, "CN=" A_64 ",CN=" A_64));
    ck_assert_str_eq(kept->subject + TLS_CLIENT_SUBJECT_MAX - 4, "...");
    raw_client_close(&client);
    close_service(&service);
}
END_TEST

/* ---- resumption ---- */

/* A first session of `identity` at one service, and one that tries to resume it at another. */
struct two_sessions {
    struct service first;
    struct service second;
    struct raw_client before;
    struct raw_client after;
};

static void run_two(struct two_sessions *two, uint16_t version, const struct identity *identity,
                    const struct identity *later_identity)
{
    struct raw_client_settings settings = {.version = version, .identity = identity};
    meet(&two->first, &two->before, &settings);
    ck_assert_int_eq(tls_endpoint_state(two->first.endpoint), TLS_OPEN);
    ck_assert_ptr_nonnull(two->before.session);
    settings.session = two->before.session;
    settings.identity = later_identity;
    meet(&two->second, &two->after, &settings);
}

static void end_two(struct two_sessions *two)
{
    raw_client_close(&two->before);
    raw_client_close(&two->after);
    close_service(&two->first);
    close_service(&two->second);
}

START_TEST(a_ticket_keeps_the_identity)
{
    struct two_sessions two;
    open_service(&two.first, ca, crl, true);
    open_service(&two.second, ca, crl, true);
    run_two(&two, versions[_i], who[JOE], NULL);
    struct tls_info info = tls_endpoint_info(two.second.endpoint);
    ck_assert_msg(tls_endpoint_state(two.second.endpoint) == TLS_OPEN, "%s",
                  tls_endpoint_failure(two.second.endpoint));
    ck_assert(info.resumed && !two.after.was_asked);
    ck_assert_str_eq(info.client_certificate->email, "joe@example.com");
    ck_assert_str_eq(info.client_certificate->serial, "0A3F");
    end_two(&two);
}
END_TEST

START_TEST(a_ticket_of_a_client_without_a_certificate)
{
    struct two_sessions two;
    open_service(&two.first, ca, NULL, false);
    open_service(&two.second, ca, NULL, false);
    run_two(&two, versions[_i], NULL, NULL);
    struct tls_info info = tls_endpoint_info(two.second.endpoint);
    ck_assert(info.resumed);
    ck_assert_ptr_null(info.client_certificate);
    end_two(&two);
}
END_TEST

static const struct other_service {
    const char *name;
    const char *const *first_ca;
    bool first_required;
    const char *const *second_ca;
    bool second_required;
    bool has_certificate;
} others[] = {
    {"from one that asks for none, to one that requires it", NULL, false, &ca, true, false},
    {"from one that asks for none, to one that would take one", NULL, false, &ca, false, false},
    {"from one where it is optional and none was shown, to one that requires it", &ca, false, &ca, true,
     false},
    {"from one with other authorities", &other_ca, true, &ca, true, true},
    {"to one with fewer", &ca, true, &middle_ca, true, true},
    {"to one that asks for none", &ca, true, NULL, false, true},
};

/* Whatever the ticket has, the second service treats the client as one without a ticket. */
START_TEST(a_ticket_is_worth_nothing_at_another_service)
{
    const struct other_service *o = &others[_i / 2];
    struct two_sessions two;
    open_service(&two.first, o->first_ca != NULL ? *o->first_ca : NULL, NULL, o->first_required);
    open_service(&two.second, o->second_ca != NULL ? *o->second_ca : NULL, NULL, o->second_required);
    run_two(&two, versions[_i % 2], o->has_certificate ? who[JOE] : NULL, NULL);
    struct tls_info info = tls_endpoint_info(two.second.endpoint);
    ck_assert_msg(!info.resumed, "%s: resumed", o->name);
    ck_assert_msg(two.after.was_asked == (o->second_ca != NULL), "%s: asked", o->name);
    ck_assert_ptr_null(info.client_certificate);
    ck_assert_msg((tls_endpoint_state(two.second.endpoint) == TLS_OPEN) == !o->second_required, "%s: served",
                  o->name);
    end_two(&two);
}
END_TEST

/*
 * The library takes what is a certificate's anew when SNI has chosen another one: the ticket's place is part
 * of it.
 */
START_TEST(nor_where_sni_has_chosen_another_certificate)
{
    struct two_sessions two;
    struct raw_client_settings settings = {.version = versions[_i], .server_name = "other.example.com"};
    open_service(&two.first, NULL, NULL, false);
    open_service(&two.second, ca, NULL, true);
    meet(&two.first, &two.before, &settings);
    settings.session = two.before.session;
    meet(&two.second, &two.after, &settings);
    ck_assert(two.after.was_asked);
    ck_assert_int_eq(tls_endpoint_state(two.second.endpoint), TLS_FAILED);
    ck_assert_str_eq(tls_endpoint_failure(two.second.endpoint), "client shows no certificate");
    raw_client_close(&two.after);
    settings.identity = who[JOE];
    meet(&two.second, &two.after, &settings);
    ck_assert_str_eq(tls_endpoint_info(two.second.endpoint).client_certificate->common_name, "joe");
    end_two(&two);
}
END_TEST

START_TEST(what_has_expired_since_is_not_taken)
{
    struct two_sessions two;
    struct raw_client_settings settings = {.version = versions[_i], .identity = who[JOE]};
    open_service(&two.first, ca, NULL, false);
    open_service(&two.second, ca, NULL, false);
    meet(&two.first, &two.before, &settings);
    settings.session = two.before.session;
    now = PKI_NOW + 31 * PKI_DAY;
    meet(&two.second, &two.after, &settings);
    now = PKI_NOW;
    ck_assert_int_eq(tls_endpoint_state(two.second.endpoint), TLS_FAILED);
    ck_assert_ptr_nonnull(strstr(tls_endpoint_failure(two.second.endpoint), "has expired"));
    ck_assert_int_eq(two.after.alert, SSL_AD_CERTIFICATE_EXPIRED);
    ck_assert_ptr_null(tls_endpoint_info(two.second.endpoint).client_certificate);
    end_two(&two);
}
END_TEST

START_TEST(what_was_revoked_since_is_not_taken)
{
    struct two_sessions two;
    open_service(&two.first, ca, NULL, false);
    open_service(&two.second, ca, crl, false);
    run_two(&two, versions[_i], who[REVOKED], who[REVOKED]);
    ck_assert_int_eq(tls_endpoint_state(two.second.endpoint), TLS_FAILED);
    ck_assert_ptr_nonnull(strstr(tls_endpoint_failure(two.second.endpoint), "is revoked"));
    ck_assert_int_eq(two.after.alert, SSL_AD_CERTIFICATE_REVOKED);
    end_two(&two);
}
END_TEST

/* ---- files ---- */

struct said {
    size_t errors;
    size_t warnings;
    char first[1024];
};

static void note(void *arg, int source, bool is_error, const char *text)
{
    struct said *said = arg;
    bool of_lists = strstr(text, "revocation list") != NULL || strstr(text, "list in force") != NULL;
    ck_assert_int_eq(source, of_lists ? TLS_SOURCE_REVOKED : TLS_NO_SOURCE);
    if (said->errors + said->warnings == 0)
        snprintf(said->first, sizeof said->first, "%s", text);
    said->errors += is_error;
    said->warnings += !is_error;
}

static struct said load(const char *authorities, const char *revoked)
{
    struct said said = {0};
    const struct tls_report report = {.add = note, .arg = &said, .now = PKI_NOW};
    const struct tls_client_trust_settings settings = {authorities, revoked, false, tell_now};
    struct tls_client_trust *trust = tls_client_trust_new(&settings, &report);
    ck_assert_msg((trust == NULL) == (said.errors > 0), "%s", said.first);
    tls_client_trust_unref(&trust);
    return said;
}

static void expect_said(const char *authorities, const char *revoked, size_t errors, size_t warnings,
                        const char *words)
{
    struct said said = load(authorities, revoked);
    ck_assert_msg(said.errors == errors && said.warnings == warnings, "%zu errors, %zu warnings: %s",
                  said.errors, said.warnings, said.first);
    ck_assert_msg(strstr(said.first, words) != NULL, "%s", said.first);
}

START_TEST(files_with_nothing_wrong)
{
    expect_said(ca, NULL, 0, 0, "");
    expect_said(other_ca, NULL, 0, 0, "");
    expect_said(ca, root_crl, 0, 0, "");
}
END_TEST

START_TEST(files_that_are_wrong)
{
    const char *leaf = pki_write("leaf.pem", (const struct identity *const[]){root, who[JOE], NULL});
    const char *damaged = certificates_write("damaged.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    const char *text = certificates_write("text.pem", "Subject: hello\n");
    expect_said(certificates_path("nowhere.pem"), NULL, 1, 0, "can't open the file with the authorities");
    expect_said(text, NULL, 1, 0, "has none of the authorities of clients in PEM form");
    expect_said(damaged, NULL, 1, 0, "number 1 of the authorities of clients");
    expect_said(leaf, NULL, 1, 0, "is no authority's certificate");
    expect_said(ca, certificates_path("nowhere.crl"), 1, 0, "can't open the file with the revocation lists");
    expect_said(ca, ca, 1, 0, "has none of the revocation lists (crl) in PEM form");
    expect_said(old_ca, NULL, 0, 1, "has expired: clients that it has certified will be rejected");
    expect_said(ca, old_crl, 0, 1, "no list in force");
    expect_said(other_ca, root_crl, 0, 1, "has no revocation list of the authority");
}
END_TEST

/* What is read once, and what its files deserve to be said of them later. */
static struct tls_client_trust *reuse(struct tls_client_trust *trust,
                                      const struct tls_client_trust_settings *settings, long long at,
                                      struct said *said)
{
    const struct tls_report report = {.add = note, .arg = said, .now = at};
    *said = (struct said){0};
    return tls_client_trust_reuse(trust, settings, &report);
}

START_TEST(files_that_are_unchanged)
{
    struct tls_client_trust_settings settings = {ca, root_crl, false, tell_now};
    struct tls_client_trust *trust = new_trust(ca, root_crl, false);
    struct said said;
    struct tls_client_trust *again = reuse(trust, &settings, PKI_NOW, &said);
    ck_assert_ptr_eq(again, trust);
    ck_assert_uint_eq(said.errors + said.warnings, 0);
    tls_client_trust_unref(&again);
    again = reuse(trust, &settings, PKI_NOW + 20 * PKI_DAY, &said);
    ck_assert_ptr_eq(again, trust);
    ck_assert_msg(said.errors == 0 && said.warnings == 1 && strstr(said.first, "no list in force") != NULL,
                  "%s", said.first);
    tls_client_trust_unref(&again);
    again = reuse(trust, &settings, PKI_NOW + 400 * PKI_DAY, &said);
    ck_assert_ptr_eq(again, trust);
    ck_assert_msg(said.warnings == 2 && strstr(said.first, "has expired") != NULL, "%s", said.first);
    tls_client_trust_unref(&again);
    tls_client_trust_unref(&trust);
}
END_TEST

START_TEST(files_that_are_others)
{
    const struct tls_client_trust_settings foreign[] = {{other_ca, root_crl, false, tell_now},
                                                        {ca, NULL, false, tell_now},
                                                        {ca, crl, false, tell_now},
                                                        {ca, root_crl, true, tell_now},
                                                        {ca, root_crl, false, NULL}};
    struct tls_client_trust *trust = new_trust(ca, root_crl, false);
    struct said said;
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        ck_assert_ptr_null(reuse(trust, &foreign[i], PKI_NOW, &said));
        ck_assert_uint_eq(said.errors + said.warnings, 0);
    }
    tls_client_trust_unref(&trust);
}
END_TEST

START_TEST(more_authorities_than_are_meant)
{
    char pem[2048];
    const char *path = certificates_path("bundle.pem");
    FILE *one = fopen(ca, "r");
    FILE *many = fopen(path, "w");
    size_t len = fread(pem, 1, sizeof pem, one);
    for (int i = 0; i < 257; i++)
        fwrite(pem, 1, len, many);
    fclose(one);
    fclose(many);
    expect_said(path, NULL, 1, 0, "has more than 256 authorities");
}
END_TEST

/* ---- memory ---- */

static size_t octets_in_use(void)
{
    return mallinfo2().uordblks;
}

enum { SESSIONS = 200, SLACK_OF_HEAP = 16 };

/* What open sessions cost whose clients have shown no certificate, each. */
static size_t cost_of_session(struct service *service)
{
    static struct tls_endpoint *kept[SESSIONS];
    struct raw_client client;
    struct raw_client_settings settings = {.version = TLS_1_3};
    meet(service, &client, &settings); /* what is made only once exists now */
    raw_client_close(&client);
    size_t before = octets_in_use();
    for (int i = 0; i < SESSIONS; i++) {
        meet(service, &client, &settings);
        raw_client_close(&client);
        kept[i] = service->endpoint;
        service->endpoint = NULL;
    }
    size_t cost = octets_in_use() - before;
    for (int i = 0; i < SESSIONS; i++)
        tls_endpoint_free(&kept[i]);
    return cost / SESSIONS;
}

START_TEST(a_session_without_a_certificate_costs_no_more)
{
    struct service with, without;
    open_service(&with, ca, crl, false);
    open_service(&without, NULL, NULL, false);
    cost_of_session(&with); /* the heap has then grown to what either needs */
    cost_of_session(&without);
    size_t plain = cost_of_session(&without);
    size_t asked = cost_of_session(&with);
    ck_assert_msg(asked <= plain + SLACK_OF_HEAP, "%zu octets where none is asked for, else %zu", plain,
                  asked);
    close_service(&with);
    close_service(&without);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_client_trust");
    TCase *tests = tcase_create("client certificates");
    certificates_open();
    make_world();
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, certificates_are_taken_or_not, 0, 2 * ARRAY_LEN(cases));
    tcase_add_loop_test(tests, no_certificate_is_asked_for_without_authorities, 0, ARRAY_LEN(versions));
    tcase_add_loop_test(tests, a_stolen_certificate, 0, ARRAY_LEN(versions));
    tcase_add_loop_test(tests, more_issuers_than_a_chain_has, 0, ARRAY_LEN(versions));
    tcase_add_loop_test(tests, a_chain_of_too_many_octets, 0, ARRAY_LEN(versions));
    tcase_add_loop_test(tests, the_identity_in_words, 0, ARRAY_LEN(versions));
    tcase_add_loop_test(tests, names_that_are_clear_and_those_that_are_not, 0, ARRAY_LEN(name_cases));
    tcase_add_test(tests, a_subject_that_is_cut);
    tcase_add_loop_test(tests, a_ticket_keeps_the_identity, 0, ARRAY_LEN(versions));
    tcase_add_loop_test(tests, a_ticket_of_a_client_without_a_certificate, 0, ARRAY_LEN(versions));
    tcase_add_loop_test(tests, a_ticket_is_worth_nothing_at_another_service, 0, 2 * ARRAY_LEN(others));
    tcase_add_loop_test(tests, nor_where_sni_has_chosen_another_certificate, 0, ARRAY_LEN(versions));
    tcase_add_loop_test(tests, what_has_expired_since_is_not_taken, 0, ARRAY_LEN(versions));
    tcase_add_loop_test(tests, what_was_revoked_since_is_not_taken, 0, ARRAY_LEN(versions));
    tcase_add_test(tests, files_with_nothing_wrong);
    tcase_add_test(tests, files_that_are_wrong);
    tcase_add_test(tests, files_that_are_unchanged);
    tcase_add_test(tests, files_that_are_others);
    tcase_add_test(tests, more_authorities_than_are_meant);
    tcase_add_test(tests, a_session_without_a_certificate_costs_no_more);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    pki_close();
    certificates_close();
    return status;
}
