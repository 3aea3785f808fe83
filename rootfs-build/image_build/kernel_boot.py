"""The step `kernel-boot`: a kernel of our own comes up with the agent's initramfs as far as the agent's first words. No disk: the agent says that there is no
root, which is proof enough of the way from the VMM's entry to the agent; the whole of an image is for the step boot-test."""
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

from . import initrd, vmm
from .errors import BuildError
from .tools import clean_environment, search_path

MEMORY_MIB, REACHED_S, PIECE = 128, 300, 65_536
# What only the agent prints: its lines for the host (guest/console).
REACHED = b"@V1 "
# The machine and the words that the daemon uses.
MACHINE = "microvm,acpi=on,pit=on,pic=on,rtc=on,isa-serial=on,pcie=off"
COMMAND_LINE = "console=ttyS0,115200 reboot=t panic=-1 tsc=reliable no_timer_check tsc_early_khz={khz} cryptomgr.notests vigil.accel=tcg vigil.root=/dev/vda vigil.overlay=/dev/vdb"


def missing(agent):
    """What the test lacks here, or ""."""
    if agent is None or not agent.is_file():
        return "no agent is built"
    return "" if shutil.which(vmm.PROGRAM, path=search_path()) else f"{vmm.PROGRAM} is not installed"


def run(name, kernel_directory, agent, epoch, log, reached_s=REACHED_S):
    """{"reached_s", "vmm"}; BuildError of a kernel that does not come as far as the agent."""
    with tempfile.TemporaryDirectory(prefix="vigil-kernel-boot-") as folder:
        directory = pathlib.Path(folder)
        initrd.build(kernel_directory, agent, "0" * 32, epoch, directory)
        words = [vmm.PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", MACHINE, "-accel", "tcg", "-cpu", "max,-cx16", "-smp", "1",
                 "-m", str(MEMORY_MIB), "-kernel", str(kernel_directory / "kernel"), "-initrd", str(directory / "initrd"), "-append", COMMAND_LINE.format(khz=counter_khz()), "-serial", "stdio"]
        began = time.monotonic()
        # In its own session, and told to die with the build, whose child it is.
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True, env=clean_environment(epoch))
        try:
            said, reached = listen(process, began + reached_s)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
    with open(log, "ab") as file:
        file.write(b"\n# console of kernel " + name.encode() + b"\n" + said)
    if not reached:
        raise BuildError(f"kernel {name}", f"does not reach the agent within {reached_s} s; its last words: {last_words(said)}", "mend the fragment; the log has the console")
    return {"reached_s": round(time.monotonic() - began, 1), "vmm": vmm.version()}


def counter_khz():
    """Of this machine's time stamp counter, roughly: an emulated machine has nothing to calibrate it against."""
    try:
        rows = [line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("cpu MHz")]
        return round(float(rows[0].partition(":")[2]) * 1000)
    except (OSError, IndexError, ValueError):
        return 2_000_000


def listen(process, deadline):
    """(the console, whether the agent was heard)."""
    said = b""
    while REACHED not in said:
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        piece = os.read(process.stdout.fileno(), PIECE) if ready else b""
        if not piece:
            return said, False
        said += piece
    return said, True


def last_words(said):
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-3:]) or "none"


def keep(facts, directory):
    (directory / "kernel-boot.json").write_text(json.dumps(facts) + "\n")
