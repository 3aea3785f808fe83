#!/usr/bin/env python3
"""A desktop in a browser, from the command line's address to the end of the VM; the screen is a few lines of shell that greet as a VNC server does."""
import os
import signal
import time
import unittest

from harness.case import VmCase
from harness.desktop import SCREEN, Browser


class DesktopDoor(VmCase):
    daemon_options = ("--desktop-listen", "127.0.0.1:0")

    def browser(self, vm):
        return Browser(self.daemon, vm).let_in()

    def attached(self, browser):
        viewer = browser.attach()
        self.addCleanup(viewer.close)
        self.assertEqual(viewer.read(12), b"RFB 003.008\n")
        return viewer

    def test_from_the_address_to_the_end_of_the_vm(self):
        vm = self.up("screen", services=SCREEN)
        browser = self.browser(vm)
        seen = []
        for view in browser.views():   # the page is open before the VM is
            seen.append(view)
            if view["phase"] == "attach":
                break
        shown = time.time()
        self.assertEqual({view["phase"] for view in seen}, {"waiting", "attach"})
        self.assertGreater(len({view["stage"] for view in seen}), 1, seen)
        self.assertTrue(all(view["command"] == "vigil timeline screen" for view in seen if view["phase"] == "waiting"), seen[-1])
        viewer = self.attached(browser)
        ready = self.daemon.wait_for(vm, lambda e: e["type"] == "service" and e["body"].get("name") == "screen" and e["body"]["state"] == "ready")
        print(f"      the first bytes of the screen {time.time() - ready['at_unix_us'] / 1e6:.3f} s after its service was ready, {time.time() - shown:.3f} s after the page knew")
        data = os.urandom(300_000)
        viewer.send(data[:60_000])
        viewer.send(data[60_000:])
        self.assertEqual(viewer.read(len(data)), data)

        # A refresh, and a second window.
        other = self.attached(self.browser(vm))
        self.assertEqual(self.daemon.api.get("/v1/daemon")["desktop"]["open"], 2)

        # Without a cookie, and with one that is good for another VM's screen.
        stranger = Browser(self.daemon, vm)
        self.assertEqual(stranger.attach().closing()[0], 4001)
        neighbour = self.up("neighbour", services=SCREEN)
        self.daemon.wait_state(neighbour, "ready")
        theirs = self.browser(neighbour)
        self.attached(theirs)
        stranger.cookie = theirs.cookie
        self.assertTrue(stranger.cookie)
        self.assertEqual(stranger.attach().closing()[0], 4001)
        self.assertEqual(stranger.get("/view").status, 401)

        self.daemon.vigil("kill", "screen", check=0)
        for each in (viewer, other):
            code, reason = each.closing()
            self.assertEqual(code, 4010, reason)
            self.assertIn("; type: vigil ", reason)
        self.assertEqual(next(iter(browser.views()))["phase"], "over")

    def test_a_page_goes_on_when_the_daemon_was_started_again(self):
        vm = self.up("stays", services=SCREEN)
        self.daemon.wait_state(vm, "ready")
        browser = self.browser(vm)
        viewer = self.attached(browser)
        self.daemon.process.send_signal(signal.SIGTERM)
        code, reason = viewer.closing()
        self.assertEqual((code, "comes back" in reason), (4013, True), reason)
        self.daemon.process.wait(30)
        self.daemon.start()
        again = Browser(self.daemon, vm)
        again.cookie = browser.cookie
        self.daemon.wait_for(vm, lambda e: e["type"] == "link_up")
        for view in again.views():
            if view["phase"] == "attach":
                break
        self.attached(again)

    def test_a_vm_without_a_screen_and_a_used_ticket(self):
        vm = self.up("blind")
        self.daemon.wait_state(vm, "ready")
        browser = self.browser(vm)
        code, reason = browser.attach().closing()
        self.assertEqual(code, 4014)
        self.assertIn("vigil services blind", reason)
        path = browser.invited()
        browser.cookie = ""
        self.assertEqual(browser.get(path).status, 303)
        self.assertEqual(browser.get(path).status, 403)
        self.assertEqual(browser.attach(path.replace("/?", "/rfb?")).closing()[0], 4003)
        self.assertEqual(browser.get("/", Host="localhost").status, 421)
        self.assertEqual(browser.attach(Origin="http://evil.example").status, 403)


if __name__ == "__main__":
    unittest.main()
