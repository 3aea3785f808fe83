#!/usr/bin/env python3
"""An instance's whole life: rebooted from outside and from inside, killed, restarted by its policy, started again after the host was rebooted, created once."""
import json
import os
import signal
import unittest

from harness.api import UnixConnection
from harness.case import VmCase, busybox_sh


class Life(VmCase):
    def run_of(self, vm):
        return self.daemon.api.get(f"/v1/instances/{vm['id']}")["run"]

    def ready_in_run(self, vm, run):
        self.daemon.wait_for(vm, lambda e: e["type"] == "state" and e["run"] == run and e["body"]["state"] == "ready")

    def test_reboot_and_kill_from_the_command_line(self):
        vm = self.up("boots")
        self.daemon.wait_state(vm, "ready")
        self.daemon.vigil("reboot", vm["id"], check=0)                       # returns when the next run is ready
        look = self.daemon.api.get(f"/v1/instances/{vm['id']}")
        self.assertEqual((look["run"], look["state"]), (2, "ready"))
        self.assertEqual(self.daemon.why(vm, run=1)["outcome"], "clean")
        self.assertIn("stopped", self.daemon.vigil("kill", vm["id"], check=0)[1])
        self.assertEqual(self.daemon.why(vm, run=2)["outcome"], "destroyed")
        self.assertEqual(self.daemon.vigil("reboot", vm["id"])[0], 1)         # of what does not run

    def test_a_reboot_from_inside_is_a_new_run(self):
        vm = self.up("inside")
        self.daemon.wait_state(vm, "ready")
        self.daemon.vigil("exec", vm["id"], "/run/vigil/bin/vigil-guest", "reboot")
        self.ready_in_run(vm, 2)
        self.assert_cause(self.daemon.why(vm, run=1)["verdict"]["cause"], "guest.reboot_unasked")

    def test_on_failure_a_vm_whose_vmm_was_killed_comes_back_and_one_that_was_stopped_does_not(self):
        vm = self.up("back", restart="on-failure")
        self.daemon.wait_state(vm, "ready")
        pid = self.daemon.api.get(f"/v1/instances/{vm['id']}")["pid"]
        os.kill(pid, signal.SIGKILL)
        self.ready_in_run(vm, 2)
        self.assert_cause(self.daemon.why(vm, run=1)["verdict"]["cause"], "vmm.killed")
        self.daemon.vigil("stop", vm["id"], check=0)
        self.assertEqual((self.run_of(vm), self.daemon.api.get(f"/v1/instances/{vm['id']}")["power"]), (2, "stopped"))

    def test_a_vm_that_never_becomes_ready_is_left_as_it_is_after_its_limit_and_says_so(self):
        vm = self.up("never", restart="always", restart_limit=3, services={
            "no": {"exec": busybox_sh("sleep 1000"), "ready": {"tcp": {"port": 1}}, "restart": "never"}})
        for run in (1, 2, 3):
            self.daemon.wait_for(vm, lambda e: e["type"] == "vmm_started" and e["run"] == run)
            os.kill(self.daemon.api.get(f"/v1/instances/{vm['id']}")["pid"], signal.SIGKILL)
            self.daemon.wait_for(vm, lambda e: e["type"] == "vmm_exited" and e["run"] == run)
        ended = self.daemon.wait_for(vm, lambda e: e["type"] == "restarts_ended", 30)
        self.assertEqual((ended["body"]["count"], ended["body"]["first_run"]), (3, 1))
        why = self.daemon.why(vm)
        self.assert_cause(why["verdict"]["cause"], "vmm.killed", signal="SIGKILL")
        self.assert_cause(next(f["cause"] for f in why["also"] if f["cause"]["code"].startswith("policy.")), "policy.restarts_exhausted", count=3)
        self.assertIn("given up", self.daemon.vigil("why", vm["id"])[1])
        self.daemon.kill()
        self.daemon.start()                                                   # it stays so, and is not said again
        self.assertEqual((self.run_of(vm), self.daemon.api.get(f"/v1/instances/{vm['id']}")["power"]), (3, "stopped"))
        self.daemon.api.post(f"/v1/instances/{vm['id']}/start")
        self.daemon.wait_for(vm, lambda e: e["type"] == "vmm_started" and e["run"] == 4)

    def test_after_a_reboot_of_the_host_those_with_autostart_run_again(self):
        lives = self.up("lives", autostart=True)
        stays = self.up("stays")
        self.daemon.wait_state(lives, "ready")
        self.daemon.vigil("stop", lives["id"], check=0)
        self.daemon.vigil("stop", stays["id"], check=0)
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.run_of(lives), 1)                               # a new daemon alone is no reboot
        self.daemon.kill()
        (self.daemon.state / "host_boot").write_text("11111111-2222-3333-4444-555555555555\n")
        self.daemon.start()
        self.ready_in_run(lives, 2)
        self.assertEqual(self.run_of(stays), 1)

    def create(self, body, key):
        connection = UnixConnection(self.daemon.socket, 30)
        connection.request("POST", "/v1/instances", json.dumps(body), {"Content-Type": "application/json", "Idempotency-Key": key})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer

    def test_a_create_that_is_sent_twice_makes_one(self):
        body = {"image": "minimal"}
        first = self.create(body, "key-1")
        self.addCleanup(self.remove, first[1])
        self.daemon.kill()
        self.daemon.start()
        again = self.create(body, "key-1")
        self.assertEqual((first[0], again[0], again[1]["id"]), (201, 200, first[1]["id"]))
        self.assertEqual(self.create({"image": "minimal", "vcpus": 2}, "key-1")[0], 409)
        other = self.create(body, "key-2")
        self.addCleanup(self.remove, other[1])
        self.assertEqual(other[0], 201)
        self.assertNotEqual(other[1]["id"], first[1]["id"])
        self.assertEqual(self.create(body, "with blank")[0], 400)


if __name__ == "__main__":
    unittest.main()
