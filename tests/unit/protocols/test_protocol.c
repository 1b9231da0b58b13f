/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/engine.h"

#include "base/array.h"
#include "protocols/engine_out.h"
#include "protocols/starttls_client.h"
#include "run_suite.h"

#include <check.h>
#include <string.h>

/* What holds for each row, also for one that does not exist yet. */

static void is_command(const char *text)
{
    ck_assert_ptr_nonnull(text);
    ck_assert(slice_has_suffix(slice_of(text), "\r\n"));
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}

static void is_word(const char *text)
{
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_gt(strlen(text), 0);
}

START_TEST(the_row_is_complete)
{
    const struct protocol_traits *traits = protocol_traits((enum protocol)_i);
    is_word(traits->name);
    is_word(traits->autologout.rule);
    ck_assert_uint_gt(traits->autologout.min_ms, 0);
    ck_assert_uint_ne(traits->ports.implicit, 0);
    ck_assert_uint_ne(traits->ports.starttls, 0);
    ck_assert_uint_ne(traits->ports.implicit, traits->ports.starttls);
    is_word(traits->probe.greeting);
    is_command(traits->probe.starttls);
    is_word(traits->probe.consent);
    is_command(traits->probe.question);
    is_word(traits->probe.answer);
    is_command(traits->probe.goodbye);
    ck_assert_ptr_nonnull(traits->engine);
    ck_assert_ptr_nonnull(traits->pretls);
    ck_assert_ptr_nonnull(traits->starttls_client);
}
END_TEST

/* RFC 7301 section 3.1 */
START_TEST(the_alpn_list_has_one_name)
{
    const char *list = protocol_traits((enum protocol)_i)->alpn.list;
    ck_assert_uint_gt(strlen(list), 1);
    ck_assert_uint_eq((unsigned char)list[0], strlen(list) - 1);
}
END_TEST

START_TEST(no_two_rows_share_a_name_or_a_port)
{
    const struct protocol_traits *a = protocol_traits((enum protocol)_i);
    for (int i = 0; i < PROTOCOLS; i++) {
        const struct protocol_traits *b = protocol_traits((enum protocol)i);
        if (a == b)
            continue;
        ck_assert_str_ne(a->name, b->name);
        ck_assert_str_ne(a->alpn.list, b->alpn.list);
        ck_assert_uint_ne(a->ports.implicit, b->ports.implicit);
        ck_assert_uint_ne(a->ports.starttls, b->ports.starttls);
    }
}
END_TEST

/* The rows lead to parts that can be begun. */
START_TEST(a_session_can_be_begun)
{
    const struct engine_service service = {
        .protocol = (enum protocol)_i, .deep_status = "", .hostname = "proxy.example.com", .starttls = true};
    const struct engine_client client = {.tls_cipher = "TLS_AES_128_GCM_SHA256",
                                         .address = "192.0.2.1",
                                         .connected_address = "192.0.2.2",
                                         .session_id = "1-1",
                                         .nonce = "0123456789abcdef"};
    const char *greeting = protocol_traits(service.protocol)->probe.greeting;
    struct engine_out *out = engine_out_new();
    struct engine *engine = engine_new(&service, &client);
    struct engine *pretls = engine_new_pretls(&service);
    struct starttls_client *starttls_client = starttls_client_new(&service);
    engine_greet(pretls, out);
    ck_assert(slice_has_prefix(out->lanes[SIDE_CLIENT].slices[0], greeting));
    ck_assert(engine_wants(engine, SIDE_BACKEND) && !engine_wants(engine, SIDE_CLIENT));
    ck_assert(starttls_client != NULL);
    starttls_client_free(&starttls_client);
    engine_free(&pretls);
    engine_free(&engine);
    engine_out_free(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol");
    TCase *tests = tcase_create("protocol");
    tcase_add_loop_test(tests, the_row_is_complete, 0, PROTOCOLS);
    tcase_add_loop_test(tests, the_alpn_list_has_one_name, 0, PROTOCOLS);
    tcase_add_loop_test(tests, no_two_rows_share_a_name_or_a_port, 0, PROTOCOLS);
    tcase_add_loop_test(tests, a_session_can_be_begun, 0, PROTOCOLS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
