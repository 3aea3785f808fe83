"""Many VMs without a VM (native/fleet) under a real daemon: made, served, and what they said compared with what the store has."""
import collections
import json
import pathlib
import re
import shutil
import sqlite3
import subprocess
import time

import measure  # noqa: F401  (it knows where the harness is)
from harness.daemon import BIN, Daemon
from harness.told import THINNED, journal_rows

DESCRIPTORS_A_VM = 6                 # of the program that serves them
VMS_A_PROCESS = 19_000 // DESCRIPTORS_A_VM


def build():
    if not (BIN.parent / "CMakeCache.txt").exists():
        return                       # binaries that were copied from a build, vigil-fleet among them
    subprocess.run(["cmake", "--build", BIN.parent, "--target", "vigil-fleet"], check=True, capture_output=True)


class Herd:
    def __init__(self, running, ended=0):
        self.running, self.processes = running, []
        self.daemon = Daemon()
        for folder in (self.daemon.state, self.daemon.run):
            folder.mkdir(mode=0o755)
        self.ids = self.daemon.base / "ids"
        subprocess.run([BIN / "vigil-fleet", "make", self.daemon.state, self.daemon.run, str(running), str(ended), self.ids], check=True)

    def journal(self, number):
        return self.daemon.base / f"journal-{number}"

    def serve(self, events_per_second, seconds, *way):
        """Shims, control sockets and guests. They dial; call daemon.start(), then wait_up(). `way`: the suffix of their link's path, and the seed of their consoles."""
        for number, first in enumerate(range(0, self.running, VMS_A_PROCESS)):
            count = min(VMS_A_PROCESS, self.running - first)
            self.processes.append(subprocess.Popen(
                [BIN / "vigil-fleet", "serve", self.daemon.run, self.ids, str(first), str(count), str(events_per_second * count / self.running), str(seconds),
                 self.journal(number), *map(str, way)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        while not all((self.daemon.run / line / "shim.sock").exists() for line in self.ids.read_text().split()):
            time.sleep(0.05)

    def wait_up(self):
        """The first word of each; a process that has ended gives none."""
        for process in self.processes:
            word = process.stdout.readline().split()
            if word[:1] != ["up"]:
                raise RuntimeError(f"the VMs did not come up: {word} (vigil-fleet {process.poll()})")

    def settle(self):
        """No new reports; what was said is acknowledged. (acknowledged, p50 us, p99 us, worst us, dropped) of each process."""
        for process in self.processes:
            process.stdin.write("quiet\n")
            process.stdin.flush()
        return [[int(value) for value in process.stdout.readline().split()[1:]] for process in self.processes]

    def said(self):
        reports = collections.Counter()
        for number in range(len(self.processes)):
            for line in self.journal(number).read_text().splitlines():
                if not line.startswith("console "):
                    reports[tuple(line.split()[:3])] += 1
        return reports

    def rows_said(self):
        """(vm, boot, seq) -> (type, what)"""
        lines = (line for number in range(len(self.processes)) for line in self.journal(number).read_text().splitlines())
        return journal_rows(line for line in lines if not line.startswith("console "))

    def stored(self):
        """What the log has of reports that no rule thins out."""
        store = sqlite3.connect(f"file:{self.daemon.state / 'vigil.db'}?mode=ro", uri=True)
        names = dict(store.execute("SELECT row, id FROM log_instances"))
        marks = ",".join("?" * len(THINNED))
        reports = collections.Counter()
        for row, body in store.execute(f"SELECT instance, body FROM events WHERE body LIKE '%\"report\"%' AND type NOT IN ({marks})", THINNED):
            report = json.loads(body).get("report")
            if report:
                reports[(names[row], report["boot"], str(report["seq"]))] += 1
        store.close()
        return reports

    def compare(self):
        """(lost, doubled): reports that the guests told and the store has not; that it has twice, or that nobody told."""
        said, stored = self.said(), self.stored()
        ours = {boot for _, boot, _ in said}
        return [key for key in said if key not in stored], [key for key, n in stored.items() if n > 1 or (key[1] in ours and key not in said)]

    def close(self):
        """The daemon first: VMs that go while it lives are ends to be told and boxed."""
        if self.daemon.process and self.daemon.process.poll() is None:
            self.daemon.process.terminate()
            self.daemon.process.wait(60)
        self.daemon.process = None
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.daemon.base, ignore_errors=True)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def kept_waiting_ms(pid):
    """The event thread's time in the run queue."""
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[1]) / 1e6


def memory_kib(pid, what="Pss"):
    return int(re.search(rf"^{what}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])


def descriptors(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
