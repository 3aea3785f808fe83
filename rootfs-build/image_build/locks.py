"""One build at a time on a cache or an image directory; whoever waits says for whom, and not for ever."""
import contextlib
import fcntl
import os
import time

from .errors import BuildError

LOOK_AGAIN_S = 0.2


@contextlib.contextmanager
def locked(path, progress, wait_s):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="ascii") as file:
        take(file, path, progress, wait_s)
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def take(file, path, progress, wait_s):
    # flock has no deadline of its own, so the wait looks again now and then.
    deadline, told = time.monotonic() + wait_s, False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
        if time.monotonic() >= deadline:
            raise BuildError(str(path), f"another build holds the lock (pid {holder})", "wait for it to end, or raise --wait", "lock")
        if not told:
            progress.tell("waiting", f"lock: waiting for another build (pid {holder})", pid=holder)
            told = True
        time.sleep(LOOK_AGAIN_S)
