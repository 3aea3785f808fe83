#!/usr/bin/env python3
"""Logs of services on the host: written while the VM runs, kept when it has ended or was removed, never twice and never without a word when something is missing."""
import base64
import os
import select
import json
import subprocess
import time
import unittest

from harness.case import VmCase, busybox_sh


def job(script, **more):
    return {"exec": busybox_sh(script), "restart": "never", "ready": [], "essential": False, **more}


class Logs(VmCase):
    def logs(self, vm, *words, check=0):
        done = subprocess.run(self.daemon.vigil_command("logs", vm["id"], *words), capture_output=True, timeout=120)
        self.assertEqual(done.returncode, check, done.stderr)
        return done.stdout, done.stderr

    def wait_for_log(self, vm, wanted, *words, deadline=120):
        """Follows until the bytes are there: nothing here sleeps, the log itself says when."""
        with subprocess.Popen(self.daemon.vigil_command("logs", vm["id"], "-f", "--raw", *words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as follower:
            os.set_blocking(follower.stdout.fileno(), False)
            seen, ends = b"", time.monotonic() + deadline
            try:
                while wanted not in seen:
                    left = ends - time.monotonic()
                    self.assertGreater(left, 0, f"{wanted} did not come: {seen[-2000:]}")
                    if select.select([follower.stdout], [], [], left)[0]:
                        block = follower.stdout.read()
                        self.assertNotEqual(block, b"", f"the stream ended before {wanted}: {seen[-2000:]}")
                        seen += block or b""
                return seen
            finally:
                follower.terminate()

    def test_stdout_and_stderr_apart_by_time_and_after_the_end(self):
        vm = self.up("apart", services={"job": job("echo one; echo two >&2; printf 'odd \\001\\377 bytes'; exec sleep 1000")})
        self.wait_for_log(vm, b"bytes", "job")
        out, err = self.logs(vm, "job", "--raw")
        self.assertEqual((out, err), (b"one\nodd \x01\xff bytes", b"two\n"))
        shown = self.logs(vm, "job")[0]
        self.assertIn(b"odd \\x01\\xff bytes", shown)
        stamped = self.logs(vm, "-t", "--tail", "1")[0]
        self.assertRegex(stamped.decode(), r"(?m)^20\d\d-\d\d-\d\dT[\d:.]+Z job \| odd")
        self.daemon.vigil("stop", vm["id"], check=0)
        self.assertEqual(self.logs(vm, "job", "--raw"), (out, err))          # the service never crashed, and its words are there
        records = self.daemon.vigil_json("logs", vm["id"], "job")
        self.assertEqual(b"".join(base64.b64decode(r["data_b64"]) for r in records if r["stream"] == "stdout"), out)
        self.assertEqual([r.get("lost", 0) for r in records], [0] * len(records))
        self.daemon.vigil("rm", vm["id"], check=0)
        self.assertEqual(self.logs(vm, "job", "--raw"), (out, err))
        self.assertIn(b"nobody", self.logs(vm, "nobody", check=1)[1])

    def test_last_words_of_a_stopped_vm_are_there(self):
        vm = self.up("last", services={"job": job("trap 'echo I am asked to go; exit 0' TERM; echo waiting; while :; do sleep 1; done", essential=True)})
        self.wait_for_log(vm, b"waiting", "job")
        self.daemon.vigil("stop", vm["id"], check=0)
        self.assertEqual(self.logs(vm, "job", "--raw")[0], b"waiting\nI am asked to go\n")

    def test_another_daemon_goes_on_without_doubling(self):
        vm = self.up("again", services={"job": job("i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done")})
        self.wait_for_log(vm, b"line 3\n", "job")
        self.daemon.kill()
        self.daemon.start()
        self.daemon.wait_for(vm, lambda e: e["type"] == "adopted")
        seen = self.wait_for_log(vm, b"line 40\n", "job").decode()
        numbers = [int(line.split()[1]) for line in seen.splitlines()[:40]]
        self.assertEqual(numbers, list(range(1, 41)))

    def test_a_flood_is_cut_counted_and_told_and_another_service_is_not_drowned(self):
        vm = self.up("flood", services={"loud": job("exec yes 0123456789012345678901234567890123456789"),
                                        "quiet": job("i=0; while :; do i=$((i+1)); echo quiet $i; sleep 0.5; done")})
        fact = self.daemon.wait_for(vm, lambda e: e["type"] == "logs_lost" and e["body"]["service"] == "loud")
        self.assertGreater(fact["body"]["bytes"], 0)
        self.wait_for_log(vm, b"quiet 5\n", "quiet")
        records = self.daemon.vigil_json("logs", vm["id"], "loud")
        self.assertGreater(sum(r.get("lost", 0) for r in records), 0)
        at = None
        for record in records:                              # every byte is either here or counted
            data = base64.b64decode(record["data_b64"])
            if at is not None:
                self.assertEqual(record["offset"], at + record.get("lost", 0))
            at = record["offset"] + len(data)
        quiet = self.daemon.vigil_json("logs", vm["id"], "quiet")
        self.assertEqual([r.get("lost", 0) for r in quiet], [0] * len(quiet))
        self.assertIn(b"bytes of stdout are not kept", self.logs(vm, "loud")[1])

    def test_metrics_count_what_was_lost_and_what_boots(self):
        vm = self.up("counted")
        self.daemon.wait_state(vm, "ready")
        status, page = self.daemon.api.raw("GET", "/metrics")
        self.assertEqual(status, 200)
        samples = dict(line.rsplit(" ", 1) for line in page.decode().splitlines() if not line.startswith("#"))
        self.assertGreaterEqual(float(samples["vigil_ready_seconds_count"]), 1)
        self.assertGreaterEqual(float(samples['vigil_boot_stage_seconds_count{stage="kernel"}']), 1)
        self.assertGreaterEqual(float(samples['vigil_instances{state="ready"}']), 1)
        self.assertGreater(float(samples["process_resident_memory_bytes"]), 0)

    def test_values_of_secrets_are_not_in_the_log(self):
        vm = self.up("masked", secrets={"key": "CANARY-5f3a"}, services={
            "job": job("echo the key is $(cat $CREDENTIALS_DIRECTORY/key); echo done; exec sleep 1000", secrets=["key"])})
        self.assertIn(b"the key is ***********\n", self.wait_for_log(vm, b"done\n", "job"))
        found = subprocess.run(["grep", "-rla", "CANARY-5f3a", self.daemon.state / "instances" / vm["id"] / "runs"], capture_output=True)
        self.assertEqual(found.stdout, b"")

    def test_the_next_daemon_masks_them_too(self):
        vm = self.up("goes-on", secrets={"key": "CANARY-77e1"}, services={
            "job": job("while :; do echo the key is $(cat $CREDENTIALS_DIRECTORY/key); sleep 1; done", secrets=["key"])})
        self.wait_for_log(vm, b"the key is ***********\n", "job")
        self.daemon.kill()
        self.daemon.start()
        self.daemon.wait_for(vm, lambda e: e["type"] == "adopted", 30)
        before = len(self.daemon.vigil("logs", vm["id"], "job")[1])
        self.daemon.wait_for(vm, lambda e: e["type"] == "link_up" and e["seq"] > self.newest_adoption(vm), 60)
        subprocess.run(["sleep", "5"], check=True)
        after = self.daemon.vigil("logs", vm["id"], "job")[1]
        self.assertGreater(len(after), before, "it goes on being written")
        self.assertNotIn("CANARY", after)
        self.daemon.vigil("stop", vm["id"], check=0)
        self.daemon.wait_for(vm, lambda e: e["type"] == "vmm_exited", 60)
        for path in (self.daemon.state / "instances" / vm["id"], self.daemon.state / "vigil.db", self.daemon.state / "vigil.db-wal"):
            found = subprocess.run(["grep", "-rla", "--exclude", "disk.raw", "CANARY-77e1", path], capture_output=True)
            self.assertEqual(found.stdout, b"")

    def newest_adoption(self, vm):
        _, data = self.daemon.api.raw("GET", f"/v1/events?after=0&follow=0&instance={vm['id']}")
        events = [json.loads(line[5:]) for line in data.splitlines() if line.startswith(b"data:")]
        return max(e["seq"] for e in events if e["type"] == "adopted")


if __name__ == "__main__":
    unittest.main()
