"""The guest's kernel, or the VMM under it."""
import pathlib
import signal

from lab.native import kernel_module
from lab.row import SEEN, Between, Like, Row, Script

ONCE = {"essential": False, "restart": "never"}
LATE = {"after": ["web", "echo", "ticker"]}
SET = "echo {} >/proc/sys/kernel/{}; "


def late(name, what, code, script, fields=None, **more):
    """Root in the guest does something to its kernel once the other services are ready."""
    return Row(name, what, code, fields=fields or {}, services={"<victim>": {"exec": Script(script), **LATE, **ONCE}}, **more)


def module(name, what, code, number, fields=None, before="", **more):
    """A kernel module whose init function does it; delivered as a file, loaded by a service."""
    row = late(name, what, code, before + "exec busybox insmod <path:module>", fields, **more)
    row.files["<path:module>"] = (kernel_module(number), 0o644)
    return row


def signals(name, what, code, which, number, fields, **more):
    return Row(name, what, code, fields=fields, at_ready=lambda scene: scene.kill(which, number), since="host", **more)


def little_memory_left(scene):
    """The run's own cgroup on the host may grow by 8 MiB; the guest's next large allocation is one too many."""
    groups = pathlib.Path("/proc", str(scene.pid("vmm")), "cgroup").read_text().splitlines()
    for line in groups:
        _, controllers, path = line.split(":", 2)
        old, new = pathlib.Path("/sys/fs/cgroup/memory" + path), pathlib.Path("/sys/fs/cgroup" + path)
        if controllers == "memory":
            limit_group(old, "memory.usage_in_bytes", "memory.limit_in_bytes")
        elif not controllers and (new / "memory.current").exists():
            limit_group(new, "memory.current", "memory.max")


def starve(scene):
    """A processor for 1 ms in each second, for the VMM alone; taken back before it is removed."""
    scene.opened.append(Starved(scene.pid("vmm")))
    scene.now()


class Starved:
    """This process alone gets so many microseconds of a processor in each second."""

    def __init__(self, pid, quota_us=1000):
        self.old = pathlib.Path("/sys/fs/cgroup/cpu/vigil-faultlab-" + str(pid))
        self.new = pathlib.Path("/sys/fs/cgroup" + pathlib.Path("/proc", str(pid), "cgroup").read_text().rstrip().rsplit("::", 1)[-1], "cpu.max")
        self.pid = pid
        if self.old.parent.is_dir():
            self.old.mkdir()
            (self.old / "cpu.cfs_period_us").write_text("1000000")
            (self.old / "cpu.cfs_quota_us").write_text(str(quota_us))
            (self.old / "cgroup.procs").write_text(str(pid))
        elif self.new.parent.name.startswith("vigil-"):
            self.new.write_text(f"{quota_us} 1000000")
        else:
            raise RuntimeError("this host has no control group of processors for the VMM")

    def close(self):
        if not self.old.is_dir():
            return self.new.write_text("max")
        (self.old / "cpu.cfs_quota_us").write_text("-1")
        try:
            (self.old.parent / "cgroup.procs").write_text(str(self.pid))
        except ProcessLookupError:
            pass
        self.old.rmdir()


def limit_group(folder, usage, limit):
    if not folder.name.startswith("vigil-"):
        raise RuntimeError(f"{folder} is not the run's own cgroup")
    (folder / limit).write_text(str(int((folder / usage).read_text()) + (8 << 20)))


ROWS = [
    late("panic", "the kernel panics while the VM is in use", "guest.panic", "echo c >/proc/sysrq-trigger", {"text": Like("sysrq triggered crash")}, ci=True,
        evidence=(Like("Kernel panic - not syncing: "),)),
    Row("panic-while-booting", "the kernel panics before the VM was ready", "boot.panic", fields={"text": Like("sysrq triggered crash")},
        services={"<victim>": {"exec": Script("echo c >/proc/sysrq-trigger"), **ONCE}}, evidence=(Like("Kernel panic - not syncing: "),)),
    module("oops", "the kernel writes to address 0 and goes on", "guest.oops", 1, {"text": Like("NULL pointer dereference")}, place="also", ci=True, evidence=(Like("NULL pointer dereference"),)),
    module("kernel-bug", "the kernel runs into BUG() and goes on", "guest.oops", 5, {"text": Like("invalid opcode|kernel BUG")}, place="also", evidence=(Like("invalid opcode|kernel BUG"),)),
    module("soft-lockup", "a kernel thread keeps its processor", "guest.soft_lockup", 2, {"task": Like("busybox|insmod")}, place="also",
           before=SET.format(2, "watchdog_thresh"), later_s=5, evidence=(Like("soft lockup"),)),
    module("hung-task", "a task sleeps and cannot be woken", "guest.hung_task", 4, {"task": Like("busybox|insmod")}, place="also",
           before=SET.format(2, "hung_task_timeout_secs") + SET.format(1, "hung_task_check_interval_secs"), later_s=3, evidence=(Like("blocked for more than"),)),
    module("frozen", "the only processor is kept with interrupts off", "guest.frozen", 3, later_s=15, limit_s=90,
           evidence=(Like("pings over the open link unanswered"), Like("the console has said nothing"), Like("interrupts off")), allowed_before=("host.starved",)),
    late("file-system-error", "ext4 finds an error on the VM's disk", "guest.filesystem_error", "echo x >/sys/fs/ext4/vdb/trigger_fs_error",
         {"device": "vdb"}, place="also", ci=True, evidence=(Like("EXT4-fs error"),)),
    late("file-system-read-only", "ext4 finds an error and goes read-only", "guest.filesystem_error",
         "mkdir /run/<word:mount>; busybox mount -t ext4 /dev/vdb /run/<word:mount>; "
         "busybox mount -o remount,errors=remount-ro /dev/vdb /run/<word:mount>; "
         "echo x >/sys/fs/ext4/vdb/trigger_fs_error", {"device": "vdb"}, evidence=(Like("read-only"),), place="also"),
    late("agent-dies", "the agent, process 1, dies of a signal", "guest.agent_crashed", "kill -SEGV 1", evidence=(Like("SIGSEGV|signal 11|Kernel panic"),)),
    late("reboots-unasked", "the guest reboots itself", "guest.reboot_unasked", "exec /run/vigil/bin/reboot", place="main", evidence=(Like("asked by "),)),
    late("powers-off-unasked", "the guest powers itself off", "guest.poweroff_unasked", "exec /run/vigil/bin/poweroff", ci=True, evidence=(Like("asked by "),)),
    late("resets-at-once", "the guest resets itself without a word", "guest.reboot_unasked", "echo b >/proc/sysrq-trigger", evidence=(Like("QMP: guest-reset"),)),
    Row("reboots-for-ever", "the guest reboots before it is ready, again and again", "boot.reboot_loop", fields={"count": Between(5, 6)}, runs=6,
        services={"<victim>": {"exec": Script("exec /run/vigil/bin/reboot"), **ONCE}, "web": {"exec": ["/bin/sleep", "1000"]}}, limit_s=120, no_evidence=SEEN,
            allowed_before=("guest.reboot_unasked",)),
    signals("vmm-sigkill", "the VMM is killed", "vmm.killed", "vmm", signal.SIGKILL, {"signal": "SIGKILL"}, ci=True, evidence=(Like("the VMM ended with SIGKILL"),)),
    signals("vmm-sigsegv", "the VMM dies of SIGSEGV", "vmm.killed", "vmm", signal.SIGSEGV, {"signal": "SIGSEGV"}, ci=True, evidence=(Like("the VMM ended with SIGSEGV"),)),
    signals("vmm-sigabrt", "the VMM aborts", "vmm.killed", "vmm", signal.SIGABRT, {"signal": "SIGABRT"}, evidence=(Like("the VMM ended with SIGABRT"),)),
    signals("vmm-stopped", "the VMM's process is stopped", "vmm.stopped", "vmm", signal.SIGSTOP, {}, no_evidence=SEEN),
    signals("shim-killed", "the process that watches the VMM is killed", "unknown", "shim", signal.SIGKILL, {"seen": Like("shim")}, no_evidence=SEEN),
    Row("host-out-of-memory", "the host kills the VMM for memory", "vmm.host_oom", at_ready=little_memory_left, alone=True, since="stamp",
        services={"<victim>": {"exec": Script("sleep 5; @stamp exec tail /dev/zero"), **LATE, **ONCE}}, evidence=(Like("host-oom"),)),
    Row("host-starved", "the host gives the VM a thousandth of a processor", "host.starved", at_ready=starve, since="host", later_s=20, limit_s=120,
        evidence=(Like("unanswered"), Like("waited for one"))),
]
