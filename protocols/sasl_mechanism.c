/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/sasl_mechanism.h"

#include "base/array.h"

/* Mechanisms that cannot work. */
static const struct rule {
    const char *pattern; /* the name, or "*" and what it ends in */
    enum sasl_mechanism kind;
    bool works_with_certificate; /* for a client whose certificate the backend knows */
    char why[SASL_MECHANISM_WHY_MAX];
} rules[] = {
    {"*-PLUS", SASL_MECHANISM_BINDS_CHANNEL, false, "Channel binding is not available here"},
    {"EXTERNAL", SASL_MECHANISM_EXTERNAL, true,
     "EXTERNAL is not available here without a client certificate"},
};

static bool matches(struct slice name, const char *pattern)
{
    return pattern[0] == '*' ? slice_has_suffix(name, pattern + 1) : slice_is_word(name, pattern);
}

/* The rule that keeps a mechanism from working; NULL if there is none. */
static const struct rule *find_rule(struct slice name, bool external)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (matches(name, rules[i].pattern) && !(external && rules[i].works_with_certificate))
            return &rules[i];
    return NULL;
}

/* RFC 4422 section 3.1, in any case as servers take it; without its limit of 20, which some exceed. */
static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return name.len > 0;
}

enum sasl_mechanism sasl_mechanism_judge(struct slice name, bool external)
{
    const struct rule *rule = find_rule(name, external);
    if (!is_name(name))
        return SASL_MECHANISM_MALFORMED;
    return rule != NULL ? rule->kind : SASL_MECHANISM_PASSES;
}

bool sasl_mechanism_is_shown(struct slice name, bool external)
{
    return find_rule(name, external) == NULL;
}

const char *sasl_mechanism_why(enum sasl_mechanism mechanism)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].kind == mechanism)
            return rules[i].why;
    return NULL;
}
