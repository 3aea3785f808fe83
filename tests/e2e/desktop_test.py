#!/usr/bin/env python3
"""The image `browser` as its user finds it: each part of the desktop ready by a probe of its own, Chromium in its sandbox, the page that shows it, the CLIs.

Left out unless `./dev test-browser` asks (VIGIL_TEST_BROWSER=1): the image is large, and an emulated desktop takes minutes.
"""
import base64
import json
import os
import socket
import time
import unittest

from harness.api import UnixConnection
from harness.case import VmCase
from harness.daemon import IMAGES, Daemon
from harness.desktop import Browser

READY_S = 1500
PARTS = {"browser", "clis", "display", "novnc", "session-bus", "terminal", "window-manager"}
PROBES = {("display", "x11::1"), ("display", "rfb:5901"), ("window-manager", "x11::1"), ("novnc", "http:6080"), ("novnc", "websocket:6080"), ("browser", "http:9222"),
          ("session-bus", "unix:/home/agent/.run/bus"), ("clis", "exec:/usr/libexec/vigil/clis"), ("terminal", "x11::1"), ("browser", "x11::1")}

# What each process of Chromium is confined by: kind, uid, Seccomp (2: a filter), user namespace, flags that would weaken it. (A child's words are one text.)
SANDBOX = r"""
for directory in /proc/[0-9]*; do
  [ "$(readlink "$directory/exe")" = /usr/lib/chromium/chromium ] || continue
  words=$(tr '\0' ' ' <"$directory/cmdline")
  kind=$(echo "$words" | grep -o -e '--type=[a-z-]*' | head -n 1)
  flag=$(echo "$words" | grep -oE -e '--(no|disable-setuid|disable-namespace|disable-seccomp-filter)-sandbox' | head -n 1)
  echo "${kind:---type=main} $(awk '/^Uid:/{print $2}' "$directory/status") $(awk '/^Seccomp:/{print $2}' "$directory/status") $(readlink "$directory/ns/user") ${flag:--}"
done
"""


class Desktop(VmCase):
    daemon_options = ("--ports-listen", "127.0.0.1:0", "--desktop-listen", "127.0.0.1:0")

    @classmethod
    def setUpClass(cls):
        if os.environ.get("VIGIL_TEST_BROWSER") != "1":
            raise unittest.SkipTest("large and slow: ./dev test-browser runs it")
        if not (IMAGES / "browser/current").exists():
            raise unittest.SkipTest("the image browser was not built: ./dev image browser")
        cls.daemon = Daemon(options=cls.daemon_options).use_images().start()
        try:
            cls.bring_up()
        except BaseException:
            cls.daemon.close()
            raise

    @classmethod
    def bring_up(cls):
        vm = cls.daemon.create("desktop", image="browser", vcpus=2, memory_mib=2048)
        cls.vm = vm["id"]
        event = cls.daemon.wait_state(vm, "ready", "failed", "crashed", deadline=READY_S)
        if event["body"]["state"] != "ready":
            raise AssertionError(f"the desktop did not come up: {cls.daemon.why(vm)}")

    def run_as(self, user, *words):
        return self.daemon.vigil("exec", "--user", user, self.vm, *words, check=0, timeout=900)[1]

    def told_over_the_link(self):
        """The services as their full reports have them: a digest on the console comes first, and has no times."""
        until = time.monotonic() + READY_S
        while True:
            services = {service["name"]: service for service in self.daemon.api.get(f"/v1/instances/{self.vm}/services")}
            late = [name for name, service in services.items() if any(probe["passed"] and "passed_us" not in probe for probe in service["probes"])]
            if not late:
                return services
            if time.monotonic() > until:
                raise AssertionError(f"{READY_S} s after the VM was ready no full report has come of {', '.join(late)}")
            time.sleep(0.2)

    def test_every_part_is_ready_by_its_own_probe(self):
        services = self.told_over_the_link()
        passed = sorted((probe["passed_us"], name, probe["probe"]) for name, service in services.items() for probe in service["probes"] if probe["passed"])
        for at_us, name, probe in passed:
            print(f"      {at_us / 1e6:7.2f} s  {name}: {probe}")
        vm = self.daemon.api.get(f"/v1/instances/{self.vm}")
        print(f"      ready after {vm['ready_after_ms'] / 1000:.2f} s")
        self.assertEqual({name: service["state"] for name, service in services.items()}, dict.fromkeys(PARTS, "ready"))
        self.assertEqual({(name, probe) for _, name, probe in passed}, PROBES)

    def test_chromium_runs_unprivileged_and_in_its_sandbox(self):
        processes = [line.split() for line in self.run_as("root", "sh", "-c", SANDBOX).splitlines()]
        main = [row for row in processes if row[0] == "--type=main"]
        renderers = [row for row in processes if row[0] == "--type=renderer"]
        self.assertTrue(main and renderers, processes)
        self.assertEqual({row[1] for row in main}, {"1000"})
        self.assertEqual({row[4] for row in processes}, {"-"}, processes)
        for row in renderers:
            self.assertEqual(row[2], "2", f"no filter of system calls: {row}")
            self.assertNotEqual(row[3], main[0][3], "a renderer is in a user namespace of its own")

    def test_terminal_and_browser_have_windows_that_can_be_seen(self):
        for name in ("XTerm", "[Cc]hromium"):
            found = self.run_as("agent", "env", "DISPLAY=:1", "xdotool", "search", "--sync", "--onlyvisible", "--class", name).split()
            self.assertTrue(found, f"no window of {name} can be seen")

    def test_the_browser_is_asked_over_its_debugging_protocol(self):
        script = "fetch('http://127.0.0.1:9222/json/list').then(a => a.text()).then(t => console.log(t))"
        pages = json.loads(self.run_as("agent", "node", "-e", script))
        self.assertIn("about:blank", [page["url"] for page in pages if page["type"] == "page"])

    def test_the_desktop_is_shown_through_the_ports_of_the_daemon(self):
        connection = UnixConnection(self.daemon.run / "ports.sock", 200)
        self.addCleanup(connection.close)
        connection.request("GET", f"/v1/instances/{self.vm}/ports/novnc/vnc.html")
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        self.assertIn(b"noVNC", answer.read())
        self.assertTrue(self.websocket_bytes().startswith(b"RFB 003."))

    def test_the_desktop_is_shown_at_its_own_door(self):
        browser = Browser(self.daemon, {"id": self.vm}).let_in()
        self.assertEqual(next(iter(browser.views()))["phase"], "attach")
        viewer = browser.attach()
        self.addCleanup(viewer.close)
        self.assertTrue(viewer.read(12).startswith(b"RFB 003."))

    def websocket_bytes(self):
        """The first message after the upgrade, from a server: unmasked, short."""
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(200)
        client.connect(str(self.daemon.run / "ports.sock"))
        key = base64.b64encode(os.urandom(16)).decode()
        client.sendall(f"GET /v1/instances/{self.vm}/ports/6080/websockify HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                       f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: binary\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = client.recv(1)
            self.assertTrue(byte, head)
            head += byte
        self.assertTrue(head.startswith(b"HTTP/1.1 101"), head)
        frame = client.recv(2, socket.MSG_WAITALL)
        self.assertEqual(frame[0] & 0x80, 0x80, frame)
        return client.recv(frame[1] & 0x7F, socket.MSG_WAITALL)

    def test_the_clis_start_for_their_user(self):
        for name, word in (("claude", "Claude Code"), ("codex", "codex"), ("gemini", ".")):
            with self.subTest(name):
                self.assertIn(word, self.run_as("agent", name, "--version"))
        self.assertEqual(self.run_as("agent", "sh", "-c", "id -u; pwd; cd ~ && touch written").split(), ["1000", "/home/agent"])

    def test_when_the_browser_dies_it_is_told_and_started_again(self):
        vm = {"id": self.vm}
        self.run_as("root", "kill", "-KILL", str(self.service(vm, "browser")["pid"]))
        self.assert_cause(self.crash_of(vm, "browser", READY_S)["cause"], "service.signalled", signal="SIGKILL")
        self.daemon.wait_for(vm, lambda e: e["type"] == "service" and e["body"]["name"] == "browser" and e["body"]["state"] == "ready" and e["body"]["restarts"] == 1, READY_S)


if __name__ == "__main__":
    unittest.main()
