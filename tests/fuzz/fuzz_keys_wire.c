/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "fuzz_check.h"
#include "keys/chain_text.h"
#include "keys/keys_wire.h"
#include "keys/sign_input.h"

#include <string.h>

/*
 * Fuzzes what the proxy and its key process read of each other, each as if the other were hostile: what is
 * taken must be, written again, the same octets, so that nothing can be read in two ways. The first octet of
 * an input says what it is.
 */
static uint8_t again[KEYS_REPLY_MAX];

static void fuzz_requests(struct slice rest)
{
    struct keys_request request;
    size_t used = 0;
    while (rest.len > 0) {
        const uint8_t *from = rest.data;
        if (!keys_take_request(&rest, &request))
            return;
        check(request.input.len > 0 && request.input.len <= KEYS_INPUT_MAX, "an input within its limits");
        used = 0;
        check(keys_put_request(again, sizeof again, &used, &request), "a request can be written");
        check(from + used == rest.data && memcmp(again, from, used) == 0, "a request is the same again");
    }
}

static void fuzz_answers(struct slice rest)
{
    struct keys_answer answer;
    while (rest.len > 0) {
        const uint8_t *from = rest.data;
        size_t used = 0;
        if (!keys_take_answer(&rest, &answer))
            return;
        check((answer.signature.len > 0) == (answer.status == KEYS_SIGNED), "a signature, or a refusal");
        check(keys_put_answer(again, sizeof again, &used, &answer), "an answer can be written");
        check(from + used == rest.data && memcmp(again, from, used) == 0, "an answer is the same again");
    }
}

static void fuzz_control(struct slice message)
{
    struct keys_command command;
    enum keys_reply_type type;
    struct slice payload;
    if (keys_take_command(message, &command)) {
        check(command.key < KEYS_COUNT_MAX, "a key's number within its limits");
        check(slice_find(command.path, 0) == command.path.len, "a path without NUL");
        check(slice_equals((struct slice){again, keys_put_command(again, &command)}, message),
              "a command is the same again");
    }
    if (message.len < KEYS_REPLY_MAX && keys_take_reply(message, &type, &payload))
        check(slice_equals((struct slice){again, keys_put_reply(again, type, payload)}, message),
              "a reply is the same again");
    struct keys_look look;
    if (keys_take_look(message, &look)) {
        keys_put_look(again, &look);
        check(slice_equals((struct slice){again, KEYS_LOOK_LEN}, message), "a look is the same again");
    }
    uint32_t key;
    if (keys_take_wanted(message, &key)) {
        keys_put_wanted(again, key);
        check(key < KEYS_COUNT_MAX && slice_equals((struct slice){again, KEYS_WANTED_LEN}, message),
              "a wanted key is the same again");
    }
}

/* What a folder has: each name stays in it. */
static void fuzz_entries(struct slice payload)
{
    struct slice whole = payload;
    struct keys_entry entry;
    uint32_t next = 0;
    size_t used = KEYS_NEXT_LEN;
    if (payload.len > sizeof again || !keys_take_next(&payload, &next))
        return;
    keys_put_next(again, next);
    while (payload.len > 0) {
        if (!keys_take_entry(&payload, &entry))
            return;
        check(entry.name.len > 0 && entry.name.data[0] != '.' &&
                  memchr(entry.name.data, '/', entry.name.len) == NULL,
              "a name of a file in this folder");
        check(keys_put_entry(again, sizeof again, &used, &entry), "an entry fits again");
    }
    check(slice_equals((struct slice){again, used}, whole), "entries are the same again");
}

static void fuzz_form(struct slice input)
{
    static const char text[] = "TLS 1.3, server CertificateVerify";
    static const char blanks[] = "                                                                ";
    enum sign_input_kind form = sign_input_kind_of(input);
    bool is_blank = input.len >= 64 && memcmp(input.data, blanks, 64) == 0;
    if (form == SIGN_INPUT_TLS13_SERVER)
        check(is_blank && memcmp(input.data + 64, text, sizeof text) == 0, "TLS 1.3's own words");
    if (form == SIGN_INPUT_TLS13_CLIENT)
        check(is_blank && memcmp(input.data + 73, "client", 6) == 0, "TLS 1.3's own words for a client");
    if (form == SIGN_INPUT_TRANSCRIPT)
        check(!is_blank && input.len > 201 && input.data[0] == 1,
              "a ClientHello, and more than a server signs");
    if (form == SIGN_INPUT_ECDHE)
        check(!is_blank && input.data[64] == 3 && input.data[67] == input.len - 68,
              "a point on a named curve");
    if (form != SIGN_INPUT_UNKNOWN && form != SIGN_INPUT_TRANSCRIPT)
        check(input.len <= KEYS_INPUT_SHORT, "what is short is short");
    check(!(sign_input_fits_role(form, SIGN_AS_SERVER) && sign_input_fits_role(form, SIGN_AS_CLIENT)),
          "one role, or none");
}

/* Whatever begins in it is a certificate. */
static bool has_certificates_alone(struct slice pem)
{
    static const char begin[] = "-BEGIN ";
    static const char what[] = "CERTIFICATE-----";
    const uint8_t *at;
    while (pem.len > 0 && (at = memmem(pem.data, pem.len, begin, sizeof begin - 1)) != NULL) {
        pem = slice_from(pem, (size_t)(at - pem.data) + sizeof begin - 1);
        if (pem.len < sizeof what - 1 || memcmp(pem.data, what, sizeof what - 1) != 0)
            return false;
    }
    return true;
}

static void fuzz_chain(struct slice pem)
{
    size_t used = 0;
    size_t cap = pem.len < sizeof again ? pem.len : sizeof again;
    bool whole = chain_text_take(pem, again, cap, &used);
    check(used <= cap, "a chain within its room");
    check(has_certificates_alone((struct slice){again, used}), "a chain without a key");
    if (!whole || used == 0)
        return;
    /* It is a chain, and nothing but that: taken once more it stays as it is. */
    static uint8_t twice[sizeof again];
    size_t more = 0;
    check(chain_text_take((struct slice){again, used}, twice, sizeof twice, &more) && more == used &&
              memcmp(again, twice, used) == 0,
          "a chain stays a chain");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(struct slice) = {fuzz_requests, fuzz_answers, fuzz_control,
                                                    fuzz_form,     fuzz_chain,   fuzz_entries};
    if (size > 1)
        targets[data[0] % (ARRAY_LEN(targets))]((struct slice){data + 1, size - 1});
    return 0;
}
