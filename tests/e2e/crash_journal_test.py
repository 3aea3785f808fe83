#!/usr/bin/env python3
"""A crash that nobody could be told of before the VM was rebooted: it is told by the next boot, once, and says whose it was."""
import json
import os
import pathlib
import signal
import unittest

from harness.case import VmCase

BOOTS = 400     # seconds: a death, a pause, a reboot and a boot under emulation
CRASH_AND_REBOOT = "sleep 6; kill -SEGV {pid}; sleep 12; exec /run/vigil/bin/vigil-guest reboot"


def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def children(parent):
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and parent_of(entry) == parent:
                yield int(entry)
        except OSError:
            pass                                  # it has just ended


class CrashJournal(VmCase):
    def device_of(self, vm):
        """The vsock device: the other child of the VMM's parent."""
        vmm = self.daemon.api.get(f"/v1/instances/{vm['id']}")["pid"]
        return next(pid for pid in children(parent_of(vmm)) if pid != vmm)

    def stored(self, vm):
        data = self.daemon.api.raw("GET", f"/v1/events?after=0&follow=0&instance={vm['id']}")[1]
        return [json.loads(line[5:]) for line in data.splitlines() if line.startswith(b"data:")]

    def crashes(self, vm):
        """Full reports of web's deaths, as the log has them."""
        return [e for e in self.stored(vm) if e["type"] == "crash" and e["body"].get("service") == "web" and not e["body"]["report"].get("partial")]

    def test_a_crash_with_a_dead_device_is_told_once_by_the_boot_after_it(self):
        vm = self.up("remembers")
        self.daemon.wait_state(vm, "ready")
        web = self.service(vm, "web")["pid"]
        boot = next(e["body"]["report"]["boot"] for e in self.stored(vm) if e["body"].get("report") and not e["body"]["report"].get("partial"))
        self.daemon.vigil("exec", "--detach", vm["id"], "/bin/sh", "-c", CRASH_AND_REBOOT.format(pid=web), check=0)
        os.kill(self.device_of(vm), signal.SIGKILL)
        self.daemon.wait_for(vm, lambda e: e["type"] == "device_exited")
        self.daemon.wait_for(vm, lambda e: e["type"] == "state" and e["run"] == 2 and e["body"]["state"] == "ready", BOOTS)
        told = self.daemon.wait_for(vm, lambda e: e["type"] == "crash" and not e["body"]["report"].get("partial") and e["body"].get("service") == "web", BOOTS)
        self.assertEqual(told["run"], 2, "the run that tells it")
        self.assertNotEqual(told["body"]["report"]["boot"], boot)
        self.assertEqual(told["body"]["origin"]["boot"], boot, "the boot that it was of")
        self.assert_cause(told["body"]["cause"], "service.signalled", signal="SIGSEGV")
        self.daemon.vigil("reboot", vm["id"], check=0)               # the journal is empty by now: a third boot has nothing to tell
        self.assertEqual(len(self.crashes(vm)), 1, "told once")

    def test_without_its_device_a_guest_is_heard_by_its_console_and_nothing_is_told_twice(self):
        """A guest's driver does not come back from a device that is gone: for the rest of this boot there is the console."""
        vm = self.up("mute")
        self.daemon.wait_state(vm, "ready")
        pids = {name: self.service(vm, name)["pid"] for name in ("web", "echo")}
        later = "sleep 4; kill -SEGV {web}; sleep 30; kill -SEGV {echo}".format(**pids)
        self.daemon.vigil("exec", "--detach", vm["id"], "/bin/sh", "-c", later, check=0)
        os.kill(self.device_of(vm), signal.SIGKILL)
        self.daemon.wait_for(vm, lambda e: e["type"] == "device_exited")
        first = self.digest_of_a_death(vm, "web")
        self.assert_cause(first["body"]["cause"], "service.signalled", signal="SIGSEGV")
        self.daemon.kill()
        self.daemon.start()
        self.digest_of_a_death(vm, "echo")
        reports = [e["body"]["report"] for e in self.stored(vm) if e["body"].get("report")]
        seen = [(r["boot"], r["seq"], bool(r.get("partial"))) for r in reports]   # a digest and the whole of it are two rows
        self.assertEqual(len(seen), len(set(seen)), "a report that a former daemon has read is not told again")
        self.assertEqual(self.daemon.api.get(f"/v1/instances/{vm['id']}")["power"], "running")

    def digest_of_a_death(self, vm, service):
        return self.daemon.wait_for(vm, lambda e: e["type"] == "crash" and e["body"].get("service") == service and e["body"]["report"].get("partial"), BOOTS)


if __name__ == "__main__":
    unittest.main()
