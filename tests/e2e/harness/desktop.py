"""A browser at the door to desktops, as far as a test needs one: addresses, cookies, views, and a WebSocket of bytes."""
import base64
import hashlib
import http.client
import json
import os
import socket
import struct
import urllib.parse

BINARY, CLOSE = 2, 8
# Shows a greeting as a VNC server does, and then whatever it is told.
RFB_ECHO = ["/bin/sh", "-c", "printf '%s' 'printf \"RFB 003.008\\n\"; exec cat' >/tmp/rfb; exec socat TCP-LISTEN:5901,bind=127.0.0.1,reuseaddr,fork EXEC:'/bin/sh /tmp/rfb'"]
SCREEN = {"screen": {"exec": RFB_ECHO, "ready": {"rfb": {"port": 5901}}, "restart": "always"}}


class WebSocket:
    """Messages of bytes; an end of the other side is (code, reason)."""

    def __init__(self, address, host, path="/rfb", fields=None, timeout=200):
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        wanted = {"Host": host, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
                  "Origin": f"http://{host}", **(fields or {})}
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n".encode() + "".join(f"{name}: {value}\r\n" for name, value in wanted.items()).encode() + b"\r\n")
        self.stream = self.socket.makefile("rb")
        self.status = int(self.stream.readline().split()[1])
        answered = http.client.parse_headers(self.stream)
        if self.status != 101:
            return
        proof = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        assert answered["Sec-WebSocket-Accept"] == proof, answered

    def send(self, data, opcode=BINARY):
        mask = os.urandom(4)
        size = len(data)
        head = bytes([0x80 | opcode]) + (bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size) if size < 65536 else b"\xff" + struct.pack(">Q", size))
        masked = (int.from_bytes(data, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")).to_bytes(size, "big") if size else b""
        self.socket.sendall(head + mask + masked)

    def frame(self):
        first, second = self.stream.read(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(self.stream.read(2 if size == 126 else 8), "big")
        return first & 0x0F, self.stream.read(size)

    def read(self, size):
        got = b""
        while len(got) < size:
            opcode, data = self.frame()
            if opcode == CLOSE:
                raise ConnectionError(f"closed: {data!r}")
            if opcode == BINARY:
                got += data
        return got

    def closing(self):
        while True:
            opcode, data = self.frame()
            if opcode == CLOSE:
                self.send(data[:2], CLOSE)
                return int.from_bytes(data[:2], "big"), data[2:].decode()

    def close(self):
        self.stream.close()
        self.socket.close()


class Browser:
    """Names of *.localhost are this machine's for a browser; here they are the address that the daemon says."""

    def __init__(self, daemon, vm):
        self.daemon, self.vm, self.cookie = daemon, vm, ""
        listen = daemon.api.get("/v1/daemon")["desktop"]["listen"]
        self.address = (listen.rsplit(":", 1)[0], int(listen.rsplit(":", 1)[1]))
        self.host = f"{vm['id']}.localhost:{self.address[1]}"

    def invited(self):
        """The path of an address that `vigil desktop` prints."""
        url = urllib.parse.urlsplit(self.daemon.vigil("desktop", self.vm["id"], check=0)[1].strip())
        assert url.netloc == self.host, url
        return f"{url.path}?{url.query}"

    def fields(self, **more):
        return {"Host": self.host, **({"Cookie": self.cookie} if self.cookie else {}), **more}

    def get(self, path, **fields):
        connection = http.client.HTTPConnection(*self.address, timeout=200)
        connection.request("GET", path, headers=self.fields(**fields))
        answer = connection.getresponse()
        return answer

    def let_in(self):
        answer = self.get(self.invited())
        assert answer.status == 303 and answer.headers["Location"] == "/", answer.status
        self.cookie = answer.headers["Set-Cookie"].split(";")[0]
        return self

    def views(self):
        """What the page is told, as it is told."""
        for line in self.get("/view"):
            if line.startswith(b"data: "):
                yield json.loads(line[6:])

    def attach(self, path="/rfb", **fields):
        return WebSocket(self.address, self.host, path, self.fields(**fields))
