#!/usr/bin/env python3
"""A VM whose init is systemd: its units are services like any other, and what is wrong with one is named."""
import json
import unittest

from harness.case import VmCase
from harness.daemon import IMAGES
from harness.image import root_with, variant

UNITS = "/etc/systemd/system"
WAIT = 200      # seconds; such a boot takes some 20 under emulation, and what waits is named 30 after that


def unit(name, settings, script, more=""):
    """Wanted by the default target through a drop-in."""
    return {f"{UNITS}/{name}.service": f"[Unit]\n{more}\n[Service]\nExecStart=/opt/{name}\n{settings}\n", f"/opt/{name}": f"#!/bin/sh\n{script}\n",
            f"{UNITS}/multi-user.target.d/{name}.conf": f"[Unit]\nWants={name}.service\n"}


def is_whole(body):
    """Not the digest on the console, which comes first and has less in it."""
    return not body["report"].get("partial")


class Systemd(VmCase):
    @classmethod
    def setUpClass(cls):
        if not (IMAGES / "systemd" / "current").exists():
            raise RuntimeError(f"{IMAGES}/systemd is missing: ./dev image systemd")
        super().setUpClass()

    def image_with(self, name, files):
        folder = self.daemon.base / f"files-{name}"
        folder.mkdir()
        here = {}
        for number, (path, text) in enumerate(files.items()):
            here[path] = folder / str(number)
            here[path].write_text(text)
        variant(self.daemon, name, image="systemd", parts={"root": root_with(self.daemon, here, "systemd", folder / "root")})
        return name

    def states(self, vm):
        return {s["name"]: s["state"] for s in self.daemon.api.get(f"/v1/instances/{vm['id']}/services")}

    def wait_service(self, vm, name, wanted, after=0):
        for event in self.daemon.api.events(vm["id"], after=after, deadline=WAIT):
            if event["type"] == "service" and event["body"]["name"] == name and wanted(event["body"]):
                return event
        raise AssertionError("unreachable: the stream ends by an exception")

    def test_units_are_services_and_the_stop_is_ordered(self):
        code, out, err = self.daemon.vigil("up", "systemd", "--name", "whole", timeout=300)
        self.assertEqual(code, 0, out + err)
        vm = self.daemon.api.get("/v1/instances/whole")
        self.addCleanup(self.remove, vm)
        self.assertEqual(self.states(vm), {"web": "ready", "echo": "ready", "ticker": "ready", "multi-user.target": "ready"})
        self.assertIsNone(self.daemon.why(vm)["verdict"])
        with self.subTest("programs run in it, and systemd is its init"):
            _, out, _ = self.daemon.vigil("exec", "whole", "--", "/usr/bin/readlink", "/proc/1/exe", check=0)
            self.assertEqual(out.strip(), "/usr/lib/systemd/systemd")
        with self.subTest("the journal's words are a service's output"):
            self.assertIn("ticker: ready", self.daemon.vigil("logs", "whole", "ticker", check=0)[1])
        with self.subTest("a unit is restarted on request"):
            self.restart_on_request(vm)
        with self.subTest("an agent that is killed is started again and adopts what runs"):
            self.kill_the_agent(vm)
        with self.subTest("stop"):
            self.daemon.vigil("stop", "whole", check=0)
            vm = self.daemon.api.get(f"/v1/instances/{vm['id']}")
            self.assertEqual((vm["state"], vm["outcome"], vm["cause"]), ("stopped", "clean", None))
            order = [e["body"].get("name") or e["type"] for e in self.stored(vm)
                     if e["type"] == "bye" or (e["type"] == "service" and e["body"]["state"] == "stopped")]
            self.assertEqual(order[-1], "bye", order)
            self.assertLessEqual({"web", "echo", "ticker"}, set(order), "each was stopped before the end was said")

    def stored(self, vm):
        data = self.daemon.api.raw("GET", f"/v1/events?after=0&follow=0&instance={vm['id']}")[1]
        return [json.loads(line[5:]) for line in data.splitlines() if line.startswith(b"data:")]

    def restart_on_request(self, vm):
        before = self.service(vm, "web")["pid"]
        last = self.stored(vm)[-1]["seq"]
        self.daemon.api.post(f"/v1/instances/{vm['id']}/services/web", {"action": "restart"})
        event = self.wait_service(vm, "web", lambda b: b["state"] == "ready" and b["pid"] not in (0, before), last)
        self.assertNotIn("crash", [e["type"] for e in self.stored(vm) if last < e["seq"] <= event["seq"]])

    def kill_the_agent(self, vm):
        last = self.stored(vm)[-1]["seq"]
        self.daemon.vigil("exec", "whole", "--", "/usr/bin/systemctl", "kill", "--signal=KILL", "vigil-guest")
        self.wait_service(vm, "multi-user.target", lambda b: b["state"] == "ready", last)
        crash = next(e for e in self.stored(vm) if e["seq"] > last and e["type"] == "crash")
        self.assert_cause(crash["body"]["cause"], "guest.agent_crashed")
        self.assertEqual(set(self.states(vm).values()), {"ready"})
        self.assertEqual(self.daemon.vigil("exec", "whole", "--", "/usr/bin/true")[0], 0)
        self.kill_the_agent_wherever_it_is(vm)

    def kill_the_agent_wherever_it_is(self, vm):
        """At ten moments of its start: before it dials, before the host's welcome, while it adopts, while it reports."""
        before = {name: self.service(vm, name)["pid"] for name in ("web", "echo", "ticker")}
        last = self.stored(vm)[-1]["seq"]
        kills = "for t in 0.0 0.1 0.2 0.3 0.4 0.6 0.8 1.0 1.3 1.7; do systemctl kill --signal=KILL vigil-guest; sleep $t; done; systemctl restart web"
        self.daemon.vigil("exec", "--detach", "whole", "--", "/usr/bin/systemd-run", "--quiet", "/bin/sh", "-c", kills)
        self.wait_service(vm, "web", lambda b: b["state"] == "ready" and b["pid"] not in (0, before["web"]) and is_whole(b), last)
        self.assertEqual(self.daemon.vigil("exec", "whole", "--", "/usr/bin/true")[0], 0)
        self.assertEqual([self.service(vm, name)["pid"] for name in ("echo", "ticker")], [before["echo"], before["ticker"]],
                         "what ran is adopted, and was not started anew")
        self.assertEqual(set(self.states(vm).values()), {"ready"})
        deaths = [e for e in self.stored(vm) if e["seq"] > last and e["type"] == "crash" and not e["body"]["report"].get("partial")]
        self.assertEqual({e["body"]["cause"]["code"] for e in deaths}, {"guest.agent_crashed"}, "nothing but the agent died")
        identities = [(e["body"]["report"]["boot"], e["body"]["report"]["seq"]) for e in self.stored(vm) if e["body"].get("report") and not e["body"]["report"].get("partial")]
        self.assertEqual(len(identities), len(set(identities)), "no report twice")

    def test_what_is_wrong_with_a_unit_is_named(self):
        """One VM, several faults: each is named for itself."""
        files = {**unit("breaks", "Type=exec", "echo the last words; exit 3"),
                 **unit("limited", "Restart=on-failure\nRestartSec=100ms", "exit 4", "StartLimitBurst=3\nStartLimitIntervalSec=120"),
                 **unit("optional", "Type=exec\n[X-Vigil]\nEssential=no", "exit 5"),
                 **unit("probed", 'Type=exec\n[X-Vigil]\nReady={"tcp":{"port":7001}}', "sleep 3; exec socat TCP-LISTEN:7001,fork,reuseaddr PIPE"),
                 **unit("deaf", 'Type=exec\n[X-Vigil]\nEssential=no\nReady={"tcp":{"port":7002}}\nReadyTimeout=2', "exec sleep 1000"),
                 **unit("wrong", 'Type=exec\n[X-Vigil]\nEssential=no\nReady={"tpc":{"port":80}}', "exec sleep 1000"),
                 **unit("waits", "", "exec sleep 1000", "Wants=network-online.target\nAfter=network-online.target"),
                 **unit("never", "Type=oneshot\nTimeoutStartSec=infinity\n[X-Vigil]\nAdopt=no", "exec sleep 1000", "Before=network-online.target")}
        vm = self.up("faulty", image=self.image_with("faulty", files))
        failed = self.wait_service(vm, "breaks", lambda b: b["state"] == "failed" and len(b["cause"]["evidence"]) > 1)["body"]
        self.assert_cause(failed["cause"], "unit.failed", unit="breaks.service")
        self.assertIn("the last words", failed["cause"]["evidence"])
        self.assert_cause(self.crash_of(vm, "breaks", WAIT)["cause"], "service.exited", code=3)
        self.assertEqual(self.daemon.wait_state(vm, "failed", deadline=WAIT)["body"]["state"], "failed")
        limited = self.wait_service(vm, "limited", lambda b: b["state"] == "failed")["body"]
        self.assert_cause(limited["cause"], "unit.start_limit", unit="limited.service")
        self.assertFalse(self.wait_service(vm, "optional", lambda b: b["state"] == "failed")["body"]["essential"])
        waits = self.wait_service(vm, "waits", lambda b: b.get("cause") and not b["report"]["partial"])["body"]
        self.assert_cause(waits["cause"], "unit.blocked", unit="waits.service", waits_for="network-online.target")
        self.assertIn("never.service", " ".join(waits["cause"]["evidence"]))
        self.assertNotIn("never", self.states(vm))
        with self.subTest("active is not ready: the probes of a unit's file say so"):
            self.wait_service(vm, "probed", lambda b: b["state"] == "starting" and b["pid"] > 0)
            probed = self.wait_service(vm, "probed", lambda b: b["state"] == "ready" and is_whole(b))["body"]
            self.assertEqual([(p["probe"], p["passed"]) for p in probed["probes"]], [("tcp:7001", True)])
            deaf = self.wait_service(vm, "deaf", lambda b: b["state"] == "failed" and is_whole(b))["body"]
            self.assert_cause(deaf["cause"], "service.ready_timeout", probe="tcp:7002")
            wrong = self.wait_service(vm, "wrong", lambda b: b["state"] == "failed" and is_whole(b))["body"]
            self.assert_cause(wrong["cause"], "service.spec_invalid", file=f"{UNITS}/wrong.service", key="Ready")
        self.assertEqual(self.states(vm)["web"], "ready", "what is well is not drawn into it")


if __name__ == "__main__":
    unittest.main()
