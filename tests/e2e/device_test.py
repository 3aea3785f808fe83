#!/usr/bin/env python3
"""The vsock device of a VM that runs is killed and replaced, and the daemon too, while the guest reports: nothing is lost, nothing doubled; and the agent of the image opens streams again."""
import collections
import itertools
import time
import unittest

from harness.case import VmCase
from harness.slot import DaemonWithSlots, Slot
from harness.talker import Talker, publish_talker

REPORTS, A_SECOND = 4_000, 400


class Device(VmCase):
    daemon_class = DaemonWithSlots

    def slot(self, vm):
        slot = Slot(self.daemon, vm)
        self.addCleanup(slot.close)
        return slot

    def test_all_that_a_guest_says_is_stored_once_though_its_device_and_the_daemon_are_killed(self):
        publish_talker(self.daemon)
        talker = Talker(self.daemon, "talks", REPORTS, A_SECOND)
        slot = self.slot(talker.vm)
        for stalled_s, away_s in ((0, 0), (0.5, 1), (0, 2)):
            time.sleep(1)
            slot.kill(stalled_s)
            time.sleep(away_s)
            slot.empty()
            slot.fill()
            self.daemon.kill()
            self.daemon.start()
        kinds = collections.Counter()

        def is_last(event):
            kinds[event["type"]] += 1
            return event["type"] == "state" and event["body"]["state"] == "stopped"
        self.daemon.wait_for(talker.vm, is_last)
        self.assertEqual(kinds["device_exited"], 1, "the device of the run died once, however often its shim tells of it")
        compared, _ = talker.compare()
        self.assertGreaterEqual(len(compared.said), REPORTS)
        self.assertEqual(compared.describe(), [])

    def wait_nth(self, vm, nth, wanted):
        found = itertools.count(1)
        self.daemon.wait_for(vm, lambda e: wanted(e) and next(found) == nth)

    def test_the_agent_of_the_image_goes_on_over_a_new_device(self):
        vm = self.up("goes-on")
        self.daemon.wait_state(vm, "ready")
        slot = self.slot(vm)
        for nth in (2, 3):
            slot.kill()
            slot.empty()
            slot.fill()
            self.wait_nth(vm, nth, lambda e: e["type"] == "link_up")
            self.daemon.vigil("ctl", vm["id"], "restart", "web", check=0)
            self.wait_nth(vm, nth, lambda e: e["type"] == "service" and not e["body"]["report"].get("partial") and e["body"]["name"] == "web" and e["body"]["state"] == "ready")
            self.daemon.vigil("exec", vm["id"], "true", check=0)
        self.assert_cause(self.daemon.why(vm)["verdict"]["cause"], "vmm.device_died", device="vhost-device-vsock")


if __name__ == "__main__":
    unittest.main()
