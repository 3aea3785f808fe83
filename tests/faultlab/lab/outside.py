"""What a VM meets outside: servers of the row's own on this machine's loopback, gone with the row; the row's policy names the address."""
import socket
import threading


class Outside:
    """Accepts on 127.0.0.1:port; `talk(connection)` is one conversation, each on a thread of its own."""

    def __init__(self, port, talk):
        self.talk, self.listener, self.connections = talk, socket.create_server(("127.0.0.1", port)), []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:   # closed
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=[connection], daemon=True).start()

    def serve(self, connection):
        try:
            with connection:
                connection.settimeout(30)
                self.talk(connection)
        except OSError:
            pass

    def close(self):
        self.listener.close()
        for connection in self.connections:
            connection.close()


def serves(key, talk):
    """at_created: the row's port of this name is open on the host from now on."""
    def begin(scene):
        scene.opened.append(Outside(scene.port(key), talk))
    return begin


def answers(*lines):
    """Reads one request head, answers with these lines, closes."""
    text = "".join(line + "\r\n" for line in (*lines, ""))

    def talk(connection):
        seen = b""
        while b"\r\n\r\n" not in seen and len(seen) < 65536:
            block = connection.recv(4096)
            if not block:
                return
            seen += block
        connection.sendall(text.encode())
    return talk


def says_to_hello(reply):
    """Reads what comes first, a TLS hello say, and gives back these bytes."""
    def talk(connection):
        if connection.recv(4096):
            connection.sendall(reply)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    return talk
