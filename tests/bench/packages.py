# SPDX-License-Identifier: BSD-2-Clause
"""Installs what is missing from Debian's packages, without a service starting, now or at the next boot."""

import os
import pathlib
import shutil
import subprocess

POLICY = pathlib.Path("/usr/sbin/policy-rc.d")


def install(packages, services):
    """True where they are installed now. Does nothing, and says so by False, where it may not."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        done = subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "-o",
                               "DPkg::Lock::Timeout=300", *packages], stdout=subprocess.DEVNULL,
                              env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False)
    finally:
        if ours:
            POLICY.unlink()
    if done.returncode == 0 and shutil.which("systemctl"):
        for service in services:
            subprocess.run(["systemctl", "disable", "--quiet", service], stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0
