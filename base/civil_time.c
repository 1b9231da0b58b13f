/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/civil_time.h"

#include "base/ensure.h"

enum { DAY_SECONDS = 86400, THURSDAY = 4 /* 1 January 1970 */ };

/* The date alone, by years that begin in March: their last day is the leap day. */
static struct civil_time date_of(int64_t days_since_1970)
{
    static const int begins[] = {0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337};
    int64_t day = days_since_1970 + 719468; /* since 1 March of the year 0 */
    int64_t year = day / 146097 * 400;
    day %= 146097;
    int64_t century = day / 36524 < 4 ? day / 36524 : 3;
    day -= century * 36524;
    int64_t four = day / 1461;
    day -= four * 1461;
    int64_t one = day / 365 < 4 ? day / 365 : 3;
    day -= one * 365;
    int month = 11;
    while (day < begins[month])
        month--;
    year += century * 100 + four * 4 + one + (month >= 10 ? 1 : 0);
    return (struct civil_time){
        .year = year, .month = (month + 2) % 12 + 1, .day = (int)day - begins[month] + 1};
}

struct civil_time civil_time_of(int64_t seconds)
{
    ENSURE(seconds >= 0);
    int64_t days = seconds / DAY_SECONDS;
    int second = (int)(seconds % DAY_SECONDS);
    struct civil_time time = date_of(days);
    time.weekday = (int)((days + THURSDAY) % 7);
    time.hour = second / 3600;
    time.minute = second / 60 % 60;
    time.second = second % 60;
    return time;
}
