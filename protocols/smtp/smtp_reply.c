/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_reply.h"

bool smtp_reply_parse(struct slice line, struct smtp_reply *reply)
{
    if (line.len < 3 || line.data[0] < '2' || line.data[0] > '5' || !ascii_is_digit(line.data[1]) ||
        !ascii_is_digit(line.data[2]))
        return false;
    uint8_t separator = line.len > 3 ? line.data[3] : ' ';
    if (separator != ' ' && separator != '-')
        return false;
    unsigned code = 0;
    for (size_t i = 0; i < 3; i++)
        code = code * 10 + (unsigned)(line.data[i] - '0');
    *reply = (struct smtp_reply){.code = code, .last = separator == ' ', .text = slice_from(line, 4)};
    return true;
}
