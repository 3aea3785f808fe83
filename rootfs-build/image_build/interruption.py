"""A build that is told to end (Ctrl-C, SIGTERM, a terminal that was closed): it ends its programs, and says where it was and what became of it."""
import signal

CODE = 130


def listen():
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:     # of nohup
            signal.signal(number, interrupt)


def interrupt(*_):
    raise KeyboardInterrupt


def told(progress, nothing="nothing was published"):
    """The exit code, when it was said."""
    where = f" in step {progress.current}" if progress.current else ""
    outcome = f"{progress.published} was published before that" if progress.published else nothing
    progress.tell("interrupted", f"interrupted{where}; {outcome}; log: {progress.log}", step=progress.current, published=progress.published, log=str(progress.log))
    return CODE
