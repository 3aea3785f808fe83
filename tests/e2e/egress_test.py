#!/usr/bin/env python3
"""What leaves a VM: by its policy alone, through the proxy in it; the outside is a server on this machine's loopback that the policy names."""
import http.server
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
import unittest.mock

from harness import image
from harness.case import VmCase
from harness.loopback import echo


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{self.headers['Host']} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Egress(VmCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
        threading.Thread(target=cls.site.serve_forever, daemon=True).start()
        cls.echo = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=echo, args=[cls.echo], daemon=True).start()
        cls.web, cls.raw = cls.site.server_port, cls.echo.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as free:
            cls.tls = free.getsockname()[1]
        vm = cls.daemon.create("out", egress={"allow": [f"site.test:{cls.web},{cls.raw},{cls.tls}", "nowhere.invalid:*", "169.254.169.254:*"],
                                              "hosts": {"site.test": "127.0.0.1", "other.test": "127.0.0.1"}, "networks": ["127.0.0.1/32"]})
        cls.vm = vm
        cls.daemon.wait_state(vm, "ready")

    @classmethod
    def tearDownClass(cls):
        cls.site.shutdown()
        cls.echo.close()
        super().tearDownClass()

    def sh(self, script, vm=None):
        return self.daemon.vigil("exec", (vm or self.vm)["id"], "sh", "-c", script)

    def assert_told(self, code, **fields):
        event = self.daemon.wait_for(self.vm, lambda e: e["type"] == "egress_refused" and e["body"]["cause"]["code"] == code
                                     and all(e["body"]["cause"]["fields"].get(k) == v for k, v in fields.items()), 60)
        self.assertGreaterEqual(event["body"]["count"], 1)

    def test_a_page_that_the_policy_names_is_reached(self):
        code, out, err = self.sh(f"busybox wget -q -O - http://site.test:{self.web}/page?x")
        self.assertEqual((code, out), (0, f"site.test:{self.web} /page?x"), err)

    def test_a_tunnel_carries_what_it_is_given_both_ways(self):
        script = (f"head -c 3000000 /dev/urandom >/tmp/sent; socat -t 60 - PROXY:127.0.0.1:site.test:{self.raw},proxyport=3128 </tmp/sent >/tmp/back; "
                  "sha256sum </tmp/sent; sha256sum </tmp/back")
        code, out, err = self.sh(script)
        sent, back = out.split("\n")[:2]
        self.assertEqual((code, sent), (0, back), err)

    def test_a_daemon_that_starts_anew_ends_tunnels_and_the_way_out_works_again(self):
        """Both an orderly end and a kill: the program in the VM sees the end of its tunnel, the VM stays as it is."""
        boot = self.sh("cat /proc/sys/kernel/random/boot_id")[1]
        for end in (signal.SIGTERM, signal.SIGKILL):
            script = f"rm -f /tmp/ended; (socat -t 1 PROXY:127.0.0.1:site.test:{self.raw},proxyport=3128 EXEC:'sleep 300'; echo $? >/tmp/ended) >/dev/null 2>&1 & sleep 2; test ! -e /tmp/ended"
            code, _, err = self.sh(script)
            self.assertEqual(code, 0, err)
            opened = self.daemon.api.get("/v1/daemon")["egress"]["open"]
            self.assertGreaterEqual(opened, 1)
            self.daemon.process.send_signal(end)
            self.daemon.process.wait(30)
            self.daemon.start()
            self.daemon.wait_for(self.vm, lambda e: e["type"] == "adopted", 30)
            code, out, err = self.sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do test -e /tmp/ended && break; sleep 1; done; cat /tmp/ended")
            self.assertEqual(code, 0, err)
            code, out, err = self.sh(f"busybox wget -q -O - http://site.test:{self.web}/again")
            self.assertEqual((code, out), (0, f"site.test:{self.web} /again"), err)
        self.assertEqual(self.sh("cat /proc/sys/kernel/random/boot_id")[1], boot, "the VM is another")

    def test_what_the_policy_does_not_name_is_refused_with_its_cause_and_told(self):
        code, _, err = self.sh(f"busybox wget -O - http://other.test:{self.web}/")
        self.assertNotEqual(code, 0)
        self.assertIn("403", err)
        self.assert_told("egress.denied", host=f"other.test:{self.web}")
        self.sh("busybox wget -O - http://169.254.169.254/latest/meta-data/")   # named by a rule, but by no network
        self.assert_told("egress.denied", host="169.254.169.254:80")
        self.sh("busybox wget -O - http://nowhere.invalid/")
        self.assert_told("egress.dns_failed", host="nowhere.invalid")
        self.sh("busybox wget -O - http://site.test:1/")
        refused = self.daemon.api.get("/v1/daemon")["egress"]["refused"]
        self.assertGreaterEqual(refused["egress.denied"], 3)
        self.assertGreaterEqual(self.daemon.metric('vigil_egress_connections_total{outcome="refused",cause="egress.denied"}'), 3)

    def way_out(self, target):
        code, out, err = self.daemon.vigil("egress", "test", self.vm["id"], target, "--json")
        report = json.loads(out)
        self.assertEqual(code == 0, report["passed"], err)
        return report, {step["step"]: step for step in report["steps"]}

    def test_the_way_out_can_be_tried_step_by_step(self):
        report, steps = self.way_out(f"http://site.test:{self.web}/page")
        self.assertTrue(report["passed"], report)
        self.assertEqual(list(steps), ["proxy", "policy", "resolve", "connect", "status"])
        self.assertEqual(steps["status"]["detail"], "HTTP 200 OK")
        for target, cause, failing in ((f"http://other.test:{self.web}/", "egress.denied", "policy"), ("nowhere.invalid", "egress.dns_failed", "resolve"),
                                       ("https://169.254.169.254/", "egress.denied", "policy")):
            report, steps = self.way_out(target)
            self.assertEqual((report["passed"], report["cause"], list(steps)[-1], steps[failing]["passed"]), (False, cause, failing, False), report)
            self.assertTrue(steps[failing]["detail"])

    def test_what_the_image_declares_is_tried_at_once(self):
        code, _, err = self.daemon.vigil("egress", "test", self.vm["id"])
        self.assertEqual(code, 1)
        self.assertIn("declares no egress_targets", err)
        targets = [f"http://site.test:{self.web}/page", "https://nowhere.invalid", f"http://other.test:{self.web}/"]
        image.variant(self.daemon, "declares", egress_targets=targets)
        vm = self.daemon.create("declares", image="declares", egress={"allow": [f"site.test:{self.web}", "nowhere.invalid"], "networks": ["127.0.0.1/32"], "hosts": {"site.test": "127.0.0.1"}})
        self.addCleanup(self.remove, vm)
        self.daemon.wait_state(vm, "ready")
        code, out, err = self.daemon.vigil("egress", "test", vm["id"])
        self.assertEqual(code, 1, err)
        told = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()[1:]]
        self.assertEqual([(line[0], line[1], line[2], line[-1]) for line in told],
                         [(targets[0], "ok", "status", "HTTP 200 OK"), ("https://nowhere.invalid:443/", "FAILED", "resolve", "egress.dns_failed"), (targets[2], "FAILED", "policy", "egress.denied")], out)
        report = self.daemon.api.post(f"/v1/instances/{vm['id']}/egress/test", {})
        self.assertEqual((report["passed"], [each["passed"] for each in report["reports"]]), (False, [True, False, False]))

    def serve_tls(self):
        """A site on self.tls; the certificate that it vouches for itself with."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        certificate, key = f"{folder.name}/certificate", f"{folder.name}/key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=site.test", "-addext", "subjectAltName=DNS:site.test",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.tls), Site)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return certificate

    def past_events(self):
        _, data = self.daemon.api.raw("GET", f"/v1/events?after=0&follow=0&instance={self.vm['id']}")
        return [json.loads(line[5:]) for line in data.splitlines() if line.startswith(b"data:")]

    def start_daemon_anew(self):
        seen = max((e["seq"] for e in self.past_events()), default=0)
        self.daemon.process.send_signal(signal.SIGTERM)
        self.daemon.process.wait(30)
        self.daemon.start()
        self.daemon.wait_for(self.vm, lambda e: e["seq"] > seen and e["type"] == "link_up", 60)

    def test_a_certificate_that_nobody_vouches_for_fails_the_tls_step(self):
        self.serve_tls()
        report, steps = self.way_out(f"site.test:{self.tls}")
        self.assertEqual((report["cause"], list(steps)), ("egress.tls_failed", ["proxy", "policy", "resolve", "connect", "tls"]), report)
        self.assertIn("self-signed certificate", steps["tls"]["detail"])

    def test_a_certificate_that_the_host_trusts_passes_every_step(self):
        with unittest.mock.patch.dict(os.environ, {"SSL_CERT_FILE": self.serve_tls()}):
            self.start_daemon_anew()
        self.addCleanup(self.start_daemon_anew)
        report, steps = self.way_out(f"https://site.test:{self.tls}/page")
        self.assertTrue(report["passed"], report)
        self.assertEqual(list(steps), ["proxy", "policy", "resolve", "connect", "tls", "status"])
        self.assertEqual(steps["status"]["detail"], "HTTP 200 OK")
        self.assertIn("TLSv1", steps["tls"]["detail"])

    def test_what_does_not_speak_tls_fails_the_tls_step(self):
        report, steps = self.way_out(f"https://site.test:{self.web}/")
        self.assertEqual((report["cause"], steps["tls"]["passed"]), ("egress.tls_failed", False), report)

    def test_without_a_policy_there_is_nothing_to_try(self):
        vm = self.daemon.create("shut")
        self.addCleanup(self.remove, vm)
        code, _, err = self.daemon.vigil("egress", "test", vm["id"], "site.test")
        self.assertEqual(code, 1)
        self.assertIn("names no egress policy", err)

    def test_a_process_that_dials_the_host_itself_has_no_token(self):
        before = self.daemon.api.get("/v1/daemon")["egress"]["strangers"]
        self.sh("printf 'CONNECT site.test:80 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | socat -t 5 - VSOCK-CONNECT:2:5254")
        self.assertEqual(self.daemon.api.get("/v1/daemon")["egress"]["strangers"], before + 1)

    def test_programs_find_the_proxy_in_their_environment(self):
        env = dict(line.split("=", 1) for line in self.sh("env")[1].splitlines() if "=" in line)
        self.assertEqual(env["http_proxy"], "http://127.0.0.1:3128")
        self.assertEqual(env["https_proxy"], "http://127.0.0.1:3128")
        self.assertIn("127.0.0.1", env["no_proxy"])

    def test_without_a_policy_there_is_no_way_out(self):
        vm = self.up("closed")
        self.daemon.wait_state(vm, "ready")
        self.assertNotIn("http_proxy", self.sh("env", vm)[1])
        self.assertNotEqual(self.sh("socat -u /dev/null TCP:127.0.0.1:3128", vm)[0], 0)

    def test_a_policy_that_is_wrong_is_refused_by_name(self):
        status, body = self.daemon.api.raw("POST", "/v1/instances", {"image": "minimal", "egress": {"allow": ["a b"]}})
        self.assertEqual(status, 400)
        self.assertIn("egress.allow[0]", json.loads(body)["detail"])


if __name__ == "__main__":
    unittest.main()
