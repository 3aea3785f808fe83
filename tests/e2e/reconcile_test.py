#!/usr/bin/env python3
"""What has no owner goes, with a reason and an event; what somebody uses, or is another daemon's, stays as it is."""
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import unittest

from harness.api import Problem
from harness.case import VmCase
from harness.daemon import IMAGES, Daemon, process_gone

STRAY_RUN, STRAY_DISK, FOREIGN_RUN, LOST_ROW = "vm-0000000001", "vm-0000000002", "vm-0000000004", "vm-0000000005"


def start_ticks(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]


class Reconciled(VmCase):
    daemon_options = ("--reconcile-every", "2")

    def setUp(self):
        self.fakes = []
        self.addCleanup(lambda: [(fake.kill(), fake.wait()) for fake in self.fakes if fake.poll() is None])

    def fake_vmm(self, disk):
        """A process that looks like a VMM and holds that disk."""
        program = self.daemon.base / "qemu-system-fake"
        if not program.exists():
            shutil.copy("/bin/sleep", program)
        with open(disk, "rb") as held:
            self.fakes.append(subprocess.Popen([program, "600"], stdin=held))
        return self.fakes[-1]

    def told(self, subject, what=None, deadline=60):
        """The event that tells what was done with it."""
        for event in self.daemon.api.events(deadline=deadline):
            body = event["body"]
            if event["type"] == "reconciled" and subject in body["subject"] and what in (None, body["what"]):
                self.assertTrue(body["reason"])
                return event

    def pids_of(self, vm):
        started = self.daemon.wait_for(vm, lambda e: e["type"] == "vmm_started", 60)["body"]
        return started["shim_pid"], started["vmm_pid"], started["device_pid"]

    def forget(self, vm):
        """Its row is lost, as by a copy of the store that is older than it."""
        store = sqlite3.connect(self.daemon.state / "vigil.db")
        with store:
            row = store.execute("SELECT row FROM instances WHERE id = ?", (vm["id"],)).fetchone()[0]
            for table in ("partials WHERE instance = ?", "streams WHERE instance = ?", "origins WHERE instance = ?", "tokens WHERE instance = ?",
                          "events WHERE instance = ?", "log_instances WHERE row = ?", "instances WHERE row = ?"):
                store.execute(f"DELETE FROM {table}", (row,))
        store.close()

    def test_what_has_no_owner_goes_and_nothing_of_a_healthy_vm_is_touched(self):
        stays = self.up("stays")
        still = self.daemon.api.post("/v1/instances", {"name": "still", "image": "minimal"})      # never started; its directory is its own
        self.addCleanup(self.remove, still)
        self.daemon.wait_state(stays, "ready")
        lost, orphan = self.up("lost"), self.daemon.create("orphan")
        self.daemon.wait_state(lost, "ready")
        self.daemon.wait_state(orphan, "ready")
        healthy = {pid: start_ticks(pid) for pid in self.pids_of(stays)}
        lost_pids, orphan_pids = self.pids_of(lost), self.pids_of(orphan)
        run_files = sorted(os.listdir(self.daemon.run / stays["id"]))

        self.daemon.kill()
        os.kill(lost_pids[0], signal.SIGKILL)                     # a shim that is killed takes its VMM along
        self.assertTrue(process_gone(lost_pids[1]))
        self.forget(orphan)
        instances, run = self.daemon.state / "instances", self.daemon.run
        (run / STRAY_RUN).mkdir()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(run / STRAY_RUN / "shim.sock"))
        (run / FOREIGN_RUN).mkdir()
        (run / FOREIGN_RUN / "owner").write_text("/srv/other/state\n")
        (instances / STRAY_DISK / "runs" / "1").mkdir(parents=True)
        with open(instances / STRAY_DISK / "disk.raw", "wb") as disk:
            disk.truncate(1 << 20)
        (instances / STRAY_DISK / "runs" / "1" / "console.log").write_text("Linux version 6.1 of the stray\n")
        (instances / still["id"] / "disk.raw.new").write_text("half a disk")
        elsewhere = self.daemon.base / "other" / "instances" / STRAY_DISK
        elsewhere.mkdir(parents=True)
        (elsewhere / "disk.raw").write_text("another daemon's")
        neighbour = self.fake_vmm(elsewhere / "disk.raw")
        self.daemon.start()

        # a shim without a row: it ends its VMM, then its sockets and its directory go; what it told is in a box
        for pid in orphan_pids:
            self.assertTrue(process_gone(pid, 40))
        self.assertIn("no row", self.told(str(orphan_pids[0]), "process")["body"]["reason"])
        aside = pathlib.Path(self.told(orphan["id"], "instance_directory")["body"]["subject"])
        self.assertFalse((run / orphan["id"]).exists())
        self.assertFalse((instances / orphan["id"]).exists())
        self.assertEqual(aside.parent, self.daemon.state / "strays")
        self.assertTrue((aside / "disk.raw").exists(), "a disk is not deleted for a missing row")
        box = self.daemon.state / "blackbox" / f"{orphan['id']}-1.tar.zst"
        members = subprocess.run(["tar", "--zstd", "-xOf", box, "console.log"], capture_output=True, check=True).stdout
        self.assertIn(b"Linux version", members)

        # a stray run directory, a stray disk
        self.told(STRAY_RUN, "run_directory")
        self.assertFalse((run / STRAY_RUN).exists())
        self.told(STRAY_DISK, "instance_directory")
        self.assertFalse((instances / STRAY_DISK).exists())
        index = subprocess.run(["tar", "--zstd", "-xOf", self.daemon.state / "blackbox" / f"{STRAY_DISK}-1.tar.zst", "index.json"], capture_output=True, check=True)
        self.assertIn("no row", json.loads(index.stdout)["stray"])
        self.assertEqual(len(list((self.daemon.state / "strays").glob(f"{STRAY_DISK}.*"))), 1)

        # a row whose processes are gone: its end is told as what it is, unknown
        ended = self.daemon.wait_for(lost, lambda e: e["type"] == "shim_lost", 30)
        self.assertIn("shim is gone", ended["body"]["reason"])
        self.assertEqual(self.daemon.why(lost)["outcome"], "unknown")
        self.assertFalse((run / lost["id"]).exists())

        # what somebody uses, and what is not ours
        self.assertEqual({pid: start_ticks(pid) for pid in healthy}, healthy)
        look = self.daemon.api.get(f"/v1/instances/{stays['id']}")
        self.assertEqual((look["state"], look["run"]), ("ready", 1))
        self.daemon.wait_for(stays, lambda e: e["type"] == "adopted", 30)
        self.assertEqual(sorted(os.listdir(run / stays["id"])), run_files)
        self.assertEqual(self.daemon.vigil("exec", stays["id"], "true")[0], 0)
        self.assertTrue((run / FOREIGN_RUN / "owner").exists())
        self.assertIsNone(neighbour.poll())
        self.assertTrue((instances / still["id"] / "spec.json").exists())

        # half a minute after its end, a VMM that holds the disk of a VM that does not run is ended, and then what was half made goes
        held = instances / still["id"] / "held"
        held.write_text("")
        holder = self.fake_vmm(held)
        told = self.told(str(holder.pid), "process", 60)
        self.assertEqual(told["instance"], still["id"])
        self.assertEqual(holder.wait(20), -signal.SIGTERM)
        self.told(still["id"], "draft")
        self.assertFalse((instances / still["id"] / "disk.raw.new").exists())
        self.assertEqual({pid: start_ticks(pid) for pid in healthy}, healthy)
        told_of_healthy = [e for e in self.past_events() if e["type"] == "reconciled" and (e["instance"] == stays["id"] or stays["id"] in e["body"]["subject"])]
        self.assertEqual(told_of_healthy, [])

    def past_events(self):
        _, data = self.daemon.api.raw("GET", "/v1/events?after=0&follow=0")
        return [json.loads(line[5:]) for line in data.splitlines() if line.startswith(b"data:")]


class NewStore(unittest.TestCase):
    def test_a_store_that_was_lost_takes_nothing_with_it(self):
        daemon = Daemon(options=("--reconcile-every", "1"))
        disk = daemon.state / "instances" / LOST_ROW / "disk.raw"
        disk.parent.mkdir(parents=True)
        disk.write_text("everything that a user has")
        try:
            daemon.start()
            time_ends = time.monotonic() + 60
            while "store is new" not in daemon.log.read_text():
                self.assertLess(time.monotonic(), time_ends, daemon.log.read_text())
                time.sleep(0.2)
            time.sleep(3)                                          # some looks more
            self.assertTrue(disk.exists())
        finally:
            daemon.close()


@unittest.skipUnless(os.geteuid() == 0, "needs root for a small file system of its own")
class FailingCreate(unittest.TestCase):
    def test_a_create_that_fails_leaves_nothing(self):
        daemon = Daemon()
        daemon.state.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", daemon.state], check=True)
        try:
            os.symlink(IMAGES, daemon.state / "images")
            daemon.start()
            made = {daemon.api.post("/v1/instances", {"name": "first", "image": "minimal"})["id"]}
            subprocess.run(["dd", "if=/dev/zero", f"of={daemon.state}/filler", "bs=4k"], stderr=subprocess.DEVNULL, check=False)
            failures = 0
            for n in range(100):
                try:
                    made.add(daemon.api.post("/v1/instances?start=1", {"name": f"vm{n}", "image": "minimal"})["id"])
                except Problem as problem:
                    self.assertEqual(problem.status, 507)
                    failures += 1
                    if failures == 3:
                        break
            self.assertEqual(failures, 3)
            self.assertEqual({vm["id"] for vm in daemon.api.get("/v1/instances")}, made)
            self.assertEqual(set(os.listdir(daemon.state / "instances")), made)
        finally:
            daemon.stop()
            subprocess.run(["umount", "-l", daemon.state], check=False)
            daemon.close()


if __name__ == "__main__":
    unittest.main()
