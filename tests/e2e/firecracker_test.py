#!/usr/bin/env python3
"""The skeleton on Firecracker: a VM becomes ready, powers itself off, panics, is killed; and each weakness of Firecracker, met by a naive client."""
import json
import os
import pathlib
import re
import signal
import socket
import tempfile
import unittest

from harness.case import busybox_sh
from harness.daemon import ROOT, process_gone
from harness.firecracker import BareFirecracker, FirecrackerCase, ask

STREAMS_PORT = 5253
PANIC = {"exec": busybox_sh("read x < /run/never 2>/dev/null; echo c > /proc/sysrq-trigger"), "user": "root", "after": ["web", "echo"],
         "essential": False, "ready": []}
POWER_OFF = {"exec": ["/run/vigil/bin/vigil-guest", "poweroff"], "user": "root", "essential": False, "after": ["web"], "ready": []}


def dial(path, *pieces, timeout=30):
    """Connects to a VM's vsock socket and sends each piece in a write of its own."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    connection.connect(str(path))
    for piece in pieces:
        connection.sendall(piece)
        os.sched_yield()
    return connection


class Skeleton(FirecrackerCase):
    def ended(self, vm):
        """How the first run's VMM ended; the outcome has been announced by then."""
        exited = self.daemon.wait_for(vm, lambda e: e["type"] == "vmm_exited", 300)["body"]
        self.daemon.wait_for(vm, lambda e: e["type"] == "state" and e["body"]["outcome"], 60)
        return exited

    def test_up_ends_with_a_ready_vm_that_says_what_it_runs_on(self):
        code, out, err = self.daemon.vigil("up", "minimal", "--name", "whole")
        self.assertEqual(code, 0, out + err)
        vm = self.daemon.api.get("/v1/instances/whole")
        self.addCleanup(self.remove, vm)
        self.assertEqual((vm["power"], vm["state"], vm["liveness"]), ("running", "ready", "ok"))
        self.assertEqual(vm["vmm"]["name"], "firecracker")
        self.assertRegex(vm["vmm"]["version"], r"^1\.\d+\.\d+$")
        self.assertEqual({s["name"]: s["state"] for s in vm["services"]}, {"web": "ready", "echo": "ready", "ticker": "ready"})
        self.assertEqual(self.daemon.vigil("exec", "whole", "echo", "over vsock", check=0)[1].strip(), "over vsock")
        console = self.daemon.vigil("console", "whole", check=0)[1]
        self.assertIn("Linux version", console)
        self.assertNotIn("Running Firecracker", console, "what the VMM itself says is in vmm.log")
        self.daemon.vigil("stop", "whole", check=0)
        vm = self.daemon.api.get("/v1/instances/whole")
        self.assertEqual((vm["state"], vm["outcome"], vm["cause"]), ("stopped", "clean", None))
        self.assertEqual(self.ended(vm)["exit"], {"code": 0})

    def test_a_guest_that_powers_itself_off_ends_its_vmm(self):
        vm = self.up("leaver", services={"ticker": POWER_OFF})
        self.daemon.wait_state(vm, "stopped")
        why = self.daemon.why(vm)
        self.assertEqual(why["outcome"], "clean")
        self.assert_cause(why["verdict"]["cause"], "guest.poweroff_unasked")
        self.assertEqual(self.ended(vm)["exit"], {"code": 0}, "by the guest's reset, not by a kill")

    def test_a_kernel_panic_is_a_crash_though_the_vmm_ends_with_code_zero(self):
        vm = self.up("panic", services={"ticker": PANIC})
        self.assertEqual(self.ended(vm)["exit"], {"code": 0})
        why = self.daemon.why(vm)
        self.assertEqual(why["outcome"], "crashed")
        self.assertIn(why["verdict"]["cause"]["code"], ("guest.panic", "boot.panic"))
        self.assertIn("sysrq triggered crash", why["verdict"]["cause"]["fields"]["text"])

    def test_a_vmm_that_is_killed_is_named_with_its_signal_and_leaves_nothing(self):
        vm = self.up("victim")
        started = self.daemon.wait_for(vm, lambda e: e["type"] == "vmm_started")
        self.daemon.wait_state(vm, "ready")
        os.kill(self.daemon.api.get(f"/v1/instances/{vm['id']}")["pid"], signal.SIGKILL)
        self.daemon.wait_state(vm, "crashed")
        self.assert_cause(self.daemon.why(vm)["verdict"]["cause"], "vmm.killed", signal="SIGKILL")
        for key in ("vmm_pid", "shim_pid"):
            self.assertTrue(process_gone(started["body"][key]), key)

    def test_ctrl_alt_del_is_an_orderly_reboot(self):
        vm = self.up("pressed")
        self.daemon.wait_state(vm, "ready")
        status, text = ask(self.daemon.run / vm["id"] / "firecracker.sock", "PUT", "/actions", json.dumps({"action_type": "SendCtrlAltDel"}))
        self.assertEqual(status, 204, text)
        self.assertEqual(self.ended(vm)["exit"], {"code": 0})
        end = self.daemon.wait_for(vm, lambda e: e["type"] == "state" and e["body"]["outcome"])["body"]
        self.assertEqual(end["outcome"], "clean")
        self.assert_cause(end["cause"], "guest.reboot_unasked")

    def test_a_vm_outlives_its_daemon(self):
        vm = self.up("survivor")
        self.daemon.wait_state(vm, "ready")
        self.daemon.kill()
        self.daemon.start()
        adopted = self.daemon.wait_for(vm, lambda e: e["type"] == "adopted")
        self.daemon.wait_for(vm, lambda e: e["type"] == "link_up" and e["seq"] > adopted["seq"])
        self.assertEqual(self.daemon.api.get(f"/v1/instances/{vm['id']}")["state"], "ready")
        self.daemon.vigil("stop", "survivor", check=0)
        self.assertEqual(self.ended(vm)["exit"], {"code": 0})


class OtherHosts(unittest.TestCase):
    """Hosts that are not as one would like them."""

    def case(self, *options):
        kind = type("Host", (FirecrackerCase,), {"double_options": options})
        kind.setUpClass()
        self.addCleanup(kind.tearDownClass)
        return kind()

    def test_without_kvm_the_start_fails_with_firecrackers_own_words(self):
        case = self.case("--double-without-kvm")
        vm = case.daemon.create("grounded")
        case.daemon.wait_state(vm, "failed")
        cause = case.daemon.why(vm)["verdict"]["cause"]
        self.assertEqual(cause["code"], "vmm.start_failed")
        self.assertIn("KVM", cause["fields"]["reason"])
        self.assertIn("Error creating KVM object", "\n".join(cause["evidence"]))

    def test_a_version_without_serial_has_its_console_on_stdout(self):
        case = self.case("--double-version", "1.13.1")
        vm = case.daemon.create("old")
        case.daemon.wait_state(vm, "ready")
        self.assertEqual(case.daemon.api.get("/v1/instances/old")["vmm"]["version"], "1.13.1")
        console = case.daemon.vigil("console", "old", check=0)[1]
        self.assertIn("Linux version", console)
        self.assertNotIn("Running Firecracker", console)


class Weaknesses(FirecrackerCase):
    """Each thing that Firecracker does otherwise than one would think: what a naive client does fails, what Vigil does works. In one VM."""
    double_options = ("--double-version", "1.16.1")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vm = cls.daemon.create("weak")
        cls.daemon.wait_state(cls.vm, "ready")
        cls.uds = cls.daemon.run / cls.vm["id"] / "vsock"

    def test_a_connect_line_in_two_writes_is_an_end_without_a_word(self):
        with dial(self.uds, b"CONN") as naive:
            self.assertEqual(naive.recv(100), b"")
        with dial(self.uds, b"CONNECT %d\n" % STREAMS_PORT) as right:
            self.assertRegex(right.recv(100), rb"^OK [0-9]+\n$")

    def test_the_number_in_the_answer_is_not_the_port(self):
        with dial(self.uds, b"connect %d\n" % STREAMS_PORT) as right:
            answer = right.recv(100)
        self.assertNotEqual(answer, b"OK %d\n" % STREAMS_PORT, "who waits for the port he asked for waits in vain")
        self.assertGreaterEqual(int(re.fullmatch(rb"OK ([0-9]+)\n", answer).group(1)), 1 << 30)

    def test_every_failure_is_the_same_end(self):
        for words in (b"CONNECT 4\n", b"HELLO\n", b"CONNECT x\n", b"CONNECT " + b"0" * 40 + b"1\n"):
            with self.subTest(words), dial(self.uds, words) as naive:
                self.assertEqual(naive.recv(100), b"", "no text tells a port without a listener from nonsense")

    def test_half_a_close_is_a_whole_one(self):
        opening = json.dumps({"v": 1, "op": "exec", "argv": ["/bin/sleep", "1"]}).encode()
        frame = len(opening).to_bytes(4, "little") + opening
        with dial(self.uds, b"CONNECT %d\n" % STREAMS_PORT + frame) as naive:
            naive.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := naive.recv(4096):
                answer += piece
        self.assertNotIn(b'"exit"', answer, "who closes his half after the question gets no end of the answer")
        self.assertEqual(self.daemon.vigil("exec", "weak", "sh", "-c", "cat; echo done", check=0)[1], "done\n", "Vigil's ends are frames")

    def test_zz_a_bare_pause_ends_connections_of_the_host_for_good(self):
        """Last by its name: afterwards nobody dials this guest."""
        api = self.daemon.run / self.vm["id"] / "firecracker.sock"
        for state in ("Paused", "Resumed"):
            status, text = ask(api, "PATCH", "/vm", json.dumps({"state": state}))
            self.assertEqual(status, 204, text)
        with dial(self.uds, b"CONNECT %d\n" % STREAMS_PORT, timeout=5) as naive, self.assertRaises(TimeoutError):
            naive.recv(100)   # host_io_tests: Vigil's driver refuses such a pause


class PowerOff(FirecrackerCase):
    double_options = ("--double-version", "1.15.1")

    def test_a_guest_that_powers_off_by_acpi_does_not_end_its_vmm(self):
        """The naive guest, made by a kernel argument that overrules ours: its VMM must be killed after the bye."""
        vm = self.up("stays", kernel_args="vigil.poweroff=acpi", services={"ticker": POWER_OFF})
        ended = self.daemon.wait_for(vm, lambda e: e["type"] == "vmm_exited", 400)["body"]
        self.assertEqual(ended["exit"].get("signal"), signal.SIGKILL, ended)


class Api(unittest.TestCase):
    """The API's own rules, without a guest."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="vg-fc-", dir="/tmp")
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def refused(self, vmm, method, path, body, words):
        status, text = vmm.ask(method, path, body)
        self.assertEqual(status, 400, text)
        self.assertIn(words, json.loads(text)["fault_message"])

    def test_what_is_not_in_the_description_is_refused(self):
        with BareFirecracker(self.path) as vmm:
            vmm.wait_listening()
            self.refused(vmm, "PUT", "/vsock", '{"guest_cid": 3, "uds_path": "v", "cid": 3}', "unknown field `cid`")
            self.refused(vmm, "PUT", "/machine-config", '{"vcpu_count": 33, "mem_size_mib": 128}', "out of range")
            self.refused(vmm, "PUT", "/boot-source", None, "Empty PUT")
            self.refused(vmm, "GET", "/", "{}", "cannot have a body")
            self.refused(vmm, "PUT", "/nothing", "{}", "Invalid request method and/or path")
            self.refused(vmm, "PUT", "/machine-config", "x" * 60000, "too large")
            self.refused(vmm, "PUT", "/boot-source", '{"kernel_image_path": "/nonexistent"}', "kernel file cannot be opened")

    def test_the_order_of_calls_matters(self):
        with BareFirecracker(self.path) as vmm:
            vmm.wait_listening()
            self.refused(vmm, "PATCH", "/vm", '{"state": "Paused"}', "before starting the microVM")
            self.refused(vmm, "PUT", "/actions", '{"action_type": "SendCtrlAltDel"}', "before starting the microVM")
            self.refused(vmm, "PUT", "/actions", '{"action_type": "InstanceStart"}', "without kernel configuration")
            self.assertEqual(json.loads(vmm.ask("GET", "/")[1])["state"], "Not started", "a start that failed leaves it as it was")

    def test_a_version_before_1_14_knows_no_serial(self):
        with BareFirecracker(self.path, "--double-version", "1.13.1") as vmm:
            vmm.wait_listening()
            self.refused(vmm, "PUT", "/serial", '{"serial_out_path": "/dev/null"}', "Invalid request method and/or path")

    def test_a_socket_that_is_left_over_is_refused(self):
        with BareFirecracker(self.path) as vmm:
            vmm.wait_listening()
            body = json.dumps({"guest_cid": 3, "uds_path": str(self.path / "v")})
            self.assertEqual(vmm.ask("PUT", "/vsock", body)[0], 204)
            with dial(self.path / "v", b"CONNECT 5253\n", timeout=1) as early, self.assertRaises(TimeoutError):
                early.recv(100)   # before the guest has its driver nobody answers: a deadline of one's own is needed
            self.refused(vmm, "PUT", "/vsock", body, "Address already in use")

    def test_without_a_log_path_the_log_is_mixed_into_the_console(self):
        with BareFirecracker(self.path) as vmm:
            self.assertIn(b"Running Firecracker", vmm.process.stdout.readline())

    def test_serial_bytes_without_room_are_lost_in_silence(self):
        """A naive supervisor's pipe of 64 KiB that is not read; the shim's is 1 MiB and read every 2 ms."""
        import fcntl
        import sys
        sys.path.insert(0, str(ROOT / "tests/firecracker-shim"))
        from serial_out import SerialOut
        for room, lost in ((64 << 10, True), (1 << 20, False)):
            with self.subTest(room=room):
                reader, writer = os.pipe()
                fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, room)
                source, uart = os.pipe()
                out = SerialOut()
                out.target = writer
                out.start(source)
                for _ in range(300):
                    os.write(uart, b"x" * 1024)
                os.close(uart)
                out.finish()
                self.assertEqual(out.missed_writes > 0, lost)
                for fd in (reader, writer, source):
                    os.close(fd)


if __name__ == "__main__":
    unittest.main()
