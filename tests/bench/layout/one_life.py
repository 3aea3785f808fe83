"""One life of an agent, outside a VM, with a host that does no more than answer: which functions it calls until it is at rest, and which later."""
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time

from supervisors.peers import HERE as SUPERVISORS
from supervisors.peers import Vigil

TEN = [f"s{n}" for n in range(10)]
AT_REST_S = 7    # a health report is due every five seconds


class AnsweringHost:
    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(4)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        stream = connection.makefile("rb")
        while len(head := stream.read(4)) == 4:
            frame = json.loads(stream.read(struct.unpack("<I", head)[0]))
            answer = self.answer_to(frame)
            if answer:
                text = json.dumps({"v": 1, "epoch": 0, **answer}).encode()
                connection.sendall(struct.pack("<I", len(text)) + text)

    @staticmethod
    def answer_to(frame):
        if frame["t"] == "hello":
            return {"t": "welcome", "body": {"protocol": 1, "epoch": 0, "token": "none", "wall_unix_us": time.time_ns() // 1000, "config": {}}}
        if frame["t"] == "ping":
            return {"t": "pong", "body": frame["body"]}
        return {"t": "ack", "body": {"seq": frame["seq"]}} if frame.get("seq") else None


def compile_c(source, to):
    subprocess.run(["cc", "-O2", "-o", to, source], check=True)
    return to


def called_in_one_life(directory, agent, functions):
    """(until it was at rest, later): addresses among `functions`."""
    directory = pathlib.Path(directory)
    tracer = compile_c(pathlib.Path(__file__).parent / "called.c", directory / "called")
    service = compile_c(SUPERVISORS / "service.c", directory / "service")
    (directory / "functions").write_text("".join(f"{address:x}\n" for address in functions))
    out = directory / "out"

    class Traced(Vigil):
        def command(self):
            return [str(tracer), str(out), str(directory / "functions"), str(agent), *super().command()[1:]]

    def so_far():
        os.kill(supervisor.process.pid, signal.SIGUSR1)
        time.sleep(1)
        return {int(line, 16) for line in out.read_text().split()}

    supervisor = Traced(directory / "agent", service, TEN).start()
    supervisor.wait_for_starts(len(TEN), 60)
    time.sleep(AT_REST_S)
    at_rest = so_far()
    AnsweringHost(supervisor.directory / "nobody")
    time.sleep(AT_REST_S)
    os.kill(next(pid for name, pid, _ in supervisor.starts() if name == "s3"), signal.SIGKILL)
    supervisor.wait_for_starts(len(TEN) + 1, 60)
    time.sleep(AT_REST_S)
    later = so_far() - at_rest
    supervisor.process.kill()
    supervisor.stop()
    return at_rest, later
