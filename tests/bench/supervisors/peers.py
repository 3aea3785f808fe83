"""Vigil's agent and its peers as one interface: start these services, which processes are yours, stop. Each gets a directory of its own."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TOOLS = ROOT / "build/tools/peers"


def peer_program(name):
    """From build/tools/peers (`./dev setup --bench`) or from PATH."""
    for directory in ("usr/bin", "usr/sbin"):
        if (TOOLS / directory / name).exists():
            return str(TOOLS / directory / name)
    return shutil.which(name)


def peer_environment():
    library, python = TOOLS / "usr/lib/x86_64-linux-gnu", TOOLS / "usr/lib/python3/dist-packages"
    path = f"{TOOLS}/usr/bin:{TOOLS}/usr/sbin:{os.environ.get('PATH', '')}"
    return {"PATH": path, "LD_LIBRARY_PATH": str(library), "PYTHONPATH": str(python)}


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def reap_orphans():
    """We are the first process of the namespace: what lost its parent is ours."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


class Supervisor:
    """`directory` is empty and ours; `program` is the service's; `names` the services; `after` maps a name to the one it waits for."""
    name = needs = ""

    def __init__(self, directory, program, names, after=None):
        self.directory, self.program, self.names, self.after = pathlib.Path(directory), str(program), names, after or {}
        self.directory.mkdir(parents=True)
        self.records = self.directory / "records"
        self.records.touch()
        self.process = None

    @classmethod
    def found(cls):
        return bool(peer_program(cls.needs))

    def start(self):
        self.write_services()
        with open(self.directory / "log", "wb") as log:
            environment = {**peer_environment(), "RECORDS": str(self.records)}
            self.began_ns = time.monotonic_ns()
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True)
        return self

    def stop(self):
        """Ends the services and what supervises them, by pid: asked first, then killed, so that nothing is started again in between."""
        supervising, everything = self.supervising(), self.tree()
        send(supervising, signal.SIGTERM)
        end = time.monotonic() + 2
        while self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        send([pid for pid in supervising if pid != self.process.pid], signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        send([pid for pid in everything if self.is_service(pid)], signal.SIGKILL)
        reap_orphans()

    def tree(self):
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    stat = pathlib.Path("/proc", entry, "stat").read_text()
                    parents.setdefault(int(stat[stat.rindex(")") + 2:].split()[1]), []).append(int(entry))
                except OSError:
                    pass
        found, queue = [], [self.process.pid]
        while queue:
            found.append(queue.pop())
            queue += parents.get(found[-1], [])
        return found

    def is_service(self, pid):
        try:
            return os.path.samefile(f"/proc/{pid}/exe", self.program)
        except OSError:
            return False

    def supervising(self):
        return [pid for pid in self.tree() if not self.is_service(pid)]

    def services(self):
        return [pid for pid in self.tree() if self.is_service(pid)]

    def starts(self):
        """(name, pid, nanoseconds) of every start so far, in order."""
        rows = (line.split() for line in self.records.read_text().splitlines())
        return [(row[0], int(row[1]), int(row[2])) for row in rows if len(row) == 3]

    def wait_for_starts(self, count, deadline):
        end, patience = time.monotonic() + deadline, 0.0002
        while True:
            if self.records.read_bytes().count(b"\n") >= count:
                return self.starts()
            if time.monotonic() > end:
                raise SystemExit(f"{self.name}: {len(self.starts())} of {count} starts after {deadline} s; see {self.directory}/log")
            time.sleep(patience)
            patience = min(patience * 1.2, 0.01)


# What the host says first; without it the agent would wait for a host.
WELCOME = {"v": 1, "t": "welcome", "epoch": 0, "body": {"protocol": 1, "epoch": 0, "token": "none", "wall_unix_us": 0, "config": {}}}


class Vigil(Supervisor):
    name, needs = "vigil", "true"
    agent = pathlib.Path(os.environ.get("VIGIL_BIN", ROOT / "build/release/bin")) / "vigil-guest"
    exec_of = None   # a service's argv, when it is not the program itself

    def command(self):
        return [str(self.agent), "run", "--services", str(self.directory / "services"), "--link", f"unix:{self.directory}/nobody",
                "--runtime-dir", str(self.directory / "run"), "--config", str(self.directory / "welcome")]

    def write_services(self):
        (self.directory / "services").mkdir()
        (self.directory / "welcome").write_text(json.dumps(WELCOME))
        for name in self.names:
            spec = {"name": name, "exec": [self.program, name], "env": {"RECORDS": str(self.records)},
                    "restart": {"policy": "always", "crash_loop": {"exits": 1000, "window_s": 1}}}
            if self.exec_of:
                spec["exec"] = self.exec_of(name)
            if self.after:
                spec["exec"], spec["ready"] = [self.program, name, "ready"], {"notify-fd": {"fd": 3}}
            if name in self.after:
                spec["requires"] = [self.after[name]]
            (self.directory / "services" / f"{name}.json").write_text(json.dumps(spec))


class ScanDirectory(Supervisor):
    """runit and s6: a directory a service, whose `run` is the program itself."""

    def write_services(self):
        for name in self.names:
            (self.directory / "scan" / name).mkdir(parents=True)
            (self.directory / "scan" / name / "run").symlink_to(self.program)


class Runit(ScanDirectory):
    name, needs = "runit", "runsvdir"

    def command(self):
        return [peer_program("runsvdir"), "-P", str(self.directory / "scan")]


class S6(ScanDirectory):
    name, needs = "s6", "s6-svscan"

    def command(self):
        return [peer_program("s6-svscan"), "-c", "2000", str(self.directory / "scan")]


class Supervisord(Supervisor):
    name, needs = "supervisord", "supervisord"

    def command(self):
        return [peer_program("supervisord"), "-n", "-c", str(self.directory / "conf")]

    def write_services(self):
        head = f"[supervisord]\nlogfile={self.directory}/supervisord.log\npidfile={self.directory}/pid\nchildlogdir={self.directory}\n"
        programs = (f"[program:{name}]\ncommand={self.program} {name}\nautorestart=true\nstartsecs=0\n" for name in self.names)
        (self.directory / "conf").write_text(head + "".join(programs))


class NodeLoop(Supervisor):
    name, needs = "node loop", "node"

    def command(self):
        return [peer_program("node"), str(HERE / "loop.js"), str(self.directory / "argvs")]

    def write_services(self):
        (self.directory / "argvs").write_text(json.dumps([[self.program, name] for name in self.names]))


ALL = (Vigil, Runit, S6, Supervisord, NodeLoop)
