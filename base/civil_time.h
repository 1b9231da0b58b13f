/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_CIVIL_TIME_H
#define DEEPPROXY_BASE_CIVIL_TIME_H

#include <stdint.h>

/*
 * Date and time of day, in UTC and the Gregorian calendar. This is what gmtime_r computes, without the lock
 * of the time zone that the C library takes for it: workers call it for each line of the log. It reads no
 * clock and knows no leap seconds.
 */
struct civil_time {
    int64_t year;
    int month;   /* 1 to 12 */
    int day;     /* 1 to 31 */
    int weekday; /* 0 to 6, from Sunday */
    int hour;
    int minute;
    int second;
};

/* The time so many seconds after the beginning of 1970. `seconds` is not negative. */
struct civil_time civil_time_of(int64_t seconds);

#endif
