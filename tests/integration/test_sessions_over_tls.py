# SPDX-License-Identifier: BSD-2-Clause
"""What holds of sessions and of failover in the clear holds over TLS towards the backends."""

import harness
import test_failover
import test_sessions
from backend_tls_case import OverTls


class SessionsOverTls(OverTls, test_sessions.Sessions):
    pass


class EndingsOverTls(OverTls, test_sessions.Endings):
    pass


class FailoverOverTls(OverTls, test_failover.Failover):
    pass


if __name__ == "__main__":
    harness.main()
