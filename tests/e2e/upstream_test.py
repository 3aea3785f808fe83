#!/usr/bin/env python3
"""The way out through an upstream proxy: tried step by step, that proxy a step of its own; its credentials are seen by it alone."""
import base64
import http.server
import json
import select
import socket
import subprocess
import threading
import unittest

from harness.case import VmCase
from harness.loopback import echo

USER, PASSWORD = "clerk", "hunter-of-nothing-77"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Upstream(http.server.BaseHTTPRequestHandler):
    """Lets through who shows the password, unless told to answer something else; every tunnel leads to one echo server."""
    answers, seen, echo = None, [], None

    def log_message(self, *_):
        pass

    def refuses(self):
        shown = self.headers.get("Proxy-Authorization")
        self.seen.append((self.command, self.path, shown))
        status = self.answers or (200 if shown == f"Basic {BASIC}" else 407)
        if status == 200:
            return False
        self.send_response(status)
        if status == 407:
            self.send_header("Proxy-Authenticate", 'Basic realm="upstream"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def do_CONNECT(self):
        if self.refuses():
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        with socket.create_connection(self.echo) as far:
            ends = {self.connection: far, far: self.connection}
            while True:
                for ready in select.select(list(ends), [], [], 60)[0]:
                    block = ready.recv(65536)
                    if not block:
                        return
                    ends[ready].sendall(block)

    def do_GET(self):
        if self.refuses():
            return
        body = f"by way of the upstream: {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class ThroughAnUpstreamProxy(VmCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.echo = socket.create_server(("127.0.0.1", 0))
        Upstream.echo = cls.echo.getsockname()
        threading.Thread(target=echo, args=[cls.echo], daemon=True).start()
        cls.proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        threading.Thread(target=cls.proxy.serve_forever, daemon=True).start()
        cls.name = f"127.0.0.1:{cls.proxy.server_port}"
        folder = cls.daemon.state / "egress"
        folder.mkdir(exist_ok=True)
        cls.credentials = folder / "corp"
        cls.credentials.write_text(f"{USER}:{PASSWORD}\n")
        cls.credentials.chmod(0o600)
        cls.vm = cls.daemon.create("through", egress={"mode": "upstream", "upstream": {"proxy": cls.name, "credentials": "corp"}})
        cls.daemon.wait_state(cls.vm, "ready")

    @classmethod
    def tearDownClass(cls):
        cls.proxy.shutdown()
        cls.proxy.server_close()
        cls.echo.close()
        super().tearDownClass()

    def setUp(self):
        Upstream.answers, Upstream.seen[:] = None, []

    def way_out(self, target, vm=None):
        """The report, the names of its steps, and the last of them."""
        code, out, err = self.daemon.vigil("egress", "test", (vm or self.vm)["id"], target, "--json")
        report = json.loads(out)
        self.assertEqual(code == 0, report["passed"], err)
        return report, [step["step"] for step in report["steps"]], report["steps"][-1]

    def test_a_page_by_way_of_it_passes_every_step(self):
        report, steps, _ = self.way_out("http://far.test/page")
        self.assertEqual((report["passed"], steps), (True, ["proxy", "policy", "upstream", "status"]), report)
        self.assertIn(self.name, report["steps"][2]["detail"])
        self.assertEqual(Upstream.seen, [("GET", "http://far.test:80/page", f"Basic {BASIC}")])

    def test_a_tunnel_by_way_of_it_is_open_before_tls(self):
        report, steps, last = self.way_out("https://far.test/")   # behind it: an echo, which is no TLS
        self.assertEqual((report["cause"], steps, last["passed"]), ("egress.tls_failed", ["proxy", "policy", "upstream", "tls"], False), report)
        self.assertEqual(Upstream.seen, [("CONNECT", "far.test:443", f"Basic {BASIC}")])

    def test_its_refusals_are_its_step_with_the_mend(self):
        for status, target, mend in ((407, "https://far.test/", "credentials corp"), (407, "http://far.test/", "upstream.credentials"), (403, "https://far.test/", "rules forbid"),
                                     (502, "https://far.test/", "502")):
            with self.subTest(status=status, target=target):
                Upstream.answers, Upstream.seen[:] = status, []
                report, steps, last = self.way_out(target)
                self.assertEqual((report["cause"], steps, last["passed"]), ("egress.upstream_refused", ["proxy", "policy", "upstream"], False), report)
                self.assertIn(mend, last["detail"])
                self.assertIn(self.name, last["detail"])
                self.assertEqual(len(Upstream.seen), 1, "a refusal is taken, not tried again")

    def test_what_keeps_it_from_being_reached_is_its_step_too(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            nobody = f"127.0.0.1:{free.getsockname()[1]}"
        for name, proxy, credentials, cause, word in (
                ("nobody", nobody, None, "egress.connect_failed", "refused"), ("unknown", "no-such-proxy.invalid:3128", None, "egress.dns_failed", "no-such-proxy.invalid"),
                ("fileless", self.name, "missing", "egress.connect_failed", "egress/missing")):
            with self.subTest(name):
                upstream = {"proxy": proxy, **({"credentials": credentials} if credentials else {})}
                vm = self.up(name, egress={"mode": "upstream", "upstream": upstream})
                self.daemon.wait_state(vm, "ready")
                report, steps, last = self.way_out("https://far.test/", vm)
                self.assertEqual((report["cause"], steps, last["passed"]), (cause, ["proxy", "policy", "upstream"], False), report)
                self.assertIn(word, last["detail"])
                self.assertNotIn(str(self.daemon.state), last["detail"], "a path of the host is told to a guest")
                self.remove(vm)

    def test_trace_would_show_the_credentials_and_is_not_served(self):
        ask = "printf 'TRACE http://far.test/ HTTP/1.1\\r\\nHost: far.test\\r\\n\\r\\n' | busybox nc 127.0.0.1 3128"
        out = self.daemon.vigil("exec", self.vm["id"], "sh", "-c", ask)[1]
        self.assertIn("HTTP/1.1 400", out)
        self.assertEqual(Upstream.seen, [])

    def test_the_credentials_appear_nowhere(self):
        for status in (None, 407, 403):
            Upstream.answers = status
            for target in ("http://far.test/", "https://far.test/"):
                said = self.daemon.vigil("egress", "test", self.vm["id"], target)
                self.assert_clean("the report", "".join(map(str, said)))
        self.assertTrue(any(shown for _, _, shown in Upstream.seen), "the proxy was never shown them: this test shows nothing")
        for what, words in (("why", ["why", self.vm["id"]]), ("timeline", ["timeline", self.vm["id"], "--json"]), ("console", ["console", self.vm["id"]]),
                            ("its environment", ["exec", self.vm["id"], "env"])):
            code, out, err = self.daemon.vigil(*words)
            self.assertEqual(code, 0, (what, err))
            self.assert_clean(what, out + err)
        for path in ("/metrics", "/v1/daemon", f"/v1/instances/{self.vm['id']}", f"/v1/instances/{self.vm['id']}/services"):
            status, body = self.daemon.api.raw("GET", path)
            self.assertEqual(status, 200, path)
            self.assert_clean(path, body)
        self.assert_clean("argv and environment of processes", subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout)
        for path in [self.daemon.log, *self.daemon.state.rglob("*"), *self.daemon.run.rglob("*")]:
            if path.is_file() and path != self.credentials and path.stat().st_size < 64 << 20:
                self.assert_clean(path, path.read_bytes())

    def assert_clean(self, what, text):
        text = text if isinstance(text, bytes) else text.encode()
        for secret in (PASSWORD, BASIC):
            self.assertNotIn(secret.encode(), text, f"{what} holds the upstream proxy's credentials")


if __name__ == "__main__":
    unittest.main()
