# SPDX-License-Identifier: BSD-2-Clause
"""Authorities that certify clients, what they have certified, and lists of what they have revoked, by openssl."""

import hashlib
import ssl

from certificates import DAYS, openssl

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS, "-x509", "-utf8")

REVOCATION = """\
[ca]
default_ca = authority
[authority]
database = {database}
default_md = sha256
default_crl_days = 1
"""


class Identity:
    """A client's certificate and key, in two files."""

    def __init__(self, certificate, key, serial):
        self.certificate, self.key, self.serial = certificate, key, serial

    def show(self, context):
        context.load_cert_chain(self.certificate, self.key)
        return context

    def fingerprint(self):
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate.read_text())).hexdigest().upper()


class Authority:
    """NAME.pem in the directory, to be trusted; its key is there too, and certifies clients."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.certificate, self.key = directory / f"{name}.pem", directory / f"{name}.key"
        self.count = 0
        openssl("req", *NEW_KEY, "-keyout", self.key, "-out", self.certificate, "-subj", f"/CN={name}",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def certify(self, subject, email=None, usage="clientAuth"):
        self.count += 1
        certificate = self.directory / f"{self.name}-{self.count}.pem"
        key, serial = certificate.with_suffix(".key"), f"{0x1000 + self.count:X}"
        more = ["-addext", f"subjectAltName=email:{email}"] if email else []
        openssl("req", *NEW_KEY, "-keyout", key, "-out", certificate, "-subj", subject, "-CA", self.certificate,
                "-CAkey", self.key, "-set_serial", f"0x{serial}", "-addext", "basicConstraints=critical,CA:FALSE",
                "-addext", f"extendedKeyUsage={usage}", *more)
        return Identity(certificate, key, serial)

    def revoke(self, *identities):
        """The path of a list with these."""
        database = self.directory / f"{self.name}.index"
        database.write_text("".join(f"R\t391231235959Z\t260101000000Z\t{one.serial}\tunknown\t/CN=x\n" for one in identities))
        settings = self.directory / f"{self.name}.cnf"
        settings.write_text(REVOCATION.format(database=database))
        path = self.directory / f"{self.name}.crl"
        openssl("ca", "-gencrl", "-config", settings, "-cert", self.certificate, "-keyfile", self.key, "-out", path)
        return path
