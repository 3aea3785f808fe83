"""Runs the boot test's daemon, and ends with it whatever it started: its VMs outlive a daemon by design, and must not outlive the build. A process of its own,
for a build that is killed can end nothing. boot_guard.py FOLDER PROGRAM...: ends PROGRAM at SIGTERM, and kills it when stdin, which the build holds open, closes;
then every descendant, then FOLDER goes if the build is gone."""
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36
ROUNDS = 1000


def children():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def end_all():
    """Orphans become our children, so this finds them whoever started them."""
    for _ in range(ROUNDS):
        found = children()
        if not found:
            return
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        for pid in found:
            os.waitpid(pid, 0)


def main(folder, argv):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(waker)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    fds = [int(argv[at + 1]) for at, word in enumerate(argv) if word == "--ready-fd"]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=fds)
    for fd in fds:
        os.close(fd)
    alone = False
    while process.poll() is None and not alone:
        ready, _, _ = select.select([0, wake], [], [])
        alone = 0 in ready
        if wake in ready and signal.SIGTERM in os.read(wake, 512):
            process.terminate()
    if alone:
        process.kill()
        process.wait()
    end_all()
    if alone:
        shutil.rmtree(folder, ignore_errors=True)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
