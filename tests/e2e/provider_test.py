#!/usr/bin/env python3
"""A user signs codex in for real: the CLI from npm asks the provider of tests/oauth, and no test writes a credential.

The provider is auth.openai.com, and chatgpt.com answers prompts, to the VMs of this class alone: their egress says so, and their image trusts an authority that was made when the class began. The callback goes to the CLI's own
port inside the VM, and the CLI itself exchanges the code and writes its file. `InChromium` fills the form in the browser of the desktop, by its keyboard; `WithoutDesktop` boots the same
image with its CLIs alone, and a script in the VM follows the page's own form with a cookie jar.

Left out unless VIGIL_TEST_BROWSER=1: the image is large, and an emulated desktop takes minutes.
"""
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import re
import secrets
import ssl
import subprocess
import sys
import time
import unittest
import urllib.parse

from harness import image
from harness.boxes import found_in_boxes
from harness.case import VmCase
from harness.daemon import IMAGES, Daemon
from harness.memory import in_memory_of

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from oauth.assistant import Assistant  # noqa: E402
from oauth.authority import make_authority  # noqa: E402
from oauth.other_assistants import CodeAssist, Messages  # noqa: E402
from oauth.provider import Provider  # noqa: E402
from oauth.rules import Account, Rules  # noqa: E402

HOST, ADDRESS, CLIENT = "auth.openai.com", "127.9.31.7", "app_EMoamEEZ73f0CkXaXp7hrann"
REDIRECTS = [f"http://{name}:1455/auth/callback" for name in ("127.0.0.1", "localhost")]
API_HOST, API_ADDRESS = "chatgpt.com", "127.9.31.8"   # where codex, signed in this way, takes its prompts
EGRESS = {"mode": "allow", "allow": [f"{HOST}:443", f"{API_HOST}:443"], "hosts": {HOST: ADDRESS, API_HOST: API_ADDRESS}, "networks": [f"{ADDRESS}/32", f"{API_ADDRESS}/32"]}
PROMPT = ("codex", "exec", "--skip-git-repo-check", "say hello")
READY_S, SIGNED_IN_S = 1500, 900
STORE, POLICY, ENVIRONMENT = "/etc/ssl/certs/ca-certificates.crt", "/etc/chromium/policies/managed/authority.json", "/etc/environment"
BROWSE = pathlib.Path(__file__).resolve().parents[1] / "oauth/browse.py"
IN_CHROMIUM = """
export DISPLAY=:1
for i in $(seq 120); do window=$(xdotool search --onlyvisible --name '^Sign in' | head -n 1) && [ -n "$window" ] && break; sleep 1; done
[ -n "$window" ] || { xdotool search --onlyvisible --name . getwindowname %@; exit 1; }
xdotool windowactivate --sync "$window"
xdotool type --delay 50 "$1"; xdotool key Tab; xdotool type --delay 50 "$2"; xdotool key Return
"""


class SignsIn(VmCase):
    """Of one image; `fill` is how the form is completed."""
    image, services, memory_mib = None, (), 2048   # as the image asks
    cli_image = "browser"   # of which the CLI VM is made

    @classmethod
    def setUpClass(cls):
        if cls.image is None or os.environ.get("VIGIL_TEST_BROWSER") != "1":
            raise unittest.SkipTest("large and slow: VIGIL_TEST_BROWSER=1 runs it")
        for name in {cls.image, cls.cli_image}:
            if not (IMAGES / name / "current").exists():
                raise unittest.SkipTest(f"the image {name} was not built: ./dev image {name}")
        cls.daemon = Daemon().use_images().start()
        cls.addClassCleanup(cls.daemon.close)
        authority = make_authority(cls.daemon.base)
        cls.account = Account(f"{secrets.token_hex(4)}@provider.test", secrets.token_hex(8))
        cls.rules = Rules(f"https://{HOST}", CLIENT, REDIRECTS, cls.account)
        cls.provider = Provider(cls.rules, (ADDRESS, 443), authority.server_context(HOST)).start()
        cls.addClassCleanup(cls.provider.close)
        cls.assistant = Assistant(lambda: cls.rules.issued, "hello-" + secrets.token_hex(8), (API_ADDRESS, 443), authority.server_context(API_HOST)).start()
        cls.addClassCleanup(cls.assistant.close)
        cls.publish(authority)

    @classmethod
    def tearDownClass(cls):
        pass   # by the class's cleanups, in their order

    @classmethod
    def publish(cls, authority):
        """The image as it is, but for what it trusts, and the script that stands in for a browser."""
        policy = cls.daemon.base / "policy.json"
        policy.write_text('{"CACertificates": ["%s"]}' % base64.b64encode(ssl.PEM_cert_to_DER_cert(authority.pem())).decode())
        for name, source, wanted in (("trusting", cls.image, cls.services), ("trusting-cli", cls.cli_image, {"clis"})):
            store, environment, root = (cls.daemon.base / f"{name}.{end}" for end in ("pem", "environment", "ext4"))
            store.write_text(cls.file_in(source, STORE) + authority.pem())
            environment.write_text(cls.file_in(source, ENVIRONMENT) + f"NODE_EXTRA_CA_CERTS={STORE}\n")   # Claude Code brings authorities of its own
            image.root_with(cls.daemon, {STORE: store, ENVIRONMENT: environment, POLICY: policy, "/usr/local/bin/browse": BROWSE}, source, root)
            services = image.manifest_of(cls.daemon, source)["services"]
            kept = [service for service in services if service in wanted]
            image.without(root, [f"/etc/vigil/services.d/{service}.json" for service in services if service not in kept])
            image.variant(cls.daemon, name, source, {"root": root}, services=kept)

    @classmethod
    def file_in(cls, name, path):
        return subprocess.run(["debugfs", "-R", f"cat {path}", image.part_of(cls.daemon, "root", name)], capture_output=True, text=True, check=True).stdout

    def events(self, session):
        return self.daemon.api.follow(f"/v1/sessions/{session['id']}/events", READY_S + SIGNED_IN_S)

    def wait_state(self, session, *wanted):
        with contextlib.suppress(ConnectionError):
            for event in self.events(session):
                if event["state"] in (*wanted, "failed", "timed_out", "cancelled"):
                    break
        now = self.daemon.api.get(f"/v1/sessions/{session['id']}")
        self.assertIn(now["state"], wanted, now)
        return now

    def sh(self, vm, script, *words, user="agent", check=0):
        return self.daemon.vigil("exec", "--user", user, vm, "--", "/bin/sh", "-c", script, "sh", *words, check=check, timeout=900)[1]

    def cli_of_the_order(self):
        """The user has no CLI VM yet: the session makes one."""
        return {"cli_image": "trusting-cli"}

    def cli_of_the_user(self, egress):
        """One that is there already."""
        cli = self.daemon.create("cli-of-u", image="trusting-cli", vcpus=2, memory_mib=self.memory_mib, egress=egress)
        event = self.daemon.wait_state(cli, "ready", "failed", "crashed", deadline=READY_S)
        self.assertEqual(event["body"]["state"], "ready", self.daemon.why(cli))
        return cli

    def sign_in(self):
        order = {"provider": "codex", "user": "u", "image": "trusting", "vm": {"memory_mib": self.memory_mib, "vcpus": 2, "egress": EGRESS}, **self.cli_of_the_order()}
        began = time.monotonic()
        session = self.daemon.api.post("/v1/sessions", order)
        print(f"      {self.image}: POST /v1/sessions answered after {(time.monotonic() - began) * 1000:.1f} ms")
        asked = self.wait_state(session, "waiting_for_user")
        began = time.monotonic()
        try:
            self.fill(asked)
        except AssertionError as failed:   # the form could not be filled; why is the session's to say
            now = self.daemon.api.get(f"/v1/sessions/{session['id']}")
            raise AssertionError(f"{now}\n{self.provider.notes}\n{self.provider.broken}\n{self.daemon.vigil('events')[1][-3000:]}") from failed
        with contextlib.suppress(ConnectionError):       # it ends with the session
            for _ in self.events(session):
                pass
        ended = self.daemon.api.get(f"/v1/sessions/{session['id']}")
        print(f"      {self.image}: from the form to the end of the session {time.monotonic() - began:.1f} s; {self.steps(ended)}")
        return asked, ended

    @staticmethod
    def steps(session):
        began = session["history"][0]["at_unix_us"]
        return ", ".join(f"{each['state']} {(each['at_unix_us'] - began) / 1e6:.1f}" for each in session["history"])

    def test_a_session_signs_codex_in_and_the_cli_vm_has_it(self):
        asked, ended = self.sign_in()
        self.assertEqual(ended["state"], "completed", (ended, self.provider.notes))
        self.assertIsNotNone(ended["delivered"]["vm"], ended)
        cli = self.daemon.api.get(f"/v1/instances/{ended['delivered']['vm']}")
        self.addCleanup(self.remove, cli)
        refused = [note for note in self.provider.notes if note[2]]
        self.assertEqual({note[:2] for note in self.provider.notes if not note[2]}, {("GET", "/oauth/authorize"), ("POST", "/oauth/login"), ("POST", "/oauth/token")})
        self.assertEqual([note for note in refused if "token-exchange" not in note[2] and note[1] != "/favicon.ico"], [])   # an API key, which codex asks for and does without
        # The same bytes as the CLI wrote; of them the test knows what the provider has issued, and that was never here before.
        self.assertEqual(ended["delivered"]["path"], "/home/agent/.codex/auth.json", ended)
        self.assertEqual(ended["checked"], {"validity": "valid", "how": "codex login status: exit 0"}, ended)
        held = self.sh(cli["id"], "cat ~/.codex/auth.json")
        for token in self.rules.issued[-3:]:
            self.assertIn(token, held)
        self.assertIn("Logged in using ChatGPT", self.sh(cli["id"], "codex login status 2>&1"))
        self.assertNotIn(ended["browser_vm"], [vm["id"] for vm in self.daemon.api.get("/v1/instances")])
        self.assertEqual(self.daemon.api.get(f"/v1/instances/{cli['id']}")["state"], "ready")
        self.prompt(cli)
        self.daemon.vigil("stop", cli["id"], check=0, timeout=600)
        self.assert_nowhere(asked["url"], (ended["browser_vm"], cli["id"]))

    def prompt(self, cli):
        """Of a CLI VM whose egress knows the way."""

    def assert_nowhere(self, url, vms):
        """What the provider has issued, and the secret of the address, after the session's end, nor in the boxes of its VMs. (The address stays among the newest events that the daemon has in memory.)"""
        state = url.split("state=")[1].split("&")[0]
        secrets_of = {**{f"token {number}": token for number, token in enumerate(self.rules.issued)}, "state": state}
        with self.subTest("black boxes"):
            self.assertEqual(found_in_boxes(self.daemon, secrets_of.values(), vms), [])
        for name, secret in secrets_of.items():
            with self.subTest(secret=name):
                found = subprocess.run(["grep", "-rlaF", "--exclude=*.raw", "--exclude-dir=images", secret, str(self.daemon.state), str(self.daemon.log)], capture_output=True, text=True).stdout
                self.assertEqual(found, "")
                for path in ("/v1/sessions", "/v1/vault", "/v1/vault-audit", "/v1/events?follow=0"):
                    self.assertNotIn(secret.encode(), self.daemon.api.raw("GET", path, timeout=120)[1], path)
        with self.subTest("memory"):
            self.assertEqual(in_memory_of(self.daemon.process.pid, {name: token for name, token in secrets_of.items() if name != "state"}), {})


class InChromium(SignsIn):
    image, services = "browser", {"clis", "display", "window-manager", "session-bus", "browser"}   # what shows it to others is not needed here

    def fill(self, session):
        self.sh(session["browser_vm"], IN_CHROMIUM, self.account.user, self.account.password)


class WithoutDesktop(SignsIn):
    """The user's CLI VM is there already, and a prompt is run in it with what was delivered."""
    image, services = "browser", {"clis"}

    def cli_of_the_order(self):
        return {"cli_vm": self.cli_of_the_user(EGRESS)["id"]}

    def prompt(self, cli):
        """By the command line and by the API: codex, as it is, asks with exactly the token that the provider has issued, and prints what is answered."""
        access = self.rules.issued[-2]
        code, out, err = self.daemon.vigil("exec", "--user", "agent", "-w", "/home/agent", cli["id"], "--", *PROMPT, timeout=900)
        self.assertEqual((code, out.strip()), (0, self.assistant.answer), (err[-3000:], self.assistant.notes))
        order = {"argv": PROMPT, "user": "agent", "cwd": "/home/agent"}
        status, answer = self.daemon.api.raw("POST", f"/v1/instances/{cli['id']}/exec", order, timeout=900, headers={"Accept": "text/event-stream"})
        told = re.findall(rb"event: (\w+)\ndata: (.*)", answer)
        out = "".join(json.loads(data)["text"] for kind, data in told if kind == b"stdout")
        self.assertEqual((status, told[-1][0], json.loads(told[-1][1]), out.strip()), (200, b"exit", {"code": 0}, self.assistant.answer), self.assistant.notes)
        self.assertEqual([said for said in self.assistant.prompts if said == "say hello"], ["say hello"] * 2)
        self.assertEqual(set(self.assistant.shown), {"Bearer " + access})

    def fill(self, session):
        words = ("/usr/local/bin/browse", session["url"], "username=" + self.account.user, "password=" + self.account.password)
        went = self.daemon.vigil("exec", "--user", "agent", session["browser_vm"], "--", *words, timeout=300)[1]
        self.assertIn(f"302 -> {REDIRECTS[0]}\n", went)


class OtherClis(SignsIn):
    """Claude Code and Gemini CLI, as they are, up to their provider's page: their issuers cannot be configured. What they would write after it is made here, by their schema; it reaches the
    CLI VM, of the image `cli`, where a prompt in a home that no CLI ever saw is asked with its token, and answered."""
    image, services, cli_image = "browser", {"clis"}, "cli"
    test_a_session_signs_codex_in_and_the_cli_vm_has_it = None
    made = {"claude_code": ("claude", ".claude/.credentials.json", ("claude.ai", "claude.com", "platform.claude.com"),
                            lambda token: {"claudeAiOauth": {"accessToken": token, "refreshToken": token + "-r", "expiresAt": 1_900_000_000_000, "scopes": ["user:inference", "user:profile"]}}),
            "gemini_cli": ("gemini", ".gemini/oauth_creds.json", ("accounts.google.com",),
                           lambda token: {"access_token": token, "refresh_token": token + "-r", "token_type": "Bearer", "expiry_date": 1_900_000_000_000, "scope": "x"})}
    hosts = {"api.anthropic.com": ("claude_code", Messages, "127.9.31.9"), "cloudcode-pa.googleapis.com": ("gemini_cli", CodeAssist, "127.9.31.10"),
             "oauth2.googleapis.com": ("gemini_cli", CodeAssist, "127.9.31.11"), "www.googleapis.com": ("gemini_cli", CodeAssist, "127.9.31.12")}

    @classmethod
    def publish(cls, authority):
        super().publish(authority)
        cls.tokens = {provider: "made-" + secrets.token_hex(16) for provider in cls.made}
        cls.answers = {provider: "hello-" + secrets.token_hex(8) for provider in cls.made}
        cls.servers = {provider: [] for provider in cls.made}
        for host, (provider, kind, address) in cls.hosts.items():
            server = kind(lambda provider=provider: cls.tokens[provider], cls.answers[provider], (address, 443), authority.server_context(host)).start()
            cls.addClassCleanup(server.close)
            cls.servers[provider].append(server)

    def test_the_real_clis_show_their_address_and_a_file_of_their_schema_is_stored_delivered_and_used(self):
        cli = self.cli_of_the_user({"mode": "allow", "allow": [f"{host}:443" for host in self.hosts], "hosts": {host: row[2] for host, row in self.hosts.items()},
                                    "networks": [f"{row[2]}/32" for row in self.hosts.values()]})
        for provider in self.made:
            with self.subTest(provider):
                self.sign_in_to(provider, cli)
                self.ask(provider, cli)

    def sign_in_to(self, provider, cli):
        command, path, hosts, credential = self.made[provider]
        session = self.daemon.api.post("/v1/sessions", {"provider": provider, "user": "u", "image": "trusting", "vm": {"memory_mib": self.memory_mib, "vcpus": 2, "egress": EGRESS},
                                                        "cli_vm": cli["id"]})
        asked = self.wait_state(session, "waiting_for_user")
        self.assertIn(urllib.parse.urlsplit(asked["url"]).hostname, hosts)
        self.assertIn(asked["cli_version"], self.sh(asked["browser_vm"], f"{command} --version"))
        print(f"      {provider} {asked['cli_version']}: {self.steps(asked)}")
        text = json.dumps(credential(self.tokens[provider]))
        self.sh(asked["browser_vm"], 'umask 077; mkdir -p "$(dirname "$1")"; printf %s "$2" >"$1.new"; mv "$1.new" "$1"', "/home/agent/" + path, text, check=None)
        with contextlib.suppress(ConnectionError):
            for _ in self.events(session):
                pass
        ended = self.daemon.api.get(f"/v1/sessions/{session['id']}")
        self.assertEqual(ended["state"], "completed", ended)
        self.assertEqual(ended["stored"]["sha256"], hashlib.sha256(text.encode()).hexdigest())
        self.assertEqual((ended["delivered"]["vm"], ended["delivered"]["path"]), (cli["id"], "/home/agent/" + path), ended)
        self.assertEqual(ended["checked"]["validity"], "valid", ended)
        self.assertEqual(self.sh(cli["id"], 'cat "$1"', "/home/agent/" + path), text)

    def ask(self, provider, cli):
        """With nothing in the home but what was delivered."""
        servers = self.servers[provider]
        began = time.monotonic()
        code, out, err = self.daemon.vigil("exec", "--user", "agent", "-w", "/home/agent", cli["id"], "--", self.made[provider][0], "-p", "say hello", timeout=900)
        notes = [server.notes for server in servers]
        self.assertEqual((code, out.strip().splitlines()[-1:]), (0, [self.answers[provider]]), (out, err[-3000:], notes, [server.broken for server in servers]))
        self.assertIn("say hello", " ".join(text for server in servers for text in server.prompts))
        self.assertEqual({shown for server in servers for shown in server.shown}, {self.tokens[provider]}, notes)
        print(f"      {provider}: a prompt answered after {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    unittest.main(verbosity=2)
