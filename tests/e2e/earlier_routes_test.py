#!/usr/bin/env python3
"""A client of the earlier sign-in service, which knows only its routes: a session from its start to its end, around a real VM.

The image that such a session takes is `browser`; here it is the small one by that name. The provider is a stand-in in it, as in session_test.py.
"""
import json
import time
import unittest

from harness.api import UnixConnection
from harness.case import VmCase
from harness.image import variant

CREDENTIAL = {"OPENAI_API_KEY": None, "last_refresh": "2026-01-01T00:00:00Z", "tokens": {"id_token": "i", "access_token": "a", "refresh_token": "r", "account_id": "a"}}


class EarlierRoutes(VmCase):
    daemon_options = ("--desktop-listen", "127.0.0.1:0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        variant(cls.daemon, "browser", image="minimal")

    def ask(self, method, path, body=None):
        connection = UnixConnection(self.daemon.socket, 30)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null"), answer.headers
        finally:
            connection.close()

    def wait(self, path, wanted, seconds=240):
        """As such a client does: it asks again and again."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            status, body, _ = self.ask("GET", path)
            if wanted(status, body):
                return body
            time.sleep(0.5)
        self.fail(f"{path}: {status} {body}")

    def start(self, user):
        status, started, _ = self.ask("POST", "/api/auth/start", {"userId": user, "provider": "codex"})
        self.assertEqual((status, started["success"], started["provider"]), (200, True, "codex"), started)
        return started["sessionId"]

    def test_from_start_to_a_stored_credential(self):
        session = self.start("ann")
        self.assertEqual(self.ask("POST", "/api/auth/start", {"userId": "ann", "provider": "codex"})[0], 409)
        self.assertEqual(self.ask("POST", "/api/auth/start", {"userId": "ann", "provider": "cobol"})[0], 400)
        status, body, headers = self.ask("GET", f"/api/auth/session/{session}")
        self.assertEqual((status, body["session"]["user_id"], headers["Cache-Control"]), (200, "ann", "no-store"), body)
        self.assertEqual(self.ask("GET", f"/api/auth/session/{session}/oauth-url")[0], 202)
        self.assertEqual(self.ask("GET", f"/api/auth/session/{session}/credentials/status")[1]["authenticated"], False)
        self.assertEqual(self.ask("POST", f"/api/auth/session/{session}/heartbeat")[:2], (200, {"success": True}))
        vm = self.wait(f"/api/auth/session/{session}", lambda _, body: body["session"]["browser_vm_id"])["session"]["browser_vm_id"]
        self.assertEqual(self.ask("GET", f"/api/vms/{vm}")[0], 200)
        self.assertIn(vm, json.dumps(self.ask("GET", "/api/vms")[1]))
        self.assertIn(vm, json.dumps(self.ask("GET", f"/api/auth/session/{session}/vm")[1]))
        status, _, headers = self.ask("GET", f"/api/auth/session/{session}/novnc")
        self.assertEqual(status, 307)
        self.assertIn(vm, headers["Location"])
        self.assertNotIn("ticket", headers["Location"])
        self.assertIn(session, json.dumps(self.ask("GET", "/api/auth/sessions/ann")[1]))
        self.assertEqual(self.ask("POST", "/api/auth/credentials/store", {"sessionId": session, "provider": "codex", "credentials": CREDENTIAL})[:2], (200, {"success": True}))
        self.wait(f"/api/auth/session/{session}/credentials/status", lambda _, body: body["authenticated"])
        self.wait(f"/api/auth/session/{session}", lambda _, body: body["session"]["status"] == "completed")
        listed = self.ask("GET", "/api/auth/credentials/ann")[1]
        self.assertIn("codex", json.dumps(listed))
        self.assertNotIn(CREDENTIAL["last_refresh"], json.dumps(listed))
        self.assertEqual(self.ask("GET", "/api/auth/validate/ann/codex")[0], 200)

    def test_cancelled_and_deleted(self):
        for user, (method, path) in {"ben": ("POST", "/api/auth/session/{}/cancel"), "cay": ("DELETE", "/api/vm/auth/{}")}.items():
            session = self.start(user)
            for _ in range(2):   # of one that has ended there is nothing to do, and no error
                self.assertEqual(self.ask(method, path.format(session))[:2], (200, {"success": True}))
            self.assertEqual(self.ask("GET", f"/api/auth/session/{session}")[1]["session"]["status"], "cancelled")
            self.assertEqual(self.ask("GET", f"/api/auth/session/{session}/oauth-url")[0], 404)
            self.wait("/v1/instances", lambda _, all_vms: "signin-" + session not in [vm["name"] for vm in all_vms], 60)   # its VM goes with it

    def test_what_is_not_there(self):
        for method, path in (("GET", "/api/auth/session/ss-nothing"), ("GET", "/api/auth/session/ss-nothing/vm"), ("GET", "/api/vms/vm-nothing"),
                             ("POST", "/api/auth/session/ss-nothing/heartbeat"), ("DELETE", "/api/vm/auth/ss-nothing")):
            self.assertEqual(self.ask(method, path)[0], 404, path)
        for path in ("/health", "/api/auth/health", "/api/debug/ping", "/api/vms/statistics/summary"):
            self.assertEqual(self.ask("GET", path)[0], 200, path)


if __name__ == "__main__":
    unittest.main()
