# SPDX-License-Identifier: BSD-2-Clause
"""The clients of docker/test.sh.

mail ADDRESS1 ADDRESS2 CA   IMAP, POP3 and submission at both proxies; a message goes in at one and comes out at the other
idle ADDRESS CA             one IMAP session in IDLE, until the proxy ends it; the status is 0 where it ends in order
"""

import email.message
import imaplib
import poplib
import smtplib
import ssl
import sys
import time

IMAP, POP3, SUBMISSION, STARTTLS = 10993, 10995, 10465, 10587
USER = PASSWORD = "demo"
TIMEOUT = 30


def imap(address, trust):
    return imaplib.IMAP4_SSL(address, IMAP, ssl_context=trust, timeout=TIMEOUT)


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def check_imap(address, trust):
    client = imap(address, trust)
    capabilities = client.capability()[1][0].decode().split()
    check("DEEP" in capabilities, f"{address}: no DEEP in {capabilities}")
    check("STARTTLS" not in capabilities, f"{address}: STARTTLS in {capabilities}")
    client.xatom("ID", "NIL")
    identity = client.response("ID")[1][0].decode()
    check('"deep' in identity, f"{address}: no DEEP status in {identity}")
    client.login(USER, PASSWORD)
    check(int(client.select()[1][0]) >= 1, f"{address}: the mailbox is empty")
    client.logout()
    print(f"{address}: IMAP: DEEP {identity}")


def check_pop3(address, trust):
    client = poplib.POP3_SSL(address, POP3, context=trust, timeout=TIMEOUT)
    capabilities = client.capa()
    check("DEEP" in capabilities, f"{address}: no DEEP in {capabilities}")
    client.user(USER)
    client.pass_(PASSWORD)
    check(client.stat()[0] >= 1, f"{address}: the mailbox is empty")
    client.quit()
    print(f"{address}: POP3: DEEP {' '.join(capabilities['DEEP'])}")


def submit(address, trust, subject):
    message = email.message.EmailMessage()
    message["From"] = message["To"] = "demo@localhost"
    message["Subject"] = subject
    message.set_content("A dot alone:\n.\nand the end.\n")
    with smtplib.SMTP_SSL(address, SUBMISSION, context=trust, timeout=TIMEOUT) as client:
        client.ehlo("client.localhost")
        check("deep" in client.esmtp_features, f"{address}: no DEEP in {client.esmtp_features}")
        client.login(USER, PASSWORD)
        client.send_message(message)
        print(f"{address}: submission: DEEP {client.esmtp_features['deep'].strip()}")


def check_starttls(address, trust):
    with smtplib.SMTP(address, STARTTLS, timeout=TIMEOUT) as client:
        client.ehlo("client.localhost")
        check("auth" not in client.esmtp_features, f"{address}: AUTH before TLS")
        client.starttls(context=trust)
        client.login(USER, PASSWORD)
        print(f"{address}: submission with STARTTLS")


def fetch(address, trust, subject):
    """Until the message has been delivered."""
    deadline = time.monotonic() + TIMEOUT
    client = imap(address, trust)
    client.login(USER, PASSWORD)
    while True:
        client.select()
        found = client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
        if found:
            break
        check(time.monotonic() < deadline, f"{address}: the message did not arrive")
        time.sleep(0.2)
    text = client.fetch(found[0], "(BODY[TEXT])")[1][0][1]
    check(text == b"A dot alone:\r\n.\r\nand the end.\r\n", f"{address}: the message came as {text!r}")
    client.logout()


def check_mail(first, second, trust):
    for address in (first, second):
        check_imap(address, trust)
        check_pop3(address, trust)
        check_starttls(address, trust)
    for into, out_of in ((first, second), (second, first)):
        subject = f"from {into} {time.time_ns()}"
        submit(into, trust, subject)
        fetch(out_of, trust, subject)
        print(f"a message went in at {into} and came out at {out_of}")


def stay_idle(address, trust):
    """
    The proxy says goodbye in IMAP's words, which come last. read() is empty after its close_notify; an end without it
    raises ssl.SSLEOFError.
    """
    client = imap(address, trust)
    client.login(USER, PASSWORD)
    client.select()
    client.send(b"i1 IDLE\r\n")
    check(client.readline().startswith(b"+"), f"{address}: no IDLE")
    print("idle", flush=True)
    client.sock.settimeout(TIMEOUT)
    client.sock.suppress_ragged_eofs = False
    said = b""
    while octets := client.sock.recv(4096):
        said += octets
    check(said.splitlines()[-1:] and said.splitlines()[-1].startswith(b"* BYE"), f"{address}: no BYE in {said!r}")


def main(command, *arguments):
    trust = ssl.create_default_context(cafile=arguments[-1])
    if command == "mail":
        check_mail(arguments[0], arguments[1], trust)
    else:
        stay_idle(arguments[0], trust)


main(*sys.argv[1:])
