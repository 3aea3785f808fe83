"""The machine of one microVM: QEMU underneath, dressed as Firecracker's.

Always emulated: it is for machines without KVM. One UART and an i8042, nothing else of a PC: no panic device. A reset ends the process with 0, a power-off ends nothing.
"""
import ctypes
import json
import os
import signal
import socket
import subprocess
import threading
import time

PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Machine:
    """start() and wait() belong to the main thread: the children die with the thread that made them."""

    def __init__(self, qemu, vsock_device):
        self.qemu, self.vsock_device = qemu, vsock_device
        self.process = self.device = None
        self.end_reason, self._lock, self._replies = "", threading.Lock(), {}

    def start(self, config, files, bridge, log):
        """`files`: open descriptors by name: kernel, initrd, and disks in their order."""
        if bridge:
            self._start_device(bridge, config["vsock"]["guest_cid"], log)
        ours, theirs = socket.socketpair()
        console_out, console_in = os.pipe()
        argv = self._arguments(config, files, bridge, theirs.fileno())
        passed = [theirs.fileno(), *[fd for fd, _ in files.values()]]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console_in, stderr=log, pass_fds=passed, preexec_fn=die_with_parent)
        os.close(console_in)
        theirs.close()
        self._qmp = ours
        threading.Thread(target=self._listen, daemon=True).start()
        self.order("qmp_capabilities")
        return console_out

    def _start_device(self, bridge, cid, log):
        bridge.lend_path()
        vhost = bridge.path + ".vhost"
        argv = [self.vsock_device, "--guest-cid", str(cid), "--socket", vhost, "--uds-path", bridge.path]
        self.device = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        deadline = time.monotonic() + 20
        while not (os.path.exists(vhost) and os.path.exists(bridge.path)):
            if self.device.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.vsock_device} does not come up")
            time.sleep(0.005)
        bridge.take_path_back()
        bridge.start()

    def _arguments(self, config, files, bridge, monitor):
        memory = config["machine-config"]["mem_size_mib"]
        argv = [self.qemu, "-nodefaults", "-no-user-config", "-display", "none",
                "-machine", "microvm,acpi=on,pit=on,pic=on,rtc=on,isa-serial=on,pcie=off,memory-backend=mem0",
                "-accel", "tcg,tb-size=128", "-cpu", "max,-cx16",
                "-smp", str(config["machine-config"]["vcpu_count"]), "-m", f"{memory}M",
                "-object", f"memory-backend-memfd,id=mem0,size={memory}M,share=on",
                "-device", "i8042",
                "-kernel", f"/proc/self/fd/{files['kernel'][0]}", "-append", self._command_line(config)]
        if "initrd" in files:
            argv += ["-initrd", f"/proc/self/fd/{files['initrd'][0]}"]
        disks = [(name, fd, drive) for name, (fd, drive) in files.items() if drive is not None]
        for number, (_, fd, drive) in enumerate(disks):   # the guest finds them in this order
            options = f"if=none,id=d{number},file=/dev/fdset/{number},format=raw"
            options += ",readonly=on" if drive.get("is_read_only") else ",auto-read-only=off"
            options += ",cache=unsafe" if drive.get("cache_type", "Unsafe") == "Unsafe" else ""
            serial = str(os.fstat(fd).st_ino)[:20]
            argv += ["-add-fd", f"fd={fd},set={number}", "-drive", options, "-device", f"virtio-blk-device,drive=d{number},serial={serial}"]
        if bridge:
            argv += ["-chardev", f"socket,id=vsock,path={bridge.path}.vhost", "-device", "vhost-user-vsock-device,chardev=vsock"]
        return argv + ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                       "-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control",
                       "-action", "reboot=shutdown,shutdown=pause,panic=none"]

    @staticmethod
    def _command_line(config):
        default = "reboot=k panic=1 nomodule 8250.nr_uarts=0 i8042.noaux i8042.nomux i8042.dumbkbd swiotlb=noforce"
        words = config["boot-source"].get("boot_args", default) + " pci=off"
        root = next((d for d in config["drives"].values() if d["is_root_device"]), None)
        if root:
            words += " root=/dev/vda " + ("ro" if root.get("is_read_only") else "rw")
        return words

    def _listen(self):
        for line in self._qmp.makefile("rb"):
            message = json.loads(line)
            if message.get("event") == "SHUTDOWN":
                self._shut_down(message["data"]["reason"])
            elif "id" in message:
                self._replies.pop(message["id"], threading.Event()).set()

    def _shut_down(self, reason):
        """QEMU pauses at every end. A reset is one for Firecracker too; after a power-off its processor just idles."""
        if not self.end_reason and reason == "guest-reset":
            self.end_reason = reason
            with self._lock:
                self._qmp.sendall(b'{"execute": "quit"}\n')

    def order(self, command, **arguments):
        done, number = threading.Event(), f"{command}-{time.monotonic_ns()}"
        with self._lock:
            self._replies[number] = done
            order = {"execute": command, "id": number}
            if arguments:
                order["arguments"] = arguments
            self._qmp.sendall(json.dumps(order).encode() + b"\n")
        if not done.wait(30):
            raise RuntimeError(f"the machine does not obey: {command}")

    def pause(self):
        self.order("stop")

    def resume(self):
        self.order("cont")

    def press_ctrl_alt_del(self):
        keys = [{"type": "qcode", "data": name} for name in ("ctrl", "alt", "delete")]
        self.order("send-key", keys=keys)

    def has_ended(self):
        return self.process.poll() is not None

    def exit_code(self):
        """Firecracker's: 0 for a reset, whatever made the guest reset; 1 for what it did not do itself."""
        return 0 if self.end_reason == "guest-reset" and self.process.wait() == 0 else 1
