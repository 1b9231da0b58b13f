# SPDX-License-Identifier: BSD-2-Clause
"""What a comparison takes from the machine for itself, and so for all that it starts, to be disturbed less."""

import ctypes
import fcntl
import os
import pathlib
import socket
import struct

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
CONGESTION = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")


def take_real_time():
    """Other programs don't interrupt proxy and load: how much work a proxy finds at each waking does not depend on
    them. True if the machine lets us."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    return True


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(probe, SIOCGIFFLAGS, request))
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def take_network():
    """A loopback of our own, with Reno: BBR paces by the clock, and bulk data then cost up to twice the noise. The
    machine's own settings stay. True if the machine lets us."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return False
    raise_loopback()
    CONGESTION.write_text("reno\n")
    return True


def congestion_control():
    return CONGESTION.read_text().strip()
