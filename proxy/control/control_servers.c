/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_order.h"
#include "proxy/control/control_private.h"

/* What the operator wants of servers. */

void control_order(void *arg, struct server_state *server, const struct admin_order *order)
{
    struct control *control = arg;
    struct server_observer observer = control_observer(control);
    uint64_t now_ms = uv_hrtime() / 1000000;
    if (order->has_weight)
        server_state_set_weight(server, order->weight, now_ms);
    if (order->has_admin)
        server_state_set_admin(server, order->admin, SERVER_CAUSE_OPERATOR, now_ms, &observer);
}
