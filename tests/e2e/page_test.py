#!/usr/bin/env python3
"""The desktop's page as its user has it, in a real browser: the boot, the screen, keys and pointer, the clipboard both ways, the size, a refresh, the end. Screenshots: build/test/page/.

Left out unless `./dev test-browser` asks (VIGIL_TEST_BROWSER=1): the image is large, and an emulated desktop takes minutes.
"""
import os
import secrets
import socket
import time
import unittest

from harness import page
from harness.case import VmCase
from harness.daemon import IMAGES, Daemon

READY_S, ATTACHED = 1500, "#screen"


class DesktopPage(VmCase):
    @classmethod
    def setUpClass(cls):
        if os.environ.get("VIGIL_TEST_BROWSER") != "1":
            raise unittest.SkipTest("large and slow: ./dev test-browser runs it")
        if not (IMAGES / "browser/current").exists():
            raise unittest.SkipTest("the image browser was not built: ./dev image browser")
        if page.missing():
            raise unittest.SkipTest(f"{page.missing()}: ./dev test-browser gets it")
        with socket.create_server(("127.0.0.1", 0)) as free:   # the same one when the daemon is started again: the page's address
            port = free.getsockname()[1]
        cls.daemon = Daemon(options=("--desktop-listen", f"127.0.0.1:{port}")).use_images().start()
        cls.addClassCleanup(cls.daemon.close)

    @classmethod
    def tearDownClass(cls):
        pass   # by the class's cleanups

    def sh(self, script, *words):
        return self.daemon.vigil("exec", "--user", "agent", self.vm["id"], "--", "/bin/sh", "-c", script, "sh", *words, check=0, timeout=900)[1]

    def wait_file(self, path):
        return self.sh('for i in $(seq 600); do [ -s "$1" ] && break; sleep 0.1; done; cat "$1"', path)

    def terminal(self):
        words = self.sh("DISPLAY=:1 xdotool search --sync --onlyvisible --class XTerm getwindowgeometry --shell")
        place = dict(line.split("=") for line in words.split())
        return [int(place[name]) for name in ("X", "Y", "WIDTH", "HEIGHT")]

    def test_from_the_boot_to_the_end(self):
        self.vm = self.daemon.create("shown", image="browser", vcpus=2, memory_mib=2048)
        browser = page.Page()
        self.addCleanup(browser.close)
        self.addCleanup(browser.shot, name="last")      # before that, also of what failed
        self.watch_it_boot(browser)
        self.type_into_the_terminal(browser)
        self.carry_the_clipboard(browser)
        self.fit_the_size(browser)
        self.come_back(browser)
        self.end(browser)

    def watch_it_boot(self, browser):
        browser.open(url=self.daemon.vigil("desktop", self.vm["id"], check=0)[1].strip())
        browser.says(what="#stages", pattern="kernel")
        self.assertIn("vigil timeline shown", browser.text(what="#command"))
        browser.shot(name="booting")
        browser.visible(what=ATTACHED, within_s=READY_S)   # by itself
        attached = time.time()
        screen = self.daemon.wait_for(self.vm, lambda e: e["type"] == "service" and e["body"].get("name") == "display" and e["body"]["state"] == "ready")
        print(f"      attached {attached - screen['at_unix_us'] / 1e6:.2f} s after the screen was ready")
        self.daemon.wait_state(self.vm, "ready", "failed", "crashed", deadline=READY_S)
        self.assertEqual(self.daemon.api.get(f"/v1/instances/{self.vm['id']}")["state"], "ready")
        self.assertGreater(browser.colours(), 16, "the screen is drawn")
        browser.shot(name="desktop")

    def type_into_the_terminal(self, browser):
        x, y, width, height = self.terminal()
        nonce = secrets.token_hex(8)
        browser.point(x=x + width - 40, y=y + height - 30)   # Chromium covers the rest; clicked, it comes to the front
        browser.type(text=f"echo {nonce} >/tmp/typed")
        browser.press(key="Enter")
        self.assertEqual(self.wait_file("/tmp/typed").strip(), nonce)
        browser.shot(name="typed")

    def carry_the_clipboard(self, browser):
        there, back = secrets.token_hex(8), secrets.token_hex(8)
        browser.click(what="#clip")
        browser.fill(what="#text", text=there)
        browser.click(what="#send")
        browser.type(text="cat >/tmp/pasted")
        browser.press(key="Enter")
        time.sleep(2)                                   # the shell reads the line before the paste comes
        browser.press(key="Shift+Insert", delay=500)
        browser.press(key="Enter")
        browser.press(key="Control+d")
        self.assertEqual(self.wait_file("/tmp/pasted").strip(), there)
        browser.type(text=f"clear; echo {back}")
        browser.press(key="Enter")
        time.sleep(3)
        x, y, _, _ = self.terminal()
        browser.point(x=x + 40, y=y + 10, times=2)      # a word in the first line
        browser.holds(what="#text", value=back, within_s=60)
        browser.shot(name="clipboard")
        browser.click(what="#clip")

    def fit_the_size(self, browser):
        browser.check(what="#resize")
        browser.window(width=1100, height=760)
        for _ in range(120):
            size = self.sh("DISPLAY=:1 xdotool getdisplaygeometry").split()
            if size[0] == "1100":
                break
            time.sleep(0.5)
        self.assertEqual([str(each) for each in browser.screen()], size)
        self.assertEqual(size[0], "1100")

    def come_back(self, browser):
        browser.reload()
        browser.visible(what=ATTACHED, within_s=120)
        self.daemon.kill()
        browser.says(what="#sentence", pattern="does not answer", within_s=60)
        self.daemon.start()
        browser.visible(what=ATTACHED, within_s=120)

    def end(self, browser):
        self.daemon.vigil("kill", "shown", check=0)
        browser.hidden(what=ATTACHED, within_s=60)
        browser.says(what="#command", pattern="vigil (why|start)", within_s=60)
        browser.shot(name="over")


if __name__ == "__main__":
    unittest.main()
