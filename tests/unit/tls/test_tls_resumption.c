/* SPDX-License-Identifier: BSD-2-Clause */
/* Which sessions are resumed: contexts with shared keys, as replicas and reloads have them, and names. */
#include "base/array.h"
#include "certificates.h"
#include "tls_visitor.h"
#include "run_suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const uint16_t versions[] = {TLS_1_2, TLS_1_3};
static struct tls_certificate_files files[2]; /* mail.example.com; other.example.org and *.example.net */

static void fail_at_once(void *arg, int certificate, bool is_error, const char *text)
{
    (void)arg;
    ck_abort_msg("certificate %d: %s: %s", certificate, is_error ? "error" : "warning", text);
}

static struct tls_context *server_with_ciphers(struct tls_ticket_keys *keys, bool tickets,
                                               const char *ciphers)
{
    struct tls_settings settings = {.ciphers = ciphers,
                                    .certificates = files,
                                    .certificate_count = 2,
                                    .min_version = TLS_1_2,
                                    .max_version = TLS_1_3,
                                    .session_tickets = tickets,
                                    .ticket_keys = keys};
    struct tls_report report = {.add = fail_at_once};
    struct tls_context *context = tls_context_new_server(&settings, &report);
    ck_assert_ptr_nonnull(context);
    return context;
}

static struct tls_context *server_with(struct tls_ticket_keys *keys, bool tickets)
{
    return server_with_ciphers(keys, tickets, NULL);
}

static struct tls_ticket_keys *own_keys(void)
{
    struct tls_ticket_keys *keys = tls_ticket_keys_new(0);
    ck_assert_ptr_nonnull(keys);
    return keys;
}

static void next_turn(struct tls_ticket_keys *keys, int64_t turn)
{
    ck_assert(tls_ticket_keys_rotate_if_due(keys, turn * TLS_TICKET_KEY_PERIOD));
}

static bool is_sealing(const struct tls_ticket_keys *keys, const uint8_t *name)
{
    struct tls_ticket_set set;
    tls_ticket_keys_get(keys, &set);
    return memcmp(set.keys[set.sealing].name, name, TLS_TICKET_NAME) == 0;
}

START_TEST(a_client_comes_back)
{
    struct tls_ticket_keys *keys = own_keys();
    struct tls_context *server = server_with(keys, true);
    struct tls_visit first = tls_visit(server, versions[_i], "mail.example.com", NULL);
    ck_assert(!first.resumed);
    ck_assert_ptr_nonnull(first.session);
    ck_assert(is_sealing(keys, first.key_name));
    ck_assert_uint_le(first.lifetime, TLS_TICKET_LIFETIME);
    ck_assert_uint_ge(first.lifetime, TLS_TICKET_LIFETIME - 60);
    struct tls_visit second = tls_visit(server, versions[_i], "mail.example.com", first.session);
    ck_assert(second.resumed);
    SSL_SESSION_free(first.session);
    SSL_SESSION_free(second.session);
    tls_context_unref(&server);
    tls_ticket_keys_unref(&keys);
}
END_TEST

START_TEST(another_context_with_the_same_keys_resumes)
{
    struct tls_ticket_keys *keys = own_keys();
    struct tls_context *server = server_with(keys, true);
    struct tls_visit first = tls_visit(server, versions[_i], "other.example.org", NULL);
    tls_context_unref(&server);
    server = server_with(keys, true);
    tls_ticket_keys_unref(&keys); /* the context has its own reference */
    ck_assert(tls_visit_resumes(server, versions[_i], "other.example.org", first.session));
    SSL_SESSION_free(first.session);
    tls_context_unref(&server);
}
END_TEST

START_TEST(other_keys_resume_nobody)
{
    struct tls_ticket_keys *keys = own_keys();
    struct tls_ticket_keys *others = own_keys();
    struct tls_context *server = server_with(keys, true);
    struct tls_context *stranger = server_with(others, true);
    struct tls_visit first = tls_visit(server, versions[_i], "mail.example.com", NULL);
    ck_assert(!tls_visit_resumes(stranger, versions[_i], "mail.example.com", first.session));
    SSL_SESSION_free(first.session);
    tls_context_unref(&server);
    tls_context_unref(&stranger);
    tls_ticket_keys_unref(&keys);
    tls_ticket_keys_unref(&others);
}
END_TEST

START_TEST(the_name_alone_of_a_key_opens_nothing)
{
    struct tls_ticket_keys *keys = own_keys();
    struct tls_context *server = server_with(keys, true);
    struct tls_visit first = tls_visit(server, versions[_i], "mail.example.com", NULL);
    struct tls_ticket_set good;
    tls_ticket_keys_get(keys, &good);
    for (unsigned secret = 0; secret < 2; secret++) {
        struct tls_ticket_set set = good;
        (secret == 0 ? set.keys[0].aes : set.keys[0].hmac)[0] ^= 1;
        tls_ticket_keys_replace(keys, &set);
        ck_assert(!tls_visit_resumes(server, versions[_i], "mail.example.com", first.session));
    }
    tls_ticket_keys_replace(keys, &good);
    ck_assert(tls_visit_resumes(server, versions[_i], "mail.example.com", first.session));
    SSL_SESSION_free(first.session);
    tls_context_unref(&server);
    tls_ticket_keys_unref(&keys);
}
END_TEST

enum { TICKET_MAX = 4096 };

/* Whether a ticket of which `len` octets are left, and one is another, is as good as before. */
static bool is_good_still(struct tls_context *server, uint16_t version, size_t len, size_t changed)
{
    struct tls_visit first = tls_visit(server, version, "mail.example.com", NULL);
    const uint8_t *ticket;
    size_t whole;
    uint8_t copy[TICKET_MAX];
    SSL_SESSION_get0_ticket(first.session, &ticket, &whole);
    ck_assert_uint_le(whole, sizeof copy);
    memcpy(copy, ticket, whole);
    if (changed < whole)
        copy[changed] ^= 0x40;
    ck_assert(SSL_SESSION_set_ticket(first.session, copy, len < whole ? len : whole));
    bool resumes = tls_visit_resumes(server, version, "mail.example.com", first.session);
    SSL_SESSION_free(first.session);
    return resumes;
}

START_TEST(a_ticket_that_was_changed_opens_nothing)
{
    struct tls_ticket_keys *keys = own_keys();
    struct tls_context *server = server_with(keys, true);
    ck_assert(is_good_still(server, versions[_i], TICKET_MAX, TICKET_MAX));
    /* In the name, the IV, what is sealed, and cut anywhere. */
    for (size_t changed = 0; changed < 160; changed += 8)
        ck_assert(!is_good_still(server, versions[_i], TICKET_MAX, changed));
    for (size_t len = 1; len < 160; len += 15)
        ck_assert(!is_good_still(server, versions[_i], len, TICKET_MAX));
    tls_context_unref(&server);
    tls_ticket_keys_unref(&keys);
}
END_TEST

START_TEST(an_old_key_opens_until_it_goes_and_the_ticket_is_renewed)
{
    struct tls_ticket_keys *keys = own_keys();
    struct tls_context *server = server_with(keys, true);
    struct tls_visit first = tls_visit(server, versions[_i], "mail.example.com", NULL);
    for (int64_t turn = 1; turn <= 2; turn++) {
        next_turn(keys, turn);
        struct tls_visit again = tls_visit(server, versions[_i], "mail.example.com", first.session);
        ck_assert(again.resumed);
        ck_assert_ptr_nonnull(again.session);
        ck_assert(is_sealing(keys, again.key_name));
        ck_assert(tls_visit_resumes(server, versions[_i], "mail.example.com", again.session));
        SSL_SESSION_free(again.session);
    }
    next_turn(keys, 3);
    ck_assert(!tls_visit_resumes(server, versions[_i], "mail.example.com", first.session));
    SSL_SESSION_free(first.session);
    tls_context_unref(&server);
    tls_ticket_keys_unref(&keys);
}
END_TEST

START_TEST(a_ticket_of_a_replica_that_is_ahead_is_good_and_stays)
{
    struct tls_ticket_keys *ahead = own_keys();
    struct tls_ticket_keys *behind = own_keys();
    struct tls_ticket_set set = {.sealing = 1};
    for (unsigned i = 0; i < 3; i++)
        tls_ticket_set_add_new(&set);
    tls_ticket_keys_replace(behind, &set);
    tls_ticket_set_add_new(&set); /* the rotation that one of the two has not seen yet */
    tls_ticket_keys_replace(ahead, &set);
    struct tls_context *server_ahead = server_with(ahead, true);
    struct tls_context *server_behind = server_with(behind, true);
    struct tls_visit first = tls_visit(server_ahead, versions[_i], "mail.example.com", NULL);
    struct tls_visit second = tls_visit(server_behind, versions[_i], "mail.example.com", first.session);
    ck_assert(second.resumed);
    /* TLS 1.2 renews what is old; in 1.3 each handshake has a ticket of its own. */
    ck_assert_int_eq(second.session == NULL, versions[_i] == TLS_1_2);
    SSL_SESSION_free(first.session);
    SSL_SESSION_free(second.session);
    tls_context_unref(&server_ahead);
    tls_context_unref(&server_behind);
    tls_ticket_keys_unref(&ahead);
    tls_ticket_keys_unref(&behind);
}
END_TEST

static const struct names {
    const char *first;
    const char *second;
    bool resumes;
} name_cases[] = {
    {"mail.example.com", "mail.example.com", true},
    {"mail.example.com", "MAIL.example.COM", true},
    {NULL, NULL, true},
    {"unknown.example.com", "unknown.example.com", true},
    {"other.example.org", "other.example.org", true},
    {"a.example.net", "a.example.net", true},
    /* of another certificate */
    {"mail.example.com", "other.example.org", false},
    {"other.example.org", "mail.example.com", false},
    /* of the same certificate: another name is another host (RFC 6066) */
    {"other.example.org", "a.example.net", false},
    {"a.example.net", "b.example.net", false},
    /* of the default certificate */
    {"mail.example.com", "unknown.example.com", false},
    {"mail.example.com", NULL, false},
    {NULL, "mail.example.com", false},
    {"mail.example.com", "mail.example.co", false},
};

START_TEST(a_session_is_good_for_its_name_alone)
{
    const struct names *names = &name_cases[_i];
    struct tls_ticket_keys *keys = own_keys();
    struct tls_context *server = server_with(keys, true);
    for (size_t i = 0; i < 2; i++) {
        struct tls_visit first = tls_visit(server, versions[i], names->first, NULL);
        ck_assert_ptr_nonnull(first.session);
        ck_assert_msg(tls_visit_resumes(server, versions[i], names->second, first.session) == names->resumes,
                      "from %s to %s with 0x%04x", names->first, names->second, versions[i]);
        SSL_SESSION_free(first.session);
    }
    tls_context_unref(&server);
    tls_ticket_keys_unref(&keys);
}
END_TEST

START_TEST(names_hold_for_the_librarys_own_keys_too)
{
    struct tls_context *server = server_with(NULL, true);
    struct tls_visit first = tls_visit(server, versions[_i], "mail.example.com", NULL);
    ck_assert(tls_visit_resumes(server, versions[_i], "mail.example.com", first.session));
    ck_assert(!tls_visit_resumes(server, versions[_i], "other.example.org", first.session));
    SSL_SESSION_free(first.session);
    tls_context_unref(&server);
}
END_TEST

START_TEST(a_suite_that_is_not_wanted_any_more)
{
    struct tls_ticket_keys *keys = own_keys();
    struct tls_context *before = server_with_ciphers(keys, true, "ECDHE-ECDSA-AES128-GCM-SHA256");
    struct tls_context *after = server_with_ciphers(keys, true, "ECDHE-ECDSA-AES256-GCM-SHA384");
    struct tls_visit first = tls_visit(before, TLS_1_2, "mail.example.com", NULL);
    ck_assert(tls_visit_resumes(before, TLS_1_2, "mail.example.com", first.session));
    ck_assert(!tls_visit_resumes(after, TLS_1_2, "mail.example.com", first.session));
    SSL_SESSION_free(first.session);
    tls_context_unref(&before);
    tls_context_unref(&after);
    tls_ticket_keys_unref(&keys);
}
END_TEST

START_TEST(tickets_switched_off)
{
    struct tls_ticket_keys *keys = own_keys();
    struct tls_context *server = server_with(keys, true);
    struct tls_context *without = server_with(keys, false);
    struct tls_visit first = tls_visit(server, versions[_i], "mail.example.com", NULL);
    struct tls_visit second = tls_visit(without, versions[_i], "mail.example.com", first.session);
    ck_assert(!second.resumed);
    ck_assert_ptr_null(second.session);
    SSL_SESSION_free(first.session);
    tls_context_unref(&server);
    tls_context_unref(&without);
    tls_ticket_keys_unref(&keys);
}
END_TEST

/* ---- threads ---- */

enum { VISITORS = 3, VISITS = 40 };

struct crowd {
    struct tls_context *server;
    atomic_uint done;
    atomic_uint failed;
};

static void *visit_again_and_again(void *arg)
{
    struct crowd *crowd = arg;
    SSL_SESSION *session = NULL;
    for (unsigned i = 0; i < VISITS; i++) {
        struct tls_visit visit = tls_visit(crowd->server, TLS_1_3, "mail.example.com", session);
        if (visit.session == NULL || visit.resumed != (i > 0))
            atomic_fetch_add(&crowd->failed, 1);
        SSL_SESSION_free(session);
        session = visit.session;
    }
    SSL_SESSION_free(session);
    atomic_fetch_add(&crowd->done, 1);
    return NULL;
}

START_TEST(keys_change_amid_handshakes)
{
    struct tls_ticket_keys *keys = own_keys();
    struct crowd crowd = {.server = server_with(keys, true)};
    struct tls_ticket_set set = {.sealing = 0};
    pthread_t visitors[VISITORS];
    for (unsigned i = 0; i < 3; i++)
        tls_ticket_set_add_new(&set);
    tls_ticket_keys_replace(keys, &set);
    for (size_t i = 0; i < VISITORS; i++)
        ck_assert_int_eq(pthread_create(&visitors[i], NULL, visit_again_and_again, &crowd), 0);
    /* Another key seals each time; all of them open all the time. */
    while (atomic_load(&crowd.done) < VISITORS) {
        set.sealing = (set.sealing + 1) % 3;
        tls_ticket_keys_replace(keys, &set);
    }
    for (size_t i = 0; i < VISITORS; i++)
        pthread_join(visitors[i], NULL);
    ck_assert_uint_eq(atomic_load(&crowd.failed), 0);
    tls_context_unref(&crowd.server);
    tls_ticket_keys_unref(&keys);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_resumption");
    TCase *tests = tcase_create("resumption");
    certificates_open();
    files[0] = certificate_make(&(struct certificate_wish){.names = {"mail.example.com"}});
    files[1] = certificate_make(&(struct certificate_wish){.names = {"other.example.org", "*.example.net"}});
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_client_comes_back, 0, 2);
    tcase_add_loop_test(tests, another_context_with_the_same_keys_resumes, 0, 2);
    tcase_add_loop_test(tests, other_keys_resume_nobody, 0, 2);
    tcase_add_loop_test(tests, the_name_alone_of_a_key_opens_nothing, 0, 2);
    tcase_add_loop_test(tests, a_ticket_that_was_changed_opens_nothing, 0, 2);
    tcase_add_loop_test(tests, an_old_key_opens_until_it_goes_and_the_ticket_is_renewed, 0, 2);
    tcase_add_loop_test(tests, a_ticket_of_a_replica_that_is_ahead_is_good_and_stays, 0, 2);
    tcase_add_loop_test(tests, a_session_is_good_for_its_name_alone, 0, ARRAY_LEN(name_cases));
    tcase_add_loop_test(tests, names_hold_for_the_librarys_own_keys_too, 0, 2);
    tcase_add_test(tests, a_suite_that_is_not_wanted_any_more);
    tcase_add_loop_test(tests, tickets_switched_off, 0, 2);
    tcase_add_test(tests, keys_change_amid_handshakes);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
