/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "keys/chain_text.h"
#include "keys/keys_message.h"
#include "keys/keys_wire.h"
#include "keys/sign_input.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t buffer[KEYS_ANSWERS_MAX];
static uint8_t octets[KEYS_INPUT_MAX + 1];

static struct slice some(size_t len)
{
    return (struct slice){octets, len};
}

/* ---- signatures ---- */

START_TEST(requests_come_back_as_they_went)
{
    static const size_t sizes[] = {1, 130, 201, KEYS_INPUT_MAX};
    size_t used = 0;
    for (uint32_t i = 0; i < 4; i++) {
        struct keys_request request = {0xFFFFFFFFu - i, 70000 + i, (uint16_t)(0x0403 + i), some(sizes[i])};
        ck_assert(keys_put_request(buffer, sizeof buffer, &used, &request));
    }
    struct slice rest = {buffer, used};
    for (uint32_t i = 0; i < 4; i++) {
        struct keys_request got;
        ck_assert(keys_take_request(&rest, &got));
        ck_assert_uint_eq(got.number, 0xFFFFFFFFu - i);
        ck_assert_uint_eq(got.key, 70000 + i);
        ck_assert_uint_eq(got.algorithm, 0x0403 + i);
        ck_assert(slice_equals(got.input, some(sizes[i])));
    }
    ck_assert_uint_eq(rest.len, 0);
}
END_TEST

START_TEST(answers_come_back_as_they_went)
{
    struct keys_answer answers[] = {
        {7, KEYS_SIGNED, some(72)}, {8, KEYS_REFUSED, {NULL, 0}}, {9, KEYS_SIGNED, some(KEYS_SIGNATURE_MAX)}};
    size_t used = 0;
    for (size_t i = 0; i < 3; i++)
        ck_assert(keys_put_answer(buffer, sizeof buffer, &used, &answers[i]));
    struct slice rest = {buffer, used};
    for (size_t i = 0; i < 3; i++) {
        struct keys_answer got;
        ck_assert(keys_take_answer(&rest, &got));
        ck_assert_uint_eq(got.number, answers[i].number);
        ck_assert_int_eq(got.status, answers[i].status);
        ck_assert(slice_equals(got.signature, answers[i].signature));
    }
    ck_assert_uint_eq(rest.len, 0);
}
END_TEST

START_TEST(what_does_not_fit_is_not_written)
{
    size_t used = 3;
    struct keys_request request = {1, 2, 3, some(10)};
    struct keys_answer answer = {1, KEYS_SIGNED, some(10)};
    ck_assert(!keys_put_request(buffer, 3 + KEYS_REQUEST_HEADER + 9, &used, &request));
    ck_assert(!keys_put_answer(buffer, 3 + KEYS_ANSWER_HEADER + 9, &used, &answer));
    request.input.len = KEYS_INPUT_MAX + 1;
    answer.signature.len = KEYS_SIGNATURE_MAX + 1;
    ck_assert(!keys_put_request(buffer, sizeof buffer, &used, &request));
    ck_assert(!keys_put_answer(buffer, sizeof buffer, &used, &answer));
    ck_assert_uint_eq(used, 3);
}
END_TEST

/* Every prefix of a whole message is refused, and takes nothing off it. */
START_TEST(cut_messages)
{
    size_t used = 0;
    struct keys_request request = {1, 2, 3, some(20)};
    struct keys_answer answer = {1, KEYS_SIGNED, some(20)};
    ck_assert(keys_put_request(buffer, sizeof buffer, &used, &request));
    for (size_t len = 0; len < used; len++) {
        struct slice rest = {buffer, len};
        ck_assert(!keys_take_request(&rest, &request));
        ck_assert_uint_eq(rest.len, len);
    }
    used = 0;
    ck_assert(keys_put_answer(buffer, sizeof buffer, &used, &answer));
    for (size_t len = 0; len < used; len++) {
        struct slice rest = {buffer, len};
        ck_assert(!keys_take_answer(&rest, &answer));
        ck_assert_uint_eq(rest.len, len);
    }
}
END_TEST

static const struct {
    const char *what;
    bool is_answer;
    uint8_t message[KEYS_REQUEST_HEADER + 2];
} hostile[] = {
    {"an input of no octets", false, {0, 0, 0, 1, 0, 0, 0, 1, 4, 3, 0, 0}},
    {"an input longer than the message", false, {0, 0, 0, 1, 0, 0, 0, 1, 4, 3, 0, 3}},
    {"an input that is too long", false, {0, 0, 0, 1, 0, 0, 0, 1, 4, 3, 0x80, 1}},
    {"the longest of lengths", false, {0, 0, 0, 1, 0, 0, 0, 1, 4, 3, 0xFF, 0xFF}},
    {"a status that there is not", true, {0, 0, 0, 1, 0, 2, 0, 0}},
    {"a signature of no octets", true, {0, 0, 0, 1, 0, 0, 0, 0}},
    {"a refusal with a signature", true, {0, 0, 0, 1, 0, 1, 0, 1}},
    {"a signature longer than the message", true, {0, 0, 0, 1, 0, 0, 0, 7}},
    {"a signature that is too long", true, {0, 0, 0, 1, 0, 0, 4, 1}},
    {"the longest of lengths", true, {0, 0, 0, 1, 0, 0, 0xFF, 0xFF}},
};

START_TEST(hostile_messages)
{
    struct slice rest = {hostile[_i].message, sizeof hostile[_i].message};
    struct keys_request request;
    struct keys_answer answer;
    ck_assert_msg(
        !(hostile[_i].is_answer ? keys_take_answer(&rest, &answer) : keys_take_request(&rest, &request)),
        "%s", hostile[_i].what);
}
END_TEST

/* ---- control ---- */

START_TEST(commands_come_back_as_they_went)
{
    char path[KEYS_PATH_MAX + 2];
    memset(path, 'p', sizeof path);
    static const enum keys_command_type types[] = {
        KEYS_CHANNELS,    KEYS_START,        KEYS_DROP, KEYS_LOAD, KEYS_CHAIN,
        KEYS_LOAD_CLIENT, KEYS_CERTIFICATES, KEYS_OCSP, KEYS_LOOK, KEYS_LIST};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        bool has_path = i >= 3;
        struct keys_command got;
        struct keys_command command = {.type = types[i], .key = KEYS_COUNT_MAX - 1};
        if (has_path)
            command.path = command.passphrase_path = (struct slice){(const uint8_t *)path, KEYS_PATH_MAX};
        size_t len = keys_put_command(buffer, &command);
        ck_assert_uint_le(len, KEYS_COMMAND_MAX);
        ck_assert(keys_take_command((struct slice){buffer, len}, &got));
        ck_assert_int_eq(got.type, command.type);
        ck_assert_uint_eq(got.key, command.key);
        ck_assert(slice_equals(got.path, command.path));
        ck_assert(slice_equals(got.passphrase_path, command.passphrase_path));
        for (size_t cut = 0; cut < len; cut++)
            ck_assert(!keys_take_command((struct slice){buffer, cut}, &got));
        ck_assert(!keys_take_command((struct slice){buffer, len + 1}, &got));
    }
    struct keys_command command = {.type = KEYS_LOAD, .path = {(const uint8_t *)path, KEYS_PATH_MAX + 1}};
    ck_assert_uint_eq(keys_put_command(buffer, &command), 0);
}
END_TEST

enum { HOSTILE_COMMANDS = 11 };

START_TEST(hostile_commands)
{
    static const struct {
        size_t len;
        uint8_t message[16];
    } wrong[] = {
        {9, {0}},                                       /* no type */
        {9, {KEYS_LIST + 1}},                           /* one that there is not */
        {9, {KEYS_LOAD}},                               /* no path */
        {9, {KEYS_LOAD_CLIENT}},                        /* likewise */
        {9, {KEYS_LIST}},                               /* likewise */
        {10, {KEYS_DROP, 0, 0, 0, 0, 0, 1, 'x', 0}},    /* a path */
        {9, {KEYS_DROP, 0xFF, 0xFF, 0xFF, 0xFF}},       /* a key beyond the last */
        {9, {KEYS_DROP, 0, 0x10, 0, 0}},                /* the first beyond */
        {10, {KEYS_LOAD, 0, 0, 0, 0, 0, 1, 0, 0, 0}},   /* a NUL */
        {10, {KEYS_LOAD, 0, 0, 0, 0, 0xFF, 0xFF, 'x'}}, /* longer than the message */
        {10, {KEYS_LOAD, 0, 0, 0, 0, 0, 1, 'x', 0, 1}}, /* a passphrase's, likewise */
    };
    struct keys_command got;
    ck_assert_uint_eq(ARRAY_LEN(wrong), HOSTILE_COMMANDS);
    ck_assert(!keys_take_command((struct slice){wrong[_i].message, wrong[_i].len}, &got));
}
END_TEST

START_TEST(replies)
{
    enum keys_reply_type type;
    struct slice payload;
    size_t len = keys_put_reply(buffer, KEYS_FAILED, slice_of("why"));
    ck_assert(keys_take_reply((struct slice){buffer, len}, &type, &payload));
    ck_assert_int_eq(type, KEYS_FAILED);
    ck_assert(slice_equals(payload, slice_of("why")));
    ck_assert(!keys_take_reply((struct slice){buffer, 0}, &type, &payload));
    buffer[0] = 0;
    ck_assert(!keys_take_reply((struct slice){buffer, 4}, &type, &payload));
    buffer[0] = KEYS_WANTED + 1;
    ck_assert(!keys_take_reply((struct slice){buffer, 4}, &type, &payload));
    uint8_t *large = calloc(1, 2 * KEYS_REPLY_MAX);
    ck_assert_uint_eq(keys_put_reply(large, KEYS_NOTE, (struct slice){octets, sizeof octets}),
                      sizeof octets + 1);
    free(large);
}
END_TEST

START_TEST(wanted_keys)
{
    static const uint32_t numbers[] = {0, 0x01020, KEYS_COUNT_MAX - 1, KEYS_COUNT_MAX, UINT32_MAX};
    uint8_t payload[KEYS_WANTED_LEN + 1] = {0};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        uint32_t got = 7;
        keys_put_wanted(payload, numbers[i]);
        ck_assert(keys_take_wanted((struct slice){payload, KEYS_WANTED_LEN}, &got) ==
                  (numbers[i] < KEYS_COUNT_MAX));
        ck_assert_uint_eq(got, numbers[i]);
        ck_assert(!keys_take_wanted((struct slice){payload, KEYS_WANTED_LEN - 1}, &got));
        ck_assert(!keys_take_wanted((struct slice){payload, KEYS_WANTED_LEN + 1}, &got));
    }
}
END_TEST

START_TEST(looks)
{
    struct keys_look look = {KEYS_FILE, {1, UINT64_MAX, 0x0102030405060708, 4, 5, 6, 7}};
    struct keys_look got;
    uint8_t payload[KEYS_LOOK_LEN + 1] = {0};
    keys_put_look(payload, &look);
    ck_assert(keys_take_look((struct slice){payload, KEYS_LOOK_LEN}, &got));
    ck_assert_int_eq(got.kind, KEYS_FILE);
    ck_assert_mem_eq(got.numbers, look.numbers, sizeof got.numbers);
    ck_assert(!keys_take_look((struct slice){payload, KEYS_LOOK_LEN - 1}, &got));
    ck_assert(!keys_take_look((struct slice){payload, KEYS_LOOK_LEN + 1}, &got));
    payload[0] = KEYS_UNSEEN; /* of a list alone */
    ck_assert(!keys_take_look((struct slice){payload, KEYS_LOOK_LEN}, &got));
}
END_TEST

static struct keys_entry entry_of(const char *name, enum keys_kind kind)
{
    struct keys_entry entry = {.name = slice_of(name), .look = {.kind = kind}};
    return entry;
}

START_TEST(entries)
{
    static const struct keys_look file = {KEYS_FILE, {1, UINT64_MAX, 0x0102030405060708, 4, 5, 6, 7}};
    static const enum keys_kind kinds[] = {KEYS_FILE, KEYS_NOTHING, KEYS_FOLDER, KEYS_OTHER, KEYS_UNSEEN};
    uint8_t payload[128];
    size_t used = KEYS_NEXT_LEN;
    uint32_t next = 0;
    struct keys_entry got;
    keys_put_next(payload, 0x01020);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct keys_entry entry = entry_of("privkey.pem", kinds[i]);
        if (kinds[i] == KEYS_FILE)
            entry.look = file;
        size_t len = 1 + entry.name.len + (kinds[i] == KEYS_FILE ? KEYS_LOOK_LEN : 1);
        ck_assert(!keys_put_entry(payload, used + len - 1, &used, &entry));
        ck_assert(keys_put_entry(payload, used + len, &used, &entry));
    }
    struct slice rest = {payload, used};
    ck_assert(keys_take_next(&rest, &next));
    ck_assert_uint_eq(next, 0x01020);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        static const struct keys_look none = {.kind = KEYS_NOTHING};
        ck_assert(keys_take_entry(&rest, &got));
        ck_assert(slice_equals(got.name, slice_of("privkey.pem")));
        ck_assert_int_eq(got.look.kind, kinds[i]);
        ck_assert_mem_eq(got.look.numbers, i == 0 ? file.numbers : none.numbers, sizeof got.look.numbers);
    }
    ck_assert_uint_eq(rest.len, 0);
}
END_TEST

START_TEST(where_entries_begin)
{
    uint8_t payload[64];
    size_t used = KEYS_NEXT_LEN;
    uint32_t next;
    struct keys_entry nameless = entry_of("", KEYS_FOLDER);
    ck_assert(!keys_put_entry(payload, sizeof payload, &used, &nameless));
    struct slice rest = {payload, KEYS_NEXT_LEN - 1};
    ck_assert(!keys_take_next(&rest, &next));
    keys_put_next(payload, KEYS_COUNT_MAX);
    rest = (struct slice){payload, KEYS_NEXT_LEN};
    ck_assert(!keys_take_next(&rest, &next));
}
END_TEST

START_TEST(hostile_entries)
{
    static const struct {
        size_t len;
        uint8_t entry[16];
    } wrong[] = {
        {1, {0}},                             /* empty */
        {1, {1}},                             /* longer than the message */
        {3, {3, 'a', 'b'}},                   /* likewise */
        {5, {3, 'a', 0, 'b', KEYS_FOLDER}},   /* a NUL */
        {5, {3, 'a', '/', 'b', KEYS_FOLDER}}, /* another folder's */
        {4, {2, '.', '.', KEYS_FOLDER}},      /* likewise */
        {7, {5, '.', 'h', 'i', 'd', 'e', KEYS_FOLDER}},
        {2, {1, 'a'}},                         /* no look */
        {3, {1, 'a', KEYS_UNSEEN + 1}},        /* one that there is not */
        {3, {1, 'a', KEYS_FILE}},              /* no numbers */
        {10, {1, 'a', KEYS_FILE, 1, 2, 3, 4}}, /* too few */
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct slice rest = {wrong[i].entry, wrong[i].len};
        struct keys_entry entry;
        ck_assert_msg(!keys_take_entry(&rest, &entry), "%zu", i);
    }
}
END_TEST

/* Commands without a path: each type is one that the other end knows. */
START_TEST(short_commands)
{
    static const enum keys_command_type types[] = {KEYS_CHANNELS, KEYS_START, KEYS_DROP,
                                                   KEYS_READY,    KEYS_PING,  KEYS_KILL};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct keys_command got;
        struct keys_command command = {.type = types[i], .key = 3};
        size_t len = keys_put_command(buffer, &command);
        ck_assert(!keys_command_has_path(types[i]));
        ck_assert(keys_take_command((struct slice){buffer, len}, &got));
        ck_assert_int_eq(got.type, types[i]);
        ck_assert_uint_eq(got.key, 3);
    }
}
END_TEST

/* ---- messages ---- */

START_TEST(descriptors_go_with_messages)
{
    int ends[2];
    int pipe_ends[2];
    int got[2];
    size_t count = 2;
    char c;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    ck_assert_int_eq(pipe(pipe_ends), 0);
    ck_assert(keys_message_send(ends[0], slice_of("two"), pipe_ends, 2));
    ck_assert_int_eq(keys_message_receive(ends[1], buffer, sizeof buffer, got, &count), 3);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_ne(fcntl(got[0], F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(write(got[1], "x", 1), 1);
    ck_assert_int_eq(read(pipe_ends[0], &c, 1), 1);
    keys_close_all(got, 2);
    keys_close_all(pipe_ends, 2);
    keys_close_all(ends, 2);
}
END_TEST

/* They are closed, and the message is refused: the pipe has no writer then. */
START_TEST(more_descriptors_than_wanted)
{
    int ends[2];
    int pipe_ends[2];
    int got[1];
    size_t count = 1;
    char c;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    ck_assert_int_eq(pipe(pipe_ends), 0);
    int twice[] = {pipe_ends[1], pipe_ends[1]};
    ck_assert(keys_message_send(ends[0], slice_of("x"), twice, 2));
    close(pipe_ends[1]);
    ck_assert_int_eq(keys_message_receive(ends[1], buffer, sizeof buffer, got, &count), -1);
    ck_assert_int_eq(errno, EMSGSIZE);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(read(pipe_ends[0], &c, 1), 0);
    close(pipe_ends[0]);
    keys_close_all(ends, 2);
}
END_TEST

START_TEST(messages_that_are_too_long)
{
    int ends[2];
    size_t count = 0;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    ck_assert(keys_message_send(ends[0], some(100), NULL, 0));
    ck_assert_int_eq(keys_message_receive(ends[1], buffer, 99, NULL, &count), -1);
    ck_assert_int_eq(errno, EMSGSIZE);
    close(ends[0]);
    ck_assert_int_eq(keys_message_receive(ends[1], buffer, 99, NULL, &count), 0);
    ck_assert(!keys_message_send(ends[1], some(1), NULL, 0));
    ck_assert_int_eq(errno, EPIPE);
    close(ends[1]);
}
END_TEST

/* ---- what is signed ---- */

/* 64 blanks, a text with its NUL, and a hash. */
static struct slice certificate_verify(const char *text, size_t hash)
{
    memset(octets, ' ', 64);
    memcpy(octets + 64, text, strlen(text) + 1);
    memset(octets + 65 + strlen(text), 'h', hash);
    return some(65 + strlen(text) + hash);
}

/* Two randoms and a point. */
static struct slice ecdhe(uint8_t type, unsigned curve, size_t said, size_t point)
{
    memset(octets, 'r', 64);
    uint8_t header[] = {type, (uint8_t)(curve >> 8), (uint8_t)curve, (uint8_t)said};
    memcpy(octets + 64, header, sizeof header);
    memset(octets + 68, 4, point);
    return some(68 + point);
}

START_TEST(forms_of_what_a_server_signs)
{
    static const char server[] = "TLS 1.3, server CertificateVerify";
    static const struct {
        unsigned curve;
        size_t point;
    } curves[] = {{23, 65}, {24, 97}, {25, 133}, {29, 32}, {30, 56}};
    ck_assert_int_eq(sign_input_kind_of(certificate_verify(server, 32)), SIGN_INPUT_TLS13_SERVER);
    ck_assert_int_eq(sign_input_kind_of(certificate_verify(server, 48)), SIGN_INPUT_TLS13_SERVER);
    for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
        size_t point = curves[i].point;
        ck_assert_int_eq(sign_input_kind_of(ecdhe(3, curves[i].curve, point, point)), SIGN_INPUT_ECDHE);
        ck_assert_int_eq(sign_input_kind_of(ecdhe(3, curves[i].curve, point, point + 1)), SIGN_INPUT_UNKNOWN);
        ck_assert_int_eq(sign_input_kind_of(ecdhe(3, curves[i].curve, point, point - 1)), SIGN_INPUT_UNKNOWN);
        ck_assert_int_eq(sign_input_kind_of(ecdhe(3, curves[i].curve, point - 1, point - 1)),
                         SIGN_INPUT_UNKNOWN);
        ck_assert_int_eq(sign_input_kind_of(ecdhe(1, curves[i].curve, point, point)), SIGN_INPUT_UNKNOWN);
    }
    ck_assert_int_eq(sign_input_kind_of(ecdhe(3, 1, 32, 32)), SIGN_INPUT_UNKNOWN);
}
END_TEST

/*
 * What a client has sent and received in TLS 1.2: messages of so many octets each; `change` is made in one of
 * them.
 */
enum { MESSAGES = 8, BODY = 40, MESSAGE = 4 + BODY };

static struct slice transcript(size_t message, size_t place, uint8_t change)
{
    static const uint8_t types[MESSAGES] = {1, 2, 11, 12, 13, 14, 11, 16};
    for (size_t i = 0; i < MESSAGES; i++) {
        uint8_t *at = octets + i * MESSAGE;
        memset(at, 3, MESSAGE);
        memcpy(at, (uint8_t[]){types[i], 0, 0, BODY}, 4);
    }
    octets[message * MESSAGE + place] = change;
    return some((size_t)MESSAGES * MESSAGE);
}

START_TEST(forms_of_what_a_client_signs)
{
    static const char client[] = "TLS 1.3, client CertificateVerify";
    ck_assert_int_eq(sign_input_kind_of(certificate_verify(client, 32)), SIGN_INPUT_TLS13_CLIENT);
    ck_assert_int_eq(sign_input_kind_of(certificate_verify(client, 48)), SIGN_INPUT_TLS13_CLIENT);
    struct slice whole = transcript(3, 10, 'x');
    ck_assert_int_eq(sign_input_kind_of(whole), SIGN_INPUT_TRANSCRIPT);
    octets[whole.len] = 0;
    ck_assert_int_eq(sign_input_kind_of(some(whole.len + 1)), SIGN_INPUT_UNKNOWN);
    for (size_t len = 0; len < whole.len; len++)
        ck_assert_int_eq(sign_input_kind_of(some(len)), SIGN_INPUT_UNKNOWN);
    for (size_t i = 0; i < MESSAGES; i++) {
        ck_assert_int_eq(sign_input_kind_of(transcript(i, 0, 22)), SIGN_INPUT_UNKNOWN); /* another type */
        ck_assert_int_eq(sign_input_kind_of(transcript(i, 1, 1)), SIGN_INPUT_UNKNOWN);  /* far too long */
        ck_assert_int_eq(sign_input_kind_of(transcript(i, 3, BODY - 1)), SIGN_INPUT_UNKNOWN); /* too short */
        ck_assert_int_eq(sign_input_kind_of(transcript(i, 3, BODY + 1)), SIGN_INPUT_UNKNOWN);
        /* The version, of both hellos. */
        enum sign_input_kind form = i < 2 ? SIGN_INPUT_UNKNOWN : SIGN_INPUT_TRANSCRIPT;
        ck_assert_int_eq(sign_input_kind_of(transcript(i, 4, 2)), form);
        ck_assert_int_eq(sign_input_kind_of(transcript(i, 5, 4)), form);
    }
}
END_TEST

START_TEST(a_role_has_its_forms)
{
    for (enum sign_input_kind form = SIGN_INPUT_UNKNOWN; form <= SIGN_INPUT_TRANSCRIPT; form++) {
        bool is_server = form == SIGN_INPUT_TLS13_SERVER || form == SIGN_INPUT_ECDHE;
        ck_assert(sign_input_fits_role(form, SIGN_AS_SERVER) == is_server);
        ck_assert(sign_input_fits_role(form, SIGN_AS_CLIENT) == (form != SIGN_INPUT_UNKNOWN && !is_server));
        ck_assert(sign_input_is_tls13(form) ==
                  (form == SIGN_INPUT_TLS13_SERVER || form == SIGN_INPUT_TLS13_CLIENT));
    }
}
END_TEST

/* Short enough for a server's, all whose octets but the version's somebody has chosen. */
START_TEST(a_transcript_that_is_none)
{
    struct slice short_one = transcript(0, 10, 'x');
    for (size_t i = 2; i < MESSAGES; i++)
        memcpy(octets + 2 * MESSAGE + (i - 2) * 5, (uint8_t[]){octets[i * MESSAGE], 0, 0, 1, 'x'}, 5);
    short_one.len = 2 * MESSAGE + (MESSAGES - 2) * 5;
    ck_assert_int_eq(sign_input_kind_of(short_one), SIGN_INPUT_UNKNOWN);
}
END_TEST

START_TEST(forms_of_anything_else)
{
    static const char *const contexts[] = {"TLS 1.3, client CertificateVerifx",
                                           "TLS 1.3, server delegated credentials",
                                           "TLS 1.3, server CertificateVerif", ""};
    for (size_t i = 0; i < ARRAY_LEN(contexts); i++)
        ck_assert_int_eq(sign_input_kind_of(certificate_verify(contexts[i], 32)), SIGN_INPUT_UNKNOWN);
    for (size_t hash = 0; hash < 70; hash++)
        if (hash != 32 && hash != 48)
            ck_assert_int_eq(
                sign_input_kind_of(certificate_verify("TLS 1.3, server CertificateVerify", hash)),
                SIGN_INPUT_UNKNOWN);
    struct slice both = ecdhe(3, 29, 32, 32);
    memset(octets, ' ', 64); /* randoms that somebody has chosen */
    ck_assert_int_eq(sign_input_kind_of(both), SIGN_INPUT_UNKNOWN);
    for (size_t len = 0; len < both.len; len++)
        ck_assert_int_eq(sign_input_kind_of(slice_first(both, len)), SIGN_INPUT_UNKNOWN);
}
END_TEST

/* ---- chains ---- */

#define BLOCK(body) "-----BEGIN CERTIFICATE-----\n" body "-----END CERTIFICATE-----"
#define KEY         "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"

static const struct {
    const char *pem;
    const char *chain; /* NULL: refused */
} chains[] = {
    {"", ""},
    {KEY, ""},
    {"words\n" BLOCK("a\n") "\nmore words\n" KEY BLOCK("b\n"), BLOCK("a\n") "\n" BLOCK("b\n") "\n"},
    {BLOCK("a\n") KEY, BLOCK("a\n") "\n"},
    {"-----BEGIN CERTIFICATE-----\na", NULL},
    {"-----BEGIN CERTIFICATE-----\n" KEY "-----END CERTIFICATE-----\n", NULL},
    {"-----BEGIN CERTIFICATE-----", NULL},
    {BLOCK("a\n") "-----BEGIN CERTIFICATE-----" KEY, NULL},
    {BLOCK("a\n") "-----BEGIN CERTIFICATE------BEGIN PRIVATE KEY-----END CERTIFICATE-----", NULL},
    {BLOCK("a: b\n"), NULL},
    {"-----BEGIN CERTIFICATE-----BEGIN A==\n-----END CERTIFICATE-----", NULL},
    {"-----BEGIN CERTIFICATE----- PRIVATE KEY-----END CERTIFICATE-----", NULL},
    {"-----BEGIN CERTIFICATE----- \r\na\r\n-----END CERTIFICATE-----",
     "-----BEGIN CERTIFICATE----- \r\na\r\n-----END CERTIFICATE-----\n"},
};

START_TEST(chains_without_their_keys)
{
    uint8_t into[512];
    size_t used;
    const char *wanted = chains[_i].chain;
    struct slice pem = slice_of(chains[_i].pem);
    ck_assert(chain_text_take(pem, into, sizeof into, &used) == (wanted != NULL));
    ck_assert_ptr_null(memmem(into, used, "secret", 6));
    if (wanted == NULL)
        return;
    ck_assert(slice_equals((struct slice){into, used}, slice_of(wanted)));
    for (size_t cap = 0; cap < used; cap++) {
        size_t less;
        ck_assert(!chain_text_take(pem, into, cap, &less));
        ck_assert_uint_le(less, cap);
    }
}
END_TEST

START_TEST(files_with_keys)
{
    ck_assert(chain_text_has_key(slice_of(KEY)));
    ck_assert(chain_text_has_key(slice_of("-----BEGIN ENCRYPTED PRIVATE KEY-----")));
    ck_assert(chain_text_has_key(slice_of(BLOCK("a\n") "\n-----BEGIN EC PRIVATE KEY-----\n")));
    ck_assert(!chain_text_has_key(slice_of(BLOCK("a\n"))));
    ck_assert(!chain_text_has_key((struct slice){NULL, 0}));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keys_wire");
    TCase *tests = tcase_create("keys_wire");
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)(i * 7);
    tcase_add_test(tests, requests_come_back_as_they_went);
    tcase_add_test(tests, answers_come_back_as_they_went);
    tcase_add_test(tests, what_does_not_fit_is_not_written);
    tcase_add_test(tests, cut_messages);
    tcase_add_loop_test(tests, hostile_messages, 0, ARRAY_LEN(hostile));
    tcase_add_test(tests, commands_come_back_as_they_went);
    tcase_add_loop_test(tests, hostile_commands, 0, HOSTILE_COMMANDS);
    tcase_add_test(tests, replies);
    tcase_add_test(tests, wanted_keys);
    tcase_add_test(tests, looks);
    tcase_add_test(tests, entries);
    tcase_add_test(tests, where_entries_begin);
    tcase_add_test(tests, hostile_entries);
    tcase_add_test(tests, short_commands);
    tcase_add_test(tests, descriptors_go_with_messages);
    tcase_add_test(tests, more_descriptors_than_wanted);
    tcase_add_test(tests, messages_that_are_too_long);
    tcase_add_test(tests, forms_of_what_a_server_signs);
    tcase_add_test(tests, forms_of_what_a_client_signs);
    tcase_add_test(tests, a_role_has_its_forms);
    tcase_add_test(tests, a_transcript_that_is_none);
    tcase_add_test(tests, forms_of_anything_else);
    tcase_add_loop_test(tests, chains_without_their_keys, 0, ARRAY_LEN(chains));
    tcase_add_test(tests, files_with_keys);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
