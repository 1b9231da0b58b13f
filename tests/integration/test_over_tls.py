# SPDX-License-Identifier: BSD-2-Clause
"""What holds of sessions, bounds and failover in the clear holds over TLS towards the backends."""

import harness
import test_failover
import test_limits
import test_pressure
import test_sessions
from backend_tls_case import Case


class OverTls(Case):
    """Turns the backends of other tests into such with TLS."""

    def backend(self, script, **options):
        return super().backend(harness.over_tls(script, self.context()), **options)

    def start(self, services, **options):
        return super().start(services, pool=self.pool_tls(), **options)


class SessionsOverTls(OverTls, test_sessions.Sessions):
    pass


class EndingsOverTls(OverTls, test_sessions.Endings):
    pass


class BoundsOverTls(OverTls, test_limits.Bounds):
    pass


class FailoverOverTls(OverTls, test_failover.Failover):
    pass


class PressureOverTls(OverTls, test_pressure.Pressure):
    pass


if __name__ == "__main__":
    harness.main()
