"""One vigild with state and run directories of its own; ended, and its VMs with it, when the test class ends."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from .api import Api, Problem

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("VIGIL_BIN", ROOT / "build/release/bin"))
IMAGES = pathlib.Path(os.environ.get("VIGIL_IMAGES", "/var/lib/vigil/images" if os.geteuid() == 0 else
                                     pathlib.Path(os.environ.get("XDG_STATE_HOME", pathlib.Path.home() / ".local/state")) / "vigil/images"))


class Daemon:
    def __init__(self, state=None, options=()):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="vg-", dir="/tmp"))
        self.base.chmod(0o755)   # VMM processes run under their own uid
        self.state = pathlib.Path(state) if state else self.base / "s"
        self.run = self.base / "r"
        self.socket = self.base / "d.sock"
        self.options = list(options)
        self.log = self.base / "vigild.log"
        self.process = None
        self.api = Api(self.socket)

    def command(self):
        return [str(BIN / "vigild"), "--state", str(self.state), "--run", str(self.run), "--socket", str(self.socket), *self.options]

    def use_images(self, source=IMAGES):
        """The images of the machine, linked file by file into this daemon's state (images are read-only)."""
        for name in pathlib.Path(source).iterdir():
            if name.name.startswith(".") or not (name / "current").exists():
                continue
            digest = os.readlink(name / "current")
            target = self.state / "images" / name.name / digest
            if target.exists():
                continue
            target.mkdir(parents=True)
            for file in (name / digest).iterdir():
                try:
                    os.link(file, target / file.name)
                except OSError:
                    subprocess.run(["cp", "--sparse=always", file, target / file.name], check=True)
            os.symlink(digest, self.state / "images" / name.name / "current")
        return self

    def start(self):
        """Returns when the daemon says that it serves (--ready-fd), or raises with its log."""
        read_end, write_end = os.pipe()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command() + ["--ready-fd", str(write_end)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, pass_fds=[write_end])
        os.close(write_end)
        with os.fdopen(read_end, "rb") as ready:
            if not ready.read(1):
                raise RuntimeError(f"vigild did not start (code {self.process.wait()}):\n{self.log.read_text()}")
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            for vm in self.api.get("/v1/instances"):
                try:
                    self.api.delete(f"/v1/instances/{vm['id']}?force=1")
                except Problem:
                    pass
            os.kill(self.api.get("/v1/daemon")["pid"], signal.SIGTERM)   # under strace our child is strace, which passes no signal on
            self.process.wait(30)

    def close(self):
        self.stop()
        if not os.environ.get("VIGIL_KEEP"):
            shutil.rmtree(self.base, ignore_errors=True)

    def vigil_command(self, *words):
        return [str(BIN / "vigil"), "--socket", str(self.socket), *map(str, words)]

    def vigil(self, *words, check=None, timeout=240):
        """The command line client, as a user runs it; returns (exit code, stdout, stderr)."""
        done = subprocess.run(self.vigil_command(*words), capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL, errors="replace")
        if check is not None and done.returncode != check:
            raise AssertionError(f"vigil {' '.join(words)}: exit {done.returncode}, wanted {check}\n{done.stdout}\n{done.stderr}")
        return done.returncode, done.stdout, done.stderr

    def vigil_json(self, *words, check=0):
        return json.loads(self.vigil(*words, "--json", check=check)[1])

    def create(self, name, image="minimal", **spec):
        return self.api.post("/v1/instances?start=1", {"name": name, "image": image, **spec})

    def wait_for(self, vm, wanted, deadline=150):
        """The first stored event for which `wanted` holds."""
        for event in self.api.events(vm["id"], deadline=deadline):
            if wanted(event):
                return event
        raise AssertionError("unreachable: the stream ends by an exception")

    def wait_state(self, vm, *states, deadline=150):
        return self.wait_for(vm, lambda e: e["type"] == "state" and e["body"]["state"] in states, deadline)

    def metric(self, series):
        """The value of one series of /metrics, named as the page writes it: vigil_port_requests_total{outcome="served"}; 0 while there is none."""
        page = self.api.raw("GET", "/metrics")[1].decode()
        return next((float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.rsplit(" ", 1)[0] == series), 0)

    def why(self, vm, run=None):
        return self.api.get(f"/v1/instances/{vm['id']}/why" + (f"?run={run}" if run else ""))


def process_gone(pid, deadline=10):
    """Waits for a process that is not our child, by its pidfd."""
    import select
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], deadline)[0])
    finally:
        os.close(fd)
