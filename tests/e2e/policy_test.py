#!/usr/bin/env python3
"""VMs that stop or go by themselves, and those that do not because somebody needs them: each with the decision that was told."""
import subprocess
import unittest

from harness.case import VmCase


class Policy(VmCase):
    def decided(self, vm, rule, verdict, deadline=120):
        event = self.daemon.wait_for(vm, lambda e: e["type"] == "policy_decided" and (e["body"]["rule"], e["body"]["verdict"]) == (rule, verdict), deadline)
        return event["body"]

    def test_an_unused_vm_stops_and_says_why_one_in_use_does_not(self):
        vm = self.up("idle", idle_s=20)   # longer than it boots
        self.daemon.wait_state(vm, "ready")
        shell = subprocess.Popen(self.daemon.vigil_command("exec", "-i", "idle", "--", "/bin/cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(shell.kill)
        shell.stdin.write(b"here\n")
        shell.stdin.flush()
        self.assertEqual(shell.stdout.readline(), b"here\n")
        look = self.daemon.vigil_json("policy", "dry-run", "idle", "--in", "1h")
        decision, = look["decisions"]
        self.assertEqual((decision["rule"], decision["verdict"], decision["action"]), ("idle", "held", "stop"))
        self.assertEqual(decision["holders"][0]["kind"], "exec")
        self.assertIn("exec /bin/cat", self.daemon.vigil("policy", "show", "idle", check=0)[1])
        shell.stdin.close()
        self.assertEqual(shell.wait(60), 0)
        acts = self.decided(vm, "idle", "acts")
        self.assertEqual(acts["thresholds"]["idle_s"], 20)
        self.assertGreaterEqual(acts["inputs"]["idle_s"], 20)
        self.daemon.wait_state(vm, "stopped")
        self.assert_cause(self.daemon.why(vm)["verdict"]["cause"], "policy.idle")

    def test_a_lease_ends_but_not_while_it_is_held_or_paused(self):
        vm = self.up("leased")
        self.daemon.wait_state(vm, "ready")
        self.daemon.vigil("hold", "leased", "--for", "1h", "--as", "alice", check=0)
        self.daemon.vigil("lease", "leased", "--for", "1s", check=0)
        self.assertEqual(self.decided(vm, "lease", "held")["holders"], ["hold alice"])
        self.daemon.kill()
        self.daemon.start()                                   # what was said is in the log, not in the daemon
        self.assertEqual(self.daemon.vigil_json("policy", "show", "leased")["holders"][0]["name"], "alice")
        self.daemon.vigil("policy", "pause", "leased", "--for", "1h", check=0)
        self.daemon.vigil("hold", "leased", "--release", "--as", "alice", check=0)
        self.decided(vm, "lease", "paused")
        self.assertEqual(self.daemon.api.get("/v1/instances/leased")["power"], "running")
        self.daemon.vigil("policy", "resume", "leased", check=0)
        self.daemon.wait_state(vm, "stopped")
        self.assert_cause(self.daemon.why(vm)["verdict"]["cause"], "policy.lease_expired")

    def test_a_vm_that_has_not_run_for_long_is_removed(self):
        vm = self.daemon.api.post("/v1/instances", {"name": "old", "image": "minimal", "expire_s": 2})
        self.assertEqual(self.decided(vm, "expiry", "acts")["action"], "remove")
        removed = self.daemon.wait_for(vm, lambda e: e["type"] == "removed", 60)
        self.assertEqual(removed["body"]["actor"], "expiry policy")


if __name__ == "__main__":
    unittest.main()
