# SPDX-License-Identifier: BSD-2-Clause
"""Prometheus's own tool reads the page of metrics, and the rules of config/deepproxy.alerts.yml: when they fire, and when not."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import certificates  # noqa: E402
import proxy  # noqa: E402

RULES = pathlib.Path(__file__).resolve().parents[2] / "config" / "deepproxy.alerts.yml"
SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/bin"
SERVERS = {"imap": ["127.0.0.1:1", "[::1]:1"], "pop3": ["127.0.0.1:1"]}
PLACE = 'instance="mx1", job="deepproxy"'
POOL = PLACE + ', pool="stores"'
SERVER = POOL + ', server="s1@[2001:db8::1]:143"'
DAY = 86400

# When each alert fires, and when it does not: series, by their samples of each minute, and after how many minutes it is looked.
CASES = [
    ("DeepproxyPoolWithoutServer", {f"deepproxy_pool_servers_available{{{POOL}}}": "2 0x10"}, 4, True),
    ("DeepproxyPoolWithoutServer", {f"deepproxy_pool_servers_available{{{POOL}}}": "0 1x10"}, 4, False),
    ("DeepproxyPoolInPanic", {f"deepproxy_pool_panic{{{POOL}}}": "0 1x10"}, 4, True),
    ("DeepproxyPoolInPanic", {f"deepproxy_pool_panic{{{POOL}}}": "0 1 0x10"}, 4, False),
    *[("DeepproxyServerDown", {
        f'deepproxy_server_state{{{SERVER}, state="{state}"}}': "1x30",
        f'deepproxy_server_admin{{{SERVER}, admin="maintenance"}}': "0x30"}, 15, fires)
      for state, fires in [("down", True), ("rising", True), ("ejected", True), ("unresolved", True), ("up", False),
                           ("unchecked", False), ("failing", False), ("warming", False)]],
    ("DeepproxyServerDown", {  # for less than ten minutes
        f'deepproxy_server_state{{{SERVER}, state="down"}}': "1x8 0x20"}, 15, False),
    ("DeepproxyServerDown", {  # the operator knows
        f'deepproxy_server_state{{{SERVER}, state="down"}}': "1x30",
        f'deepproxy_server_admin{{{SERVER}, admin="maintenance"}}': "1x30"}, 15, False),
    ("DeepproxyServerFlaps", {f'deepproxy_server_changes_total{{{SERVER}, axis="state"}}': "0+1x60"}, 45, True),
    ("DeepproxyServerFlaps", {f'deepproxy_server_changes_total{{{SERVER}, axis="state"}}': "0+0x20 1 2 3+0x60"}, 45, False),
    ("DeepproxyServerFlaps", {f'deepproxy_server_changes_total{{{SERVER}, axis="admin"}}': "0+1x60"}, 45, False),
    ("DeepproxyServerFails", {
        f'deepproxy_server_failures_total{{{SERVER}, kind="no-greeting"}}': "0+4x60",
        f'deepproxy_server_failures_total{{{SERVER}, kind="connect-refused"}}': "0+4x60",
        f"deepproxy_server_connects_total{{{SERVER}}}": "0+100x60"}, 20, True),
    ("DeepproxyServerFails", {
        f'deepproxy_server_failures_total{{{SERVER}, kind="no-greeting"}}': "0+4x60",
        f"deepproxy_server_connects_total{{{SERVER}}}": "0+100x60"}, 20, False),
    ("DeepproxyServerFails", {  # nobody comes
        f'deepproxy_server_failures_total{{{SERVER}, kind="no-greeting"}}': "7x60",
        f"deepproxy_server_connects_total{{{SERVER}}}": "7x60"}, 20, False),
    ("DeepproxyServerUntrusted", {
        f'deepproxy_server_checks_total{{{SERVER}, result="tls-untrusted"}}': "0+12x60"}, 10, True),
    ("DeepproxyServerUntrusted", {
        f'deepproxy_server_failures_total{{{SERVER}, kind="tls-untrusted"}}': "0+1x60"}, 10, True),
    ("DeepproxyServerUntrusted", {
        f'deepproxy_server_checks_total{{{SERVER}, result="tls-untrusted"}}': "3x60",
        f'deepproxy_server_checks_total{{{SERVER}, result="tls-timeout"}}': "0+12x60"}, 10, False),
    ("DeepproxyChecksNotMade", {
        f'deepproxy_server_checks_total{{{SERVER}, result="not-made"}}': "0+1x60"}, 20, True),
    ("DeepproxyChecksNotMade", {f'deepproxy_server_checks_total{{{SERVER}, result="ok"}}': "0+1x60"}, 20, False),
    ("DeepproxyQueueFills", {f"deepproxy_pool_waiting{{{POOL}}}": "300x10",
                             f"deepproxy_pool_queue_length{{{POOL}}}": "500x10"}, 5, True),
    ("DeepproxyQueueFills", {f"deepproxy_pool_waiting{{{POOL}}}": "200x10",
                             f"deepproxy_pool_queue_length{{{POOL}}}": "500x10"}, 5, False),
    ("DeepproxyQueueFills", {f"deepproxy_pool_waiting{{{POOL}}}": "0x10",  # there is no queue
                             f"deepproxy_pool_queue_length{{{POOL}}}": "0x10"}, 5, False),
    ("DeepproxyQueueRefuses", {f"deepproxy_pool_queue_full_total{{{POOL}}}": "0+1x60",
                               f"deepproxy_pool_queue_unserved_total{{{POOL}}}": "0x60"}, 15, True),
    ("DeepproxyQueueRefuses", {f"deepproxy_pool_queue_full_total{{{POOL}}}": "0x60",
                               f"deepproxy_pool_queue_unserved_total{{{POOL}}}": "0+1x60"}, 15, True),
    ("DeepproxyQueueRefuses", {f"deepproxy_pool_queue_full_total{{{POOL}}}": "9x60",
                               f"deepproxy_pool_queue_unserved_total{{{POOL}}}": "9x60"}, 15, False),
    *[("DeepproxyGreetsSlowly", {
        f'deepproxy_server_greeting_seconds_bucket{{{SERVER}, le="5"}}': f"0+{quick}x60",
        f'deepproxy_server_greeting_seconds_bucket{{{SERVER}, le="10"}}': "0+100x60",
        f'deepproxy_server_greeting_seconds_bucket{{{SERVER}, le="+Inf"}}': "0+100x60"}, 25, fires)
      for quick, fires in [(50, True), (95, False)]],
    ("DeepproxyWorkerHung", {f"deepproxy_workers_hung{{{PLACE}}}": "0 1x10"}, 4, True),
    ("DeepproxyWorkerHung", {f"deepproxy_workers_hung{{{PLACE}}}": "0x10"}, 4, False),
    ("DeepproxyKeyProcessDown", {f"deepproxy_key_process_up{{{PLACE}}}": "1 0x10"}, 4, True),
    ("DeepproxyKeyProcessDown", {f"deepproxy_key_process_up{{{PLACE}}}": "0 1x10"}, 4, False),
    ("DeepproxyReloadRefused", {f"deepproxy_config_last_reload_successful{{{PLACE}}}": "1 0x10"}, 8, True),
    ("DeepproxyReloadRefused", {f"deepproxy_config_last_reload_successful{{{PLACE}}}": "0 1x10"}, 8, False),
    ("DeepproxyCertificatesRefused", {f"deepproxy_certificates_last_reload_successful{{{PLACE}}}": "1 0x30"}, 20, True),
    ("DeepproxyCertificatesRefused", {f"deepproxy_certificates_stale{{{PLACE}}}": "2x30"}, 20, True),
    ("DeepproxyCertificatesRefused", {f"deepproxy_certificates_last_reload_successful{{{PLACE}}}": "1x30",
                                      f"deepproxy_certificates_stale{{{PLACE}}}": "0x30"}, 20, False),
    *[("DeepproxyCertificateEndsSoon", {
        f'deepproxy_certificate_not_after_timestamp_seconds{{{PLACE}, chain="/mail.pem", name="a"}}':
            f"{days * DAY}x120"}, 90, fires) for days, fires in [(13, True), (15, False)]],
    ("DeepproxyCertificateEnded", {f"deepproxy_certificates_expired{{{PLACE}}}": "0 1x10"}, 8, True),
    ("DeepproxyCertificateEnded", {f"deepproxy_certificates_expired{{{PLACE}}}": "0x10"}, 8, False),
    *[("DeepproxyPromiseBroken", {
        f'deepproxy_reports_total{{{PLACE}, service="imap", tag="tls12", kind="{kind}"}}': "0+1x60"}, 20, fires)
      for kind, fires in [("latch_fail", True), ("latch", False)]],
]


def rules():
    """The text of each rule, by its name."""
    parts = re.split(r"^ *- alert: ", RULES.read_text(), flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0]: part for part in parts}


class Tool(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tool = shutil.which("promtool", path=SEARCH_PATH)
        if not cls.tool:
            raise unittest.SkipTest("promtool is not installed")
        folder = tempfile.TemporaryDirectory(prefix="deepproxy-test.")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)

    def promtool(self, *words, text=None):
        """All that it says; it says nothing on standard error if all is well."""
        done = subprocess.run([self.tool, *map(str, words)], input=text, capture_output=True, timeout=60, check=False)
        said = (done.stdout + done.stderr).decode()
        self.assertEqual(done.returncode, 0, said)
        return said


class Page(Tool):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        certificates.make(cls.folder)
        path = cls.folder / "deepproxy.conf"
        path.write_text(proxy.configuration("A test's", SERVERS, extra='admin = { listen = "127.0.0.1:0"; }; '))
        cls.proxy = cls.enterClassContext(proxy.Proxy(path))

    def page(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.proxy.admin_port}/metrics") as answer:
            return answer.read()

    def test_promtool_has_nothing_against_it(self):
        page = self.page()
        self.assertIn(b'deepproxy_server_state{pool="imap-servers",server="[::1]:1",state="', page)
        self.assertEqual(self.promtool("check", "metrics", text=page), "")

    def test_promtool_would_have(self):
        with self.assertRaises(AssertionError):
            self.promtool("check", "metrics", text=self.page().replace(b"_connects_total", b"_connects"))

    def test_the_rules_name_what_is_there(self):
        families = set(re.findall(r"^# TYPE (\S+)", self.page().decode(), re.MULTILINE))
        for name, rule in rules().items():
            expression = re.search(r"expr:(.*?)\n +for:", rule, re.DOTALL)[1]
            named = {re.sub(r"_bucket$", "", word) for word in re.findall(r"\bdeepproxy_\w+", expression)}
            self.assertTrue(named and named <= families, f"{name}: {named - families}")


class Rules(Tool):
    def test_promtool_has_nothing_against_them(self):
        self.assertIn("SUCCESS", self.promtool("check", "rules", RULES))

    def test_each_says_what_to_do(self):
        for name, rule in rules().items():
            with self.subTest(name):
                self.assertRegex(rule, r"\n +for: \d+[mh]\n")
                self.assertRegex(rule, r"\n +severity: (page|ticket)\n")
                self.assertRegex(rule, r"\n +summary: '.+'\n")
                self.assertRegex(rule, r"\n +description: >-\n +\S")

    def test_each_has_been_seen_to_fire_and_not_to(self):
        seen = {(name, fires) for name, _, _, fires in CASES}
        self.assertEqual(seen, {(name, fires) for name in rules() for fires in (True, False)})

    def test_when_they_fire(self):
        tests = []
        for name, series, minutes, fires in CASES:
            query = f'count(ALERTS{{alertname="{name}", alertstate="firing"}})'
            tests.append({
                "interval": "1m",
                "input_series": [{"series": one, "values": values} for one, values in series.items()],
                "promql_expr_test": [{"expr": query, "eval_time": f"{minutes}m",
                                      "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}]})
        path = self.folder / "tests.yml"
        path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
        self.assertIn("SUCCESS", self.promtool("test", "rules", path))


if __name__ == "__main__":
    unittest.main(verbosity=2)
