#!/usr/bin/env python3
"""The daemon under a service manager, played by this test: it passes sockets, listens to notifications, waits for the watchdog, and kills what hangs. No VM is needed."""
import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import tempfile
import unittest

from harness.api import Api
from harness.daemon import BIN

PATIENCE = 60


class Manager:
    """What systemd is for the daemon: $NOTIFY_SOCKET, LISTEN_FDS, WATCHDOG_USEC."""

    def __init__(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="vg-sm-", dir="/tmp"))
        self.base.chmod(0o711)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.base / "notify"))
        self.notify.settimeout(PATIENCE)
        self.process, self.heard = None, []

    def listener(self, name):
        path = self.base / name
        path.unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX)
        made.bind(str(path))
        os.chmod(path, 0o666)
        made.listen(16)
        return made

    def start(self, sockets=(), names="", watchdog_us=None, options=()):
        """The shell puts its own pid, which is then the daemon's, into LISTEN_PID."""
        environment = {**os.environ, "NOTIFY_SOCKET": str(self.base / "notify")}
        words = [str(BIN / "vigild"), "--state", str(self.base / "s"), "--run", str(self.base / "r"), *options]
        script = "exec \"$@\""
        if sockets:
            environment.update(LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=names)
            script = "export LISTEN_PID=$$; " + script
        if watchdog_us:
            environment["WATCHDOG_USEC"] = str(watchdog_us)

        def place():
            high = [os.dup2(each.fileno(), 200 + at) for at, each in enumerate(sockets)]
            for at, each in enumerate(high):
                os.dup2(each, 3 + at)

        with open(self.base / "log", "ab") as log:
            self.process = subprocess.Popen(["/bin/sh", "-c", script, "sh", *words], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=place, pass_fds=range(3, 3 + len(sockets)))
        return self

    def wait_for(self, text):
        """The first notification, from now on, that holds `text`."""
        while True:
            message = self.notify.recv(4096).decode()
            self.heard.append(message)
            if text in message:
                return message

    def log(self):
        return (self.base / "log").read_text()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.notify.close()
        subprocess.run(["rm", "-rf", str(self.base)], check=False)


class ServiceManager(unittest.TestCase):
    def setUp(self):
        self.manager = Manager()
        self.addCleanup(self.manager.close)

    def test_it_says_when_it_is_ready_how_it_is_that_it_lives_and_that_it_stops(self):
        manager = self.manager.start(watchdog_us=2_000_000)
        ready = manager.wait_for("READY=1").splitlines()
        self.assertIn(f"MAINPID={manager.process.pid}", ready)
        self.assertIn("STATUS=0 VMs", ready)
        self.assertFalse([each for each in manager.heard[:-1] if "READY" in each or "WATCHDOG" in each], "nothing of the kind before it serves")
        self.assertEqual(Api(manager.base / "r" / "vigild.sock").get("/healthz")["ok"], True)
        for _ in range(3):
            manager.wait_for("WATCHDOG=1")
        manager.process.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        self.assertEqual(manager.process.wait(PATIENCE), 0)
        self.assertFalse((manager.base / "r" / "vigild.sock").exists(), "a socket of its own goes with it")

    def test_a_daemon_that_hangs_says_nothing_and_the_next_one_serves(self):
        manager = self.manager.start(watchdog_us=1_000_000)
        manager.wait_for("WATCHDOG=1")
        manager.process.send_signal(signal.SIGSTOP)
        manager.notify.settimeout(3)
        try:
            with self.assertRaises(TimeoutError):      # what was on its way is taken, then it is silent for three times its period
                for _ in range(100):
                    manager.wait_for("WATCHDOG=1")
        finally:
            manager.process.send_signal(signal.SIGABRT)
            manager.process.send_signal(signal.SIGCONT)
        self.assertEqual(manager.process.wait(PATIENCE), -signal.SIGABRT, "as systemd ends it")
        manager.notify.settimeout(PATIENCE)
        manager.start(watchdog_us=1_000_000)
        manager.wait_for("READY=1")

    def test_passed_sockets_are_served_and_outlive_the_daemon(self):
        api, ports = self.manager.listener("a.sock"), self.manager.listener("p.sock")
        early = socket.socket(socket.AF_UNIX)
        early.connect(str(self.manager.base / "a.sock"))     # before there is a daemon: it waits in the socket
        early.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        manager = self.manager.start([api, ports], "api:ports")
        early.settimeout(PATIENCE)
        self.assertTrue(early.recv(4096).startswith(b"HTTP/1.1 200"))
        manager.wait_for("READY=1")
        self.assertFalse((manager.base / "r" / "vigild.sock").exists(), "one door, the one that was passed")
        self.assertIn("p.sock", manager.log())
        manager.process.send_signal(signal.SIGTERM)
        self.assertEqual(manager.process.wait(PATIENCE), 0)
        self.assertTrue((manager.base / "a.sock").exists())
        late = socket.socket(socket.AF_UNIX)
        late.connect(str(manager.base / "a.sock"))           # nobody is there, and it is not refused
        late.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        manager.start([api, ports], "api:ports")
        late.settimeout(PATIENCE)
        self.assertTrue(late.recv(4096).startswith(b"HTTP/1.1 200"))

    @unittest.skipIf(os.geteuid() != 0, "needs root, to ask as somebody else")
    def test_who_asks_is_known_through_a_passed_socket(self):
        manager = self.manager.start([self.manager.listener("a.sock")], "api")
        manager.wait_for("READY=1")
        nobody = pwd.getpwnam("nobody")
        ask = ("import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
               "s.sendall(b'GET /v1/tokens HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n')\nsys.stdout.buffer.write(s.makefile('rb').read())")

        def status(user):
            done = subprocess.run(["python3", "-c", ask, str(manager.base / "a.sock")], capture_output=True, check=True, user=user, group=user, extra_groups=[])
            head, body = done.stdout.split(b"\r\n\r\n", 1)
            return int(head.split()[1]), body

        self.assertEqual(status(0)[0], 200)
        refused, body = status(nobody.pw_uid)
        self.assertEqual(refused, 403, "systemd opened the socket, nobody is at its other end")
        self.assertIn("admin", json.dumps(json.loads(body)))

    def test_a_socket_of_an_unknown_name_is_refused_with_the_mend(self):
        manager = self.manager.start([self.manager.listener("a.sock")], "vigild.socket")
        self.assertEqual(manager.process.wait(PATIENCE), 1)
        self.assertIn("FileDescriptorName=api", manager.log())


if __name__ == "__main__":
    unittest.main()
