/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/keys_wire.h"

#include <string.h>

_Static_assert((int)KEYS_REQUESTS_MAX >= KEYS_BATCH_MAX * ((int)KEYS_REQUEST_HEADER + (int)KEYS_INPUT_SHORT),
               "a batch of short requests fits into one message");

static void put16(uint8_t *into, uint16_t value)
{
    into[0] = (uint8_t)(value >> 8);
    into[1] = (uint8_t)value;
}

static void put32(uint8_t *into, uint32_t value)
{
    put16(into, (uint16_t)(value >> 16));
    put16(into + 2, (uint16_t)value);
}

static uint16_t get16(const uint8_t *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

static uint32_t get32(const uint8_t *from)
{
    return (uint32_t)get16(from) << 16 | get16(from + 2);
}

/* The data of an empty slice may be NULL, which memcpy must not get. */
static void put_octets(uint8_t *into, struct slice octets)
{
    if (octets.len > 0)
        memcpy(into, octets.data, octets.len);
}

/* ---- signatures ---- */

bool keys_put_request(uint8_t *buffer, size_t cap, size_t *used, const struct keys_request *request)
{
    if (request->input.len > KEYS_INPUT_MAX || cap - *used < KEYS_REQUEST_HEADER + request->input.len)
        return false;
    uint8_t *at = buffer + *used;
    put32(at, request->number);
    put32(at + 4, request->key);
    put16(at + 8, request->algorithm);
    put16(at + 10, (uint16_t)request->input.len);
    put_octets(at + KEYS_REQUEST_HEADER, request->input);
    *used += KEYS_REQUEST_HEADER + request->input.len;
    return true;
}

bool keys_take_request(struct slice *rest, struct keys_request *request)
{
    const uint8_t *at = rest->data;
    if (rest->len < KEYS_REQUEST_HEADER)
        return false;
    size_t len = get16(at + 10);
    if (len == 0 || len > KEYS_INPUT_MAX || len > rest->len - KEYS_REQUEST_HEADER)
        return false;
    *request = (struct keys_request){.number = get32(at),
                                     .key = get32(at + 4),
                                     .algorithm = get16(at + 8),
                                     .input = {at + KEYS_REQUEST_HEADER, len}};
    *rest = slice_from(*rest, KEYS_REQUEST_HEADER + len);
    return true;
}

bool keys_put_answer(uint8_t *buffer, size_t cap, size_t *used, const struct keys_answer *answer)
{
    if (answer->signature.len > KEYS_SIGNATURE_MAX ||
        cap - *used < KEYS_ANSWER_HEADER + answer->signature.len)
        return false;
    uint8_t *at = buffer + *used;
    put32(at, answer->number);
    put16(at + 4, (uint16_t)answer->status);
    put16(at + 6, (uint16_t)answer->signature.len);
    put_octets(at + KEYS_ANSWER_HEADER, answer->signature);
    *used += KEYS_ANSWER_HEADER + answer->signature.len;
    return true;
}

bool keys_take_answer(struct slice *rest, struct keys_answer *answer)
{
    const uint8_t *at = rest->data;
    if (rest->len < KEYS_ANSWER_HEADER)
        return false;
    unsigned status = get16(at + 4);
    size_t len = get16(at + 6);
    if (status > KEYS_REFUSED || len > KEYS_SIGNATURE_MAX || len > rest->len - KEYS_ANSWER_HEADER ||
        (len > 0) != (status == KEYS_SIGNED))
        return false;
    *answer = (struct keys_answer){
        .number = get32(at), .status = (enum keys_status)status, .signature = {at + KEYS_ANSWER_HEADER, len}};
    *rest = slice_from(*rest, KEYS_ANSWER_HEADER + len);
    return true;
}

/* ---- control ---- */

size_t keys_put_command(uint8_t *into, const struct keys_command *command)
{
    if (command->path.len > KEYS_PATH_MAX || command->passphrase_path.len > KEYS_PATH_MAX)
        return 0;
    uint8_t *at = into;
    *at++ = (uint8_t)command->type;
    put32(at, command->key);
    at += 4;
    put16(at, (uint16_t)command->path.len);
    put_octets(at + 2, command->path);
    at += 2 + command->path.len;
    put16(at, (uint16_t)command->passphrase_path.len);
    put_octets(at + 2, command->passphrase_path);
    at += 2 + command->passphrase_path.len;
    return (size_t)(at - into);
}

/* A text after its length. It must not have a NUL, as it becomes a path. */
static bool take_text(struct slice *rest, struct slice *text)
{
    if (rest->len < 2)
        return false;
    size_t len = get16(rest->data);
    if (len > KEYS_PATH_MAX || len > rest->len - 2)
        return false;
    *text = slice_sub(*rest, 2, len);
    *rest = slice_from(*rest, 2 + len);
    return slice_find(*text, 0) == text->len;
}

bool keys_take_command(struct slice message, struct keys_command *command)
{
    if (message.len < 5 || message.data[0] < KEYS_CHANNELS || message.data[0] > KEYS_LIST)
        return false;
    *command = (struct keys_command){.type = (enum keys_command_type)message.data[0],
                                     .key = get32(message.data + 1)};
    struct slice rest = slice_from(message, 5);
    return command->key < KEYS_COUNT_MAX && take_text(&rest, &command->path) &&
           take_text(&rest, &command->passphrase_path) && rest.len == 0 &&
           (command->path.len > 0) == keys_command_has_path(command->type);
}

size_t keys_put_reply(uint8_t *into, enum keys_reply_type type, struct slice payload)
{
    payload = slice_first(payload, KEYS_REPLY_MAX - 1);
    into[0] = (uint8_t)type;
    put_octets(into + 1, payload);
    return 1 + payload.len;
}

bool keys_take_reply(struct slice message, enum keys_reply_type *type, struct slice *payload)
{
    if (message.len < 1 || message.data[0] < KEYS_DONE || message.data[0] > KEYS_WANTED)
        return false;
    *type = (enum keys_reply_type)message.data[0];
    *payload = slice_from(message, 1);
    return true;
}

void keys_put_wanted(uint8_t payload[KEYS_WANTED_LEN], uint32_t key)
{
    put32(payload, key);
}

bool keys_take_wanted(struct slice payload, uint32_t *key)
{
    if (payload.len != KEYS_WANTED_LEN)
        return false;
    *key = get32(payload.data);
    return *key < KEYS_COUNT_MAX;
}

/* ---- what the guard sees ---- */

static void put64(uint8_t *at, uint64_t value)
{
    put32(at, (uint32_t)(value >> 32));
    put32(at + 4, (uint32_t)value);
}

static uint64_t get64(const uint8_t *from)
{
    return (uint64_t)get32(from) << 32 | get32(from + 4);
}

static void put_numbers(uint8_t *into, const struct keys_look *look)
{
    for (size_t i = 0; i < KEYS_LOOK_NUMBERS; i++)
        put64(into + 8 * i, look->numbers[i]);
}

static void get_numbers(const uint8_t *from, struct keys_look *look)
{
    for (size_t i = 0; i < KEYS_LOOK_NUMBERS; i++)
        look->numbers[i] = get64(from + 8 * i);
}

void keys_put_look(uint8_t payload[KEYS_LOOK_LEN], const struct keys_look *look)
{
    payload[0] = (uint8_t)look->kind;
    put_numbers(payload + 1, look);
}

bool keys_take_look(struct slice payload, struct keys_look *look)
{
    if (payload.len != KEYS_LOOK_LEN || payload.data[0] > KEYS_OTHER)
        return false;
    look->kind = (enum keys_kind)payload.data[0];
    get_numbers(payload.data + 1, look);
    return true;
}

void keys_put_next(uint8_t payload[KEYS_NEXT_LEN], uint32_t next)
{
    put32(payload, next);
}

/* Octets of an entry's look. */
static size_t look_len(uint8_t kind)
{
    return kind == KEYS_FILE ? KEYS_LOOK_LEN : 1;
}

bool keys_put_entry(uint8_t *buffer, size_t cap, size_t *used, const struct keys_entry *entry)
{
    struct slice name = entry->name;
    uint8_t kind = (uint8_t)entry->look.kind;
    size_t len = 1 + name.len + look_len(kind);
    if (name.len == 0 || name.len > KEYS_NAME_MAX || len > cap - *used)
        return false;
    uint8_t *at = buffer + *used;
    at[0] = (uint8_t)name.len;
    put_octets(at + 1, name);
    at[1 + name.len] = kind;
    if (kind == KEYS_FILE)
        put_numbers(at + 2 + name.len, &entry->look);
    *used += len;
    return true;
}

bool keys_take_next(struct slice *payload, uint32_t *next)
{
    if (payload->len < KEYS_NEXT_LEN)
        return false;
    *next = get32(payload->data);
    *payload = slice_from(*payload, KEYS_NEXT_LEN);
    return *next < KEYS_COUNT_MAX;
}

/* With a slash it would lead to another folder. */
static bool is_name(struct slice name)
{
    return name.data[0] != '.' && slice_find(name, 0) == name.len && slice_find(name, '/') == name.len;
}

/* Takes a look off the front. */
static bool take_look(struct slice *rest, struct keys_look *look)
{
    if (rest->len == 0 || rest->data[0] > KEYS_UNSEEN || look_len(rest->data[0]) > rest->len)
        return false;
    *look = (struct keys_look){.kind = (enum keys_kind)rest->data[0]};
    if (look->kind == KEYS_FILE)
        get_numbers(rest->data + 1, look);
    *rest = slice_from(*rest, look_len(rest->data[0]));
    return true;
}

bool keys_take_entry(struct slice *rest, struct keys_entry *entry)
{
    size_t len = rest->data[0];
    if (len == 0 || len > rest->len - 1)
        return false;
    entry->name = slice_sub(*rest, 1, len);
    *rest = slice_from(*rest, 1 + len);
    return is_name(entry->name) && take_look(rest, &entry->look);
}
