/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

#include "proxy/common/address.h"

/* In the protocol's words, as soon as there is one. */
static void kick(struct session *session)
{
    if (session_is_in(session, SESSION_IS_NEW | STATE(SESSION_HANDSHAKING)))
        session_close(session, END_KICKED, NULL);
    else
        session_send_goodbye(session, ENGINE_GOODBYE_KICKED, END_KICKED, NULL);
}

void session_survey(struct worker_session *in_worker, struct survey *survey)
{
    struct session *session = session_of_worker(in_worker);
    const struct sockaddr *client = (const struct sockaddr *)&session->address;
    char id[SESSION_ID_MAX];
    char address[ADDRESS_TEXT_MAX];
    if (session_is_in(session, SESSION_IS_ENDING))
        return;
    session_format_id(session, id);
    address_format(client, address);
    struct survey_row row = {
        .texts = {[SURVEY_ID] = id,
                  [SURVEY_CLIENT] = address,
                  [SURVEY_SERVICE] = session->service->cfg->name,
                  [SURVEY_POOL] = session->service->pool->cfg->name,
                  [SURVEY_SERVER] = session->place.server != NULL ? session->place.server->identity.name : "",
                  [SURVEY_STATE] = session_machine.names[session->state]},
        .age_ms = worker_now(session->worker) - session->started,
        .octets_in = session->octets[SIDE_CLIENT],
        .octets_out = session->octets[SIDE_BACKEND]};
    if (!survey_wants(survey->query, &row, client))
        return;
    survey->matched++;
    if (survey->query->ends_them)
        kick(session);
    else
        survey_add(survey, &row);
}
