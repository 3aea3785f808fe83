#!/usr/bin/env python3
"""What is kept of a run that has ended: one black box each, also of a VM that never started, read by our own commands and by tar."""
import json
import subprocess
import unittest

from harness.boxes import boxes_of, unpack
from harness.case import VmCase, busybox_sh


class BlackBox(VmCase):
    def boxes(self, vm):
        return boxes_of(self.daemon, vm["id"])

    def test_the_box_of_a_run_holds_its_evidence_and_none_of_its_secrets(self):
        secret = "CANARY-77aa11"
        script = "echo hello from the job; echo the key is $(cat $CREDENTIALS_DIRECTORY/key) >&2; exit 3"
        vm = self.up("boxed", secrets={"key": secret}, services={
            "job": {"exec": busybox_sh(script), "restart": "never", "ready": [], "essential": False, "secrets": ["key"]}})
        self.crash_of(vm, "job")
        self.daemon.vigil("console", vm["id"], check=0)
        self.daemon.vigil("stop", vm["id"], check=0)
        before = {verb: self.daemon.vigil(verb, vm["id"], check=0)[1] for verb in ("why", "console", "timeline")}
        crashes = self.daemon.vigil_json("crashes", vm["id"])
        logs = self.daemon.vigil_json("logs", vm["id"], "job")
        self.daemon.vigil("rm", vm["id"], check=0)             # waits for the box
        self.assertFalse((self.daemon.state / "instances" / vm["id"]).exists())
        box = self.boxes(vm)
        self.assertEqual([(b["box"], b["outcome"]) for b in box], [(vm["id"] + "-1", "clean")])
        entries = unpack(self.daemon, box[0])
        self.assertEqual(list(entries)[:2], ["index.json", "why.json"])
        for name in ("spec.json", "image.json", "timeline.jsonl", "crashes.json", "exit.json", "vmm.log", "console.log", "services/job.log"):
            self.assertIn(name, entries)
        events = [json.loads(line) for line in entries["timeline.jsonl"].splitlines()]
        self.assertEqual([e["seq"] for e in events], sorted(e["seq"] for e in events))
        self.assertEqual((events[0]["type"], events[-1]["type"]), ("created", "state"))
        self.assertIn(b"Linux version", entries["console.log"])
        self.assertIn(b"hello from the job", entries["services/job.log"])
        for name, data in entries.items():
            self.assertNotIn(secret.encode(), data, name)
        stored = [str(path) for path in self.daemon.state.glob("vigil.db*")] + [str(self.daemon.state / "blackbox")]
        found = subprocess.run(["grep", "-rla", secret, *stored], capture_output=True, text=True).stdout
        self.assertEqual(found, "")
        # Nothing that could be asked before is lost.
        for verb, text in before.items():
            self.assertEqual(self.daemon.vigil(verb, vm["id"], check=0)[1].splitlines()[-3:], text.splitlines()[-3:], verb)
        self.assertEqual(self.daemon.vigil_json("crashes", vm["id"]), crashes)
        self.assertEqual(self.daemon.vigil_json("logs", vm["id"], "job"), logs)
        shown = self.daemon.vigil("blackbox", "show", box[0]["box"], check=0)[1]
        self.assertIn("console.log", shown)

    def test_equal_crashes_of_several_vms_are_one_group(self):
        for name in ("one", "two"):
            vm = self.up(name, services={"grouped": {"exec": busybox_sh("echo worker $$ gives up >&2; exit 41"), "restart": "never", "ready": [], "essential": False}})
            self.crash_of(vm, "grouped")
            if name == "one":
                self.daemon.vigil("rm", "--force", vm["id"], check=0)
        groups = [g for g in self.daemon.vigil_json("crashes", "--group") if g["service"] == "grouped"]
        self.assertEqual([(g["count"], g["code"], len(g["runs"])) for g in groups], [(2, "service.exited", 2)])
        self.assertIn("grouped", self.daemon.vigil("crashes", "--group", check=0)[1])

    def test_a_vm_that_never_started_has_one_too(self):
        vm = self.up("unborn", memory_mib=32)
        self.daemon.wait_for(vm, lambda e: e["type"] == "start_failed")
        self.daemon.vigil("rm", vm["id"], check=0)
        box = self.boxes(vm)
        self.assertEqual(len(box), 1)
        self.assert_cause(box[0]["cause"], "boot.memory_too_small")
        self.assertIn("timeline.jsonl", unpack(self.daemon, box[0]))
        self.assertIn("memory", self.daemon.vigil("blackbox", "show", box[0]["box"], check=0)[1])

    def test_a_box_that_is_not_there_is_said_so(self):
        code, _, err = self.daemon.vigil("blackbox", "show", "vm-0000000000-1")
        self.assertEqual(code, 1)
        self.assertIn("there is no black box", err)
        self.assertEqual(self.daemon.vigil("blackbox", "show", "../../etc/passwd")[0], 1)


if __name__ == "__main__":
    unittest.main()
