#!/usr/bin/env python3
"""Works inside VMs through the daemon: programs, files, ports, as a user does with the command line."""
import base64
import hashlib
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import tempfile
import unittest
import urllib.request

from harness.api import UnixConnection
from harness.case import VmCase, busybox_sh


class Streams(VmCase):
    def start(self, name, **more):
        vm = self.up(name, **more)
        self.daemon.wait_state(vm, "ready")
        return vm["id"]

    def cli(self, *words, given=b"", check=None):
        done = subprocess.run(self.daemon.vigil_command(*words), input=given, capture_output=True, timeout=120)
        if check is not None:
            self.assertEqual(done.returncode, check, done.stderr)
        return done

    def test_a_program_has_its_output_its_input_and_its_exit_code(self):
        vm = self.start("exec")
        done = self.cli("exec", vm, "sh", "-c", "echo out; echo err >&2; exit 7", check=7)
        self.assertEqual((done.stdout, done.stderr), (b"out\n", b"err\n"))
        self.assertEqual(self.cli("exec", vm, "sh", "-c", "kill -SEGV $$").returncode, 128 + signal.SIGSEGV)
        self.assertEqual(self.cli("exec", vm, "no-such-program").returncode, 127)
        self.assertEqual(self.cli("exec", vm, "/etc").returncode, 126)
        self.assertEqual(self.cli("exec", "no-such-vm", "true").returncode, 125)
        large = os.urandom(2_000_000)
        done = self.cli("exec", "-i", vm, "--", "sha256sum", given=large, check=0)
        self.assertTrue(done.stdout.startswith(hashlib.sha256(large).hexdigest().encode()))
        done = self.cli("exec", "-u", "nobody", "-w", "/tmp", "-e", "A=b", vm, "sh", "-c", "id -un; pwd; echo $A", check=0)
        self.assertEqual(done.stdout, b"nobody\n/tmp\nb\n")
        self.assertEqual(self.cli("exec", "-t", vm, "sh", "-c", "test -t 0 && tty", check=0).stdout.strip()[:9], b"/dev/pts/")

    def test_a_large_output_comes_whole(self):
        """A packet of more than 32 KiB leaves a Linux 6.12 guest in several descriptors, which the vsock device loses."""
        vm = self.start("large")
        done = self.cli("exec", vm, "head", "-c", "3000000", "/dev/zero", check=0)
        self.assertEqual(len(done.stdout), 3_000_000)

    def test_a_crash_with_full_tails_reaches_the_store(self):
        script = "head -c 70000 /dev/zero | tr '\\0' o; head -c 70000 /dev/zero | tr '\\0' e >&2; exit 5"
        vm = self.up("tails", services={"ticker": {"exec": busybox_sh(script), "essential": False, "restart": "never", "ready": []}})
        crash = self.crash_of(vm, "ticker")
        self.assertEqual(base64.b64decode(crash["stdout_tail_b64"]), b"o" * 65536)
        self.assertEqual(base64.b64decode(crash["stderr_tail_b64"]), b"e" * 65536)
        self.assertFalse(crash.get("partial", False))

    def test_a_program_outlives_its_client(self):
        vm = self.start("detach")
        started = self.cli("exec", "-d", vm, "sh", "-c", "sleep 1; echo late; exit 4", check=0)
        done = self.cli("exec", "--attach", started.stdout.decode().strip(), vm, check=4)
        self.assertEqual(done.stdout, b"late\n")

    def test_a_signal_to_the_client_is_the_programs(self):
        vm = self.start("signal")
        client = subprocess.Popen(self.daemon.vigil_command("exec", vm, "sh", "-c", "trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.1; done"),
                                  stdout=subprocess.PIPE)
        self.assertEqual(client.stdout.readline(), b"ready\n")
        client.terminate()
        self.assertEqual(client.stdout.read(), b"got it\n")
        self.assertEqual(client.wait(timeout=60), 9)

    def test_files_go_in_and_out_byte_exact(self):
        vm = self.start("files")
        with tempfile.TemporaryDirectory() as folder:
            sent, back = pathlib.Path(folder) / "sent", pathlib.Path(folder) / "back"
            sent.write_bytes(os.urandom(5_000_000))
            sent.chmod(0o750)
            self.cli("cp", sent, f"{vm}:/srv/", check=0)
            self.cli("cp", f"{vm}:/srv/sent", back, check=0)
            self.assertEqual(sent.read_bytes(), back.read_bytes())
            self.assertEqual(back.stat().st_mode & 0o777, 0o750)
            listing = self.daemon.vigil_json("ls", f"{vm}:/srv")
            self.assertIn(("sent", "file", 5_000_000), [(e["name"], e["type"], e["size"]) for e in listing])
            for words in (("cp", f"{vm}:/nothing", back), ("cp", f"{vm}:/srv", back), ("cp", sent, f"{vm}:/no/such/directory/x"), ("ls", f"{vm}:/srv/sent")):
                done = self.cli(*words, check=1)
                self.assertIn(words[-2].split(":")[-1].encode() if "nothing" in str(words) else b"vigil: ", done.stderr)
            self.assertEqual(len(list(pathlib.Path(folder).iterdir())), 2, "no half file is left")

    def test_what_happens_in_a_directory_is_told_as_it_happens(self):
        vm = self.start("watch")
        watch = subprocess.Popen(self.daemon.vigil_command("ls", "--watch", f"{vm}:/srv", "--json"), stdout=subprocess.PIPE)
        self.addCleanup(watch.wait, 30)
        self.addCleanup(watch.kill)
        told = []
        for at in range(40):                      # from when it watches
            self.cli("exec", vm, "sh", "-c", f"mkdir /srv/d{at}", check=0)
            if select.select([watch.stdout], [], [], 0.5)[0]:
                break
        first = json.loads(watch.stdout.readline())
        self.assertEqual((first["event"], first["directory"]), ("created", True))
        self.cli("exec", vm, "sh", "-c", "echo hi > /srv/a && mv /srv/a /srv/b && rm -r /srv", check=None)
        while ("deleted", "b") not in told:
            event = json.loads(watch.stdout.readline())
            told.append((event["event"], event.get("name", "")))
        self.assertEqual([each for each in told if each[1] in "ab"][:2], [("created", "a"), ("changed", "a")])
        self.assertLess(told.index(("moved_from", "a")), told.index(("moved_to", "b")))

    def test_clients_of_sandboxes_find_their_routes(self):
        api = self.daemon.api
        vm = api.post("/instances", {"name": "sandbox", "image": "minimal"})
        self.addCleanup(self.remove, vm)
        status, answer = api.raw("GET", f"/instances/{vm['id']}/ports/web/health")
        self.assertEqual((status, json.loads(answer)["code"]), (503, "port.not_ready"))
        self.daemon.wait_state(vm, "ready")
        status, answer = api.raw("GET", f"/instances/{vm['id']}/ports/web/health")
        self.assertEqual((status, json.loads(answer)["port"]), (200, 8080))
        status, answer = api.raw("POST", "/instances/sandbox/run", {"command": "echo out; echo err >&2; head -c 3000000 /dev/urandom > /srv/large; exit 7"})
        events = re.findall(rb"event: (\w+)\ndata: (.*)", answer)
        self.assertEqual(sorted((kind, json.loads(data)) for kind, data in events[:2]), [(b"stderr", {"text": "err\n"}), (b"stdout", {"text": "out\n"})])
        self.assertEqual((events[2][0], json.loads(events[2][1])), (b"exit", {"code": 7}))
        command = "echo first; while [ ! -e /srv/heard ]; do sleep 0.2; done; echo second"
        self.assertEqual(self.run_in_parts("sandbox", "/instances/sandbox/run", {"command": command}), ["first", "second", 0])
        status, large = api.raw("GET", "/instances/sandbox/filesystem/srv/large", timeout=120)
        digest = self.cli("exec", "sandbox", "sha256sum", "/srv/large", check=0).stdout.split()[0]
        self.assertEqual((status, len(large), hashlib.sha256(large).hexdigest().encode()), (200, 3_000_000, digest))
        status, listing = api.raw("GET", "/instances/sandbox/filesystem/srv")
        self.assertIn(("large", 3_000_000), [(entry["name"], entry["size"]) for entry in map(json.loads, listing.splitlines())])
        self.assertEqual(api.raw("GET", "/instances/sandbox/filesystem/no/such")[0], 404)
        record = next(api.follow("/instances/sandbox/stream/logs?service=ticker"))
        self.assertEqual(record["service"], "ticker")

    def run_in_parts(self, vm, path, order):
        """The second word is said when the first has arrived here: an answer that is gathered first would never come."""
        connection = UnixConnection(self.daemon.socket, 60)
        self.addCleanup(connection.close)
        connection.request("POST", path, json.dumps(order), {"Content-Type": "application/json", "Accept": "text/event-stream"})
        answer, told = connection.getresponse(), []
        self.assertEqual(answer.getheader("Content-Type"), "text/event-stream")
        while len(told) < 3:
            line = answer.readline()
            self.assertTrue(line, "the answer ended early")
            if not line.startswith(b"data:"):
                continue
            data = json.loads(line[5:])
            told.append(data["code"] if "code" in data else data["text"].strip())
            if told == ["first"]:
                self.cli("exec", vm, "touch", "/srv/heard", check=0)
        return told

    def test_an_exec_is_told_while_it_runs_with_its_input(self):
        vm = self.start("told")
        path = f"/v1/instances/{vm}/exec"
        order = {"argv": ["sh", "-c", "read x; echo $x; while [ ! -e /srv/heard ]; do sleep 0.2; done; cat"], "stdin_b64": base64.b64encode(b"first\nsecond").decode()}
        self.assertEqual(self.run_in_parts(vm, path, order), ["first", "second", 0])
        large = os.urandom(256 * 1024)   # more than a socket holds: it is written while the guest reads
        told = [*self.told(path, {"argv": ["sha256sum"], "stdin_b64": base64.b64encode(large).decode()})]
        self.assertEqual((told[0]["text"].split()[0], told[-1]), (hashlib.sha256(large).hexdigest(), {"code": 0}))
        self.assertEqual([*self.told(path, {"argv": ["sh", "-c", "kill -TERM $$"]})][-1]["signal"], signal.SIGTERM)
        refused = self.daemon.api.raw("POST", path, {"argv": ["true"], "timeout_s": 5}, headers={"Accept": "text/event-stream"})
        self.assertEqual((refused[0], "leave it out" in json.loads(refused[1])["detail"]), (400, True))

    def told(self, path, order):
        status, answer = self.daemon.api.raw("POST", path, order, headers={"Accept": "text/event-stream"})
        self.assertEqual(status, 200, answer)
        return [json.loads(line[5:]) for line in answer.splitlines() if line.startswith(b"data:")]

    def test_a_service_answers_a_client_outside_the_vm(self):
        vm = self.start("port")
        client = subprocess.Popen(self.daemon.vigil_command("port", vm, "8080:0", "7000:0", "9:0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(client.wait, 30)
        self.addCleanup(client.terminate)
        web, echo, nobody = (int(re.match(rb"127\.0\.0\.1:(\d+) -> ", client.stdout.readline())[1]) for _ in range(3))
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{web}/", timeout=60) as answer:
                self.assertIn(b"This page comes from the service", answer.read())
        large = os.urandom(300_000)
        with socket.create_connection(("127.0.0.1", echo), timeout=60) as connection:
            connection.sendall(large)
            connection.shutdown(socket.SHUT_WR)
            got = b"".join(iter(lambda: connection.recv(65536), b""))
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(large).digest())
        with socket.create_connection(("127.0.0.1", nobody), timeout=60) as connection:
            self.assertRaises(ConnectionResetError, connection.recv, 1)
        self.assertIn(b"nothing in the VM listens on port 9", client.stderr.readline())

    def test_a_stream_before_the_agent_is_up_is_refused_with_words(self):
        vm = self.up("early", kernel_args="vigil.root=not-there")["id"]
        done = self.cli("exec", vm, "true", check=125)
        self.assertIn(b"its agent is not up yet", done.stderr)


if __name__ == "__main__":
    unittest.main()
