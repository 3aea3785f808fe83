#!/usr/bin/env python3
"""The daemon is killed, starved and lied to; what it tells afterwards is still true, and nothing else is disturbed."""
import json
import os
import signal
import socket
import struct
import subprocess
import time
import unittest

from harness.api import Problem
from harness.case import VmCase, busybox_sh
from harness.daemon import IMAGES, Daemon, process_gone
from harness.image import digest_of


class Killed(VmCase):
    def test_after_a_daemon_kill_both_deaths_are_told_with_true_cause_signal_and_time(self):
        """The VMM of one VM dies by SIGSEGV and a service of another crashes while no daemon runs."""
        dies = self.up("dies")
        self.daemon.wait_state(dies, "ready")
        lives = self.up("lives", services={"ticker": {"exec": busybox_sh("sleep 12; exit 9"), "ready": [], "essential": False, "restart": "never"}})
        self.daemon.wait_state(lives, "ready")
        pid = self.daemon.api.get(f"/v1/instances/{dies['id']}")["pid"]
        seen = max(e["seq"] for e in self.past_events())
        self.daemon.kill()
        killed_at = time.time_ns() // 1000
        os.kill(pid, signal.SIGSEGV)
        self.assertTrue(process_gone(pid))
        # the service crashes by itself some seconds from now; the agent keeps the report until somebody commits it
        subprocess.run(["sleep", "15"], check=True)
        self.daemon.start()
        ended = self.daemon.wait_for(dies, lambda e: e["type"] == "vmm_exited", 30)
        self.assert_cause(self.daemon.why(dies)["verdict"]["cause"], "vmm.killed", signal="SIGSEGV")
        self.assertLess(abs(ended["at_unix_us"] - killed_at), 3_000_000, "the time of the end, not of the restart")
        crash = self.crash_of(lives, "ticker", 60)
        self.assert_cause(crash["cause"], "service.exited", code=9)
        crashes = [e for e in self.past_events() if e["type"] == "crash" and e["seq"] > seen and e["body"]["service"] == "ticker"
                   and not e["body"]["report"].get("partial")]
        self.assertEqual(len(crashes), 1, "reported exactly once")
        vm = self.daemon.api.get(f"/v1/instances/{lives['id']}")
        self.assertEqual((vm["power"], vm["link"]), ("running", True))

    def test_a_guest_that_dials_before_its_shim_answers_stays_up(self):
        """A link that a new daemon took and then forgot by the adoption would be down until the guest dials again: never."""
        vm = self.up("eager")
        self.daemon.wait_state(vm, "ready")
        shim = self.daemon.wait_for(vm, lambda e: e["type"] == "vmm_started")["body"]["shim_pid"]
        self.daemon.kill()
        os.kill(shim, signal.SIGSTOP)
        try:
            self.daemon.start()
            subprocess.run(["sleep", "2"], check=True)   # the guest dials each second at the latest, and waits four for a welcome
        finally:
            os.kill(shim, signal.SIGCONT)
        adopted = self.daemon.wait_for(vm, lambda e: e["type"] == "adopted", 30)
        self.daemon.wait_for(vm, lambda e: e["type"] == "link_up" and e["seq"] > adopted["seq"], 30)
        until = time.monotonic() + 10   # a dial that the guest gives up in that moment is up and down again, and it dials anew
        while not self.daemon.api.get(f"/v1/instances/{vm['id']}")["link"]:
            self.assertLess(time.monotonic(), until, "the link stays down")
            time.sleep(0.2)

    def past_events(self):
        status, data = self.daemon.api.raw("GET", "/v1/events?after=0&follow=0")
        self.assertEqual(status, 200)
        return [json.loads(line[5:]) for line in data.splitlines() if line.startswith(b"data:")]


class BadInput(VmCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bystander = cls.daemon.create("bystander")
        cls.daemon.wait_state(cls.bystander, "ready")

    def tearDown(self):
        vm = self.daemon.api.get("/v1/instances/bystander")
        self.assertEqual((vm["state"], vm["link"]), ("ready", True), "the other VM is not disturbed")

    def test_an_unknown_image_names_the_images_that_exist(self):
        code, _, err = self.daemon.vigil("up", "nothing-like-it")
        self.assertEqual(code, 1)
        self.assertIn("nothing-like-it", err)
        self.assertIn("minimal", err)

    def test_a_digest_that_does_not_match_its_manifest_is_refused(self):
        source = self.daemon.state / "images" / "minimal" / digest_of(self.daemon)
        wrong = "0" * 64
        target = self.daemon.state / "images" / "tampered" / wrong
        target.mkdir(parents=True)
        for file in source.iterdir():
            os.link(file, target / file.name)
        os.symlink(wrong, target.parent / "current")
        code, _, err = self.daemon.vigil("up", "tampered")
        self.assertEqual(code, 1)
        self.assertIn("digest", err)

    def test_an_unknown_field_in_a_create_request_is_an_error_that_names_it(self):
        with self.assertRaises(Problem) as caught:
            self.daemon.create("typo", memroy_mib=512)
        self.assertEqual(caught.exception.status, 400)
        self.assertIn("memroy_mib", str(caught.exception))

    def test_a_second_daemon_on_the_same_state_is_refused(self):
        second = subprocess.run([*self.daemon.command()[:-1], str(self.daemon.base / "second.sock")], capture_output=True, text=True, timeout=30)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(str(self.daemon.process.pid), second.stderr)
        self.assertIn(str(self.daemon.state), second.stderr)

    def link(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(20)
        connection.connect(str(self.daemon.run / self.bystander["id"] / "vsock_5252"))
        return connection

    def refused(self, payload, reason):
        """A stranger on the VM's socket: his link ends, is told as refused, and the agent's own is not touched."""
        with self.link() as connection:
            connection.sendall(payload)
            while connection.recv(4096):
                pass
        return self.daemon.wait_for(self.bystander, lambda e: e["type"] == "link_refused" and reason in e["body"]["reason"], 20)

    def test_an_oversized_frame_closes_the_link_it_came_on(self):
        self.refused(struct.pack("<I", (1 << 20) + 1) + b"x" * 100, "broke the protocol")

    def test_malformed_json_closes_the_link_it_came_on(self):
        text = b'{"v":1,"t":"hello","body":{'
        self.refused(struct.pack("<I", len(text)) + text, "broke the protocol")

    def test_a_hello_without_the_token_is_refused_and_shown(self):
        boot = next(e for e in self.daemon.api.events(self.bystander["id"], deadline=20) if e["type"] == "link_up")["body"]["boot"]
        hello = json.dumps({"v": 1, "t": "hello", "boot": boot, "epoch": 0, "body": {
            "protocols": [1], "agent_version": "0", "build_id": "", "image_digest": "", "kernel": "", "features": [], "phase": "init",
            "first_unacked": 1, "token": ""}}).encode()
        self.refused(struct.pack("<I", len(hello)) + hello, "without the token")


@unittest.skipUnless(os.geteuid() == 0, "needs root for a small file system of its own")
class FullDisk(unittest.TestCase):
    def test_a_full_state_disk_is_named_and_the_daemon_serves_on(self):
        daemon = Daemon()
        daemon.state.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", daemon.state], check=True)
        try:
            os.symlink(IMAGES, daemon.state / "images")
            daemon.start()
            subprocess.run(["dd", "if=/dev/zero", f"of={daemon.state}/filler", "bs=64k"], stderr=subprocess.DEVNULL, check=False)
            with self.assertRaises(Problem) as caught:
                for n in range(200):   # the store's own slack takes a few
                    daemon.api.post("/v1/instances", {"name": f"vm{n}", "image": "minimal"})
            self.assertEqual(caught.exception.status, 507)
            self.assertEqual(caught.exception.document["code"], "host.disk_full")
            self.assertEqual(daemon.api.get("/healthz")["ok"], True)
        finally:
            daemon.stop()
            subprocess.run(["umount", "-l", daemon.state], check=False)
            daemon.close()


if __name__ == "__main__":
    unittest.main()
