/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/survey.h"

#include "proxy/common/address.h"

#include <string.h>

/* Of a row before its texts. */
struct numbers {
    uint64_t age_ms;
    uint64_t octets_in;
    uint64_t octets_out;
};

static bool is_any_or(const char *wanted, const char *text)
{
    return wanted[0] == '\0' || strcmp(wanted, text) == 0;
}

bool survey_wants(const struct survey_query *query, const struct survey_row *row,
                  const struct sockaddr *client)
{
    return is_any_or(query->id, row->texts[SURVEY_ID]) &&
           is_any_or(query->service, row->texts[SURVEY_SERVICE]) &&
           is_any_or(query->pool, row->texts[SURVEY_POOL]) &&
           is_any_or(query->server, row->texts[SURVEY_SERVER]) &&
           (query->client.ss_family == AF_UNSPEC ||
            address_is_same_host((const struct sockaddr *)&query->client, client));
}

static bool append(struct survey *survey, const void *data, size_t len)
{
    return bytes_append(&survey->rows, (struct slice){data, len}, SURVEY_OCTETS_MAX);
}

void survey_add(struct survey *survey, const struct survey_row *row)
{
    struct numbers numbers = {row->age_ms, row->octets_in, row->octets_out};
    size_t before = survey->rows.len;
    if (survey->row_count >= survey->query->max)
        return;
    bool ok = append(survey, &numbers, sizeof numbers);
    for (size_t i = 0; i < SURVEY_TEXTS; i++)
        ok = ok && append(survey, row->texts[i], strlen(row->texts[i]) + 1);
    if (ok)
        survey->row_count++;
    else
        survey->rows.len = before;
}

bool survey_next(const struct survey *survey, size_t *at, struct survey_row *row)
{
    struct numbers numbers;
    if (*at == survey->rows.len)
        return false;
    memcpy(&numbers, survey->rows.data + *at, sizeof numbers);
    *at += sizeof numbers;
    row->age_ms = numbers.age_ms;
    row->octets_in = numbers.octets_in;
    row->octets_out = numbers.octets_out;
    for (size_t i = 0; i < SURVEY_TEXTS; i++) {
        row->texts[i] = (const char *)survey->rows.data + *at;
        *at += strlen(row->texts[i]) + 1;
    }
    return true;
}

void survey_free(struct survey *survey)
{
    bytes_free(&survey->rows);
}
