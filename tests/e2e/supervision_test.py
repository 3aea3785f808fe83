#!/usr/bin/env python3
"""How services are kept, and how the agent keeps itself: in a real VM, seen from inside it."""
import os
import pathlib
import subprocess
import unittest

from harness.case import VmCase, busybox_sh

HERE = pathlib.Path(__file__).resolve().parent
POWERS = "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status"


class Supervision(VmCase):
    def inside(self, vm, script):
        return self.daemon.vigil("exec", vm["id"], "--", "/bin/sh", "-c", script, check=0)[1]

    def test_the_agent_has_its_memory_for_itself(self):
        vm = self.up("kept")
        self.daemon.wait_state(vm, "ready")
        self.assertEqual(self.inside(vm, "cat /proc/1/cgroup").strip(), "0::/agent")
        self.assertGreaterEqual(int(self.inside(vm, "cat /sys/fs/cgroup/agent/memory.min")), 4 << 20)
        self.assertEqual(self.inside(vm, "cat /proc/1/oom_score_adj").strip(), "-1000")
        locked = int(self.inside(vm, "grep VmLck /proc/1/status").split()[1])
        self.assertGreater(locked, 500, "its pages stay")
        self.assertEqual(self.inside(vm, "grep '^Max open files' /proc/1/limits").split()[3:5], ["65536", "65536"])
        self.assertEqual(self.inside(vm, "ulimit -n; ulimit -Hn").split(), ["1024", "65536"], "what a program has that names no limit")

    def test_what_x_servers_share_is_there_before_they_are(self):
        """Two that made /tmp/.X11-unix at the same moment: one went on without its socket in it, and was not ready for ever."""
        vm = self.up("shared")
        self.daemon.wait_state(vm, "ready")
        self.assertEqual(self.inside(vm, "stat -c '%a %U' /tmp/.X11-unix /tmp/.ICE-unix").split(), ["1777", "root", "1777", "root"])

    def test_a_service_has_the_powers_that_its_file_names_and_no_others(self):
        port_80 = f"{POWERS}; exec busybox httpd -f -p 80 -h /srv/web"
        vm = self.up("powers", services={
            "web": {"exec": busybox_sh(port_80), "user": "nobody", "capabilities": ["CAP_NET_BIND_SERVICE"], "no_new_privs": True, "ready": {"tcp": {"port": 80}}},
            "ticker": {"exec": busybox_sh(f"{POWERS}; echo >&3; exec sleep 100000"), "user": "root", "capabilities": [], "ready": {"notify-fd": {"fd": 3}}}})
        self.daemon.wait_state(vm, "ready")
        said = self.daemon.vigil("logs", vm["id"], "web", check=0)[1]
        for line in ("CapEff:\t0000000000000400", "CapBnd:\t0000000000000400", "NoNewPrivs:\t1"):
            self.assertIn(line, said)
        self.assertIn("CapBnd:\t0000000000000000", self.daemon.vigil("logs", vm["id"], "ticker", check=0)[1])

    def test_a_service_at_its_memory_limit_is_named_whether_the_kernel_kills_it_or_not(self):
        """The pages of its own program can be taken back for ever: then it is not killed, and does not get on."""
        for n in range(int(os.environ.get("VIGIL_THRASH", "1"))):
            vm = self.up(f"full{n}", services={"eats": {"exec": busybox_sh("tail /dev/zero; exit $?"), "limits": {"memory": "24M"}, "essential": False, "restart": "never"}})

            def named(event):
                causes = [event["body"]["cause"]] if event["type"] == "crash" else event["body"].get("causes", []) if event["type"] == "health" else []
                return next((c for c in causes if c["code"] in ("service.oom_killed", "guest.memory_thrashing") and "limit" in c["fields"]), None)
            cause = named(self.daemon.wait_for(vm, named, 120))
            self.assertEqual(cause["fields"]["limit"], 24 << 20)
            self.remove(vm)

    def test_a_replacement_has_the_environment_that_the_image_says_by_then(self):
        """What a service is started with is kept from life to life, until the files change that it comes from."""
        vm = self.up("renewed", services={"web": {"restart": "always"}})
        self.daemon.wait_state(vm, "ready")
        kill = "kill -9 $(cat /sys/fs/cgroup/vigil/web*/cgroup.procs)"
        find = "tr '\\0' '\\n' </proc/$(cat /sys/fs/cgroup/vigil/web*/cgroup.procs)/environ 2>/dev/null | grep ^COLOUR= || true"
        for change, wanted in (("", ""), ("echo COLOUR=red >>/etc/environment", "COLOUR=red"), ("sed -i s/red/tan/ /etc/environment", "COLOUR=tan")):
            self.inside(vm, f"{change}\n{kill}\nsleep 3")
            self.assertEqual(self.inside(vm, find).strip(), wanted)

    def test_who_asks_for_it_is_restarted_with_what_it_depends_on(self):
        vm = self.up("cascade", services={"web": {"restart": "always"}, "ticker": {"requires": ["web"], "restart_with": ["web"]}})
        self.daemon.wait_state(vm, "ready")
        before = {name: self.service(vm, name)["pid"] for name in ("web", "ticker", "echo")}
        self.inside(vm, f"kill -KILL {before['web']}")
        self.daemon.wait_for(vm, lambda e: e["type"] == "service" and e["body"]["name"] == "ticker" and e["body"]["state"] == "ready"
                             and e["body"]["pid"] > before["ticker"])
        after = {name: self.service(vm, name)["pid"] for name in before}
        self.assertEqual(after["echo"], before["echo"])
        self.assertEqual([c["service"] for c in self.daemon.api.get(f"/v1/instances/{vm['id']}/crashes")], ["web"])

    def test_ten_thousand_orphans_are_buried_while_a_death_is_noticed(self):
        vm = self.up("orphans", services={"idle": {"name": "idle", "exec": busybox_sh("exec sleep 100000")}})
        self.daemon.wait_state(vm, "ready")
        program = self.daemon.base / "orphans"
        subprocess.run(["cc", "-O1", "-static", "-o", program, HERE / "orphans.c"], check=True)
        self.daemon.vigil("cp", str(program), f"{vm['id']}:/tmp/orphans", check=0)
        self.inside(vm, "chmod 755 /tmp/orphans; (setsid /tmp/orphans 10000 >/tmp/left 2>&1 &)")
        web = self.service(vm, "web")["pid"]
        self.inside(vm, f"kill -SEGV {web}")
        self.assert_cause(self.crash_of(vm, "web")["cause"], "service.signalled", signal="SIGSEGV")
        for _ in range(10):   # as long as a busy machine's emulation may need for twenty thousand forks
            if self.inside(vm, "i=0; while [ $i -lt 60 ] && ! grep -q left /tmp/left; do sleep 1; i=$((i+1)); done; cat /tmp/left").strip() == "left":
                break
        self.assertEqual(self.inside(vm, "cat /tmp/left").strip(), "left")
        self.assertEqual(self.inside(vm, "i=0; while [ $i -lt 20 ] && grep -ls '^State:.Z' /proc/[0-9]*/status; do sleep 1; i=$((i+1)); done >/dev/null; grep -ls '^State:.Z' /proc/[0-9]*/status; echo none").strip(), "none")
        self.assertEqual({s["name"]: s["state"] for s in self.daemon.api.get(f"/v1/instances/{vm['id']}/services")}["idle"], "ready")

    def test_a_flood_a_closed_pipe_and_a_double_fork_leave_the_others_alone(self):
        vm = self.up("rude", services={
            "flood": {"name": "flood", "exec": busybox_sh("exec busybox yes 0123456789012345678901234567890123456789"), "user": "nobody", "limits": {"cpu_percent": 60}},
            "mute": {"name": "mute", "exec": busybox_sh("exec >&- 2>&-; while :; do sleep 1; done"), "user": "nobody"},
            "forks": {"name": "forks", "exec": busybox_sh("(setsid sleep 100000 &); exec sleep 100000"), "user": "nobody"}})
        self.daemon.wait_state(vm, "ready")
        web = self.service(vm, "web")["pid"]
        self.inside(vm, f"kill -SEGV {web}")
        self.assert_cause(self.crash_of(vm, "web")["cause"], "service.signalled", signal="SIGSEGV")
        for name in ("flood", "mute", "forks"):
            self.assertEqual(self.service(vm, name)["state"], "ready", name)
        self.daemon.vigil("ctl", vm["id"], "stop", "forks", check=0)
        self.daemon.wait_for(vm, lambda e: e["type"] == "service" and e["body"]["name"] == "forks" and e["body"]["state"] == "stopped")
        self.assertEqual(self.inside(vm, "cat /sys/fs/cgroup/vigil/forks*/cgroup.procs 2>/dev/null").strip(), "", "what it forked away is gone with it")


if __name__ == "__main__":
    unittest.main()
