/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_response.h"

#include <string.h>

/* A word of a line: ended by a space or the line end, or not ended yet. */
struct word {
    struct slice text;
    bool ended;
    bool at_space;
};

static struct word word_at(struct slice head, size_t at)
{
    struct slice rest = slice_from(head, at);
    size_t len = 0;
    while (len < rest.len && rest.data[len] != ' ' && rest.data[len] != '\r' && rest.data[len] != '\n')
        len++;
    bool ended = len < rest.len;
    return (struct word){slice_first(rest, len), ended, ended && rest.data[len] == ' '};
}

static struct imap_response of_kind(enum imap_response_kind kind)
{
    return (struct imap_response){.kind = kind};
}

static enum imap_status status_of(struct slice word)
{
    static const char *const names[] = {[IMAP_STATUS_OK] = "OK",
                                        [IMAP_STATUS_NO] = "NO",
                                        [IMAP_STATUS_BAD] = "BAD",
                                        [IMAP_STATUS_PREAUTH] = "PREAUTH",
                                        [IMAP_STATUS_BYE] = "BYE"};
    for (enum imap_status status = IMAP_STATUS_OK; status <= IMAP_STATUS_BYE; status++)
        if (slice_is_word(word, names[status]))
            return status;
    return IMAP_STATUS_NONE;
}

/*
 * Sets the offset of the words of a [CAPABILITY ...] code, from that of the text. RFC 3501 7.1 has the
 * code in OK and PREAUTH; it is looked for in all of them, as a client might.
 */
static struct imap_response with_code(struct imap_response response, struct slice head, size_t text)
{
    static const char code[] = "[CAPABILITY";
    const size_t code_len = sizeof code - 1;
    struct slice rest = slice_from(head, text);
    for (size_t i = 0; i < rest.len && i < code_len; i++)
        if (ascii_upper(rest.data[i]) != (uint8_t)code[i])
            return response;
    if (rest.len <= code_len)
        return of_kind(IMAP_RESPONSE_UNDECIDED);
    if (strchr(" ]\r\n", rest.data[code_len]) != NULL && rest.data[code_len] != '\0')
        response.list_offset = text + code_len;
    return response;
}

static struct imap_response classify_status(struct imap_response response, struct slice head,
                                            struct word word)
{
    if (!word.at_space)
        return response;
    return with_code(response, head, (size_t)(word.text.data - head.data) + word.text.len + 1);
}

static struct imap_response classify_untagged(struct slice head)
{
    static const size_t longest = sizeof "CAPABILITY" - 1;
    if (head.len < 3)
        return of_kind(head.len < 2 || head.data[1] == ' ' ? IMAP_RESPONSE_UNDECIDED : IMAP_RESPONSE_DATA);
    if (head.data[1] != ' ' || ascii_is_digit(head.data[2]))
        return of_kind(IMAP_RESPONSE_DATA);
    struct word word = word_at(head, 2);
    if (word.text.len > longest)
        return of_kind(IMAP_RESPONSE_DATA);
    if (!word.ended)
        return of_kind(IMAP_RESPONSE_UNDECIDED);
    struct imap_response response = {.status = status_of(word.text), .kind = IMAP_RESPONSE_STATUS};
    if (response.status != IMAP_STATUS_NONE)
        return classify_status(response, head, word);
    response.list_offset = 2 + word.text.len;
    if (slice_is_word(word.text, "CAPABILITY"))
        response.kind = IMAP_RESPONSE_CAPABILITY;
    else if (slice_is_word(word.text, "ID"))
        response.kind = IMAP_RESPONSE_ID;
    else
        response = of_kind(IMAP_RESPONSE_DATA);
    return response;
}

static struct imap_response classify_tagged(struct slice head)
{
    static const size_t longest = sizeof "BAD" - 1;
    struct word tag = word_at(head, 0);
    if (tag.text.len > IMAP_TAG_MAX || (tag.ended && (!tag.at_space || tag.text.len == 0)))
        return of_kind(IMAP_RESPONSE_TEXT);
    if (!tag.ended)
        return of_kind(IMAP_RESPONSE_UNDECIDED);
    struct word word = word_at(head, tag.text.len + 1);
    if (word.text.len > longest)
        return of_kind(IMAP_RESPONSE_TEXT);
    if (!word.ended)
        return of_kind(IMAP_RESPONSE_UNDECIDED);
    struct imap_response response = {
        .kind = IMAP_RESPONSE_TAGGED, .status = status_of(word.text), .tag = tag.text};
    if (response.status == IMAP_STATUS_NONE || response.status == IMAP_STATUS_BYE)
        return of_kind(IMAP_RESPONSE_TEXT);
    return classify_status(response, head, word);
}

struct imap_response imap_response_classify(struct slice head)
{
    if (head.len == 0)
        return of_kind(IMAP_RESPONSE_UNDECIDED);
    if (head.data[0] == '+')
        return of_kind(IMAP_RESPONSE_GO_AHEAD);
    return head.data[0] == '*' ? classify_untagged(head) : classify_tagged(head);
}
