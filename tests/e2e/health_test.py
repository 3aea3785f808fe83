#!/usr/bin/env python3
"""What a probe meets, how a service and a VM are while they run, and what somebody inside can ask: in real VMs."""
import unittest

from harness.case import VmCase, busybox_sh

AGENT = "/run/vigil/bin/vigil-guest"


def is_health(event):
    """A whole report: the console's digest of one has no more than codes."""
    return event["type"] == "health" and not event["body"]["report"]["partial"]


def until(command):
    return f"until {command}; do sleep 1; done"


class Probes(VmCase):
    def test_a_wrong_address_and_a_taken_port_are_named_while_the_probe_waits(self):
        vm = self.up("probes", services={
            "web": {"exec": ["/usr/bin/busybox", "httpd", "-f", "-p", "127.0.0.1:8080", "-h", "/srv/web"], "essential": False, "ready_timeout_s": 2,
                    "ready": {"http": {"port": 8080, "address": "0.0.0.0"}}},
            "ticker": {"exec": ["/bin/sleep", "1000"], "after": ["web", "echo"], "essential": False, "ready_timeout_s": 2, "ready": {"tcp": {"port": 7000}}},
            "speaker": {"exec": ["/usr/bin/socat", "TCP-LISTEN:5900,reuseaddr,fork", "SYSTEM:echo SSH-2.0-x"], "essential": False, "ready_timeout_s": 2,
                        "ready": {"rfb": {"port": 5900}}}})
        met = {}

        def collect(event):
            if event["type"] == "service" and event["body"]["state"] == "starting" and event["body"].get("cause"):
                met[event["body"]["name"]] = event["body"]["cause"]
            return {"web", "ticker", "speaker"} <= set(met)
        self.daemon.wait_for(vm, collect)
        self.assert_cause(met["web"], "service.wrong_address", port=8080, wanted="0.0.0.0", found="127.0.0.1")
        self.assert_cause(met["ticker"], "service.port_taken", port=7000, holder=lambda h: h.startswith("echo (pid "))
        self.assert_cause(met["speaker"], "service.wrong_protocol", port=5900, expected="rfb", got=lambda g: g.startswith("SSH-2.0-x"))
        self.daemon.wait_state(vm, "degraded")   # none of the three is essential


class Health(VmCase):
    def test_an_unhealthy_service_is_named_and_recovers_and_root_inside_can_see_and_restart_it(self):
        script = "; ".join([
            "rm /run/well", until(f"{AGENT} why | grep -q 'service.unhealthy: its health probe file:/run/well fails'"), "touch /run/well",
            until(f"{AGENT} status | grep -q '^state   ready, link up'"), f"{AGENT} status", f"{AGENT} ctl reload web", f"{AGENT} ctl restart web",
            "echo asked", "exec sleep 1000"])
        vm = self.up("unhealthy", services={
            "web": {"exec": busybox_sh("touch /run/well; exec busybox httpd -f -p 8080 -h /srv/web"), "user": "root",
                    "health": {"probe": {"file": {"path": "/run/well"}}, "interval_s": 1, "failures": 2}},
            "ticker": {"exec": busybox_sh(script), "user": "root", "after": ["web", "echo"], "ready": []}})
        unready = self.daemon.wait_for(vm, lambda e: e["type"] == "service" and e["body"]["state"] == "unready")
        self.assertEqual(unready["body"]["name"], "web")
        self.assert_cause(unready["body"]["cause"], "service.unhealthy", probe="file:/run/well")
        self.daemon.wait_state(vm, "unready")
        again = self.daemon.wait_for(vm, lambda e: e["seq"] > unready["seq"] and e["type"] == "service" and e["body"]["name"] == "web"
                                     and e["body"]["state"] == "ready")
        self.assertEqual(again["body"]["restarts"], 0, "it was left alone")
        # The same report may come twice, over the console and over the link: only another process is a restart.
        self.daemon.wait_for(vm, lambda e: e["seq"] > again["seq"] and e["type"] == "service" and e["body"]["name"] == "web"
                             and e["body"]["state"] == "ready" and e["body"]["pid"] != again["body"]["pid"])
        before = self.service(vm, "web")["pid"]
        self.daemon.vigil("ctl", vm["id"], "restart", "web", check=0)
        self.daemon.wait_for(vm, lambda e: e["type"] == "service" and e["body"]["name"] == "web" and e["body"]["state"] == "ready"
                             and e["body"]["pid"] > before)
        self.assertIn("web cannot be reloaded", self.daemon.vigil("ctl", vm["id"], "reload", "web", check=1)[2])
        self.assertIn("there are:", self.daemon.vigil("ctl", vm["id"], "stop", "nobody", check=1)[2])
        crashes = self.daemon.api.get(f"/v1/instances/{vm['id']}/crashes")
        self.assertEqual(crashes, [])
        log = "".join(self.daemon.vigil("logs", vm["id"], "ticker", check=0)[1:])
        self.assertIn("SERVICE  STATE", log)
        self.assertIn("8080", log)
        self.assertIn("web cannot be reloaded", log)
        self.assertIn("restart web: asked", log)

    def test_health_and_ports_arrive_and_a_full_file_system_is_a_cause_until_it_is_emptied(self):
        vm = self.up("full", services={
            "ticker": {"exec": busybox_sh("fallocate -l 100G /var/fill; dd if=/dev/zero of=/dev/shm/fill bs=1M; " + until("test -e /run/empty") +
                                          "; rm /dev/shm/fill; exec sleep 1000"),
                       "user": "root", "after": ["web", "echo"], "ready": []},
            "emptier": {"exec": busybox_sh(until(f"{AGENT} why | grep -q 'guest.disk_full: the file system /dev/shm is full'") + "; touch /run/empty; exec sleep 1000"),
                        "user": "root", "after": ["web"], "ready": []}})

        def health_with(wanted):
            return self.daemon.wait_for(vm, lambda e: is_health(e) and wanted([(c["code"], c.get("fields", {}).get("mount")) for c in e["body"]["causes"]],
                                                                                       e["seq"]))
        full = health_with(lambda causes, _: ("guest.disk_full", "/dev/shm") in causes)
        self.assertIn(("guest.disk_full", "/"), [(c["code"], c["fields"]["mount"]) for c in full["body"]["causes"]], "the agent lives on with a full disk")
        health_with(lambda causes, seq: seq > full["seq"] and ("guest.disk_full", "/dev/shm") not in causes)

        def ports_of(event):
            return {(p["service"], p["port"], p["address"]) for p in event["body"]["listeners"]} if event["type"] == "net" else set()
        self.daemon.wait_for(vm, lambda e: {("echo", 7000, "0.0.0.0"), ("web", 8080, "::")} <= ports_of(e))
        shown = self.daemon.api.get(f"/v1/instances/{vm['id']}")
        health = shown["health"]
        self.assertEqual(health["file_systems"][0]["mount"], "/")
        self.assertGreater(health["memory_peak_kib"], 0)
        self.assertIn("pressure", health)
        self.assertTrue(health["top"])
        self.assertLess(abs(health["clock_offset_us"]), 10_000_000)
        self.assertIn(7000, [p["port"] for p in shown["listeners"]])

    def test_a_clock_that_jumps_by_a_day_is_told_and_put_right_by_the_hosts(self):
        day = 86_400
        vm = self.up("clock", services={"ticker": {"exec": busybox_sh(f"date -s @$(($(date +%s) + {day})); exec sleep 1000"), "user": "root",
                                                   "after": ["web", "echo"], "ready": []}})
        jumped = self.daemon.wait_for(vm, lambda e: is_health(e) and e["body"]["causes"])
        self.assert_cause(jumped["body"]["causes"][0], "guest.clock_jumped", delta=lambda d: day - 60 < d < day + 60)
        self.daemon.wait_for(vm, lambda e: is_health(e) and e["body"].get("clock_offset_us", 0) > (day - 60) * 1_000_000)
        self.daemon.wait_for(vm, lambda e: e["seq"] > jumped["seq"] and is_health(e)
                             and abs(e["body"].get("clock_offset_us", day * 1_000_000)) < 2_000_000)
        self.assertEqual(self.service(vm, "web")["state"], "ready")


if __name__ == "__main__":
    unittest.main()
