#!/usr/bin/env python3
"""Sign-in sessions and the vault around real VMs.

The provider is a stand-in inside of the VM (a shell script named `codex` that shows an address and, when it is told, writes a credential file); real CLIs and a browser need the images `cli` and `browser`.
"""
import http.client
import json
import os
import subprocess
import threading
import time
import unittest

from harness.api import Problem, UnixConnection
from harness.boxes import found_in_boxes
from harness.case import VmCase
from harness.memory import in_memory_of

ADDRESS = "https://auth.openai.com/oauth/authorize?client_id=a&response_type=code&redirect_uri=http://localhost:1455/auth/callback&state=s&code_challenge=c"
CANARY = "canary-5c1f0e7a9b"
CREDENTIAL = {"OPENAI_API_KEY": None, "last_refresh": "2026-01-01T00:00:00Z",
              "tokens": {"id_token": CANARY + "-i", "access_token": CANARY + "-a", "refresh_token": CANARY + "-r", "account_id": "a"}}

# "login" shows the address and waits; "login status" is the cheap check; the credential is made in the VM, from parts, when /tmp/go is there.
CODEX = f"""#!/bin/sh
case "$1 $2" in
--version*) echo codex-cli 0.0.0; exit 0;;
"login status") test -s $HOME/.codex/auth.json; exit $?;;
esac
echo 'Open this address:'
echo '{ADDRESS}'
while ! test -e /tmp/go; do sleep 1; done
umask 077; mkdir -p $HOME/.codex
cp /tmp/go $HOME/.codex/auth.json.new && mv $HOME/.codex/auth.json.new $HOME/.codex/auth.json
echo 'Successfully logged in'
"""


class Sessions(VmCase):
    daemon_options = ("--desktop-listen", "127.0.0.1:0")

    def put(self, vm, path, content, mode=0o600):
        source = self.daemon.base / "put"
        source.write_text(content)
        source.chmod(mode)
        self.daemon.vigil("cp", source, f"{vm['name']}:{path}", check=0)

    def exec(self, vm, *argv):
        return self.daemon.vigil("exec", vm["name"], "--", *argv)

    def session(self, session):
        return self.daemon.api.get(f"/v1/sessions/{session['id']}")

    def wait_session(self, session, wanted, deadline=240):
        """Follows the session's own events until one of its states is reached."""
        try:
            for event in self.daemon.api.follow(f"/v1/sessions/{session['id']}/events", deadline):
                if event["state"] in wanted:
                    break
        except ConnectionError:   # it has ended, in another state perhaps
            pass
        return self.session(session)

    def start(self, user, **more):
        return self.daemon.api.post("/v1/sessions", {"provider": "codex", "user": user, "cli_user": "root", "guest_user": "root", **more})

    def small(self, **more):
        return {"image": "minimal", "vm": {"memory_mib": 256, **more}}

    def ready(self, name):
        vm = self.up(name)
        self.daemon.wait_state(vm, "ready")
        return vm

    def test_a_credential_of_a_client_reaches_the_cli_vm_now_and_at_its_next_start(self):
        cli = self.ready("cli-a")
        self.put(cli, "/bin/codex", CODEX, 0o755)
        session = self.start("alice", cli_vm="cli-a", **self.small())
        self.assertIn(session["state"], ("vm_starting",))
        for wrong in ({"provider": "claude_code", "credentials": CREDENTIAL}, {"provider": "codex", "credentials": {"tokens": {}}},
                      {"provider": "codex", "credentials": json.dumps(CREDENTIAL)[:80]}):
            with self.assertRaises(Problem) as refused:
                self.daemon.api.post("/api/auth/credentials/store", {"sessionId": session["id"], **wrong})
            self.assertEqual(refused.exception.status, 400)
        self.assertEqual(self.daemon.api.get("/v1/vault"), [])
        self.daemon.api.post("/api/auth/credentials/store", {"sessionId": session["id"], "provider": "codex", "credentials": CREDENTIAL})
        ended = self.wait_session(session, ())   # to its end, and its VM's
        self.assertEqual(ended["state"], "completed", ended)
        self.assertEqual(ended["delivered"]["path"], "/root/.codex/auth.json", ended)
        self.assertEqual(ended["checked"], {"validity": "valid", "how": "codex login status: exit 0"})
        code, out, _ = self.exec(cli, "/bin/sh", "-c", "cat /root/.codex/auth.json; stat -c ' %a %u' /root/.codex/auth.json")
        self.assertEqual((code, json.loads(out[:out.rindex("}") + 1]), out.split()[-2:]), (0, CREDENTIAL, ["600", "0"]))
        self.exec(cli, "rm", "/root/.codex/auth.json")
        self.daemon.vigil("reboot", "cli-a", check=0)
        self.daemon.wait_for(cli, lambda e: e["run"] == 2 and e["type"] == "state" and e["body"]["state"] == "ready")
        self.assertEqual(self.exec(cli, "/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do test -s /root/.codex/auth.json && exit 0; sleep 1; done; exit 1")[0], 0)
        self.assertIn("start of " + cli["id"], [row["actor"] for row in self.daemon.api.get("/v1/vault-audit")])
        # The browser VM is gone, by its rule; the CLI VM is not; nothing on the disk or in an answer has the credential.
        self.assertNotIn("signin-" + session["id"], [vm["name"] for vm in self.daemon.api.get("/v1/instances")])
        self.assertIn(f'rule="session {session["id"]} completed"', self.daemon.log.read_text())
        self.daemon.vigil("stop", "cli-a", check=0)
        self.assert_nowhere(ended["browser_vm"], cli["id"])

    def assert_nowhere(self, *vms):
        """Nor in any black box; these VMs have one."""
        self.assertEqual(found_in_boxes(self.daemon, [CANARY], vms), [])
        self.assertEqual(in_memory_of(self.daemon.process.pid, {name: token for name, token in CREDENTIAL["tokens"].items() if CANARY in token}), {})
        found = subprocess.run(["grep", "-rlaF", "--exclude=*.raw", "--exclude-dir=images", CANARY, str(self.daemon.state), str(self.daemon.log)], capture_output=True, text=True).stdout
        self.assertEqual(found, "")
        for path in ("/v1/sessions", "/v1/vault", "/v1/vault-audit", "/v1/events?follow=0", "/v1/vault/alice/codex/credential"):
            self.assertNotIn(CANARY.encode(), self.daemon.api.raw("GET", path)[1], path)

    def look_into_memory(self):
        self.daemon.api.get("/v1/daemon")                 # what was under way on other connections is over
        return in_memory_of(self.daemon.process.pid, {name: token for name, token in CREDENTIAL["tokens"].items() if CANARY in token})

    def test_a_credential_that_was_stored_and_revealed_is_in_no_memory_of_the_daemon(self):
        session = self.start("gwen", owner="gwen", **self.small())
        self.daemon.api.post("/api/auth/credentials/store", {"sessionId": session["id"], "provider": "codex", "credentials": CREDENTIAL})
        self.assertIn("known", in_memory_of(self.daemon.process.pid, {"known": session["id"]}), "the look sees nothing")
        self.assertEqual(self.look_into_memory(), {})
        token = self.daemon.api.post("/v1/tokens", {"owner": "gwen", "scopes": ["vault:read"]})["token"]
        self.assertIn(CREDENTIAL["tokens"]["access_token"].encode(), self.as_holder_of(token, "GET", "/v1/vault/gwen/codex/credential")[1])
        self.assertEqual(self.look_into_memory(), {})

    def as_holder_of(self, token, method, path):
        connection = UnixConnection(self.daemon.socket, 30)
        connection.request(method, path, headers={"Authorization": "Bearer " + token})
        answer = connection.getresponse()
        try:
            return answer.status, answer.read()
        finally:
            connection.close()

    def test_a_token_of_a_session_is_good_for_its_routes_alone(self):
        mine, other = (self.start(user, **self.small()) for user in ("hal", "hugo"))
        token = self.daemon.api.post(f"/v1/sessions/{mine['id']}/token")["token"]
        wanted = {f"/api/auth/session/{mine['id']}": 200, f"/api/auth/session/{mine['id']}/credentials/status": 200, f"/api/auth/session/{other['id']}": 404,
                  f"/v1/sessions/{mine['id']}": 403, "/v1/instances": 403, "/v1/vault": 403, "/v1/events?follow=0": 403}
        self.assertEqual({path: self.as_holder_of(token, "GET", path)[0] for path in wanted}, wanted)
        self.assertEqual(self.as_holder_of(token, "POST", f"/api/auth/session/{other['id']}/cancel")[0], 404)
        self.assertEqual(self.as_holder_of(token, "POST", f"/api/auth/session/{mine['id']}/cancel")[0], 200)
        self.assertFalse(self.session(other)["ended"])
        self.daemon.api.post(f"/v1/sessions/{other['id']}/cancel")

    def test_a_vm_that_dies_fails_its_session_with_its_cause(self):
        vm = self.ready("dies")
        self.put(vm, "/bin/codex", CODEX, 0o755)
        session = self.start("bob", browser_vm="dies", cli_image="minimal")
        self.wait_session(session, ("waiting_for_user",))
        killed_unix_us = time.time_ns() // 1000
        os.kill(self.daemon.api.get(f"/v1/instances/{vm['id']}")["pid"], 9)
        ended = self.wait_session(session, ("failed",), 60)
        self.assertEqual(ended["state"], "failed", ended)
        self.assert_cause(ended["cause"], "signin.vm_lost")
        self.assertIn("vmm.killed", json.dumps(ended["cause"]["evidence"]))
        after_us = ended["history"][-1]["at_unix_us"] - killed_unix_us
        print(f"      failed {after_us / 1e3:.0f} ms after its VM was killed")
        self.assertNotIn("bob", [each["labels"].get("signin-cli-of") for each in self.daemon.api.get("/v1/instances")])   # nothing was made for a user who was not signed in

    def test_what_goes_wrong_in_the_guest_is_the_cause_of_its_session(self):
        """The CLI ends; writes a file of a shape that nobody knows. (One that shows no address is waited for for minutes: a row of the fault laboratory.)"""
        vm = self.ready("wrong")
        ways = {"codex": ("echo 'no keyring here' >&2; exit 7", "signin.cli_exited", "code 7"),
                "gemini": ("mkdir -p $HOME/.gemini; umask 077; echo '{\"new_token\":\"x\"}' > $HOME/.gemini/oauth_creds.json; sleep 1000", "signin.credential_unknown_shape", "access_token")}
        sessions = {}
        for (name, (script, _, _)), provider in zip(ways.items(), ("codex", "gemini_cli")):
            self.put(vm, "/bin/" + name, f"#!/bin/sh\n{script}\n", 0o755)
            sessions[name] = self.daemon.api.post("/v1/sessions", {"provider": provider, "user": "wrong", "guest_user": "root", "browser_vm": "wrong"})
        for name, (_, code, word) in ways.items():
            with self.subTest(cause=code):
                ended = self.wait_session(sessions[name], ("failed",), 400)
                self.assertEqual((ended["state"], ended["stored"]), ("failed", None), ended)
                self.assert_cause(ended["cause"], code)
                self.assertIn(word, json.dumps(ended["cause"]))
        self.assertEqual([row for row in self.daemon.api.get("/v1/vault") if row["user"] == "wrong"], [])
        self.assertEqual(self.daemon.api.get(f"/v1/instances/{vm['id']}")["state"], "ready")   # it was there before, and stays

    def test_a_session_keeps_the_idle_policy_from_its_vms(self):
        vm = self.up("idle", idle_s=12)
        self.daemon.wait_state(vm, "ready")
        self.put(vm, "/bin/codex", CODEX, 0o755)
        session = self.start("ivy", browser_vm="idle")
        self.wait_session(session, ("waiting_for_user",))
        look = self.daemon.api.get(f"/v1/instances/{vm['id']}/policy?in_s=3600")
        self.assertIn({"kind": "session", "name": session["id"], "until_unix_us": None}, look["holders"])
        self.assertEqual({each["verdict"] for each in look["decisions"] if each["rule"] == "idle"} - {"held", "waits"}, set(), look)
        time.sleep(16)                                    # longer than it may be idle
        self.assertEqual(self.daemon.api.get(f"/v1/instances/{vm['id']}")["state"], "ready")
        self.daemon.api.post(f"/v1/sessions/{session['id']}/cancel")
        self.daemon.wait_for(vm, lambda e: e["type"] == "policy_decided" and e["body"]["rule"] == "idle" and e["body"]["verdict"] == "acts", 120)
        self.daemon.wait_state(vm, "stopped")

    def test_a_second_session_an_unknown_provider_and_a_stranger_are_refused(self):
        session = self.start("carol", **self.small())
        for body, status in (({"provider": "codex", "user": "carol"}, 409), ({"provider": "other", "user": "carol"}, 400), ({"provider": "codex", "user": "x y"}, 400),
                             ({"provider": "codex", "user": "dora", "cli_vm": "nothing"}, 404)):
            with self.assertRaises(Problem) as refused:
                self.daemon.api.post("/v1/sessions", {**body, **({} if status == 404 else self.small())})
            self.assertEqual(refused.exception.status, status, body)
        code, out, _ = self.daemon.vigil("session", "cancel", session["id"])
        self.assertEqual((code, out), (0, session["id"] + ": cancelled\n"))
        code, out, _ = self.daemon.vigil("session", "show", session["id"])
        self.assertIn("cancelled: signin.cancelled", out)

    def test_a_session_outlives_the_daemon(self):
        session = self.start("erin", **self.small())
        self.daemon.kill()
        self.daemon.start()
        again = self.session(session)
        self.assertEqual((again["id"], again["ended"]), (session["id"], False), again)
        self.daemon.api.post(f"/v1/sessions/{session['id']}/cancel")
        ended = self.wait_session(session, ())
        self.assertEqual(ended["state"], "cancelled")
        self.assertNotIn("signin-" + session["id"], [vm["name"] for vm in self.daemon.api.get("/v1/instances")])   # the stream ends when its VM is gone

    def test_a_daemon_killed_while_it_makes_the_vm_goes_on_with_it(self):
        lived = 0
        for at in range(12):
            asked = threading.Thread(target=self.ask_and_lose_the_answer, args=({"provider": "codex", "user": f"killed{at}", **self.small()},))
            asked.start()
            time.sleep(at * 0.0015)               # before its event, before the instance, before its start, after it
            self.daemon.kill()
            asked.join()
            self.daemon.start()
            for session in self.daemon.api.get("/v1/sessions"):
                if session["user"] == f"killed{at}":
                    self.assertFalse(session["ended"], session)
                    lived += 1
                    self.daemon.api.post(f"/v1/sessions/{session['id']}/cancel")

        self.assertGreater(lived, 0, "no kill came after a session was accepted")

    def ask_and_lose_the_answer(self, body):
        try:
            self.daemon.api.post("/v1/sessions", body)
        except (OSError, http.client.HTTPException):
            pass

    def test_signed_in_inside_a_vm(self):
        """The whole way, with a stand-in for the CLI: address, credential, vault, CLI VM; as a user of the command line sees it."""
        browser, cli = self.ready("browser-f"), self.ready("cli-f")
        for vm in (browser, cli):
            self.put(vm, "/bin/codex", CODEX, 0o755)
        command = self.daemon.vigil_command("session", "start", "--provider", "codex", "--user", "frank", "--browser-vm", "browser-f", "--guest-user", "root", "--cli-vm", "cli-f",
                                            "--cli-user", "root")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as watching:
            lines = []
            for line in watching.stdout:
                lines.append(line.rstrip())
                if line.startswith(ADDRESS):
                    self.put(browser, "/tmp/go", json.dumps(CREDENTIAL))
            code = watching.wait()
        shown = "\n".join(lines)
        if "signin.not_started" in shown and "unsupported" in shown:
            self.skipTest("the agent in this image knows no sign-in yet")
        self.assertEqual(code, 0, shown)
        self.assertIn(ADDRESS, lines)
        desktops = [line for line in lines if line.startswith(f"http://{browser['id']}.localhost:")]
        self.assertEqual(len(desktops), 2, shown)   # when it has its VM, and when the user is wanted: an address works once, for a minute
        self.assertIn("completed: codex of frank is in the vault (version 1", shown)
        self.assertIn("and in " + cli["id"] + " at /root/.codex/auth.json", shown)
        self.assertIn("its own CLI says: valid", shown)
        told = self.daemon.vigil("session", "show", lines[0].split()[1], check=0)[1]
        print("      " + told.replace("\n", "\n      "))
        for step in ("cli_started", "url_found", "waiting_for_user", "credential_found"):
            self.assertRegex(told, rf"s +[a-z_]* +{step}")
        self.assertNotEqual(self.exec(browser, "test", "-e", "/root/.codex/auth.json")[0], 0, "the browser VM has it still")
        self.assertEqual(self.daemon.api.get(f"/v1/instances/{browser['id']}")["state"], "ready")   # it was there before, and stays


if __name__ == "__main__":
    unittest.main(verbosity=2)
