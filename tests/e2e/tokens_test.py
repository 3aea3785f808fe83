#!/usr/bin/env python3
"""Who may do what: tokens over TCP, users over the Unix socket, owners; and that nothing is open which nobody opened."""
import http.client
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
import unittest

from harness.case import VmCase
from harness.daemon import BIN, Daemon

NOBODY = 65534   # Debian's nobody and nogroup

AS_NOBODY = """
import http.client, os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.settimeout(20); self.sock.connect(sys.argv[1])
connection = Unix("x"); connection.request(sys.argv[2], sys.argv[3], sys.argv[4] or None)
response = connection.getresponse()
print(response.status); print(response.read().decode())
"""


def listening_ports(pid):
    """TCP ports that the process listens on."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            continue
        if found:
            inodes.add(found[1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in open(f"/proc/{pid}/net/{table}").read().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                ports.add(int(words[1].rsplit(":", 1)[1], 16))
    return ports


@unittest.skipUnless(os.geteuid() == 0, "needs root to be somebody else")
class Tokens(VmCase):
    daemon_options = ("--listen", "127.0.0.1:0", "--group", "nogroup")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.url = re.search(r"what=api address=(http://127\.0\.0\.1:\d+)", cls.daemon.log.read_text())[1]
        cls.tokens = {}

    def token(self, owner, *scopes):
        """The text of a new token, and a file that holds it."""
        words = [word for scope in scopes for word in ("--scope", scope)]
        code, out, err = self.daemon.vigil("token", "create", "--owner", owner, *words)
        self.assertEqual(code, 0, err)
        text = out.strip()
        self.assertRegex(text, r"^vgl_[0-9a-z]{10}_[0-9a-f]{64}$")
        self.assertNotIn(text, err)
        self.tokens[text] = self.daemon.base / f"token-{len(self.tokens)}"
        with open(os.open(self.tokens[text], os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(text + "\n")
        return text

    def ask(self, method, path, token=None, body=None, headers=None):
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, json.loads(data) if response.getheader("Content-Type", "").endswith("json") and data else data, response.headers

    def vigil(self, token, *words):
        environment = {**os.environ, "VIGIL_API": self.url, "VIGIL_TOKEN_FILE": str(self.tokens[token])}
        return subprocess.run([BIN / "vigil", *words], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)

    def nobody(self, method, path, body="", socket=None):
        done = subprocess.run([sys.executable, "-c", AS_NOBODY, str(socket or self.daemon.socket), method, path, body], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        status, _, text = done.stdout.partition("\n")
        return int(status), text

    def test_what_listens_is_what_was_asked_for_and_was_said(self):
        self.assertEqual(listening_ports(self.daemon.process.pid), {int(self.url.rsplit(":", 1)[1])})
        plain = Daemon().start()
        try:
            self.assertEqual(listening_ports(plain.process.pid), set())
        finally:
            plain.close()
        refused = subprocess.run([BIN / "vigild", "--state", self.daemon.base / "s2", "--run", self.daemon.base / "r2", "--listen", "0.0.0.0:0"], capture_output=True, text=True, timeout=30)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("loopback", refused.stderr)

    def test_over_tcp_only_health_is_open(self):
        self.assertEqual(self.ask("GET", "/healthz")[0], 200)
        for method, path in (("GET", "/v1/instances"), ("GET", "/metrics"), ("GET", "/openapi.yaml"), ("GET", "/v1/events"), ("POST", "/v1/instances"), ("GET", "/nowhere"),
                             ("POST", "/healthz"), ("BREW", "/v1/instances"), ("GET", "//healthz/../v1/instances")):
            with self.subTest(f"{method} {path}"):
                status, problem, headers = self.ask(method, path)
                self.assertEqual(status, 401)
                self.assertEqual(problem["code"], "unauthorized")
                self.assertIn("vigil token create", problem["detail"])
                self.assertIn("Bearer", headers["WWW-Authenticate"])
        for header in ("Bearer", "Basic YTpi", "Bearer vgl_0123456789_" + "0" * 64, "Bearer " + "x" * 5000):
            with self.subTest(header[:30]):
                self.assertIn(self.ask("GET", "/v1/instances", headers={"Authorization": header})[0], (401, 429))

    def test_what_goes_on_by_right_of_a_token_ends_when_it_is_revoked(self):
        token, other = self.token("dave", "operate"), self.token("dave", "operate")
        status, vm, _ = self.ask("POST", "/v1/instances?start=1", token, {"name": "his", "image": "minimal"})
        self.assertEqual(status, 201)
        self.addCleanup(self.remove, vm)
        self.daemon.wait_state(vm, "ready")
        begun = []
        for who in (token, other):
            environment = {**os.environ, "VIGIL_API": self.url, "VIGIL_TOKEN_FILE": str(self.tokens[who])}
            begun.append(subprocess.Popen([BIN / "vigil", "exec", "his", "--", "sh", "-c", "echo begun; exec sleep 300"], env=environment, stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True))
            self.addCleanup(begun[-1].kill)
            self.assertEqual(begun[-1].stdout.readline(), "begun\n")
        events = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        self.addCleanup(events.close)
        events.request("GET", f"/v1/events?instance={vm['id']}", headers={"Authorization": f"Bearer {token}"})
        stream = events.getresponse()
        self.assertEqual(stream.status, 200)
        self.daemon.vigil("token", "revoke", token.split("_")[1], check=0)
        with self.assertRaises(http.client.IncompleteRead):   # it was not the end of what there is
            stream.read()
        _, err = begun[0].communicate(timeout=60)
        self.assertNotEqual(begun[0].returncode, 0)
        self.assertNotEqual(err, "")
        self.assertIsNone(begun[1].poll(), "the other token's goes on")
        self.assertEqual(self.ask("GET", "/v1/instances/his", token)[0], 401)

    def test_what_goes_on_by_right_of_a_token_ends_when_it_expires(self):
        token, other = self.token("erin", "read"), self.token("erin", "read")
        store = sqlite3.connect(self.daemon.state / "vigil.db", timeout=30)   # tokens are good for whole days: this one's are nearly over
        with store:
            store.execute("UPDATE api_tokens SET expires_unix_us = ? WHERE id = ?", (int((time.time() + 3) * 1e6), token.split("_")[1]))
        store.close()
        streams = []
        for who in (token, other):
            connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
            self.addCleanup(connection.close)
            connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {who}"})
            streams.append(connection.getresponse())
            self.assertEqual(streams[-1].status, 200)
        with self.assertRaises(http.client.IncompleteRead):
            streams[0].read()
        self.assertEqual(self.ask("GET", "/v1/instances", token)[0], 401)
        self.assertEqual(self.ask("GET", "/v1/instances", other)[0], 200)
        self.assertFalse(streams[1].isclosed(), "the other token's goes on")

    def test_each_owner_sees_his_own_and_a_scope_reaches_as_far_as_it_says(self):
        alice, bob, reader, admin = self.token("alice", "operate"), self.token("bob", "operate"), self.token("alice", "read"), self.token("carol", "admin")
        status, vm, _ = self.ask("POST", "/v1/instances?start=1", alice, {"name": "hers", "image": "minimal"})
        self.assertEqual(status, 201)
        self.addCleanup(self.remove, vm)
        self.assertEqual(vm["owner"], "alice")
        self.daemon.wait_state(vm, "ready")
        for path in ("", "/why", "/console", "/timeline", "/ports", "/crashes", "/services", "/logs"):
            self.assertEqual(self.ask("GET", f"/v1/instances/hers{path}", bob)[0], 404, path)
        self.assertEqual(self.ask("POST", "/v1/instances/hers/stop", bob)[0], 404)
        self.assertEqual(self.ask("DELETE", f"/v1/instances/{vm['id']}?force=1", bob)[0], 404)
        self.assertEqual([len(self.ask("GET", "/v1/instances", who)[1]) for who in (alice, reader, bob)], [1, 1, 0])
        self.assertGreaterEqual(len(self.ask("GET", "/v1/instances", admin)[1]), 1)
        self.assertIn(vm["id"].encode(), self.ask("GET", "/v1/events?follow=0", alice)[1])
        self.assertNotIn(vm["id"].encode(), self.ask("GET", "/v1/events?follow=0", bob)[1])
        status, problem, _ = self.ask("POST", "/v1/instances/hers/stop", reader)
        self.assertEqual((status, problem["code"]), (403, "denied"))
        self.assertIn("operate", problem["detail"])

        # the command line over TCP, streams and all
        done = self.vigil(alice, "exec", "hers", "echo", "hello from within")
        self.assertEqual((done.returncode, done.stdout), (0, "hello from within\n"), done.stderr)
        self.assertEqual(self.vigil(bob, "exec", "hers", "true").returncode, 125)         # not there
        self.assertEqual(self.vigil(reader, "exec", "hers", "true").returncode, 126)      # not allowed
        self.assertIn("hers", self.vigil(reader, "ps").stdout)
        self.assertNotIn("hers", self.vigil(bob, "ps").stdout)

        # ports: a user of the socket's group reaches what is his own, and this is not
        status, text = self.nobody("GET", "/v1/instances/hers/ports/1/", socket=self.daemon.run / "ports.sock")
        self.assertEqual(status, 404)
        self.assertIn("no instance", text)

        # who did it stands in the events, and is the token's owner whatever he calls himself
        self.assertEqual(self.ask("POST", "/v1/instances/hers/stop?actor=root", alice)[0], 202)
        asked = self.daemon.wait_for(vm, lambda e: e["type"] == "stop_requested", 30)["body"]["actor"]
        self.assertRegex(asked, r"^alice \(token [0-9a-z]{10}\)$")
        box = f"/v1/blackboxes/{vm['id']}-1"
        self.daemon.wait_for(vm, lambda e: e["type"] == "vmm_exited", 60)
        self.assertEqual(self.ask("GET", box, bob)[0], 404)
        self.assertEqual(self.ask("GET", "/v1/blackboxes", bob)[1], [])

        # nothing that was started or written knows a token
        for text, file in self.tokens.items():
            found = subprocess.run(["grep", "-rla", text, "--exclude", "token-*", "--exclude", "disk.raw", "--exclude-dir", "images", self.daemon.base], capture_output=True, text=True).stdout
            self.assertEqual(found, "", file)

    def test_a_revoked_token_is_over(self):
        token = self.token("dave", "read")
        self.assertEqual(self.ask("GET", "/v1/instances", token)[0], 200)
        listed = self.daemon.vigil_json("token", "ls")
        self.assertIn(token[4:14], [row["id"] for row in listed])
        self.assertNotIn(token, json.dumps(listed))
        self.daemon.vigil("token", "revoke", token[4:14], check=0)
        self.assertEqual(self.ask("GET", "/v1/instances", token)[0], 401)
        self.daemon.kill()
        self.daemon.start()
        self.__class__.url = re.findall(r"what=api address=(http://127\.0\.0\.1:\d+)", self.daemon.log.read_text())[-1]
        self.assertEqual(self.ask("GET", "/v1/instances", token)[0], 401)
        kept = self.token("dave", "read")
        self.assertEqual(self.ask("GET", "/v1/instances", kept)[0], 200)
        os.chmod(self.tokens[kept], 0o644)
        done = self.vigil(kept, "ps")
        self.assertEqual(done.returncode, 1)
        self.assertIn("chmod 600", done.stderr)

    def test_over_the_unix_socket_a_user_is_himself(self):
        self.assertEqual(self.daemon.api.raw("GET", "/v1/tokens")[0], 200)                       # root
        self.assertEqual(self.nobody("GET", "/v1/tokens")[0], 403)
        self.assertEqual(self.nobody("POST", "/v1/images-unused")[0], 403)
        theirs = self.daemon.api.post("/v1/instances", {"name": "roots", "image": "minimal"})
        self.addCleanup(self.remove, theirs)
        self.assertEqual(self.nobody("GET", "/v1/instances/roots")[0], 404)
        status, text = self.nobody("POST", "/v1/instances", json.dumps({"name": "nobodys", "image": "minimal"}))
        self.assertEqual(status, 201)
        self.addCleanup(self.remove, json.loads(text))
        self.assertEqual(json.loads(text)["owner"], f"uid:{NOBODY}")
        self.assertEqual([vm["name"] for vm in json.loads(self.nobody("GET", "/v1/instances")[1])], ["nobodys"])
        self.assertEqual({vm["name"] for vm in self.daemon.api.get("/v1/instances")} >= {"roots", "nobodys"}, True)


if __name__ == "__main__":
    unittest.main()
