# SPDX-License-Identifier: BSD-2-Clause
"""A certificate authority of our own and a certificate by it, made by the openssl command line."""

import subprocess

DAYS = "30"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, stdin=subprocess.DEVNULL)


def make(directory, names=("localhost",), addresses=("127.0.0.1", "::1"), curve="P-256", usage="serverAuth"):
    """
    ca.pem, mail.pem (the leaf and the authority) and mail.key in the directory. The authority's key is thrown away: nobody can make a
    second certificate that whoever trusts ca.pem would take.
    """
    authority, leaf, key = directory / "ca.pem", directory / "mail.pem", directory / "mail.key"
    authority_key = directory / "ca.key"
    new_key = ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-nodes", "-days", DAYS, "-x509"]
    openssl("req", *new_key, "-keyout", authority_key, "-out", authority, "-subj", "/CN=deepproxy test authority",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    wanted = ",".join([f"DNS:{name}" for name in names] + [f"IP:{address}" for address in addresses])
    openssl("req", *new_key, "-keyout", key, "-out", leaf, "-subj", f"/CN={names[0]}", "-CA", authority, "-CAkey",
            authority_key, "-addext", f"subjectAltName={wanted}", "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", "keyUsage=critical,digitalSignature", "-addext", f"extendedKeyUsage={usage}")
    authority_key.unlink()
    leaf.write_text(leaf.read_text() + authority.read_text())
