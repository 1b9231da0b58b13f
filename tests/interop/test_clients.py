# SPDX-License-Identifier: BSD-2-Clause
"""The clients that people use, before Dovecot and Postfix."""

import unittest

import client_tests
import common


class Clients(client_tests.ImapClients, client_tests.Pop3Clients, client_tests.SubmissionClients, common.Case):
    pass


class ClientsWithStarttls(Clients):
    listener = "starttls"


if __name__ == "__main__":
    unittest.main(verbosity=2)
