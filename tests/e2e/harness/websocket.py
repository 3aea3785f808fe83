"""A WebSocket client for tests (RFC 6455), and the server that it talks to in a VM: tests/e2e/ws_echo.c, built here and copied in by `vigil cp`."""
import base64
import hashlib
import os
import pathlib
import socket
import struct
import subprocess
import time

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "ws_echo.c"
INSIDE = "/tmp/ws_echo"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def start_echo(daemon, vm, port, *more):
    """The server in the VM, which listens when this returns."""
    program = daemon.base / "ws_echo"
    if not program.exists():
        subprocess.run(["gcc", "-D_GNU_SOURCE", "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE], check=True)
    if daemon.vigil("exec", vm["id"], "test", "-x", INSIDE)[0] != 0:
        daemon.vigil("cp", program, f"{vm['id']}:{INSIDE}", check=0)
        daemon.vigil("exec", vm["id"], "chmod", "755", INSIDE, check=0)
    daemon.vigil("exec", "-d", vm["id"], INSIDE, port, *more, check=0)
    for _ in range(100):
        if any(each["port"] == port for each in daemon.vigil_json("ports", vm["id"])):
            return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on port {port} of the VM")


class WebSocket:
    """Over a connected socket. Raises ConnectionError when the other end goes, OSError as the socket does, AssertionError when it breaks the protocol."""

    def __init__(self, connection, path, host="x"):
        self.connection, self.unread = connection, b""
        key = base64.b64encode(os.urandom(16))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n".encode()
                           + b"Sec-WebSocket-Key: " + key + b"\r\n\r\n")
        while b"\r\n\r\n" not in self.unread:
            self.more()
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 101"), head
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        assert b"sec-websocket-accept: " + accept.lower() in head.lower(), head

    def more(self):
        block = self.connection.recv(65536)
        if not block:
            raise ConnectionError("the other end closed the WebSocket")
        self.unread += block

    def send(self, payload, opcode=BINARY):
        mask = os.urandom(4)
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xfe]) + struct.pack(">H", len(payload))
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes((mask * (len(payload) // 4 + 1))[:len(payload)], "big")).to_bytes(len(payload), "big")
        self.connection.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def take(self, size):
        while len(self.unread) < size:
            self.more()
        got, self.unread = self.unread[:size], self.unread[size:]
        return got

    def receive(self):
        """(opcode, payload) of the next frame."""
        first, second = self.take(2)
        assert first & 0x80 and not second & 0x80, (first, second)
        length = second if second < 126 else struct.unpack(">H", self.take(2))[0]
        return first & 15, self.take(length)

    def close(self):
        self.connection.close()
