"""What a signed-in CLI asks when it is given a prompt: as much of the Responses API as codex needs, over TLS on one address of this machine's loopback."""
import base64
import http.server
import json
import subprocess

from .server import TlsServer

MAX_BODY = 4 * 1024 * 1024
ACCOUNTS, RESPONSES = "/backend-api/wham/accounts/check", "/backend-api/codex/responses"
STRANGER = "the token is none that was issued here"


def account_of(token):
    claims = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["https://api.openai.com/auth"]["chatgpt_account_id"]


def said(text):
    """The events of one answer that is a message: (type, fields)."""
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": text, "annotations": []}]}
    usage = {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 1, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2}
    yield "response.created", {"response": {"id": "resp_1", "status": "in_progress", "output": []}}
    yield "response.output_item.added", {"output_index": 0, "item": {**message, "status": "in_progress", "content": []}}
    yield "response.output_text.delta", {"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": text}
    yield "response.output_item.done", {"output_index": 0, "item": message}
    yield "response.completed", {"response": {"id": "resp_1", "status": "completed", "output": [message], "usage": usage}}


def prompts(body):
    """What the user has said, of a request's `input`."""
    items = [item for item in body.get("input", []) if isinstance(item, dict) and item.get("role") == "user"]
    return [part["text"] for item in items for part in item.get("content", []) if part.get("type") == "input_text"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.refuse(426, "events are streamed here, over HTTP")      # codex asks for a WebSocket first
        if self.path.split("?")[0] != ACCOUNTS:
            return self.refuse(404, "nothing is here")
        if self.token() is not None:
            self.server.note(self.command, self.path, "")
            self.send(200, {"accounts": [{"id": account_of(self.token()), "plan_type": "plus", "structure": "personal", "workspace_backend_origin": "NO_CONSTRAINT",
                                          "account_routing_override": "NO_CONSTRAINT"}]})
        else:
            self.refuse(401, STRANGER)

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            return self.refuse(413, "the body is too long")
        body = self.rfile.read(length)
        if self.path.split("?")[0] != RESPONSES:
            return self.refuse(404, "nothing is here")
        self.server.shown.append(self.headers.get("Authorization", ""))
        if self.token() is None:
            return self.refuse(401, STRANGER)
        self.server.note(self.command, self.path, "")
        self.server.prompts += prompts(json.loads(self.plain(body)))
        self.stream(said(self.server.answer))

    def plain(self, body):
        """codex compresses what it asks."""
        if self.headers.get("Content-Encoding") != "zstd":
            return body
        with subprocess.Popen(["zstd", "-dc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as done:
            return done.communicate(body, timeout=60)[0]

    def token(self):
        """The one that was shown, if it was issued here."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return token if token in self.server.issued() else None

    def refuse(self, status, reason):
        self.server.note(self.command, self.path, reason)
        self.send(status, {"error": {"message": reason}})

    def stream(self, events):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number, (kind, fields) in enumerate(events):
            self.wfile.write(f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number, **fields})}\n\n".encode())
            self.wfile.flush()
        self.close_connection = True

    def send(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Assistant(TlsServer):
    """Serves from start() to close(). Answers every prompt with `answer`, to whoever shows a token of `issued()`. `shown`: the Authorization of each prompt; `prompts`: what was said."""

    def __init__(self, issued, answer, address, context=None):
        super().__init__(address, Handler, context)
        self.issued, self.answer, self.shown, self.prompts = issued, answer, [], []
