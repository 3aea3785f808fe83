"""The guest's UART: each byte goes to a target that is never waited for. What does not fit is lost, and nobody is told."""
import os
import threading


class SerialOut:
    def __init__(self):
        self.target, self.missed_writes = 1, 0
        self._owned = False

    def use_path(self, path):
        """PUT /serial: a FIFO, or a file that grows without bound; opened for reading too, so no reader is needed."""
        self.target, self._owned = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CREAT, 0o600), True

    def start(self, source):
        """`source`: the descriptor that the machine's UART writes to."""
        os.set_blocking(self.target, False)   # of stdout it is the open file description's flag, shared with whoever passed it
        self._thread = threading.Thread(target=self._copy, args=(source,), daemon=True)
        self._thread.start()

    def finish(self):
        self._thread.join()

    def _copy(self, source):
        while True:
            try:
                data = os.read(source, 65536)
            except OSError:
                return
            if not data:
                return
            self._put(data)

    def _put(self, data):
        try:
            written = os.write(self.target, data)
        except OSError:
            written = 0
        self.missed_writes += len(data) - written
