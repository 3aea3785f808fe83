#!/usr/bin/env python3
"""Replaces the agent of a running VM by another build: nothing that runs notices, and a build that is no good is gone again."""
import subprocess
import time
import unittest

from harness.case import VmCase, busybox_sh
from harness.daemon import BIN
from harness.image import with_this_agent

IMAGE = "upgradable"
AGENT = BIN / "vigil-guest"
STREAMS = 240


def build_of(program):
    return subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout.split()[-1]


class Upgrade(VmCase):
    alone = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.build = build_of(AGENT)
        cls.next_build = cls.build[::-1]
        cls.next = cls.daemon.base / "next-agent"     # the same agent by another build id
        cls.next.write_bytes(AGENT.read_bytes().replace(bytes.fromhex(cls.build), bytes.fromhex(cls.next_build)))
        cls.next.chmod(0o755)
        with_this_agent(cls.daemon, IMAGE)

    def setUp(self):
        self.begun = []

    def begin(self, name, **more):
        vm = self.up(name, image=IMAGE, memory_mib=256, **more)
        self.daemon.wait_state(vm, "ready")
        return vm

    def services(self, vm):
        return {s["name"]: (s["pid"], s["restarts"], s["state"]) for s in self.daemon.api.get(f"/v1/instances/{vm['id']}/services")}

    def run_in(self, vm, script):
        self.begun.append(subprocess.Popen(self.daemon.vigil_command("exec", vm["id"], "--", "sh", "-c", script), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                           stdin=subprocess.DEVNULL))
        return self.begun[-1]

    def until(self, vm, script):
        for _ in range(40):
            if self.daemon.vigil("exec", vm["id"], "--", "sh", "-c", script)[0] == 0:
                return
            time.sleep(0.5)
        self.fail(f"never true in the VM: {script}; streams that ended: {[s.communicate() for s in self.begun if s.poll() is not None][:3]}")

    def upgrade(self, vm, program, code):
        return self.daemon.vigil("agent", "upgrade", vm["id"], "--binary", program, check=code)

    def run_many(self, vm, count):
        """Programs that wait for /tmp/all, asked for at once."""
        streams = [self.run_in(vm, f": < /tmp/all; echo {at}; exit 7") for at in range(count)]
        self.until(vm, f"[ $(grep -l . /sys/fs/cgroup/vigil/exec.*/cgroup.procs | wc -l) -gt {count} ]")   # the one that counts is one, too
        return streams

    def installed(self, vm):
        return self.daemon.vigil("exec", vm["id"], "--", "/run/vigil/bin/vigil-guest", "version", check=0)[1].split()[-1]

    def listed(self, vm):
        """Its build as the API has it, and what `vigil agent ls` says of it."""
        row = next(line for line in self.daemon.vigil("agent", "ls", check=0)[1].splitlines() if vm["id"] in line)
        build = self.daemon.api.get(f"/v1/instances/{vm['id']}")["agent"]["build_id"]
        self.assertIn(build[:12], row)
        return build, row.split(build[:12])[1].strip()

    def outcome(self, vm):
        return self.daemon.wait_for(vm, lambda e: e["type"] == "agent_upgrade")["body"]

    def assert_a_death_is_seen(self, vm):
        before = self.services(vm)["web"]
        self.daemon.vigil("exec", vm["id"], "--", "sh", "-c", f"kill -KILL {before[0]}", check=0)
        self.assert_cause(self.crash_of(vm, "web")["cause"], "service.signalled", signal="SIGKILL")
        self.daemon.wait_for(vm, lambda e: e["type"] == "service" and e["body"]["name"] == "web" and e["body"]["state"] == "ready" and e["body"]["restarts"] == 1)
        self.assertEqual(len(self.daemon.api.get(f"/v1/instances/{vm['id']}/crashes")), 1, "told once")

    def test_services_and_streams_go_on_under_another_build(self):
        vm = self.begin("upgraded", services={"web": {"restart": "always"}})
        before = self.services(vm)
        self.daemon.vigil("exec", vm["id"], "--", "busybox", "mkfifo", "/tmp/all", check=0)
        quiet = self.run_many(vm, STREAMS)
        talker = self.run_in(vm, "at=0; while [ ! -e /tmp/go ]; do at=$((at + 1)); echo line $at; sleep 0.05; done; echo last $at; exit 7")
        self.assertEqual(talker.stdout.readline(), b"line 1\n")
        short = self.run_in(vm, "sleep 1; exit 9")
        self.assertEqual(self.listed(vm), (self.build, "this host's"))
        out = self.upgrade(vm, self.next, 0)[1]
        self.assertEqual(out, f"build {self.build} -> {self.next_build}\n")
        self.assertEqual(self.services(vm), before, "no service was restarted")
        self.assertEqual(self.installed(vm), self.next_build)
        self.daemon.vigil("exec", vm["id"], "--", "sh", "-c", "touch /tmp/go; : > /tmp/all", check=0)
        words, _ = talker.communicate(timeout=120)
        lines = words.decode().splitlines()
        self.assertEqual(talker.returncode, 7)
        self.assertEqual(lines[:-1], [f"line {at}" for at in range(2, len(lines) + 1)], "no line is lost or doubled")
        self.assertEqual(lines[-1], f"last {len(lines)}")
        self.assertEqual(short.wait(120), 9)
        for at, stream in enumerate(quiet):
            self.assertEqual((*stream.communicate(timeout=120), stream.returncode), (f"{at}\n".encode(), b"", 7))
        self.assertIn("'upgraded'", str(self.outcome(vm)))
        self.assertEqual(self.listed(vm), (self.next_build, "another"))
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.listed(vm)[0], self.next_build, "also after a replay")
        self.assert_a_death_is_seen(vm)
        self.assertEqual(self.daemon.vigil("stop", vm["id"])[0], 0)

    def test_one_that_crashes_in_its_first_seconds_is_followed_by_the_former(self):
        vm = self.begin("gone-back", services={"web": {"restart": "always"}})
        before = self.services(vm)
        stream = self.run_in(vm, "while [ ! -e /tmp/go ]; do sleep 0.2; done; echo done; exit 7")
        self.until(vm, "ls /sys/fs/cgroup/vigil | grep -q ^exec")
        killer = self.run_in(vm, "until readlink /proc/1/exe | grep -q memfd; do sleep 0.2; done; sleep 1; kill -ABRT 1; sleep 1; exit 5")
        _, _, words = self.upgrade(vm, self.next, 1)
        self.assertIn("the new agent died of SIGABRT; the one before goes on", words)
        self.assertEqual(self.services(vm), before)
        self.daemon.vigil("exec", vm["id"], "--", "touch", "/tmp/go", check=0)
        self.assertEqual((stream.communicate(timeout=120)[0], stream.returncode), (b"done\n", 7))
        self.assertEqual(killer.wait(120), 5)
        self.assertIn("'went_back'", str(self.outcome(vm)))
        self.assertEqual(self.installed(vm), self.build)
        self.assert_a_death_is_seen(vm)
        self.upgrade(vm, self.next, 0)
        self.assertEqual(self.installed(vm), self.next_build)

    def test_what_is_no_agent_is_refused_and_changes_nothing(self):
        vm = self.begin("refused")
        before = self.services(vm)
        for program, words in (("/bin/false", "the new agent"), (__file__, "the new agent was tried"), ("/etc/hostname", "cannot be executed")):
            self.assertIn(words, self.upgrade(vm, program, 1)[2])
        self.assertEqual(self.installed(vm), self.build)
        self.assertEqual(self.services(vm), before)


if __name__ == "__main__":
    unittest.main()
