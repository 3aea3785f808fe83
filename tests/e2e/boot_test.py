#!/usr/bin/env python3
"""A VM comes up, says what every service in it does, and ends as it was asked to."""
import base64
import json
import os
import signal
import subprocess
import unittest

from harness.case import VmCase, busybox_sh
from harness.daemon import process_gone
from harness.image import with_this_agent

STAGES = ["vmm", "kernel", "initrd", "rootfs", "agent", "services", "ready"]


class Boot(VmCase):
    def test_up_ends_with_a_ready_vm_whose_stages_and_services_are_all_there(self):
        code, out, err = self.daemon.vigil("up", "minimal", "--name", "whole")
        self.assertEqual(code, 0, out + err)
        vm = self.daemon.api.get("/v1/instances/whole")
        self.addCleanup(self.remove, vm)
        self.assertEqual((vm["power"], vm["state"], vm["liveness"]), ("running", "ready", "ok"))
        self.assertEqual({s["name"]: s["state"] for s in vm["services"]}, {"web": "ready", "echo": "ready", "ticker": "ready"})
        timeline = self.daemon.api.get(f"/v1/instances/{vm['id']}/timeline")
        self.assertEqual([s["stage"] for s in timeline["stages"]], STAGES)
        self.assertEqual({s["state"] for s in timeline["stages"]}, {"done"})
        times = [s["since_start_ms"] for s in timeline["stages"]]
        self.assertEqual(times, sorted(times), "stages are reached in order")
        for probe in (p for s in vm["services"] for p in s["probes"]):
            self.assertTrue(probe["passed"], probe)

    def test_the_services_answer_a_client(self):
        """The client is a fourth service; what it received comes back in the report of its end."""
        script = "busybox wget -qO- http://127.0.0.1:8080/ && echo to-and-fro | socat -t 5 - TCP:127.0.0.1:7000; exit 7"
        vm = self.up("asked", services={"client": {"exec": busybox_sh(script), "after": ["web", "echo", "ticker"], "ready": [],
                                                   "essential": False, "restart": "never"}})
        crash = self.crash_of(vm, "client")
        self.assert_cause(crash["cause"], "service.exited", code=7)
        said = base64.b64decode(crash["stdout_tail_b64"]).decode()
        self.assertIn("comes from the service <b>web</b>", said)
        self.assertIn("to-and-fro", said)

    def test_the_output_of_a_living_service_is_shown(self):
        vm = self.up("talker")
        self.daemon.wait_state(vm, "ready")
        self.assertIn("ticker: ready", self.daemon.vigil("logs", "talker", "ticker", check=0)[1])
        code, _, err = self.daemon.vigil("logs", "talker", "nobody")
        self.assertEqual(code, 1)
        self.assertIn("nobody", err)

    def test_nobody_dials_the_guest_before_it_is_ready(self):
        vm = self.up("undialled")
        self.daemon.wait_state(vm, "ready")
        types = [e["type"] for e in self.collect(vm)]
        self.assertLess(types.index("link_up"), types.index("service"), "the guest dialled, then reported")

    def collect(self, vm):
        events = []
        for event in self.daemon.api.events(vm["id"], deadline=30):
            events.append(event)
            if event["type"] == "state" and event["body"]["state"] == "ready":
                return events

    def test_stop_is_clean_and_says_bye(self):
        vm = self.up("stopper")
        self.daemon.wait_state(vm, "ready")
        self.daemon.vigil("stop", "stopper", check=0)
        vm = self.daemon.api.get(f"/v1/instances/{vm['id']}")
        self.assertEqual((vm["power"], vm["state"], vm["outcome"]), ("stopped", "stopped", "clean"))
        self.assertIsNone(vm["cause"])

    def test_a_stopped_vm_starts_again_as_run_two_on_the_same_disk(self):
        vm = self.up("again")
        self.daemon.wait_state(vm, "ready")
        self.daemon.vigil("stop", "again", check=0)
        self.daemon.vigil("start", "again", check=0)
        vm = self.daemon.api.get(f"/v1/instances/{vm['id']}")
        self.assertEqual((vm["run"], vm["state"]), (2, "ready"))

    def test_a_vm_without_a_disk_writes_in_its_memory_until_its_run_ends(self):
        with_this_agent(self.daemon, "of-now")
        vm = self.up("diskless", image="of-now", disk_mib=0)
        self.daemon.wait_state(vm, "ready")

        def sh(script):
            return self.daemon.vigil("exec", "diskless", "--", "sh", "-c", script)

        self.assertEqual(sh("echo mine >/etc/motd && mkdir -p /srv/a && echo more >>/srv/a/b && cat /etc/motd")[:2], (0, "mine\n"))
        self.assertEqual(sh("grep -c ' /dev/vdb ' /proc/mounts; ls /sys/block")[1].split(), ["0", "vda"])
        total = self.daemon.wait_for(vm, lambda e: e["type"] == "health")["body"]["root_total_kib"]
        self.assertLess(total, vm["memory_mib"] * 1024, "of its memory")
        self.assertFalse((self.daemon.state / "instances" / vm["id"] / "disk.raw").exists())
        code, _, words = self.daemon.vigil("exec", "diskless", "--", "dd", "if=/dev/zero", "of=/srv/full", "bs=1M")
        self.assertNotEqual(code, 0)
        self.assertIn("No space left", words)
        self.assertEqual(sh("rm /srv/full")[0], 0)
        self.daemon.vigil("reboot", "diskless", check=0)
        self.daemon.wait_for(vm, lambda e: e["run"] == 2 and e["type"] == "state" and e["body"]["state"] == "ready")
        self.assertNotEqual(sh("grep mine /etc/motd")[0], 0)

    def test_a_guest_that_powers_itself_off_is_told_from_one_that_was_stopped(self):
        vm = self.up("leaver", services={"ticker": {"exec": ["/run/vigil/bin/vigil-guest", "poweroff"], "user": "root", "essential": False,
                                                    "after": ["web"], "ready": []}})
        self.daemon.wait_state(vm, "stopped")
        why = self.daemon.why(vm)
        self.assertEqual(why["outcome"], "clean")
        self.assert_cause(why["verdict"]["cause"], "guest.poweroff_unasked")

    def test_the_evidence_is_there_after_rm(self):
        vm = self.up("gone", services={"ticker": {"exec": ["/bin/sh", "-c", "echo last words >&2; exit 3"], "essential": False,
                                                  "restart": "never"}})
        self.crash_of(vm, "ticker")
        self.daemon.vigil("rm", "--force", "gone", check=0)
        self.assertNotIn(vm["id"], [v["id"] for v in self.daemon.api.get("/v1/instances")])
        crash = next(c for c in self.daemon.vigil_json("crashes", "gone") if c["service"] == "ticker")
        self.assert_cause(crash["cause"], "service.exited", code=3)
        self.assertIn("Linux version", self.daemon.vigil("console", "gone", check=0)[1])
        self.assertEqual(self.daemon.vigil("timeline", "gone")[0], 0)
        self.assertFalse((self.daemon.state / "instances" / vm["id"] / "disk.raw").exists())


class Vmm(VmCase):
    def test_a_vmm_that_is_killed_is_named_with_its_signal(self):
        for name in ("SIGKILL", "SIGSEGV"):
            with self.subTest(signal=name):
                vm = self.up(f"victim-{name.lower()}")
                self.daemon.wait_state(vm, "ready")
                pid = self.daemon.api.get(f"/v1/instances/{vm['id']}")["pid"]
                os.kill(pid, getattr(signal, name))
                self.daemon.wait_state(vm, "crashed")
                self.assert_cause(self.daemon.why(vm)["verdict"]["cause"], "vmm.killed", signal=name)

    def test_no_process_of_a_vm_is_left_behind(self):
        vm = self.up("tidy")
        started = self.daemon.wait_for(vm, lambda e: e["type"] == "vmm_started")
        self.daemon.wait_state(vm, "ready")
        self.daemon.vigil("rm", "--force", "tidy", check=0)
        for key in ("vmm_pid", "shim_pid", "device_pid"):
            self.assertTrue(process_gone(started["body"][key]), f"{key} still runs: {json.dumps(started['body'])}")


if __name__ == "__main__":
    unittest.main()
