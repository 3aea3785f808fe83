#!/usr/bin/env python3
"""The doors to ports under clients and guests that are slow, silent, many, or in the middle of something when the daemon dies: the others do not notice."""
import resource
import socket
import threading
import unittest

from harness.api import UnixConnection
from harness.case import VmCase
from harness.websocket import BINARY, WebSocket, start_echo

HALF_OPEN, SLOW, FILE_MIB = 10_000, 40, 32
ECHO, MUTE = 9001, 9002


class HostileClients(VmCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vm = cls.daemon.create("busy")
        cls.daemon.wait_state(cls.vm, "ready")
        start_echo(cls.daemon, cls.vm, ECHO)
        start_echo(cls.daemon, cls.vm, MUTE, "mute")
        cls.daemon.vigil("exec", cls.vm["id"], "dd", "if=/dev/zero", "of=/srv/web/file", "bs=1M", f"count={FILE_MIB}", check=0)

    def door(self, timeout=200):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(timeout)
        client.connect(str(self.daemon.run / "ports.sock"))
        return client

    def path(self, port, rest=""):
        return f"/v1/instances/{self.vm['id']}/ports/{port}/{rest}"

    def assert_served(self, why):
        connection = UnixConnection(self.daemon.run / "ports.sock", 60)
        connection.request("GET", self.path("web"))
        self.assertEqual(connection.getresponse().status, 200, why)
        connection.close()

    def counters(self):
        return self.daemon.api.get("/v1/daemon")["ports"]

    def resident_mib(self):
        with open(f"/proc/{self.daemon.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) >> 10

    def test_ten_thousand_half_open_clients_keep_nobody_out(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < HALF_OPEN + 500:
            self.skipTest(f"only {hard} descriptors may be open here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (HALF_OPEN + 500, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        before, held = self.counters()["turned_away"], []
        self.addCleanup(lambda: [client.close() for client in held])
        for number in range(1, HALF_OPEN + 1):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(self.daemon.run / "ports.sock"))
            try:
                client.send(b"GET /v1/inst")
            except BrokenPipeError:
                pass   # it had to make room already
            held.append(client)
            if number % 1000 == 0:
                self.assert_served(f"{number} half-open clients")
        counters = self.counters()
        self.assertLessEqual(counters["open_connections"], 1100)
        self.assertGreaterEqual(counters["turned_away"] - before, HALF_OPEN - 1100)

    def test_clients_that_do_not_read_hold_up_themselves_alone(self):
        self.assert_served("before")
        before, slow = self.resident_mib(), []
        for _ in range(SLOW):
            client = self.door()
            client.sendall(f"GET {self.path(8080, 'file')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            slow.append(client)
        for client in slow:
            self.assertTrue(client.recv(1), "the answer begins")
        self.assert_served(f"{SLOW} clients that do not read")
        self.assertLess(self.resident_mib() - before, SLOW, f"{SLOW} answers of {FILE_MIB} MiB wait in the daemon's memory")
        got, first = 0, slow[0]
        while got < FILE_MIB << 20:   # who begins to read gets everything
            block = first.recv(1 << 20)
            self.assertTrue(block, f"broken off after {got} bytes")
            got += len(block)

    def test_a_service_that_takes_connections_and_nothing_else(self):
        sent = []

        def pour(client):
            try:
                client.sendall(f"POST {self.path(MUTE)} HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 30}\r\n\r\n".encode())
                while True:
                    sent.append(client.send(bytes(65536)))
            except OSError:
                pass
        clients = [self.door(timeout=3) for _ in range(8)]
        resident = self.resident_mib()
        threads = [threading.Thread(target=pour, args=[client]) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLess(sum(sent), 8 * (24 << 20), "bodies vanish into a service that does not read")
        self.assertLess(self.resident_mib() - resident, 64)
        self.assert_served("a service that does not read")

    def test_a_daemon_that_is_killed_in_the_middle_ends_clients_and_leaves_the_vm_alone(self):
        program = self.daemon.vigil("exec", self.vm["id"], "pidof", "ws_echo", check=0)[1]
        boot = self.daemon.vigil("exec", self.vm["id"], "cat", "/proc/sys/kernel/random/boot_id", check=0)[1]
        webs = [WebSocket(self.door(), self.path(ECHO)) for _ in range(5)]
        for web in webs:
            web.send(b"before")
            self.assertEqual(web.receive(), (BINARY, b"before"))
        waits = self.door()
        waits.sendall(f"GET {self.path(MUTE)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.daemon.kill()
        for web in webs:
            with self.assertRaises(ConnectionError):   # not a time-out
                web.receive()
        self.assertIn(self.end_of(waits), (b"", "reset"))
        self.daemon.start()
        self.assertEqual(self.daemon.vigil("exec", self.vm["id"], "cat", "/proc/sys/kernel/random/boot_id", check=0)[1], boot, "another boot")
        self.assertEqual(self.daemon.vigil("exec", self.vm["id"], "pidof", "ws_echo", check=0)[1], program, "the program in the VM has ended")
        again = WebSocket(self.door(), self.path(ECHO))
        again.send(b"after")
        self.assertEqual(again.receive(), (BINARY, b"after"))

    @staticmethod
    def end_of(client):
        try:
            return client.recv(65536)
        except ConnectionResetError:
            return "reset"


if __name__ == "__main__":
    unittest.main()
