/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/ca_bundle.h"

#include "base/array.h"

#include <stddef.h>
#include <unistd.h>

/* The paths of Debian and most others, Fedora, SUSE, Alpine. */
static const char *const places[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

const char *ca_bundle_of_system(void)
{
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], R_OK) == 0)
            return places[i];
    return NULL;
}

const char *ca_bundle_usual_place(void)
{
    return places[0];
}
