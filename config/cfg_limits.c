/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_limits.h"

#include "protocols/limits.h"

enum {
    LIMIT_MAX = 10 * 1000 * 1000,
    RATE_MAX = 100 * 1000 /* a second: no worker accepts as many */
};

/* A limit for one address that is above the one for all is no limit. */
static void check_order(struct cfg_reader *reader, const struct cfg_limits *limits)
{
    bool is_set = limits->handshakes != CFG_LIMIT_DERIVED && limits->handshakes != 0 &&
                  limits->handshakes_per_address != CFG_LIMIT_DERIVED;
    if (is_set && limits->handshakes_per_address > limits->handshakes)
        cfg_problems_add(
            reader->loader->problems, CFG_WARNING, cfg_reader_place(reader, "handshakes_per_address"),
            "\"handshakes_per_address\" is %u, and \"handshakes\" only %u: one address can keep all "
            "others out",
            limits->handshakes_per_address, limits->handshakes);
}

void cfg_limits_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg)
{
    struct cfg_limits *limits = &cfg->limits;
    *limits = (struct cfg_limits){.handshakes = CFG_LIMIT_DERIVED,
                                  .handshakes_per_address = CFG_LIMIT_DERIVED,
                                  .imap_line = IMAP_LINE_AUTHENTICATED_MAX,
                                  .sasl_line = SASL_MAX};
    config_setting_t *group = cfg_read_group(top, "limits");
    if (group == NULL)
        return;
    struct cfg_reader reader;
    cfg_reader_open(&reader, loader, group, "limits");
    cfg_read_number(&reader, "handshakes", 0, LIMIT_MAX, &limits->handshakes);
    cfg_read_number(&reader, "handshakes_per_address", 0, LIMIT_MAX, &limits->handshakes_per_address);
    cfg_read_number(&reader, "connections_per_address", 0, LIMIT_MAX, &limits->connections_per_address);
    cfg_read_number(&reader, "connection_rate_per_address", 0, RATE_MAX,
                    &limits->connection_rate_per_address);
    cfg_read_number(&reader, "imap_line", IMAP_LINE_MAX, IMAP_LINE_HIGHEST, &limits->imap_line);
    cfg_read_number(&reader, "sasl_line", SASL_MAX, SASL_MAX_HIGHEST, &limits->sasl_line);
    check_order(&reader, limits);
    cfg_reader_close(&reader);
}
