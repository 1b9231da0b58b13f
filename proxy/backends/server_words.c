/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/server_words.h"

#include "base/array.h"
#include "base/ensure.h"

static const char *const healths[] = {[SERVER_UNCHECKED] = "unchecked", [SERVER_UP] = "up",
                                      [SERVER_FAILING] = "failing",     [SERVER_DOWN] = "down",
                                      [SERVER_RISING] = "rising",       [SERVER_WARMING] = "warming",
                                      [SERVER_EJECTED] = "ejected",     [SERVER_UNRESOLVED] = "unresolved"};
_Static_assert(ARRAY_LEN(healths) == SERVER_HEALTHS, "a word for each");

static const char *const admins[] = {
    [SERVER_READY] = "ready", [SERVER_DRAIN] = "drain", [SERVER_MAINTENANCE] = "maintenance"};
_Static_assert(ARRAY_LEN(admins) == SERVER_ADMINS, "a word for each");

static const char *const axes[] = {[SERVER_AXIS_STATE] = "state", [SERVER_AXIS_ADMIN] = "admin"};
_Static_assert(ARRAY_LEN(axes) == SERVER_AXES, "a word for each");

static const char *const causes[] = {[SERVER_CONNECT_REFUSED] = "connect-refused",
                                     [SERVER_CONNECT_TIMEOUT] = "connect-timeout",
                                     [SERVER_CONNECT_FAILED] = "connect-failed",
                                     [SERVER_TLS_UNTRUSTED] = "tls-untrusted",
                                     [SERVER_TLS_FAILED] = "tls-failed",
                                     [SERVER_TLS_TIMEOUT] = "tls-timeout",
                                     [SERVER_NO_GREETING] = "no-greeting",
                                     [SERVER_CLOSED_EARLY] = "closed-early",
                                     [SERVER_BAD_GREETING] = "bad-greeting",
                                     [SERVER_NO_ANSWER] = "no-answer",
                                     [SERVER_BAD_ANSWER] = "bad-answer",
                                     [SERVER_NO_LOGIN_OFFERED] = "no-login-offered",
                                     [SERVER_NO_XCLIENT] = "no-xclient",
                                     [SERVER_NO_PROXY] = "no-proxy",
                                     [SERVER_CAUSE_CHECK_PASSED] = "check-passed",
                                     [SERVER_CAUSE_SERVED] = "served",
                                     [SERVER_CAUSE_WARMED] = "warmed",
                                     [SERVER_CAUSE_NAME_GONE] = "name-gone",
                                     [SERVER_CAUSE_NAME_FOUND] = "name-found",
                                     [SERVER_CAUSE_CHECKS_OFF] = "checks-off",
                                     [SERVER_CAUSE_OPERATOR] = "operator",
                                     [SERVER_CAUSE_RESTORED] = "restored",
                                     [SERVER_CAUSE_CONFIGURATION] = "configuration"};
_Static_assert(ARRAY_LEN(causes) == SERVER_CAUSES, "a word for each");

const char *server_health_word(enum server_health health)
{
    ENSURE(health < SERVER_HEALTHS);
    return healths[health];
}

const char *server_admin_word(enum server_admin admin)
{
    ENSURE(admin < SERVER_ADMINS);
    return admins[admin];
}

const char *server_axis_word(enum server_axis axis)
{
    ENSURE(axis < SERVER_AXES);
    return axes[axis];
}

const char *server_value_word(enum server_axis axis, unsigned value)
{
    return axis == SERVER_AXIS_STATE ? server_health_word((enum server_health)value)
                                     : server_admin_word((enum server_admin)value);
}

const char *server_cause_word(enum server_cause cause)
{
    ENSURE(cause < SERVER_CAUSES);
    return causes[cause];
}
