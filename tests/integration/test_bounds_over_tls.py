# SPDX-License-Identifier: BSD-2-Clause
"""What holds of bounds and slow peers in the clear holds over TLS towards the backends."""

import harness
import test_limits
import test_pressure
from backend_tls_case import OverTls


class BoundsOverTls(OverTls, test_limits.Bounds):
    pass


class PressureOverTls(OverTls, test_pressure.Pressure):
    pass


if __name__ == "__main__":
    harness.main()
