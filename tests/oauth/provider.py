"""An OAuth provider over TLS on one address of this machine's loopback: a page with a form, a token endpoint. `Rules` decides; this is its HTTP."""
import html
import http.cookies
import http.server
import json
import urllib.parse

from .rules import Refused
from .server import TlsServer

MAX_BODY = 64 * 1024
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in (test provider)</title></head>
<body><h1>Sign in</h1><p>This is the provider of a test. It asks for consent to {scopes}.</p>
<form method="post" action="/oauth/login" autocomplete="off">
<input type="hidden" name="form" value="{form}"><input type="hidden" name="state" value="{state}">
<p><label>Account <input name="username" autofocus></label></p>
<p><label>Password <input name="password" type="password"></label></p>
<p><button type="submit">Continue</button></p></form></body></html>"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(self.page if self.target().path == "/oauth/authorize" else self.nothing)

    def do_POST(self):
        self.answer({"/oauth/login": self.log_in, "/oauth/token": self.token}.get(self.target().path, self.nothing))

    def answer(self, give):
        """What is refused is told to whoever asked, in the form of its endpoint, and noted."""
        try:
            give()
            self.server.note(self.command, self.target().path, "")
        except Refused as refused:
            self.server.note(self.command, self.target().path, str(refused))
            self.send(refused.status, json.dumps({"error": refused.error, "error_description": refused.reason}), "application/json")

    def page(self):
        form, asked = self.server.rules.ask(urllib.parse.parse_qs(self.target().query, keep_blank_values=True))
        fields = {"form": form, "state": asked.state, "scopes": " ".join(sorted(asked.scopes))}
        text = PAGE.format(**{name: html.escape(value, quote=True) for name, value in fields.items()})
        self.send(200, text, "text/html; charset=utf-8", **{"Set-Cookie": f"browser={asked.browser}; Path=/oauth; HttpOnly; Secure; SameSite=Lax"})

    def log_in(self):
        cookie = http.cookies.SimpleCookie(self.headers.get("Cookie", "")).get("browser")
        redirect, code, state = self.server.rules.log_in(self.form(), cookie and cookie.value)
        self.send(302, "", "text/plain", Location=redirect + "?" + urllib.parse.urlencode({"code": code, "state": state}))

    def token(self):
        self.send(200, json.dumps(self.server.rules.redeem(self.form())), "application/json")

    def nothing(self):
        self.form() if self.command == "POST" else None
        raise Refused("not_found", "nothing is at " + self.target().path, 404)

    # ---- HTTP ----

    def target(self):
        return urllib.parse.urlsplit(self.path)

    def form(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            raise Refused("invalid_request", "the body is too long", 413)
        body = self.rfile.read(length).decode("utf-8", "replace")
        kind = self.headers.get_content_type()
        if kind == "application/json":                    # how some programs ask for a new token
            try:
                return {str(name): [str(value)] for name, value in json.loads(body).items()}
            except (ValueError, AttributeError):
                raise Refused("invalid_request", "the body is not a JSON object") from None
        if kind != "application/x-www-form-urlencoded":
            raise Refused("invalid_request", "Content-Type: " + kind)
        return urllib.parse.parse_qs(body, keep_blank_values=True)

    def send(self, status, text, kind, **fields):
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store", **fields}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Provider(TlsServer):
    """`rules` decides what is let pass."""

    def __init__(self, rules, address, context=None):
        super().__init__(address, Handler, context)
        self.rules = rules
