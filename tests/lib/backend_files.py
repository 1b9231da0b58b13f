# SPDX-License-Identifier: BSD-2-Clause
"""The files that a private Dovecot and Postfix live on: configurations, the demo user, and his first messages."""

import email.message
import email.utils
import functools
import os
import pathlib
import pwd
import grp
import re
import subprocess
import textwrap

USER = "demo"
PASSWORD = "demo"
DOMAIN = "localhost"
ADDRESS = f"{USER}@{DOMAIN}"

# Dovecot can trust proxies by the address of its own that they have reached, so this is another one.
NATIVE_HOST = "127.0.0.2"

# What its log and its greeting say.
DOVECOT_SAYS = {
    "2.3": {"login": "Login: ", "secured": "secured", "gone": "Disconnected", "ready": "Dovecot (Debian) ready."},
    "2.4": {"login": "Logged in: ", "secured": "TLS", "gone": "Connection closed", "ready": "Dovecot ready."},
}

# What a Dovecot's version calls the same things. 2.4 wants its version said before all else.
DOVECOT_WORDS = {
    "2.3": {
        "head": "",
        "id_log": "imap_id_log = *",
        "mail": "mail_location = maildir:~/Maildir",
        "users": "passdb {{\n  driver = passwd-file\n  args = {here}/dovecot/users\n}}",
        "user": "userdb {{\n  driver = static\n  args = uid={uid} gid={uid} home={here}/mail/%n\n}}",
        "certified": "passdb {{\n  driver = passwd-file\n  mechanisms = external\n  args = {here}/dovecot/certified\n}}",
        "at": "address",
        "certificate": "ssl_cert = <{tls}/mail.pem\nssl_key = <{tls}/mail.key",
        "reused": "service_count = 0",
        "clients": "ssl_ca = <{tls}/clients.pem\nssl_require_crl = no\nssl_verify_client_cert = yes\nverbose_ssl = yes",
    },
    "2.4": {
        "head": "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0",
        "id_log": "log_debug = event=imap_id_received OR category=ssl",
        "mail": "mail_driver = maildir\nmail_path = ~/Maildir",
        "users": "passdb passwd-file {{\n  passwd_file_path = {here}/dovecot/users\n}}",
        "user": "userdb static {{\n  fields {{\n    uid = {uid}\n    gid = {uid}\n"
                "    home = {here}/mail/%{{user | username}}\n  }}\n}}",
        "certified": "passdb certified {{\n  driver = passwd-file\n  mechanisms_filter = external\n"
                     "  passwd_file_path = {here}/dovecot/certified\n}}",
        "at": "listen",
        "certificate": "ssl_server_cert_file = {tls}/mail.pem\nssl_server_key_file = {tls}/mail.key",
        "reused": "restart_request_count = unlimited",
        "clients": "ssl_server_ca_file = {tls}/clients.pem\nssl_server_require_crl = no\n"
                   "ssl_server_request_client_cert = yes",
    },
}

DOVECOT = """
    {words[head]}
    # An old server: cleartext alone, and what comes through a proxy has a PROXY header in front.
    instance_name = deepproxy-private
    base_dir = {here}/dovecot/run
    state_dir = {here}/dovecot/state
    log_path = {here}/dovecot.log
    protocols = imap pop3
    listen = 127.0.0.1
    ssl = no
    auth_mechanisms = plain login cram-md5
    # Nobody guesses passwords here: wrong ones are answered at once.
    auth_failure_delay = 0
    service anvil {{
      unix_listener anvil-auth-penalty {{
        mode = 0
      }}
    }}
    haproxy_trusted_networks = 127.0.0.0/8
    local {native} {{
      login_trusted_networks = 127.0.0.0/8
    }}
    # Puts the fields of a client's ID into the log; "tls" among them.
    {words[id_log]}
    mail_max_userip_connections = 100
    {words[mail]}
    namespace inbox {{
      inbox = yes
    }}
    {words[users]}
    {words[user]}
    service imap-login {{
      inet_listener imap {{
        {words[at]} = 127.0.0.1
        port = {ports[imap]}
        haproxy = yes
      }}
      inet_listener imap-direct {{
        {words[at]} = 127.0.0.1
        port = {ports[imap-direct]}
      }}
      inet_listener imap-native {{
        {words[at]} = {native}
        port = {ports[imap-native]}
      }}
      inet_listener imaps {{
        port = 0
      }}
      unix_listener {here}/imap.socket {{
        mode = 0666
      }}
    }}
    service pop3-login {{
      inet_listener pop3 {{
        {words[at]} = 127.0.0.1
        port = {ports[pop3]}
        haproxy = yes
      }}
      inet_listener pop3-direct {{
        {words[at]} = 127.0.0.1
        port = {ports[pop3-direct]}
      }}
      inet_listener pop3-native {{
        {words[at]} = {native}
        port = {ports[pop3-native]}
      }}
      inet_listener pop3s {{
        port = 0
      }}
    }}
"""

# In place of the two listeners that are not there, and of ssl = no: STARTTLS on all others.
DOVECOT_TLS = """
    ssl = yes
    {words[certificate]}
    # One process for all logins ("high-performance mode"): with one for each, no session can be resumed.
    service imap-login {{
      {words[reused]}
      process_limit = 1
      inet_listener imaps {{
        {words[at]} = 127.0.0.1
        port = {ports[imap-tls]}
        ssl = yes
        haproxy = yes
      }}
    }}
    service pop3-login {{
      {words[reused]}
      process_limit = 1
      inet_listener pop3s {{
        {words[at]} = 127.0.0.1
        port = {ports[pop3-tls]}
        ssl = yes
        haproxy = yes
      }}
    }}
"""

DOVECOT_SASL = """
    # Postfix asks here whether a password is right.
    service auth {{
      unix_listener {here}/sasl {{
        mode = 0600
        user = postfix
      }}
    }}
"""

DOVECOT_EXTERNAL = """
    # Whoever comes with a certificate's name in the PROXY header is that user, without a password: SASL EXTERNAL. Dovecot
    # announces it to everybody, and Postfix with it.
    auth_mechanisms = plain login cram-md5 external
    auth_ssl_username_from_cert = yes
    {words[certified]}
"""

POSTFIX_MAIN = """
    # Submission alone: who has logged in may send, and mail goes nowhere but into the demo user's mailbox.
    compatibility_level = 3.6
    queue_directory = {here}/postfix/queue
    data_directory = {here}/postfix/data
    daemon_directory = /usr/lib/postfix/sbin
    command_directory = /usr/sbin
    mail_owner = postfix
    setgid_group = postdrop
    maillog_file = {here}/postfix.log
    maillog_file_prefixes = {here}
    myhostname = legacy.localhost
    inet_interfaces = 127.0.0.1
    # It listens on IPv4 alone, and still refuses a PROXY header with an IPv6 client without this.
    inet_protocols = all
    smtpd_peername_lookup = no
    # As before 3.9: commands after HELO that come with it are the tests' business, and the proxy's.
    smtpd_forbid_unauth_pipelining = no
    biff = no
    mydestination =
    mynetworks =
    alias_maps =
    alias_database =
    local_recipient_maps =
    virtual_mailbox_domains = {domain}
    virtual_mailbox_base = {here}/mail
    virtual_mailbox_maps = inline:{{ {{ {address} = {user}/Maildir/ }} }}
    virtual_uid_maps = static:{uid}
    virtual_gid_maps = static:{uid}
    virtual_mailbox_limit = 0
    message_size_limit = 52428800
    default_transport = error:5.7.1 mail from here goes to {address} alone
    relay_transport = error:5.7.1 mail from here goes to {address} alone
    smtpd_tls_security_level = none
    smtp_tls_security_level = none
    smtpd_sasl_auth_enable = yes
    smtpd_sasl_type = dovecot
    smtpd_sasl_path = {here}/sasl
    smtpd_client_restrictions = permit_sasl_authenticated, reject
    smtpd_relay_restrictions = reject_unauth_destination
    smtpd_recipient_restrictions = reject_unauth_destination
"""

POSTFIX_MASTER = """
    127.0.0.1:{ports[submission]} inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy
    127.0.0.1:{ports[submission-direct]} inet n - n - - smtpd
    127.0.0.1:{ports[submission-native]} inet n - n - - smtpd -o smtpd_authorized_xclient_hosts=127.0.0.0/8
    cleanup unix n - n - 0 cleanup
    qmgr unix n - n 300 1 qmgr
    rewrite unix - - n - - trivial-rewrite
    bounce unix - - n - 0 bounce
    defer unix - - n - 0 bounce
    trace unix - - n - 0 bounce
    virtual unix - n n - - virtual
    error unix - - n - - error
    retry unix - - n - - error
    proxymap unix - - n - - proxymap
    anvil unix - - n - 1 anvil
    postlog unix-dgram n - n - 1 postlogd
"""

# Only for clients whose certificate leads to one of these.
DOVECOT_TLS_CLIENTS = """
    {words[clients]}
"""
POSTFIX_TLS_CLIENTS = """
    smtpd_tls_CAfile = {tls}/clients.pem
    smtpd_tls_ask_ccert = yes
    smtpd_tls_req_ccert = yes
"""
CLIENTS = "clients.pem"

POSTFIX_TLS_MAIN = """
    smtpd_tls_security_level = may
    smtpd_tls_cert_file = {tls}/mail.pem
    smtpd_tls_key_file = {tls}/mail.key
    smtpd_tls_loglevel = 1
    smtpd_tls_received_header = yes
    tls_random_source = dev:/dev/urandom
"""

POSTFIX_TLS_MASTER = """
    127.0.0.1:{ports[submission-tls]} inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy
      -o smtpd_tls_wrappermode=yes
    tlsmgr unix - - n 1000? 1 tlsmgr
"""

MESSAGES = (
    ("Welcome", "This mailbox is on a Dovecot that only speaks cleartext.\nYou read it over TLS, by deepproxy.\n"),
    ("Dots", "The next line is a dot alone, and ends nothing:\n.\nNor does this: ..\nThat was the dot.\n"),
    ("Not a capability", "A body may say what it likes:\n* CAPABILITY IMAP4rev1 STARTTLS\na1 OK [CAPABILITY X]\n"),
)


def write(path, text, **values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip().format(**values))


def make_log(path, owner):
    """Before its server does: whoever runs the demo may read it."""
    path.touch()
    path.chmod(0o644)
    os.chown(path, owner, 0)


def wants_certificate(tls):
    return bool(tls) and (pathlib.Path(tls) / CLIENTS).exists()


@functools.cache
def dovecot_version():
    """This machine's, as three numbers; of none, that of Debian 12."""
    try:
        version = subprocess.run(["/usr/sbin/dovecot", "--version"], capture_output=True, text=True, check=True).stdout
    except OSError:
        return 2, 3, 19
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def dovecot_dialect():
    """Which of DOVECOT_WORDS this machine's Dovecot reads, and which of DOVECOT_SAYS it says."""
    return "2.4" if dovecot_version() >= (2, 4) else "2.3"


def write_dovecot(here, ports, uid, postfix, external=False, tls=None):
    """`tls`: the folder of the certificate that it shows, and CLIENTS where it wants one; None: it has no TLS."""
    text = DOVECOT + DOVECOT_SASL * postfix + DOVECOT_EXTERNAL * external + DOVECOT_TLS * bool(tls)
    text += DOVECOT_TLS_CLIENTS * wants_certificate(tls)
    values = {"here": here, "ports": ports, "uid": uid, "native": NATIVE_HOST, "tls": tls}
    words = {name: word.format(**values) for name, word in DOVECOT_WORDS[dovecot_dialect()].items()}
    write(here / "dovecot" / "dovecot.conf", text, words=words, **values)
    write(here / "dovecot" / "users", USER + ":{{PLAIN}}" + PASSWORD + "\n")
    write(here / "dovecot" / "certified", USER + ":::::::nopassword=y\n")
    make_log(here / "dovecot.log", 0)
    deliver_first_messages(here / "mail" / USER, uid)


def deliver_first_messages(home, uid):
    """As files of the Maildir: they are there before any server is."""
    folders = [home.parent, home, home / "Maildir"] + [home / "Maildir" / name for name in ("new", "cur", "tmp")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, uid, uid)
    for number, (subject, body) in enumerate(MESSAGES, 1):
        message = email.message.EmailMessage()
        message["From"] = f"postmaster@{DOMAIN}"
        message["To"] = ADDRESS
        message["Subject"] = subject
        message["Date"] = email.utils.format_datetime(email.utils.localtime())
        message["Message-ID"] = f"<{number}.first@{DOMAIN}>"
        message.set_content(body)
        path = home / "Maildir" / "new" / f"{number}.first.{DOMAIN}"
        path.write_bytes(bytes(message))
        os.chown(path, uid, uid)


def write_postfix(here, ports, uid, tls=None):
    values = {"here": here, "ports": ports, "uid": uid, "domain": DOMAIN, "address": ADDRESS, "user": USER, "tls": tls}
    main = POSTFIX_MAIN.replace("smtpd_tls_security_level = none", "") + POSTFIX_TLS_MAIN if tls else POSTFIX_MAIN
    main += POSTFIX_TLS_CLIENTS * wants_certificate(tls)
    write(here / "postfix" / "main.cf", main, **values)
    write(here / "postfix" / "master.cf", POSTFIX_MASTER + POSTFIX_TLS_MASTER * bool(tls), **values)
    make_queue(here / "postfix")
    make_log(here / "postfix.log", pwd.getpwnam("postfix").pw_uid)


def make_queue(where):
    """The folders that `postfix start` would make, without a look at those of the machine's own Postfix."""
    owner = pwd.getpwnam("postfix").pw_uid
    postdrop = grp.getgrnam("postdrop").gr_gid
    queue = where / "queue"
    folders = {queue / "pid": (0, 0, 0o755), queue / "public": (owner, postdrop, 0o710),
               queue / "maildrop": (owner, postdrop, 0o730), where / "data": (owner, 0, 0o700)}
    for name in ("incoming", "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "private", "saved",
                 "trace"):
        folders[queue / name] = (owner, 0, 0o700)
    for folder, (user, group, mode) in folders.items():
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, user, group)
        folder.chmod(mode)
