"""What the CLIs of the other providers ask when they are given a prompt: as much of it as they need for an answer, over TLS on addresses of this machine's loopback.

`Messages` is what Claude Code speaks with (api.anthropic.com), `CodeAssist` what Gemini CLI does (cloudcode-pa.googleapis.com, and who looks at its token). A prompt is answered to whoever
shows the token that was `given`; anybody else is refused, and what nobody needs is not found.
"""
import http.server
import json
import urllib.parse

from .server import TlsServer

MAX_BODY = 8 * 1024 * 1024
STRANGER = "the token is none that was given here"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.take({})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding") or length > MAX_BODY:
            self.close_connection = True
            return self.refuse(413, "the body is too long, or of unknown length")
        body = self.rfile.read(length)
        try:
            self.take(json.loads(body or b"{}"))
        except json.JSONDecodeError:
            self.take({})

    def take(self, body):
        target = urllib.parse.urlsplit(self.path)
        answer = self.server.answer_to(target.path, target.query, body)
        if answer is None:
            return self.refuse(404, "nothing is here")
        shown = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.server.shown.append(shown or urllib.parse.parse_qs(target.query).get("access_token", [""])[0])
        if self.server.shown[-1] != self.server.given():
            return self.refuse(401, STRANGER)
        self.server.note(self.command, target.path, "")
        kind, text = answer
        self.send(200, text, kind)

    def refuse(self, status, reason):
        self.server.note(self.command, urllib.parse.urlsplit(self.path).path, reason)
        self.send(status, json.dumps({"type": "error", "error": {"type": "refused", "message": reason, "code": status}}), "application/json")

    def send(self, status, text, kind):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Other(TlsServer):
    """Serves from start() to close(). `shown`: the token of each request that is known here; `prompts`: what the user has said."""

    def __init__(self, given, answer, address, context=None):
        super().__init__(address, Handler, context)
        self.given, self.answer, self.shown, self.prompts = given, answer, [], []


def events(all_of_them):
    return "text/event-stream", "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in all_of_them)


def texts_of(content):
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or [] if isinstance(part, dict) and "text" in part]


class Messages(Other):
    def answer_to(self, path, _, body):
        if path != "/v1/messages":
            return None
        for message in body.get("messages", []):
            if message.get("role") == "user":
                self.prompts += texts_of(message.get("content"))
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body.get("model", "m"), "content": [], "stop_reason": None, "stop_sequence": None,
                   "usage": {"input_tokens": 1, "output_tokens": 1}}
        text = {"type": "text", "text": self.answer}
        if not body.get("stream"):
            return "application/json", json.dumps({**message, "content": [text], "stop_reason": "end_turn"})
        return events([{"type": "message_start", "message": message},
                       {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                       {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": self.answer}},
                       {"type": "content_block_stop", "index": 0},
                       {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 1}},
                       {"type": "message_stop"}])


class CodeAssist(Other):
    def answer_to(self, path, query, body):
        if path == "/tokeninfo":
            return "application/json", json.dumps({"aud": "a", "scope": "x", "expires_in": 3600, "access_type": "offline"})
        if path == "/oauth2/v2/userinfo":
            return "application/json", json.dumps({"email": "u@provider.test"})
        verb = path.rsplit(":", 1)[-1]
        if not path.startswith("/v1internal"):
            return None
        tier = {"id": "free-tier", "name": "free", "description": "free", "isDefault": True}
        if verb == "loadCodeAssist":
            return "application/json", json.dumps({"currentTier": tier, "allowedTiers": [tier], "cloudaicompanionProject": "project-1"})
        if verb in ("generateContent", "streamGenerateContent"):
            for content in body.get("request", {}).get("contents", []):
                if content.get("role") == "user":
                    self.prompts += texts_of(content.get("parts"))
            said = {"response": {"candidates": [{"content": {"role": "model", "parts": [{"text": self.answer}]}, "finishReason": "STOP", "index": 0}],
                                 "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}, "modelVersion": "m"}}
            return ("text/event-stream", f"data: {json.dumps(said)}\n\n") if "alt=sse" in query else ("application/json", json.dumps(said))
        return "application/json", "{}"
