/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/check_effect.h"

#include "base/array.h"
#include "base/ensure.h"

#include <stdio.h>

/* Failures all, but for the two results that are not looked up here. */
static const uint8_t causes[] = {
    [CHECK_OK] = SERVER_CAUSE_CHECK_PASSED,
    [CHECK_NOT_MADE] = SERVER_CAUSES, /* none */
    [CHECK_CONNECT_REFUSED] = SERVER_CONNECT_REFUSED,
    [CHECK_CONNECT_TIMEOUT] = SERVER_CONNECT_TIMEOUT,
    [CHECK_CONNECT_FAILED] = SERVER_CONNECT_FAILED,
    [CHECK_NO_PROXY] = SERVER_NO_PROXY,
    [CHECK_TLS_REFUSED] = SERVER_TLS_FAILED,
    [CHECK_TLS_UNTRUSTED] = SERVER_TLS_UNTRUSTED,
    [CHECK_TLS_TIMEOUT] = SERVER_TLS_TIMEOUT,
    [CHECK_NO_GREETING] = SERVER_NO_GREETING,
    [CHECK_BAD_GREETING] = SERVER_BAD_GREETING,
    [CHECK_NO_ANSWER] = SERVER_NO_ANSWER,
    [CHECK_BAD_ANSWER] = SERVER_BAD_ANSWER,
    [CHECK_NO_XCLIENT] = SERVER_NO_XCLIENT,
    [CHECK_NO_LOGIN_OFFERED] = SERVER_NO_LOGIN_OFFERED,
};
_Static_assert(ARRAY_LEN(causes) == CHECK_RESULTS, "a cause for each result");

bool check_effect_of(enum check_result result, struct check_effect *effect)
{
    ENSURE(result < CHECK_RESULTS);
    if (!check_result_is_of_server(result))
        return false;
    effect->event = result == CHECK_OK ? SERVER_EVENT_CHECK_PASSED : SERVER_EVENT_CHECK_FAILED;
    effect->cause = (enum server_cause)causes[result];
    return true;
}

/* A server's octets are in it: what is no printable ASCII could harm a terminal, or break JSON. */
static void copy_detail(char into[SERVER_CHECK_DETAIL_MAX], const char *detail)
{
    snprintf(into, SERVER_CHECK_DETAIL_MAX, "%s", detail != NULL ? detail : "");
    for (char *c = into; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static void remember(struct server_state *server, const struct check_found *found, uint64_t now_ms)
{
    struct server_last_check *last = &server->last_check;
    last->result = found->result;
    last->at_ms = now_ms;
    last->duration_ms = found->duration_ms;
    copy_detail(last->detail, found->detail);
    if (found->result != CHECK_OK || found->facts == NULL)
        return;
    server_facts_unref(&server->facts);
    server->facts = server_facts_ref(found->facts);
}

void check_effect_apply(struct server_state *server, const struct check_found *found, uint64_t now_ms,
                        const struct server_observer *observer)
{
    struct check_effect effect;
    server->checks[found->result]++;
    server->check_ms_total += found->duration_ms;
    remember(server, found, now_ms);
    if (check_effect_of(found->result, &effect))
        server_state_event(server, effect.event, effect.cause, now_ms, observer);
}
