"""Firecracker's hybrid vsock on the host's side, over vhost-device-vsock underneath.

Guest to host: the device dials UDS_P itself. Host to guest: this listens on UDS and reads the CONNECT line as Firecracker does: in one read, or not at all.
"""
import itertools
import os
import re
import select
import socket
import threading

CONNECT = re.compile(rb"connect +([0-9]{1,10})\n", re.IGNORECASE)
MAX_LINE = 32
FIRST_LOCAL_PORT = 1 << 30
RESPONSE_WITHIN = 2.0


class VsockBridge:
    def __init__(self, uds_path):
        """PUT /vsock: binds. Nobody accepts before the machine runs: who dials earlier waits in the backlog."""
        self.path = uds_path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(uds_path)   # EADDRINUSE is the caller's to tell
        self.listener.listen(128)
        self.takes_host_connections = True
        self._ports = itertools.count(FIRST_LOCAL_PORT)

    @property
    def lower(self):
        return self.path + ".lower"

    def lend_path(self):
        """The device below binds UDS itself (its name decides which UDS_P it dials): it gets the name for a moment."""
        os.rename(self.path, self.path + ".own")

    def take_path_back(self):
        os.rename(self.path, self.lower)
        os.rename(self.path + ".own", self.path)

    def start(self):
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            host, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(host,), daemon=True).start()

    def _serve(self, host):
        with host:
            select.select([host], [], [])
            data = host.recv(4096, socket.MSG_DONTWAIT)
            line, mark, rest = data.partition(b"\n")
            asked = CONNECT.fullmatch(line + mark)
            if not asked or len(line) + 1 > MAX_LINE:
                return                                   # every failure is a plain end
            if not self.takes_host_connections:
                select.select([], [], [host], None)      # a guest that was paused without a snapshot never answers
            guest = self._dial(int(asked.group(1)))
            if guest is None:
                return
            with guest:
                host.sendall(b"OK %d\n" % next(self._ports))
                if rest:
                    guest.sendall(rest)
                carry(host, guest)

    def _dial(self, port):
        guest = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        guest.settimeout(RESPONSE_WITHIN)
        try:
            guest.connect(self.lower)
            guest.sendall(b"CONNECT %d\n" % port)
            answer = b""
            while not answer.endswith(b"\n"):
                byte = guest.recv(1)                     # what follows the line is the guest's
                if not byte:
                    raise ConnectionError
                answer += byte
            guest.settimeout(None)
            return guest
        except OSError:
            guest.close()
            return None


def carry(host, guest):
    """Both ways, until either side ends: no half-close is carried. What the guest had sent by then is given to the host first."""
    peers = {host: guest, guest: host}
    try:
        while True:
            for readable in select.select(list(peers), [], [])[0]:
                data = readable.recv(65536)
                if not data:
                    return
                peers[readable].sendall(data)
    except OSError:
        return
