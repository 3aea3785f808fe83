"""The daemon's HTTP API over its Unix socket, with the standard library alone."""
import http.client
import json
import socket
import time


class Problem(Exception):
    """The daemon answered with a problem document."""

    def __init__(self, status, document):
        super().__init__(f"{status}: {document.get('detail') or document.get('title')}")
        self.status, self.document = status, document


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("vigil", timeout=timeout)
        self._path = path

    def connect(self):
        until = time.monotonic() + self.timeout
        while True:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            try:
                return self.sock.connect(str(self._path))
            except BlockingIOError:   # its backlog is full: with a time limit connect() does not wait for that
                self.sock.close()
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)


class Api:
    def __init__(self, socket_path):
        self.socket_path = socket_path

    def raw(self, method, path, body=None, timeout=30, headers=None):
        connection = UnixConnection(self.socket_path, timeout)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {**({"Content-Type": "application/json"} if payload else {}), **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def call(self, method, path, body=None, timeout=30):
        status, data = self.raw(method, path, body, timeout)
        document = json.loads(data) if data else None
        if status >= 400:
            raise Problem(status, document or {})
        return document

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body=None):
        return self.call("POST", path, body if body is not None else {})

    def delete(self, path):
        return self.call("DELETE", path)

    def events(self, instance=None, after=0, deadline=120):
        """Yields stored events in order; raises TimeoutError when `deadline` seconds pass without the caller having stopped."""
        path = f"/v1/events?after={after}" + (f"&instance={instance}" if instance else "")
        yield from self.follow(path, deadline)

    def follow(self, path, deadline=120):
        """Yields the events of any stream of server-sent events; ConnectionError when it ends."""
        ends = time.monotonic() + deadline
        connection = UnixConnection(self.socket_path, deadline)
        try:
            connection.request("GET", path, headers={"Accept": "text/event-stream"})
            response = connection.getresponse()
            if response.status != 200:
                raise Problem(response.status, json.loads(response.read() or b"{}"))
            yield from self._parse(response, connection, ends)
        finally:
            connection.close()

    @staticmethod
    def _parse(response, connection, ends):
        data = []
        while True:
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError("the awaited event did not come")
            if connection.sock is not None:
                connection.sock.settimeout(left)
            line = response.readline()
            if not line:
                raise ConnectionError("the event stream ended")
            line = line.rstrip(b"\r\n")
            if line.startswith(b"data:"):
                data.append(line[5:].strip())
            elif not line and data:
                event = json.loads(b"\n".join(data))
                event["seen_unix_us"] = time.time_ns() // 1000
                yield event
                data = []
