"""A daemon whose VMs run on Firecracker: the real one where it and KVM are, its double (tests/firecracker-shim) elsewhere."""
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import sys

from .api import UnixConnection
from .case import VmCase
from .daemon import BIN, ROOT, Daemon

DOUBLE = ROOT / "tests/firecracker-shim/firecracker"


def find_vsock_device():
    places = (os.environ.get("VIGIL_VSOCK_DEVICE"), BIN / "vhost-device-vsock", ROOT / "build/tools/vhost-device-vsock", shutil.which("vhost-device-vsock"))
    return next((str(pathlib.Path(place).resolve()) for place in places if place and pathlib.Path(place).exists()), "vhost-device-vsock")


def has_kvm():
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and ("vmx" in flags or "svm" in flags)


def find_real():
    """The path of a Firecracker that can run here; None: there is none."""
    return shutil.which("firecracker") if has_kvm() else None


def double_command(*options):
    qemu = os.environ.get("VIGIL_QEMU") or shutil.which("qemu-system-x86_64") or "qemu-system-x86_64"
    python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable   # ours may lie where a VMM's own user cannot go
    return [python, str(DOUBLE), "--double-qemu", qemu, "--double-vsock-device", find_vsock_device(), *options]


class FirecrackerDaemon(Daemon):
    double_options = ()

    def command(self):
        program = find_real()
        if program is None or self.double_options:
            program = self.base / "firecracker"
            program.write_text(f"#!/bin/sh\nexec {shlex.join(double_command(*self.double_options))} \"$@\"\n")
            program.chmod(0o755)
        return ["env", f"VIGIL_FIRECRACKER={program}", *super().command(), "--vmm", "firecracker"]


class FirecrackerCase(VmCase):
    """`double_options`: what the double is told; with any of them the double is used even where the real one could run."""
    daemon_class, double_options = FirecrackerDaemon, ()

    @classmethod
    def setUpClass(cls):
        cls.daemon_class = type("ToldDaemon", (FirecrackerDaemon,), {"double_options": tuple(cls.double_options)})
        super().setUpClass()

    def run_file(self, vm, name):
        return self.daemon.run / vm["id"] / name


class BareFirecracker:
    """A double of its own, without a daemon: what its API does."""

    def __init__(self, directory, *options):
        self.directory = pathlib.Path(directory)
        self.socket = self.directory / "api.sock"
        self.process = subprocess.Popen([*double_command(*options), "--api-sock", str(self.socket)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def wait_listening(self, deadline=20):
        import time
        ends = time.monotonic() + deadline
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(str(self.socket))
                return self
            except OSError:
                if time.monotonic() > ends or self.process.poll() is not None:
                    raise
                time.sleep(0.02)

    def ask(self, method, path, body=None):
        return ask(self.socket, method, path, body)


def ask(api_socket, method, path, body=None, timeout=60):
    """(status, text) of one request; `body` is text or bytes."""
    connection = UnixConnection(api_socket, timeout)
    try:
        try:
            connection.request(method, path, body)
        except BrokenPipeError:
            pass   # it has answered before it had read everything, and hung up
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
