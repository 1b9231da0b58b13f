# SPDX-License-Identifier: BSD-2-Clause
"""
The programs that people read and send mail with, in whole round trips. Mixins: a class that is a common.Case as well
runs them before its server. A program that is not installed is an error, not a test left out.
"""

import contextlib
import os

from common import ADDRESS, MEGABYTES_2, PASSWORD, USER, digest, message, run

MBSYNC = """\
IMAPAccount far
Host localhost
Port {port}
User {user}
Pass {password}
SSLType {tls}
CertificateFile {authority}
AuthMechs {mechanism}
Timeout 60

IMAPStore far
Account far
Path "{prefix}"

MaildirStore near
Path {near}/
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns {mailbox}
Create Near
Expunge Both
SyncState *
"""

FETCHMAIL = """\
set no syslog
set postmaster "nobody"
poll localhost protocol {protocol} port {port} timeout 60
    user "{user}" password "{password}" {ssl} sslcertck sslcertfile "{authority}"
    {mailbox} fetchall keep mda "cat >> {inbox}"
"""

MSMTP = """\
account default
host localhost
port {port}
tls on
tls_starttls {starttls}
tls_trust_file {authority}
auth {mechanism}
user {user}
password {password}
from {address}
timeout 60
"""


def curl_url(service, listener, port, path=""):
    scheme = {"imap": "imap", "pop3": "pop3", "submission": "smtp"}[service] + "s" * (listener == "tls")
    return f"{scheme}://localhost:{port}{path}"


def body_of(text):
    """A message's body as a Unix program keeps it: its lines end with LF."""
    return text.replace(b"\r\n", b"\n").partition(b"\n\n")[2]


# What libsasl2-modules has, but for those that need more than a name and a password.
MECHANISMS = {"PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"}


class Clients:
    """What the mixins below share."""

    def configure(self, name, text, **values):
        path = self.folder / name
        path.write_text(text.format(user=USER, password=PASSWORD, address=ADDRESS, authority=self.authority, **values))
        path.chmod(0o600)
        return path

    def file(self, name, octets):
        path = self.folder / name
        path.write_bytes(octets)
        return path

    def succeeds(self, *command, text=None):
        status, out, error = run(*command, text=text, home=self.folder)
        self.assertEqual(status, 0, error + out.decode(errors="replace"))
        return out

    def curl(self, service, path, *options, text=None):
        return self.succeeds("curl", "-sS", "--ssl-reqd", "--cacert", self.authority, "-u", f"{USER}:{PASSWORD}",
                             "--connect-to", "::127.0.0.1:", *options,
                             curl_url(service, self.listener, self.port(service), path), text=text)

    def fetchmail(self, protocol, mailbox=""):
        """All that there is, as one octet string."""
        inbox = self.folder / f"{protocol}.mbox"
        path = self.configure("fetchmailrc", FETCHMAIL, protocol=protocol, port=self.port(protocol), inbox=inbox,
                              mailbox=mailbox, ssl="ssl" if self.listener == "tls" else "sslproto 'TLS1.2+'")
        os.environ["FETCHMAILHOME"] = str(self.folder)
        self.succeeds("fetchmail", "-f", path, "-v")
        return inbox.read_bytes()

    def change_authority(self, path):
        path.write_text(path.read_text().replace(str(self.authority), str(self.other_authority())))

    def assert_refuses_certificate(self, *command, text=None):
        """With no authority that it could trust."""
        status, _, error = run(*command, text=text, home=self.folder)
        self.assertNotEqual(status, 0)
        self.assertRegex(error, "(?i)certificate|verif")


class ImapClients(Clients):
    mailbox_prefix = ""

    def mbsync_command(self, mailbox, near, mechanism="LOGIN"):
        near.mkdir(exist_ok=True)
        path = self.configure("mbsyncrc", MBSYNC, port=self.port("imap"), near=near, mailbox=mailbox,
                              prefix=self.mailbox_prefix, mechanism=mechanism,
                              tls="IMAPS" if self.listener == "tls" else "STARTTLS")
        return "mbsync", "-c", path, "all"

    def near_files(self, folder):
        """Each message of a Maildir, by its subject: the letters of its flags, and its text."""
        found = {}
        for path in list(folder.glob("cur/*")) + list(folder.glob("new/*")):
            text = path.read_bytes()
            subject = text.partition(b"Subject: ")[2].split(b"\n")[0].decode()
            found[subject] = path, path.name.partition(":2,")[2], text
        return found

    def far_messages(self, mailbox):
        """Each message of a mailbox, by its subject: its flags, and its text."""
        found = {}
        with self.imap() as client:
            client.login(USER, PASSWORD)
            client.select(mailbox, readonly=True)
            for number in client.search(None, "ALL")[1][0].split():
                head, text = client.fetch(number, "(FLAGS BODY.PEEK[])")[1][0]
                subject = text.partition(b"Subject: ")[2].split(b"\r\n")[0].decode()
                found[subject] = head, text
        return found

    def test_mbsync_both_directions(self):
        name, near = "synced", self.folder / "near"
        mailbox, sync = self.mailbox_prefix + name, self.mbsync_command(name, near)
        big, bigger = (message(name, MEGABYTES_2, seed) for seed, name in ((21, "far big"), (22, "near big")))
        self.put(big, mailbox, r"(\Flagged)")
        self.put(message("far gone"), mailbox)
        self.put(message("near gone"), mailbox)
        self.succeeds(*sync)
        here = self.near_files(near / name)
        self.assertEqual(sorted(here), ["far big", "far gone", "near gone"])
        self.assertEqual(here["far big"][1], "F")
        self.assertEqual(digest(body_of(here["far big"][2])), digest(body_of(big)))

        here["near gone"][0].unlink()
        path = here["far big"][0]
        path.rename(path.parent.parent / "cur" / (path.name.partition(":2,")[0] + ":2,FRS"))
        (near / name / "cur" / "1.new.test:2,S").write_bytes(bigger.replace(b"\r\n", b"\n"))
        with self.imap() as client:
            client.login(USER, PASSWORD)
            client.select(mailbox)
            client.store(client.search(None, "SUBJECT", '"far gone"')[1][0], "+FLAGS", r"(\Deleted)")
            client.expunge()
        self.succeeds(*sync)
        there = self.far_messages(mailbox)
        self.assertEqual(sorted(there), ["far big", "near big"])
        for flag in (rb"\Flagged", rb"\Answered", rb"\Seen"):
            self.assertIn(flag, there["far big"][0])
        self.assertIn(rb"\Seen", there["near big"][0])
        self.assertEqual(digest(body_of(there["near big"][1])), digest(body_of(bigger)))
        self.assertEqual(sorted(self.near_files(near / name)), ["far big", "near big"])

    def test_mbsync_by_each_mechanism(self):
        """Of those that the server offers and its library knows."""
        mailbox = self.mailbox_prefix + "mechanisms"
        self.put(message("for each mechanism"), mailbox)
        with self.imap() as client:
            offered = [word.partition("=")[2] for word in client.capabilities if word.startswith("AUTH=")]
        self.assertIn("CRAM-MD5", offered)
        for mechanism in sorted(MECHANISMS.intersection(offered)):
            with self.subTest(mechanism=mechanism):
                near = self.folder / f"near-{mechanism}"
                self.succeeds(*self.mbsync_command("mechanisms", near, mechanism))
                self.assertEqual(list(self.near_files(near / "mechanisms")), ["for each mechanism"])

    def test_mbsync_refuses_another_authority(self):
        command = self.mbsync_command("INBOX", self.folder / "none")
        self.change_authority(command[2])
        self.assert_refuses_certificate(*command)

    def test_fetchmail_by_imap(self):
        mailbox = self.mailbox_prefix + "fetched"
        sent = [message("fetched one", MEGABYTES_2, seed=23), message("fetched two")]
        for text in sent:
            self.put(text, mailbox)
        self.assert_fetched(self.fetchmail("imap", f'folder "{mailbox}"'), sent)

    def assert_fetched(self, inbox, sent):
        for text in sent:
            self.assertIn(body_of(text), inbox)

    def test_curl_by_imap(self):
        mailbox, sent = self.mailbox_prefix + "curled", message("by curl", MEGABYTES_2, seed=24)
        self.put(message("first"), mailbox)
        self.curl("imap", f"/{mailbox}", "-T", self.file("curl.eml", sent))
        received = self.curl("imap", f"/{mailbox};MAILINDEX=2")
        self.assertEqual((len(received), digest(received)), (len(sent), digest(sent)))

    def test_imaplib(self):
        mailbox, sent = self.mailbox_prefix + "imaplib", message("by imaplib", MEGABYTES_2, seed=25)
        self.put(message("first"), mailbox)
        with self.imap() as client:
            client.login(USER, PASSWORD)
            self.assertEqual(client.append(mailbox, None, None, sent)[0], "OK")
        received = self.far_messages(mailbox)["by imaplib"][1]
        self.assertEqual((len(received), digest(received)), (len(sent), digest(sent)))


class Pop3Clients(Clients):
    def test_fetchmail_by_pop3(self):
        sent = [message("popped one", MEGABYTES_2, seed=26), message("popped two")]
        for text in sent:
            self.put(text)
        inbox = self.fetchmail("pop3")
        for text in sent:
            self.assertIn(body_of(text), inbox)

    def test_fetchmail_refuses_another_authority(self):
        path = self.configure("fetchmailrc", FETCHMAIL, protocol="pop3", port=self.port("pop3"), mailbox="",
                              inbox=self.folder / "none", ssl="ssl" if self.listener == "tls" else "sslproto 'TLS1.2+'")
        self.change_authority(path)
        self.assert_refuses_certificate("fetchmail", "-f", path)

    def test_curl_by_pop3(self):
        sent = message("curled by POP3", MEGABYTES_2, seed=27)
        self.put(sent)
        with self.logged_in_by_poplib() as client:
            number = self.number_of("curled by POP3", client)
        received = self.curl("pop3", f"/{number}")
        self.assertEqual((len(received), digest(received)), (len(sent), digest(sent)))

    def test_poplib(self):
        sent = message("by poplib", MEGABYTES_2, seed=28)
        self.put(sent)
        with self.logged_in_by_poplib() as client:
            received = b"\r\n".join(client.retr(self.number_of("by poplib", client))[1]) + b"\r\n"
        self.assertEqual((len(received), digest(received)), (len(sent), digest(sent)))

    @contextlib.contextmanager
    def logged_in_by_poplib(self):
        client = self.pop3()
        try:
            client.user(USER)
            client.pass_(PASSWORD)
            yield client
        finally:
            client.quit()

    def number_of(self, subject, client):
        line = f"Subject: {subject}".encode()
        return next(number for number in range(client.stat()[0], 0, -1) if line in client.top(number, 0)[1])


class SubmissionClients(Clients):
    def assert_arrives(self, subject, text):
        received = self.find_message(subject)
        self.assertEqual(digest(body_of(received)), digest(body_of(text)))

    def test_msmtp(self):
        for mechanism in ("plain", "login", "cram-md5"):
            with self.subTest(mechanism=mechanism):
                subject = f"by msmtp {mechanism}"
                sent = message(subject, MEGABYTES_2, seed=29).replace(b"\r\n", b"\n")
                self.msmtp(self.authority, sent, mechanism, self.succeeds)
                self.assert_arrives(subject, sent)

    def msmtp(self, authority, text, mechanism, check):
        path = self.configure("msmtprc", MSMTP, port=self.port("submission"), mechanism=mechanism,
                              starttls="off" if self.listener == "tls" else "on")
        path.write_text(path.read_text().replace(str(self.authority), str(authority)))
        check("msmtp", "-C", path, "--domain=client.test", ADDRESS, text=text)

    def test_msmtp_refuses_another_authority(self):
        self.msmtp(self.other_authority(), message("never"), "plain", self.assert_refuses_certificate)

    def test_swaks(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            with self.subTest(mechanism=mechanism):
                subject = f"by swaks {mechanism}"
                sent = message(subject, 100000, seed=30)
                # As it is, with its end: swaks puts lines for what looks like \\n in a message that it may touch.
                path = self.file("swaks.eml", sent.replace(b"\r\n.", b"\r\n..") + b".\r\n")
                self.succeeds("swaks", "--server", "127.0.0.1", "--port", self.port("submission"), "--ehlo",
                              "client.test", "--tls-on-connect" if self.listener == "tls" else "--tls", "--tls-verify",
                              "--tls-ca-path", self.authority, "--auth", mechanism, "--auth-user", USER,
                              "--auth-password", PASSWORD, "--from", ADDRESS, "--to", ADDRESS, "--no-data-fixup",
                              "--data", f"@{path}", "--hide-all")
                self.assert_arrives(subject, sent)

    def test_curl_by_submission(self):
        sent = message("curled by submission", MEGABYTES_2, seed=31)
        self.curl("submission", "/client.test", "--mail-from", ADDRESS, "--mail-rcpt", ADDRESS, "-T", "-", text=sent)
        self.assert_arrives("curled by submission", sent)

    def test_smtplib(self):
        sent = message("by smtplib", MEGABYTES_2, seed=32)
        with self.smtp() as client:
            client.login(USER, PASSWORD)
            client.sendmail(ADDRESS, [ADDRESS], sent, mail_options=["BODY=8BITMIME"])
        self.assert_arrives("by smtplib", sent)
