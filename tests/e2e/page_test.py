#!/usr/bin/env python3
"""The desktop's page as its user has it, in a real browser: the boot, the screen, keys and pointer, the clipboard both ways, the size, a refresh, the end. Screenshots: build/test/page/.

Left out unless `./dev test-browser` asks (VIGIL_TEST_BROWSER=1): the image is large, and an emulated desktop takes minutes.
"""
import contextlib
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

    def wait_path(self, path):
        self.assertEqual(self.sh('for i in $(seq 600); do [ -e "$1" ] && echo there && break; sleep 0.1; done', path).strip(), "there")

    def terminal(self):
        """Asked again when a window went while xdotool looked at it, as Chromium's do when it begins."""
        search = "DISPLAY=:1 xdotool search --onlyvisible --class XTerm getwindowgeometry --shell"
        words = self.sh(f'for i in $(seq 120); do out=$({search} 2>&1) && [ -n "$out" ] && break; sleep 0.5; done; echo "$out"')
        place = dict(line.split("=") for line in words.split() if "=" in line)
        self.assertIn("HEIGHT", place, words)
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
        screen = self.daemon.wait_for(self.vm, self.screen_or_end, READY_S)
        self.assertEqual(screen["type"], "service", self.daemon.why(self.vm))
        browser.visible(what=ATTACHED, within_s=120)    # by itself
        attached = time.time()
        print(f"      attached {attached - screen['at_unix_us'] / 1e6:.2f} s after the screen was ready")
        self.daemon.wait_state(self.vm, "ready", "failed", "crashed", deadline=READY_S)
        self.assertEqual(self.daemon.api.get(f"/v1/instances/{self.vm['id']}")["state"], "ready")
        self.assertGreater(browser.colours(), 16, "the screen is drawn")
        browser.shot(name="desktop")

    @staticmethod
    def screen_or_end(event):
        body = event["body"]
        return body.get("state") in ("failed", "crashed") if event["type"] == "state" else event["type"] == "service" and (body.get("name"), body["state"]) == ("display", "ready")

    def type_into_the_terminal(self, browser):
        """Before anything was clicked, for the terminal has the keyboard; and where its user clicks on it."""
        self.assertEqual(self.sh("DISPLAY=:1 xdotool getactivewindow").split(), self.sh("DISPLAY=:1 xdotool search --onlyvisible --class XTerm").split())
        for clicked in (False, True):
            nonce = secrets.token_hex(8)
            if clicked:
                x, y, width, height = self.terminal()
                browser.point(x=x + width - 40, y=y + height - 30)
            browser.type(text=f"echo {nonce} >/tmp/typed-{clicked}")
            browser.press(key="Enter")
            self.assertEqual(self.wait_file(f"/tmp/typed-{clicked}").strip(), nonce)
            browser.shot(name=f"typed-{'clicked' if clicked else 'at-once'}")

    def carry_the_clipboard(self, browser):
        """To the VM: the pasted line ends by itself, for the VM's server asks the page for the text only when xterm wants it. Back: marked when xterm says that it has drawn it."""
        there, back = secrets.token_hex(8), secrets.token_hex(8)
        browser.click(what="#clip")
        browser.fill(what="#text", text=there + "\n")
        browser.click(what="#send")
        browser.type(text="head -n 1 >/tmp/pasted")
        browser.press(key="Enter")
        self.wait_path("/tmp/pasted")                   # opened by the shell: what comes now is read by head
        browser.press(key="Shift+Insert", delay=200)
        self.assertEqual(self.wait_file("/tmp/pasted").strip(), there)
        browser.type(text=f"clear; for i in 1 2 3 4 5; do echo {back}; done; printf '\\033[6n'; read -rsd R place; echo drawn >/tmp/drawn")
        browser.press(key="Enter")
        self.assertEqual(self.wait_file("/tmp/drawn").strip(), "drawn")
        x, y, _, _ = self.terminal()
        self.mark_a_word(browser, x + 40, y + 30, back)   # in one of the five lines, whichever height its frame has
        browser.shot(name="clipboard")
        browser.click(what="#clip")

    def mark_a_word(self, browser, x, y, word):
        """By a double click; two clicks that an emulated VM's server took for single ones are made again."""
        for _ in range(5):
            browser.point(x=x, y=y, times=2)
            with contextlib.suppress(AssertionError):
                browser.holds(what="#text", value=word, within_s=10)
                break
        self.assertEqual(browser.value(what="#text"), word)

    def fit_the_size(self, browser):
        browser.check(what="#resize")
        browser.window(width=1100, height=760)
        browser.is_wide(pixels=1100, within_s=120)      # the page draws what the VM's server has made of its wish
        self.assertEqual(self.sh("DISPLAY=:1 xdotool getdisplaygeometry").split(), [str(each) for each in browser.screen()])

    def come_back(self, browser):
        browser.reload()
        browser.visible(what=ATTACHED, within_s=120)
        self.daemon.kill()
        browser.says(what="#sentence", pattern="does not answer", within_s=60)
        browser.tries(times=2)                          # to attach: the first has failed when the second begins
        browser.shot(name="silent")
        self.assertIn("does not answer", browser.text(what="#sentence"))   # and no attempt covers that
        self.daemon.start()
        browser.visible(what=ATTACHED, within_s=120)

    def end(self, browser):
        self.daemon.vigil("kill", "shown", check=0)
        browser.hidden(what=ATTACHED, within_s=60)
        browser.says(what="#command", pattern="vigil (why|start)", within_s=60)
        browser.shot(name="over")


if __name__ == "__main__":
    unittest.main()
