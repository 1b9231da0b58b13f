/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_timeouts.h"

#include "config/cfg_duration.h"

#define SECONDS ((uint64_t)1000)
#define MINUTES (60 * SECONDS)
#define HOURS   (60 * MINUTES)

/* No limit is meant to be endless: what stalls for a week never comes back. */
#define LONGEST (168 * HOURS)

static void check_idle(struct cfg_reader *reader, const struct cfg *cfg)
{
    bool warned[PROTOCOLS] = {false};
    for (size_t i = 0; i < cfg->service_count; i++) {
        enum protocol protocol = cfg->services[i].protocol;
        const struct protocol_traits *traits = protocol_traits(protocol);
        if (cfg->timeouts.idle_ms >= traits->autologout.min_ms || warned[protocol])
            continue;
        warned[protocol] = true;
        cfg_problems_add(reader->loader->problems, CFG_WARNING, cfg_reader_place(reader, "idle"),
                         "\"idle\" is %s: %s clients may be silent for %s (%s), and lose their session here",
                         cfg_duration_text(reader->loader->arena, cfg->timeouts.idle_ms), traits->name,
                         cfg_duration_text(reader->loader->arena, traits->autologout.min_ms),
                         traits->autologout.rule);
    }
}

/* Submission needs no login: until there is one, the time counts from command to command. */
static void check_login(struct cfg_reader *reader, struct cfg *cfg)
{
    struct cfg_timeouts *t = &cfg->timeouts;
    if (config_setting_get_member(reader->group, "login") != NULL)
        t->command_ms = t->login_ms;
    for (size_t i = 0; i < cfg->service_count; i++) {
        const struct protocol_traits *traits = protocol_traits(cfg->services[i].protocol);
        if (!traits->login_optional || t->command_ms >= traits->autologout.min_ms)
            continue;
        cfg_problems_add(reader->loader->problems, CFG_WARNING, cfg_reader_place(reader, "login"),
                         "\"login\" is %s: %s clients may take %s for a command (%s), and lose their session "
                         "here",
                         cfg_duration_text(reader->loader->arena, t->login_ms), traits->name,
                         cfg_duration_text(reader->loader->arena, traits->autologout.min_ms),
                         traits->autologout.rule);
        return;
    }
}

void cfg_timeouts_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg)
{
    struct cfg_timeouts *t = &cfg->timeouts;
    *t = (struct cfg_timeouts){.handshake_ms = 30 * SECONDS,
                               .login_ms = 3 * MINUTES,
                               .command_ms = 5 * MINUTES,
                               .idle_ms = 35 * MINUTES,
                               .connect_ms = 5 * SECONDS,
                               .greeting_ms = 30 * SECONDS,
                               .failover_ms = 20 * SECONDS,
                               .grace_ms = 0,
                               .shutdown_ms = 30 * SECONDS};
    config_setting_t *group = cfg_read_group(top, "timeouts");
    if (group == NULL)
        return;
    struct cfg_reader reader;
    cfg_reader_open(&reader, loader, group, "timeouts");
    cfg_read_duration(&reader, "handshake", 1, LONGEST, &t->handshake_ms);
    cfg_read_duration(&reader, "login", 1, LONGEST, &t->login_ms);
    cfg_read_duration(&reader, "idle", 1, LONGEST, &t->idle_ms);
    cfg_read_duration(&reader, "connect", 1, LONGEST, &t->connect_ms);
    cfg_read_duration(&reader, "greeting", 1, LONGEST, &t->greeting_ms);
    cfg_read_duration(&reader, "failover", 1, LONGEST, &t->failover_ms);
    cfg_read_duration(&reader, "grace", 0, LONGEST, &t->grace_ms);
    cfg_read_duration(&reader, "shutdown", 0, LONGEST, &t->shutdown_ms);
    check_idle(&reader, cfg);
    check_login(&reader, cfg);
    cfg_reader_close(&reader);
}
