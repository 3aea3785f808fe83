#!/usr/bin/env python3
"""Names that a VM asks for are resolved on the host, once a connection: the address that was checked is the one that is dialled, whatever the name says next."""
import socket
import struct
import subprocess
import threading
import unittest

from harness.case import VmCase
from harness.daemon import Daemon
from harness.loopback import each_client

RESOLVER, ALLOWED, FORBIDDEN = "127.0.0.77", "127.0.0.2", "127.0.0.3"
A, AAAA = 1, 28


class NameServer:
    """Answers as it is told, and notes who was asked for: {name: a function of the kind and of how often it was asked -> addresses}."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((RESOLVER, 53))
        self.names, self.asked = {}, []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(2048)
            except OSError:
                return
            self.socket.sendto(self.answer(query), client)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, kind = ".".join(labels).lower(), struct.unpack(">H", query[at + 1:at + 3])[0]
        times = self.asked.count((name, kind))
        self.asked.append((name, kind))
        addresses = self.names.get(name, lambda *_: [])(kind, times)
        records = b"".join(struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(each)) + each
                           for each in (socket.inet_pton(socket.AF_INET if kind == A else socket.AF_INET6, text) for text in addresses))
        code = 0x8180 if name in self.names else 0x8183
        return query[:2] + struct.pack(">HHHHH", code, 1, len(addresses), 0, 0) + query[12:at + 5] + records


class DaemonThatAsksIt(Daemon):
    """In a mount namespace of its own, where /etc/resolv.conf names our server."""

    def command(self):
        resolv, switch = self.base / "resolv.conf", self.base / "nsswitch.conf"
        resolv.write_text(f"nameserver {RESOLVER}\noptions timeout:2 attempts:1\n")
        switch.write_text("hosts: dns\n")
        script = f"mount --bind {resolv} /etc/resolv.conf && mount --bind {switch} /etc/nsswitch.conf && exec \"$@\""
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *super().command()]


def can_unshare():
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


@unittest.skipUnless(can_unshare(), "no mount namespace may be made here, so the resolver cannot be replaced")
class NamesAreResolvedOnTheHost(VmCase):
    daemon_class = DaemonThatAsksIt

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = NameServer()
        cls.allowed = socket.create_server((ALLOWED, 0))
        cls.port = cls.allowed.getsockname()[1]
        cls.forbidden = socket.create_server((FORBIDDEN, cls.port))
        for listener, word in ((cls.allowed, b"allowed"), (cls.forbidden, b"forbidden")):
            threading.Thread(target=cls.serve, args=[listener, word], daemon=True).start()
        cls.vm = cls.daemon.create("asks", egress={"mode": "direct", "networks": [f"{ALLOWED}/32"]})
        cls.daemon.wait_state(cls.vm, "ready")

    @classmethod
    def tearDownClass(cls):
        for each in (cls.server.socket, cls.allowed, cls.forbidden):
            each.close()
        super().tearDownClass()

    @staticmethod
    def serve(listener, word):
        def answer(client):
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(word) + word)
        each_client(listener, answer)

    def fetch(self, name, vm=None):
        code, out, err = self.daemon.vigil("exec", (vm or self.vm)["id"], "busybox", "wget", "-q", "-O", "-", f"http://{name}:{self.port}/")
        return out if code == 0 else err

    def test_a_name_that_changes_its_mind_between_check_and_dial_gains_nothing(self):
        # What a rebinding attacker's server does: an allowed address for who checks, another for who dials.
        self.server.names["rebind.test"] = lambda kind, times: ([ALLOWED] if times == 0 else [FORBIDDEN]) if kind == A else []
        self.assertEqual(self.fetch("rebind.test"), "allowed")
        self.assertEqual(self.server.asked.count(("rebind.test", A)), 1, "it is asked once a connection, or the dialled address is not the checked one")
        self.assertIn("403", self.fetch("rebind.test"))   # the next connection is checked anew

    def test_of_several_addresses_only_those_that_may_be_are_dialled(self):
        self.server.names["both.test"] = lambda kind, _: [FORBIDDEN, ALLOWED] if kind == A else []
        self.assertEqual(self.fetch("both.test"), "allowed")
        self.server.names["private.test"] = lambda kind, _: [FORBIDDEN, "10.0.0.1", "169.254.169.254"] if kind == A else []
        self.assertIn("403", self.fetch("private.test"))

    def test_the_policy_decides_between_a_and_aaaa(self):
        self.server.names["four.test"] = lambda kind, _: [ALLOWED] if kind == A else []
        six = self.up("six", egress={"mode": "direct", "networks": [f"{ALLOWED}/32"], "family": "ipv6"})
        self.daemon.wait_state(six, "ready")
        self.assertIn("403", self.fetch("four.test", six))
        event = self.daemon.wait_for(six, lambda e: e["type"] == "egress_refused", 60)
        self.assert_cause(event["body"]["cause"], "egress.denied", host=f"four.test:{self.port}")
        self.assertIn("family", event["body"]["cause"]["evidence"][0])
        self.assertEqual(self.fetch("four.test"), "allowed")

    def test_a_name_that_is_not_there_is_named(self):
        self.assertIn("502", self.fetch("nowhere.test"))
        event = self.daemon.wait_for(self.vm, lambda e: e["type"] == "egress_refused" and e["body"]["cause"]["code"] == "egress.dns_failed", 60)
        self.assert_cause(event["body"]["cause"], "egress.dns_failed", host="nowhere.test")


if __name__ == "__main__":
    unittest.main()
