/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/check_result.h"

#include "base/array.h"
#include "base/ensure.h"

static const char *const names[] = {
    [CHECK_OK] = "ok",
    [CHECK_NOT_MADE] = "not-made",
    [CHECK_CONNECT_REFUSED] = "connect-refused",
    [CHECK_CONNECT_TIMEOUT] = "connect-timeout",
    [CHECK_CONNECT_FAILED] = "connect-failed",
    [CHECK_NO_PROXY] = "no-proxy",
    [CHECK_TLS_REFUSED] = "tls-refused",
    [CHECK_TLS_UNTRUSTED] = "tls-untrusted",
    [CHECK_TLS_TIMEOUT] = "tls-timeout",
    [CHECK_NO_GREETING] = "no-greeting",
    [CHECK_BAD_GREETING] = "bad-greeting",
    [CHECK_NO_ANSWER] = "no-answer",
    [CHECK_BAD_ANSWER] = "bad-answer",
    [CHECK_NO_XCLIENT] = "no-xclient",
    [CHECK_NO_LOGIN_OFFERED] = "no-login-offered",
};
_Static_assert(ARRAY_LEN(names) == CHECK_RESULTS, "a word for each result");

const char *check_result_name(enum check_result result)
{
    ENSURE(result < CHECK_RESULTS);
    return names[result];
}
