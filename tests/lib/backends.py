# SPDX-License-Identifier: BSD-2-Clause
"""
A private Dovecot and Postfix, as an old mail server has them: cleartext, on loopback, all in one directory.

Backends is what the demo and the tests hold; this file, run as a program, looks after the servers (see keeper.py).
Nothing of the machine's own Dovecot or Postfix is read, changed or signalled.
"""

import os
import pathlib
import pwd
import subprocess
import sys

import backend_files
import keeper

NATIVE_HOST = backend_files.NATIVE_HOST
PROGRAMS = {"dovecot": "/usr/sbin/dovecot", "postfix": "/usr/lib/postfix/sbin/master"}


class Backends(keeper.Kept):
    """
    Both servers while they run. Ports: imap, pop3, submission want PROXY v2; those with -direct behind do not; those with
    -native believe who the client is in their own protocol, and the two of Dovecot's are on NATIVE_HOST. `external`: the
    name of a certificate is enough for a login. With `tls`, the folder of a certificate, all of them have STARTTLS, and
    those with -tls behind begin with TLS, behind PROXY v2; where there are authorities in clients.pem in that folder, only
    clients with a certificate of theirs are served.
    """

    def __init__(self, directory, postfix=True, external=False, tls=None):
        self.directory = pathlib.Path(directory)
        self.dovecot_log = self.directory / "dovecot.log"
        self.postfix_log = self.directory / "postfix.log"
        self.logs = {"imap": self.dovecot_log, "pop3": self.dovecot_log, "submission": self.postfix_log}
        super().__init__(os.path.abspath(__file__), self.directory, *["--no-postfix"] * (not postfix),
                         *["--external"] * external, *["--tls", os.path.abspath(tls)] if tls else ())


def missing(postfix=True):
    """What keeps the servers from being started here, as a sentence; None where nothing does."""
    for name, program in PROGRAMS.items():
        if (postfix or name != "postfix") and not os.access(program, os.X_OK):
            return f"{name} is not installed ({program})"
    if os.geteuid() != 0 and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode != 0:
        return "Dovecot and Postfix need root, and sudo would ask for a password"
    return None


def spare_uid():
    """A user id without an account, so that the mail belongs to nobody else on this machine."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in range(59000, 60000) if uid not in taken)


def start_all(directory, postfix, external, tls, servers):
    ways = ["", "-direct", "-native"] + ["-tls"] * bool(tls)
    names = [f"{name}{way}" for name in ["imap", "pop3"] + ["submission"] * postfix for way in ways]
    ports = dict(zip(names, keeper.free_ports(len(names))))
    uid = spare_uid()
    backend_files.write_dovecot(directory, ports, uid, postfix, external, tls)
    servers.append(keeper.start([PROGRAMS["dovecot"], "-F", "-c", str(directory / "dovecot" / "dovecot.conf")]))
    if postfix:
        backend_files.write_postfix(directory, ports, uid, tls)
        servers.append(keeper.start([PROGRAMS["postfix"], "-c", str(directory / "postfix"), "-s"]))
        keeper.wait_for_port(ports["submission-direct"], servers[-1], directory / "postfix.log")
    for service in ("imap", "pop3"):
        keeper.wait_for_port(ports[f"{service}-direct"], servers[0], directory / "dovecot.log")
    return ports


def main(directory, *options):
    tls = options[options.index("--tls") + 1] if "--tls" in options else None
    return keeper.keep(directory, lambda servers: start_all(directory, "--no-postfix" not in options,
                                                            "--external" in options, tls, servers))


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).absolute(), *sys.argv[2:]))
