#!/usr/bin/env python3
"""Breaks services and kernels in real VMs; each cause and its subject must be named."""
import base64
import subprocess
import tempfile
import pathlib
import unittest

from harness.case import VmCase, busybox_sh
from harness.image import variant


class ServiceFaults(VmCase):
    def test_a_taken_port_names_the_holder(self):
        vm = self.up("port", services={"echo": {"exec": ["/usr/bin/socat", "TCP-LISTEN:8080", "PIPE"], "after": ["web"],
                                                "essential": False, "restart": "never"}})
        crash = self.crash_of(vm, "echo")
        self.assert_cause(crash["cause"], "service.port_taken", port=8080, holder=lambda h: "web" in h and "pid" in h)

    def test_a_missing_binary_is_named_by_its_path(self):
        vm = self.up("binary", services={"ticker": {"exec": ["/usr/bin/does-not-exist"]}})
        self.daemon.wait_state(vm, "failed")
        why = self.daemon.why(vm)
        self.assertEqual(why["verdict"]["service"], "ticker")
        self.assert_cause(why["verdict"]["cause"], "service.missing_binary", path="/usr/bin/does-not-exist")

    def test_a_segmentation_fault_comes_with_the_last_lines_of_stderr(self):
        vm = self.up("segv", services={"ticker": {"exec": busybox_sh("echo the last line >&2; kill -SEGV $$"), "essential": False,
                                                  "restart": "never"}})
        crash = self.crash_of(vm, "ticker")
        self.assert_cause(crash["cause"], "service.signalled", signal="SIGSEGV")
        self.assertIn(b"the last line", base64.b64decode(crash["stderr_tail_b64"]))

    def test_an_oom_kill_names_limit_peak_and_victim(self):
        vm = self.up("oom", services={"ticker": {"exec": ["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=64M"], "essential": False, "restart": "never",
                                                 "limits": {"memory": "24M"}}})
        crash = self.crash_of(vm, "ticker")
        limit = 24 << 20
        self.assert_cause(crash["cause"], "service.oom_killed", limit=limit, peak=lambda p: 0.9 * limit <= p <= limit * 1.1,
                          victim=lambda v: v.startswith("dd"))

    def test_a_kernel_panic_is_named_while_ready_and_the_vm_has_crashed(self):
        vm = self.up("panic", services={"ticker": {"exec": busybox_sh("read x < /run/never 2>/dev/null; echo c > /proc/sysrq-trigger"),
                                                   "user": "root", "after": ["web", "echo"], "essential": False, "ready": []}})
        self.daemon.wait_state(vm, "crashed")   # told at the panic, before the VMM has ended
        self.daemon.wait_for(vm, lambda e: e["type"] == "state" and e["body"]["outcome"] == "crashed", 60)
        why = self.daemon.why(vm)
        self.assertEqual(why["outcome"], "crashed")
        self.assert_cause(why["verdict"]["cause"], lambda_code(why), text=lambda t: "sysrq triggered crash" in t)

    def test_a_crash_loop_is_stopped_and_keeps_its_first_cause(self):
        vm = self.up("loop", services={"ticker": {"exec": busybox_sh("echo broken >&2; exit 7"),
                                                  "restart": {"policy": "always", "backoff_ms": 10, "crash_loop": {"exits": 3, "window_s": 60}}}})
        self.daemon.wait_state(vm, "failed")
        service = self.service(vm, "ticker")
        self.assertEqual(service["state"], "failed")
        self.assert_cause(service["cause"], "service.crash_loop", first=lambda f: f.startswith("service.exited"))
        self.assertEqual(service["restarts"], 2)

    def test_a_dependency_that_never_becomes_ready_fails_what_requires_it(self):
        vm = self.up("dependency", services={
            "echo": {"exec": ["/bin/sleep", "1000"], "ready": {"tcp": {"port": 7000}}, "ready_timeout_s": 1},
            "ticker": {"requires": ["echo"]}})
        self.daemon.wait_state(vm, "failed")
        self.daemon.wait_for(vm, lambda e: e["type"] == "service" and e["body"]["name"] == "ticker" and e["body"]["state"] == "failed")
        self.assert_cause(self.service(vm, "echo")["cause"], "service.ready_timeout", probe="tcp:7000")
        self.assert_cause(self.service(vm, "ticker")["cause"], "service.dependency_failed", dependency="echo")
        self.assertEqual(self.daemon.why(vm)["verdict"]["service"], "echo", "the first cause, not what followed from it")

    def test_wrong_service_files_are_named_by_file_and_key(self):
        for name, override, code, fields in (
                ("unknown-key", {"ticker": {"exce": ["/bin/true"]}}, "service.spec_invalid", {"key": "exce"}),
                ("wrong-type", {"ticker": {"exec": "/bin/true"}}, "service.spec_invalid", {"key": "exec"}),
                ("cycle", {"web": {"after": ["echo"]}, "echo": {"after": ["web"]}}, "service.dependency_cycle", {}),
                ("missing", {"ticker": {"requires": ["nobody"]}}, "service.spec_invalid", {"key": lambda k: "requires" in k})):
            with self.subTest(name):
                vm = self.up(name, services=override)
                self.daemon.wait_state(vm, "failed")
                self.assert_cause(self.daemon.why(vm)["verdict"]["cause"], code, **fields)


def lambda_code(why):
    """A panic while a service still starts is boot.panic, later guest.panic; both are right here, a third would not be."""
    code = why["verdict"]["cause"]["code"]
    return code if code in ("boot.panic", "guest.panic") else "guest.panic"


class BootFaults(VmCase):
    def test_a_missing_root_disk_is_named_with_what_was_seen(self):
        vm = self.up("rootless", kernel_args="vigil.root=not-there")
        self.daemon.wait_state(vm, "failed")
        self.assert_cause(self.daemon.why(vm)["verdict"]["cause"], "boot.root_missing", device=lambda d: "not-there" in d,
                          seen=lambda s: "vigil-root" in s)

    def test_a_kernel_that_stays_silent_is_told_from_a_slow_one(self):
        with tempfile.TemporaryDirectory(dir=self.daemon.base) as folder:
            kernel = pathlib.Path(folder) / "kernel"
            source = pathlib.Path(__file__).with_name("silent_kernel.S")
            subprocess.run(["gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x100000", "-Wl,--build-id=none", "-Wl,-e,entry",
                            "-o", kernel, source], check=True, capture_output=True)
            variant(self.daemon, "silent", parts={"kernel": kernel})
            vm = self.up("silent", image="silent", deadlines_ms={"kernel": 500, "initrd": 500})
            self.daemon.wait_state(vm, "failed")
            self.assert_cause(self.daemon.why(vm)["verdict"]["cause"], "boot.kernel_silent")

    def test_a_file_that_is_no_kernel_is_refused_before_the_start(self):
        garbage = self.daemon.base / "garbage"
        garbage.write_bytes(b"not a kernel" * 1000)
        variant(self.daemon, "garbage", parts={"kernel": garbage})
        code, out, err = self.daemon.vigil("up", "garbage", "--name", "garbage")
        self.addCleanup(self.daemon.vigil, "rm", "--force", "garbage")
        self.assertEqual(code, 1, out + err)
        self.assert_cause(self.daemon.vigil_json("why", "garbage")["verdict"]["cause"], "boot.kernel_invalid")


if __name__ == "__main__":
    unittest.main()
