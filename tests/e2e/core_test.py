#!/usr/bin/env python3
"""Crashes programs in real VMs: each death comes with the function that it died in, soon, and without harm to anybody else."""
import base64
import pathlib
import re
import subprocess
import unittest

from harness.case import VmCase
from harness.daemon import BIN
from harness.image import root_with, variant

SOURCE = pathlib.Path(__file__).with_name("crasher.c")
INSIDE, STRIPPED = "/usr/bin/crasher", "/usr/bin/crasher-stripped"


class Cores(VmCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        program, stripped = cls.daemon.base / "crasher", cls.daemon.base / "crasher-stripped"
        subprocess.run(["gcc", "-O1", "-fno-optimize-sibling-calls", "-Wl,--build-id", "-pthread", "-o", program, SOURCE], check=True)
        subprocess.run(["strip", "-s", "-o", stripped, program], check=True)
        notes = subprocess.run(["readelf", "-n", program], check=True, capture_output=True, text=True).stdout
        cls.build_id = re.search(r"Build ID: ([0-9a-f]+)", notes).group(1)
        files = {INSIDE: program, STRIPPED: stripped}
        variant(cls.daemon, "crashers", parts={"root": root_with(cls.daemon, files)})
        symbols = cls.daemon.base / "crasher.debug"
        subprocess.run(["objcopy", "--only-keep-debug", program, symbols], check=True)
        files[f"/usr/lib/debug/.build-id/{cls.build_id[:2]}/{cls.build_id[2:]}.debug"] = symbols
        variant(cls.daemon, "crashers-debug", parts={"root": root_with(cls.daemon, files)})

    def crasher(self, how, program=INSIDE, **more):
        return {"exec": [program, how], "after": ["web", "echo"], "ready": [], "essential": False, "restart": "never", "user": "root", **more}

    def crash(self, name, how, **more):
        """(crash, trace): both as the store has them, in the order of their coming."""
        vm = self.up(name, image="crashers", services={"ticker": self.crasher(how, **more)})
        return vm, *self.crash_and_trace(vm)

    def crash_and_trace(self, vm):
        crash, trace = None, None
        for event in self.daemon.api.events(vm["id"], deadline=150):
            if event["type"] == "crash" and not event["body"]["report"].get("partial"):
                crash = crash or event
            if event["type"] == "crash_trace" and crash and event["body"]["crash"] == crash["body"]["crash"]:
                trace = event
                break
        print(f"      trace of {crash['body']['crash']} {(trace['at_unix_us'] - crash['at_unix_us']) / 1000:.0f} ms after its crash report", flush=True)
        return crash["body"], trace["body"]

    def functions(self, frames):
        return [frame["function"] for frame in frames]

    def test_each_of_the_five_signals_names_its_function(self):
        faults = {"segv": ("SIGSEGV", "write_nowhere", "SEGV_MAPERR"), "abrt": ("SIGABRT", "give_up", "sent by itself"),
                  "bus": ("SIGBUS", "read_past_the_file", "BUS_ADRERR"), "ill": ("SIGILL", "run_nonsense", "ILL_ILLOPN"),
                  "fpe": ("SIGFPE", "divide_by_zero", "FPE_INTDIV")}
        for how, (signal, function, reason) in faults.items():
            with self.subTest(how):
                vm, crash, trace = self.crash(how, how, user="nobody")
                self.assertEqual(crash["cause"]["fields"]["signal"], signal)
                self.assertTrue(crash["exit"]["core"], "a core was made")
                functions = self.functions(trace["frames"])
                self.assertIn(function, functions)
                self.assertEqual(functions[functions.index(function):][:3], [function, "work", "main"])
                self.assertIn(reason, trace["reason"])
                self.assertFalse(trace["truncated"], trace)
                shown = self.daemon.api.get(f"/v1/instances/{vm['id']}/crashes")[0]
                self.assert_cause(shown["cause"], "service.signalled", signal=signal, function=function)

    def test_a_stripped_program_gives_module_offset_and_build_id(self):
        _, crash, trace = self.crash("stripped", "segv", exec=[STRIPPED, "segv"])
        frame = trace["frames"][0]
        self.assertEqual((frame["module"], frame["build_id"], frame["function"]), (STRIPPED, self.build_id, ""))
        symbol = self.symbol("write_nowhere")
        self.assertTrue(symbol[0] <= frame["offset"] < symbol[0] + symbol[1], f"{frame['offset']:#x} is not in write_nowhere, {symbol}")
        self.assertNotIn("function", crash["cause"]["fields"])

    def test_separate_debug_symbols_name_the_functions_of_a_stripped_program(self):
        vm = self.up("symbols", image="crashers-debug", services={"ticker": self.crasher("segv", program=STRIPPED)})
        _, trace = self.crash_and_trace(vm)
        self.assertEqual(self.functions(trace["frames"])[:3], ["write_nowhere", "work", "main"])
        self.assertEqual(trace["frames"][0]["module"], STRIPPED)

    def symbol(self, name):
        table = subprocess.run(["nm", "-S", self.daemon.base / "crasher"], check=True, capture_output=True, text=True).stdout
        return tuple(int(word, 16) for word in re.search(rf"^(\w+) (\w+) \w {name}$", table, re.M).groups())

    def test_a_deep_recursion_is_cut_off_and_says_so(self):
        _, _, trace = self.crash("deep", "recursion")
        self.assertEqual(self.functions(trace["frames"]), ["dig_deeper"] * 64)
        self.assertTrue(trace["truncated"])
        self.assertIn("more than 64 frames", trace["cut"])

    def test_the_other_threads_are_named_and_traced(self):
        _, crash, trace = self.crash("threads", "threads")
        self.assertIn("write_nowhere", self.functions(trace["frames"]))
        self.assertEqual([t["name"] for t in trace["threads"]], ["idle-worker"] * 3)
        for thread in trace["threads"]:
            self.assertIn("idle_worker", self.functions(thread["frames"]), thread)
        victim = crash["victim"]
        self.assertEqual((victim["executable"], victim["command_line"], victim["threads"], victim["uid"]), (INSIDE, f"{INSIDE} threads", 4, 0))
        self.assertGreater(victim["mappings"], 10)
        self.assertGreater(victim["resident_kib"], 100)

    def test_a_call_of_nothing_leads_to_the_caller(self):
        vm, _, trace = self.crash("nothing", "null-call")
        self.assertEqual((trace["frames"][0]["module"], trace["frames"][0]["offset"], trace["fault_address"]), ("", 0, "0x0"))
        self.assertEqual(self.functions(trace["frames"])[1:4], ["call_nothing", "work", "main"])
        text = self.daemon.vigil("crashes", vm["id"], check=0)[1]
        for wanted in ("it was killed by SIGSEGV in call_nothing", "SEGV_MAPERR at address 0x0", "#1  call_nothing  crasher+0x",
                       f"was {INSIDE} null-call in /"):
            self.assertIn(wanted, text)

    def test_a_program_that_changed_its_user_is_traced_too(self):
        _, crash, trace = self.crash("user", "other-user")
        self.assertEqual(crash["victim"]["uid"], 65534)
        self.assertEqual(self.functions(trace["frames"])[:2], ["write_nowhere", "crash_as_another_user"])

    def test_a_lost_stack_gives_what_there_is(self):
        _, _, trace = self.crash("stackless", "lost-stack")
        self.assertEqual(self.functions(trace["frames"])[0], "lose_the_stack")
        self.assertTrue(trace["truncated"])
        self.assertNotEqual(trace["cut"], "")

    def test_files_that_only_look_like_programs_harm_nobody(self):
        vm = self.up("broken", image="crashers", services={"ticker": self.crasher("broken-files")})
        crashes, traces = [], {}
        for event in self.daemon.api.events(vm["id"], deadline=150):
            if event["type"] == "crash" and not event["body"]["report"].get("partial"):
                crashes.append(event["body"])
            if event["type"] == "crash_trace":
                traces[event["body"]["crash"]] = event["body"]
            if len([c for c in crashes if c["process"] == "crasher"]) == 12 and len(traces) >= 12:
                break
        self.assertTrue(all(c["crash"] in traces for c in crashes if c["process"] == "crasher"))
        helpers = [c["exit"] for c in crashes if c["process"] == "vigil-core"]
        print(f"      12 crashes in broken files, {sum(not t['truncated'] for t in traces.values())} traces whole; helpers that died: {helpers}", flush=True)
        self.assertEqual({s["name"]: s["state"] for s in self.daemon.api.get(f"/v1/instances/{vm['id']}/services")},
                         {"web": "ready", "echo": "ready", "ticker": "ready"})

    def test_why_names_the_function_of_the_service_that_failed_the_vm(self):
        vm, _, _ = self.crash("why", "abrt", essential=True)
        text = self.daemon.vigil("why", vm["id"], check=0)[1]
        self.assertRegex(text, r"service\.signalled: it was killed by SIGABRT in give_up\n.*#0 ")
        self.assert_cause(self.service(vm, "ticker")["cause"], "service.signalled", signal="SIGABRT", function="give_up")

    def test_a_process_that_is_not_the_services_first_is_reported_too(self):
        vm, crash, trace = self.crash("child", "child")
        self.assertEqual((crash["service"], crash["process"], crash["exit"]["signal"]), ("ticker", "crasher", 11))
        self.assertEqual(self.functions(trace["frames"])[:2], ["write_nowhere", "crash_as_child"])
        self.assertEqual(self.service(vm, "ticker")["state"], "ready", "its first process lives")

    def test_a_crash_of_the_agent_itself_leaves_its_frames_on_the_console(self):
        vm = self.up("agent", image="crashers", services={"ticker": self.crasher("segv", exec=["/bin/sh", "-c", "kill -SEGV 1; sleep 100"])})
        self.daemon.wait_for(vm, lambda e: e["type"] == "state" and e["body"]["state"] == "crashed")
        console = self.daemon.vigil("console", vm["id"], check=0)[1]
        build_id = re.search(r"vigil-guest: build id ([0-9a-f]{40})", console)
        self.assertIsNotNone(build_id, console[-2000:])
        notes = subprocess.run(["readelf", "-n", BIN / "vigil-guest"], check=True, capture_output=True, text=True).stdout
        self.assertIn(build_id.group(1), notes)
        addresses = " ".join(re.findall(r"vigil-guest: frames((?: [0-9a-f]{16})+)", console)).split()
        named = subprocess.run(["addr2line", "-C", "-f", "-e", BIN / "vigil-guest.debug", *addresses], check=True, capture_output=True, text=True).stdout
        self.assertIn("vigil::guest::EventLoop::run()", named, addresses)
        self.assertIn("main", named.splitlines())

    def test_a_large_process_dies_as_soon_as_a_small_one(self):
        """Only the figures are shown; that the core is not read to its end is what keeps them close."""
        vm = self.up("timed", image="crashers", services={"ticker": self.crasher("measure")})
        ended = self.daemon.wait_for(vm, lambda e: e["type"] == "crash" and e["body"]["exit"].get("code") == 1 and not e["body"]["report"].get("partial"))
        said = base64.b64decode(ended["body"]["stdout_tail_b64"]).decode()
        print("      from the fault to the parent's wait: " + "; ".join(said.splitlines()), flush=True)
        self.assertEqual(len(re.findall(r"us with a trace", said)), 2)

    def test_a_crash_of_a_program_that_somebody_ran_is_reported_too(self):
        vm = self.up("exec", image="crashers")
        self.daemon.wait_state(vm, "ready")
        self.daemon.vigil("exec", vm["id"], "--", INSIDE, "fpe")
        crash, trace = self.crash_and_trace(vm)
        self.assertEqual((crash["process"], crash["exit"]["signal"], crash["service"]), ("crasher", 8, ""))
        self.assertEqual(self.functions(trace["frames"])[:2], ["divide_by_zero", "work"])

    def test_twenty_crashes_at_once_harm_nobody(self):
        vm = self.up("twenty", image="crashers", services={"ticker": self.crasher("twenty")})
        crashes, traces = {}, {}
        for event in self.daemon.api.events(vm["id"], deadline=200):
            if event["type"] == "crash" and not event["body"]["report"].get("partial"):
                crashes[event["body"]["crash"]] = event
            if event["type"] == "crash_trace":
                traces[event["body"]["crash"]] = event
            if len(traces) >= 16 and len(traces) == len(crashes):
                break
        slowest = max(traces[c]["at_unix_us"] - crashes[c]["at_unix_us"] for c in traces)
        whole = [t for t in traces.values() if "write_nowhere" in self.functions(t["body"]["frames"])]
        print(f"      {len(crashes)} of 20 crashes at once reported, {len(whole)} traces whole, the last {slowest / 1000:.0f} ms after its report", flush=True)
        self.assertEqual(len(whole), len(crashes))
        self.assertEqual({s["name"]: s["state"] for s in self.daemon.api.get(f"/v1/instances/{vm['id']}/services")},
                         {"web": "ready", "echo": "ready", "ticker": "ready"})
        self.assertNotIn("core.refused", self.daemon.vigil("console", vm["id"], check=0)[1])


if __name__ == "__main__":
    unittest.main()
