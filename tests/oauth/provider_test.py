#!/usr/bin/env python3
"""The test provider by itself: what it lets pass, and each thing that it does not; then the whole flow over TLS with the browser of browse.py."""
import contextlib
import http.server
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest
import unittest.mock
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from oauth.assistant import ACCOUNTS, RESPONSES, Assistant, account_of  # noqa: E402
from oauth.authority import make_authority  # noqa: E402
from oauth.browse import browse  # noqa: E402
from oauth.provider import Provider  # noqa: E402
from oauth.rules import Account, Refused, Rules, s256  # noqa: E402

REDIRECT = "http://127.0.0.1:1455/auth/callback"
VERIFIER = "v" * 43
ASKED = {"client_id": "app", "redirect_uri": REDIRECT, "response_type": "code", "code_challenge": s256(VERIFIER), "code_challenge_method": "S256", "state": "s" * 32,
         "scope": "openid profile email offline_access"}


def lists(fields, **changed):
    return {name: [value] for name, value in {**fields, **changed}.items() if value is not None}


class Decisions(unittest.TestCase):
    def setUp(self):
        self.now = 1000.0
        self.rules = Rules("https://issuer.test", "app", [REDIRECT], Account("u@test", "secret"), clock=lambda: self.now)

    def code(self):
        form, asked = self.rules.ask(lists(ASKED))
        return self.rules.log_in(lists({"form": form, "state": asked.state, "username": "u@test", "password": "secret"}), asked.browser)[1]

    def grant(self, of, **changed):
        return lists({"grant_type": "authorization_code", "code": of, "redirect_uri": REDIRECT, "client_id": "app", "code_verifier": VERIFIER}, **changed)

    def assert_refused(self, error, word, do, *what):
        with self.assertRaises(Refused) as refused:
            do(*what)
        self.assertEqual(refused.exception.error, error)
        self.assertIn(word, refused.exception.reason)

    def test_an_authorisation_request_is_let_pass_whole_or_refused_by_name(self):
        self.rules.ask(lists(ASKED))
        for changed, error, word in (({"client_id": "other"}, "unauthorized_client", "client_id"), ({"redirect_uri": REDIRECT + "/"}, "invalid_request", "redirect_uri"),
                                     ({"redirect_uri": "http://127.0.0.1:1456/auth/callback"}, "invalid_request", "redirect_uri"),
                                     ({"redirect_uri": None}, "invalid_request", "redirect_uri"), ({"response_type": "token"}, "unsupported_response_type", "response_type"),
                                     ({"code_challenge_method": "plain"}, "invalid_request", "S256"), ({"code_challenge_method": None}, "invalid_request", "missing"),
                                     ({"code_challenge": None}, "invalid_request", "code_challenge"), ({"code_challenge": "short"}, "invalid_request", "code_challenge"),
                                     ({"state": None}, "invalid_request", "state"), ({"state": "short"}, "invalid_request", "state"),
                                     ({"scope": "openid"}, "invalid_scope", "offline_access")):
            self.assert_refused(error, word, self.rules.ask, lists(ASKED, **changed))
        self.assert_refused("invalid_request", "twice", self.rules.ask, {**lists(ASKED), "state": ["s" * 32, "t" * 32]})

    def test_the_form_is_of_one_browser_one_state_one_account_and_good_once(self):
        form, asked = self.rules.ask(lists(ASKED))
        good = {"form": form, "state": asked.state, "username": "u@test", "password": "secret"}
        self.assert_refused("access_denied", "another browser", self.rules.log_in, lists(good), None)
        self.assert_refused("access_denied", "another browser", self.rules.log_in, lists(good), "x")
        self.assert_refused("invalid_request", "state", self.rules.log_in, lists(good, state="t" * 32), asked.browser)
        self.assert_refused("access_denied", "password", self.rules.log_in, lists(good, password="other"), asked.browser)
        redirect, _, state = self.rules.log_in(lists(good), asked.browser)
        self.assertEqual((redirect, state), (REDIRECT, ASKED["state"]))
        self.assert_refused("invalid_request", "sent before", self.rules.log_in, lists(good), asked.browser)

    def test_a_code_is_redeemed_once_and_used_twice_its_tokens_are_revoked(self):
        code = self.code()
        tokens = self.rules.redeem(self.grant(code))
        self.assertEqual({len(tokens[name].split(".")) for name in ("id_token", "access_token")}, {3})
        self.assert_refused("invalid_grant", "used before", self.rules.redeem, self.grant(code))
        self.assert_refused("invalid_grant", "revoked", self.rules.redeem, lists({"grant_type": "refresh_token", "client_id": "app", "refresh_token": tokens["refresh_token"]}))

    def test_a_code_is_not_redeemed_by_who_cannot_prove_that_it_is_his(self):
        for changed, word in (({"code_verifier": "w" * 43}, "code_verifier"), ({"code_verifier": None}, "code_verifier"), ({"code_verifier": "v"}, "code_verifier"),
                              ({"redirect_uri": "http://localhost:1455/auth/callback"}, "redirect_uri"), ({"client_id": "other"}, "client_id"), ({"code": "x"}, "unknown")):
            self.assert_refused("invalid_grant", word, self.rules.redeem, self.grant(self.code(), **changed))
        code = self.code()
        self.now += 121
        self.assert_refused("invalid_grant", "too old", self.rules.redeem, self.grant(code))
        self.assertEqual(self.rules.issued, [])

    def test_a_refresh_token_gives_new_tokens_once(self):
        first = self.rules.redeem(self.grant(self.code()))
        wanted = lists({"grant_type": "refresh_token", "client_id": "app", "refresh_token": first["refresh_token"]})
        second = self.rules.redeem(wanted)
        self.assertNotEqual(first["access_token"], second["access_token"])
        self.assert_refused("invalid_grant", "used", self.rules.redeem, wanted)


class Callback(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.got = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class OverTls(unittest.TestCase):
    def test_a_browser_that_trusts_its_authority_gets_a_code_that_is_worth_tokens(self):
        with contextlib.ExitStack() as ends:
            folder = ends.enter_context(tempfile.TemporaryDirectory())
            authority = make_authority(folder)
            callback = ends.enter_context(http.server.HTTPServer(("127.0.0.1", 0), Callback))
            threading.Thread(target=callback.serve_forever, daemon=True).start()
            ends.callback(callback.shutdown)
            redirect = f"http://127.0.0.1:{callback.server_port}/cb"
            rules = Rules("https://localhost", "app", [redirect], Account("u@test", "secret"))
            provider = Provider(rules, ("127.0.0.1", 0), authority.server_context("localhost")).start()
            ends.callback(provider.close)
            base = f"https://localhost:{provider.server_port}"
            address = base + "/oauth/authorize?" + urllib.parse.urlencode({**ASKED, "redirect_uri": redirect})
            with self.assertRaisesRegex(OSError, "CERTIFICATE_VERIFY_FAILED"):
                urllib.request.urlopen(address, timeout=30)
            self.assertEqual(provider.notes, [])
            with unittest.mock.patch.dict(os.environ, {"SSL_CERT_FILE": str(authority.certificate), "no_proxy": "*"}), contextlib.redirect_stdout(io.StringIO()) as told:
                self.assertEqual(browse(address, {"username": "u@test", "password": "secret"}), 200)
                grant = urllib.parse.urlencode({"grant_type": "authorization_code", "code": callback.got["code"][0], "redirect_uri": redirect, "client_id": "app", "code_verifier": VERIFIER})
                with urllib.request.urlopen(base + "/oauth/token", grant.encode(), timeout=30) as answer:
                    tokens = json.load(answer)
            self.assertEqual(callback.got["state"], [ASKED["state"]])
            self.assertNotIn(callback.got["code"][0], told.getvalue())
            self.assertEqual(rules.issued[-1], tokens["refresh_token"])
            self.assertEqual([note for note in provider.notes if note[2]], [])


class Prompts(unittest.TestCase):
    """What answers a prompt: by the token of its own provider alone."""

    def setUp(self):
        self.rules = Rules("https://issuer.test", "app", [REDIRECT], Account("u@test", "secret"))
        self.token = self.rules.issue(self.rules.ask(lists(ASKED))[1])["access_token"]
        self.assistant = Assistant(lambda: self.rules.issued, "hello", ("127.0.0.1", 0)).start()
        self.addCleanup(self.assistant.close)

    def ask(self, path, token, body=None, **fields):
        request = urllib.request.Request(f"http://127.0.0.1:{self.assistant.server_port}{path}", body, {"Authorization": "Bearer " + token, **fields})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def test_who_shows_a_token_of_the_provider_is_answered_in_events(self):
        said = {"role": "user", "content": [{"type": "input_text", "text": "say hello"}]}
        body = json.dumps({"input": [said, {**said, "role": "developer"}]}).encode()
        for sent, fields in ((body, {}), (subprocess.run(["zstd", "-c"], input=body, capture_output=True, check=True).stdout, {"Content-Encoding": "zstd"})):
            status, text = self.ask(RESPONSES, self.token, sent, **fields)
            self.assertEqual((status, text.count("event: "), text.rstrip().split("\n\n")[-1].split("\n")[0]), (200, 5, "event: response.completed"))
            self.assertIn('"delta": "hello"', text)
        self.assertEqual((self.assistant.prompts, self.assistant.shown), (["say hello"] * 2, ["Bearer " + self.token] * 2))
        self.assertIn(account_of(self.token), self.ask(ACCOUNTS, self.token)[1])

    def test_another_token_another_path_and_a_websocket_are_refused(self):
        for path, token, body, fields, status in ((RESPONSES, self.token + "x", b"{}", {}, 401), (RESPONSES, self.rules.jwt({}), b"{}", {}, 401), (ACCOUNTS, "", None, {}, 401),
                                                  (RESPONSES + "/other", self.token, b"{}", {}, 404), ("/backend-api/codex/models", self.token, None, {}, 404),
                                                  (RESPONSES, self.token, None, {"Upgrade": "websocket"}, 426)):
            self.assertEqual(self.ask(path, token, body, **fields)[0], status, path)
        self.assertEqual(self.assistant.prompts, [])


if __name__ == "__main__":
    unittest.main()
