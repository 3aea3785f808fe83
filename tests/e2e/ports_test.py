#!/usr/bin/env python3
"""HTTP to services inside VMs through the daemon's doors: bodies, streams, upgrades, and what happens when the service is not there yet, or never."""
import hashlib
import http.client
import json
import os
import signal
import socket
import threading
import unittest

from harness.api import UnixConnection
from harness.case import VmCase, busybox_sh

# A web application of a few lines: one process a connection.
APP = r"""
CR=$(printf '\r'); n=0
read -r method path version
while read -r line; do
  line=${line%$CR}; [ -z "$line" ] && break
  case "$line" in
    [Cc]ontent-[Ll]ength:*) n=${line#*: };;
    [Ee]xpect:*) printf 'HTTP/1.1 100 Continue\r\n\r\n';;
    [Xx]-[Ff]orwarded-[Pp]refix:*) prefix=${line#*: };;
  esac
done
case "$path" in
  /echo) head -c "$n" >/tmp/body.$$; printf 'HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n' "$n"; cat /tmp/body.$$; rm /tmp/body.$$;;
  /prefix) printf 'HTTP/1.1 200 OK\r\n\r\n%s' "$prefix";;
  /events) printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n'; while [ ! -e /tmp/go ]; do sleep 1; done; printf 'data: 2\n\n';;
  /ws) printf 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'; exec cat;;
esac
"""
SERVE = 'printf "%s" "$APP" > /tmp/app.sh; exec socat TCP-LISTEN:9001,reuseaddr,fork EXEC:"/bin/sh /tmp/app.sh"'
APP_SERVICE = {"app": {"exec": busybox_sh(SERVE), "env": {"APP": APP}, "ready": {"tcp": {"port": 9001}}, "restart": "always"}}


class PortsCase(VmCase):
    daemon_options = ("--ports-listen", "127.0.0.1:0")

    def connection(self):
        connection = UnixConnection(self.daemon.run / "ports.sock", 200)
        self.addCleanup(connection.close)
        return connection

    def ask(self, vm, port, path="/", method="GET", body=None, headers=None):
        connection = self.connection()
        connection.request(method, f"/v1/instances/{vm}/ports/{port}{path}", body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer

    def assert_refused(self, answered, status, code):
        self.assertEqual((answered[0], json.loads(answered[1])["code"]), (status, code), answered[1])


class Passing(PortsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        vm = cls.daemon.create("app", services=APP_SERVICE)
        cls.vm = vm["id"]
        cls.daemon.wait_state(vm, "ready")

    def test_pages_and_large_bodies_pass_both_ways(self):
        status, body, _ = self.ask(self.vm, "web")
        self.assertEqual(status, 200)
        self.assertIn(b"This page comes from the service", body)
        self.assertEqual(self.ask("app", 8080, "/nothing")[0], 404)
        large = os.urandom(5_000_000)
        status, body, _ = self.ask(self.vm, 9001, "/echo", "POST", large, {"Expect": "100-continue"})
        self.assertEqual((status, hashlib.sha256(body).digest()), (200, hashlib.sha256(large).digest()))
        self.assertEqual(self.ask(self.vm, "app", "/prefix")[1], f"/v1/instances/{self.vm}/ports/app".encode())

    def test_events_come_when_they_are_sent(self):
        self.daemon.vigil("exec", self.vm, "rm", "-f", "/tmp/go", check=0)
        connection = self.connection()
        connection.request("GET", f"/v1/instances/{self.vm}/ports/app/events")
        answer = connection.getresponse()
        self.assertEqual(answer.readline(), b"data: 1\n")
        # The second is sent only when somebody makes the file: the first was not held back for it. (A pipe could be emptied by a program whose client has gone.)
        self.daemon.vigil("exec", self.vm, "touch", "/tmp/go", check=0)
        self.assertEqual((answer.readline(), answer.readline()), (b"\n", b"data: 2\n"))

    def test_an_upgrade_is_a_raw_relay(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(200)
        client.connect(str(self.daemon.run / "ports.sock"))
        client.sendall(f"GET /v1/instances/{self.vm}/ports/app/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1)
        self.assertTrue(head.startswith(b"HTTP/1.1 101"), head)
        frames = os.urandom(300_000)
        sender = threading.Thread(target=client.sendall, args=[frames])
        sender.start()
        got = b""
        while len(got) < len(frames):
            block = client.recv(65536)
            self.assertTrue(block, "the relay ended early")
            got += block
        sender.join()
        self.assertEqual(got, frames)

    def test_the_tcp_door_serves_each_port_as_an_origin_of_its_own(self):
        listen = self.daemon.api.get("/v1/daemon")["ports"]["listen"]

        def answer(path, headers):
            connection = http.client.HTTPConnection(listen, timeout=200)
            connection.request("GET", path, headers=headers)
            got = connection.getresponse()
            return got.status, got.read(), got.headers
        port = listen.rsplit(":")[-1]
        own = f"web--app.localhost:{port}"
        self.assertEqual(answer("/", {"Host": own})[0], 200)
        self.assertEqual(answer("/", {"Host": own, "Origin": f"http://app--app.localhost:{port}"})[0], 403)
        self.assertEqual(answer("/v1/instances/app/ports/web/", {"Host": f"rebound.example:{port}"})[0], 421)
        redirect = answer("/v1/instances/app/ports/web/x?y", {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"})
        self.assertEqual((redirect[0], redirect[2]["Location"]), (307, f"http://{own}/x?y"))

    def test_the_ports_are_listed_with_their_services(self):
        ports = {port["port"]: port for port in self.daemon.vigil_json("ports", self.vm)}
        self.assertEqual((ports[8080]["service"], ports[8080]["state"], ports[8080]["process"]), ("web", "ready", "busybox"))
        self.assertEqual((ports[9001]["service"], ports[9001]["process"]), ("app", "socat"))
        self.assertIn("web--app.localhost", ports[8080]["url"])
        self.assertIn("busybox", self.daemon.vigil("ports", self.vm, check=0)[1])

    def test_a_port_on_which_nobody_listens_is_refused_with_the_cause(self):
        self.assert_refused(self.ask(self.vm, 9), 502, "port.not_reached")
        self.assert_refused(self.ask(self.vm, "nothing"), 404, "not_found")
        self.assert_refused(self.ask("no-such-vm", 9), 404, "not_found")
        refused = self.daemon.api.get("/v1/daemon")["ports"]["refused"]
        self.assertGreaterEqual(refused["port.not_reached"], 1)
        series = 'vigil_port_requests_total{outcome="refused",cause="port.not_reached"}'
        self.assertEqual(self.daemon.metric(series), refused["port.not_reached"])
        served = self.daemon.metric('vigil_port_requests_total{outcome="served"}')
        self.assertEqual(self.ask(self.vm, "web")[0], 200)
        self.assertEqual(self.daemon.metric('vigil_port_requests_total{outcome="served"}'), served + 1)

    def test_a_daemon_that_starts_anew_in_the_middle_ends_clients_cleanly_and_serves_again(self):
        self.daemon.vigil("exec", self.vm, "rm", "-f", "/tmp/go", check=0)
        connection = self.connection()
        connection.request("GET", f"/v1/instances/{self.vm}/ports/app/events")
        answer = connection.getresponse()
        self.assertEqual(answer.readline(), b"data: 1\n")
        boot = self.daemon.vigil("exec", self.vm, "cat", "/proc/sys/kernel/random/boot_id", check=0)[1]
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(answer.read(), b"\n")   # the end, not a time-out
        self.daemon.process.wait(60)
        self.daemon.start()
        self.assertEqual(self.ask(self.vm, "web")[0], 200)
        self.assertEqual(self.daemon.vigil("exec", self.vm, "cat", "/proc/sys/kernel/random/boot_id", check=0)[1], boot, "the VM was untouched")


class Waiting(PortsCase):
    def test_a_request_sent_with_the_start_waits_until_the_service_is_ready(self):
        vm = self.up("early")
        status, body, answer = self.ask(vm["id"], "web", headers={"Prefer": "wait=200"})
        self.assertEqual(status, 200, body)
        self.assertEqual(answer.headers["Preference-Applied"], "wait=200")
        counters = self.daemon.api.get("/v1/daemon")["ports"]
        self.assertGreaterEqual(counters["waited"], 1)
        self.assertGreaterEqual(self.daemon.metric("vigil_port_waits_total"), 1)
        self.assertGreater(self.daemon.metric("vigil_port_wait_seconds_total"), 0)
        self.daemon.vigil("stop", vm["id"], check=0)
        self.daemon.wait_state(vm, "stopped")
        self.assert_refused(self.ask(vm["id"], 8080), 503, "port.vm_stopped")

    def test_a_service_that_fails_refuses_those_who_wait_with_its_cause(self):
        vm = self.up("failing", services={"web": {"exec": ["/usr/bin/no-such-web"], "restart": "never"}})
        self.assert_refused(self.ask(vm["id"], "web", headers={"Prefer": "wait=200"}), 503, "service.missing_binary")
        self.assert_refused(self.ask(vm["id"], 8080, headers={"Prefer": "wait=200"}), 503, "service.missing_binary")

    def test_a_service_that_is_too_slow_is_named_when_the_time_is_up(self):
        vm = self.up("slow", services={"web": {"exec": busybox_sh("sleep 100000")}})
        self.assert_refused(self.ask(vm["id"], "web", headers={"Prefer": "wait=1"}), 503, "port.not_ready")


if __name__ == "__main__":
    unittest.main()
