"""The step `boot-test`: the finished image, not yet published, comes up in a VM with the least memory that it promises; every service is ready, every probe
has passed, it stops when it is told to. By a daemon of its own, whose state is thrown away; nothing of it is seen by the machine's daemon."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from . import manifest as manifests
from .errors import BuildError
from .tools import clean_environment

UP_S, TIMES_S, HEALTH_S, STOP_S, DAEMON_S, LOOK_S = 900, 60, 60, 120, 30, 0.5
GUARD = pathlib.Path(__file__).with_name("boot_guard.py")
NAME = "boot-test"
PROGRAMS = ("vigild", "vigil", "vigil-shim", "vhost-device-vsock")
LOG_TAIL = 100_000


def missing_programs(directory):
    """What the test needs beside the agent; vhost-device-vsock may be installed."""
    return [name for name in PROGRAMS if not (directory / name).exists() and not shutil.which(name)]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("vigil", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    def __init__(self, programs, base, log, epoch):
        self.programs, self.base, self.log, self.process = programs, base, log, None
        self.socket = base / "d.sock"
        self.environment = {**clean_environment(epoch), "LC_ALL": "C.UTF-8"}

    def start(self):
        read_end, write_end = os.pipe()
        with open(self.base / "vigild.log", "ab") as log:
            words = [self.programs / "vigild", "--state", self.base / "s", "--run", self.base / "r", "--socket", self.socket, "--ready-fd", str(write_end)]
            # In a session of its own: a Ctrl-C is for the build, which ends the VM in good order.
            self.process = subprocess.Popen([sys.executable, "-I", GUARD, str(self.base), *map(str, words)], stdin=subprocess.PIPE, stdout=log, stderr=log,
                                            pass_fds=[write_end], env=self.environment, start_new_session=True)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as ready:
            if not ready.read(1):
                code = self.process.wait()
                self.process = None
                raise BuildError("vigild", f"does not start (code {code}): {last_line(self.base / 'vigild.log')}", "see the log; or --no-boot-test")

    def get(self, path):
        connection = UnixConnection(self.socket)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def vigil(self, *words, timeout):
        """(exit code, what it said)."""
        try:
            done = subprocess.run([str(self.programs / "vigil"), "--socket", str(self.socket), *words], capture_output=True, text=True, errors="replace",
                                  timeout=timeout, check=False, stdin=subprocess.DEVNULL, env=self.environment)
        except subprocess.TimeoutExpired:
            return -1, f"no end within {timeout} s"
        return done.returncode, done.stdout + done.stderr

    def end(self):
        if self.process is None:
            return
        with contextlib.suppress(OSError, ValueError):
            self.vigil("rm", "--force", NAME, timeout=60)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(DAEMON_S)
        except subprocess.TimeoutExpired:
            self.process.stdin.close()      # the guard kills it, and what it started
            self.process.wait()
        self.process.stdin.close()

    def keep_logs(self):
        """What the daemon and the VM said, into the build's log."""
        with open(self.log, "ab") as log:
            for path in [self.base / "vigild.log", *sorted(self.base.glob("s/**/console*")), *sorted(self.base.glob("s/**/vmm.log"))]:
                if path.is_file():
                    log.write(f"\n# {path.relative_to(self.base)}\n".encode() + path.read_bytes()[-LOG_TAIL:])


def last_line(path):
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def offer(described, files, state):
    """The image where the daemon looks, by links; under its digest, for that is what it checks."""
    data = manifests.encode(described)
    digest = manifests.digest_of(data)
    directory = state / "images" / described["name"] / digest
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_bytes(data)
    for part, name in manifests.FILES.items():
        (directory / name).symlink_to(files[part])
    (directory.parent / "current").symlink_to(digest)


def run(described, files, programs, log, epoch, parent="/tmp"):
    """The facts of a boot that went well; BuildError of one that did not."""
    with tempfile.TemporaryDirectory(prefix="vb-", dir=parent) as folder:    # short: socket paths end after 107 bytes
        base = pathlib.Path(folder)
        base.chmod(0o755)       # the VMM may run as a user of its own
        offer(described, files, base / "s")
        daemon = Daemon(programs, base, log, epoch)
        try:
            daemon.start()
            return try_out(daemon, described)
        finally:
            daemon.end()
            daemon.keep_logs()


def try_out(daemon, described):
    item = f"{described['name']} with {described['min_memory_mib']} MiB"
    code, said = daemon.vigil("up", described["name"], "--name", NAME, "--memory", str(described["min_memory_mib"]), timeout=UP_S)
    if code != 0:
        _, why = daemon.vigil("why", NAME, timeout=60)
        raise BuildError(item, f"does not come up: {' / '.join((why or said).split(chr(10))[:6]).strip(' /')}", "see the log: it has the console and the daemon's log")
    vm = with_times(daemon, described["services"])
    if faults := list(faults_of(vm, described["services"])):
        raise BuildError(item, "; ".join(faults), "see the log: it has the console and the daemon's log")
    timeline = daemon.get(f"/v1/instances/{NAME}/timeline")
    peak = memory_peak(daemon)
    code, said = daemon.vigil("stop", NAME, timeout=STOP_S)
    stopped = daemon.get(f"/v1/instances/{NAME}")
    if code != 0 or stopped["outcome"] != "clean":
        raise BuildError(item, f"does not stop cleanly: {stopped['outcome']} {said.strip()[-300:]}", "see the log")
    return {"ready_ms": vm["ready_after_ms"], "stages_ms": {stage["stage"]: stage["since_start_ms"] for stage in timeline["stages"]}, "memory_peak_mib": peak,
            "memory_mib": described["min_memory_mib"], "vmm": described["pinned"]["vmm"], "accelerator": timeline.get("accelerator", ""),
            "services": {service["name"]: service["state"] for service in vm["services"]}, "probes": probes_of(vm["services"]), "tried_unix": int(time.time())}


def with_times(daemon, services):
    """The VM when every probe that has passed says when. The console's short word that it has passed may come before the agent's own, which has the time."""
    deadline = time.monotonic() + TIMES_S
    while True:
        vm = daemon.get(f"/v1/instances/{NAME}")
        if list(faults_of(vm, services)) or not without_time(vm["services"]):
            return vm
        if time.monotonic() >= deadline:
            raise BuildError(", ".join(without_time(vm["services"])), f"passed, and the agent has not told when within {TIMES_S} s", "see the log")
        time.sleep(LOOK_S)


def without_time(services):
    return [f"{service['name']}: {probe['probe']}" for service in services for probe in service.get("probes", []) if probe.get("passed") and "passed_us" not in probe]


def probes_of(services):
    """[[service, probe, ms after the guest's kernel started]], in the order in which they passed."""
    passed = [[service["name"], probe["probe"], probe["passed_us"] // 1000] for service in services for probe in service.get("probes", []) if "passed_us" in probe]
    return sorted(passed, key=lambda row: row[2])


def told(tried):
    lines = [f"             {ms / 1000:7.2f} s  {service}: {probe}" for service, probe, ms in tried["probes"]]
    head = f"boot-test: ready after {tried['ready_ms']} ms, {tried['memory_peak_mib']} of {tried['memory_mib']} MiB used"
    return "\n".join([head + (", each probe since the guest's kernel started:" if lines else ""), *lines])


def faults_of(vm, services):
    """What of the readiness graph is not there. `up` has seen that the VM is ready; this sees that it says so of all its parts."""
    if (vm["state"], vm["liveness"]) != ("ready", "ok"):
        yield f"the VM is {vm['state']}, its agent {vm['liveness']}"
    found = {service["name"]: service for service in vm["services"]}
    yield from (f"service {name} is not in the VM" for name in services if name not in found)
    for name, service in found.items():
        if service["state"] not in ("ready", "done"):
            yield f"service {name} is {service['state']}"
        yield from (f"service {name}: probe {probe.get('probe', '')} has not passed" for probe in service.get("probes", []) if not probe.get("passed"))


def memory_peak(daemon):
    """MiB in use inside the guest at most, by the agent's own count, in a report that came after the VM was ready: an earlier one has not seen the whole boot.
    None when none came."""
    before, deadline = daemon.get(f"/v1/instances/{NAME}").get("health"), time.monotonic() + HEALTH_S
    while time.monotonic() < deadline:
        health = daemon.get(f"/v1/instances/{NAME}").get("health")
        if health and health != before and health.get("memory_peak_kib"):
            return round(health["memory_peak_kib"] / 1024, 1)
        time.sleep(LOOK_S)
    return None
