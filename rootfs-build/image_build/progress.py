"""Progress on stdout: one line a fact with the time since the start, or one JSON object a line."""
import contextlib
import json
import sys
import time

from .errors import BuildError


class Progress:
    def __init__(self, as_json=False, out=None):
        self.as_json, self.out = as_json, out or sys.stdout
        self.began = time.monotonic()
        # For whoever has to say where a build stood: the step, what it published, its log.
        self.current, self.published, self.log = "", "", "none yet"

    def elapsed(self):
        return time.monotonic() - self.began

    def tell(self, event, text, **fields):
        elapsed = self.elapsed()
        if self.as_json:
            line = json.dumps({"event": event, "elapsed_s": round(elapsed, 3), **fields})
        else:
            line = f"[{elapsed:6.1f} s] {text}"
        print(line, file=self.out, flush=True)

    @contextlib.contextmanager
    def step(self, name, what):
        """Names the step in every BuildError that comes out of it, and tells its start, end and time."""
        began = time.monotonic()
        self.tell("step", f"{name}: {what}", step=name, state="started", detail=what)
        self.current, outer = name, self.current    # stays with what was under way when something is raised
        try:
            yield
        except BuildError as error:
            error.step = error.step or name
            raise
        except OSError as error:
            raise BuildError(str(error.filename or what), error.strerror or str(error), mend_of(error), name) from error
        self.current = outer
        seconds = time.monotonic() - began
        self.tell("step", f"{name}: built in {seconds:.1f} s", step=name, state="built", seconds=round(seconds, 3))

    def unchanged(self, name, what):
        self.tell("step", f"{name}: unchanged ({what})", step=name, state="unchanged", detail=what)

    def failed(self, error, log):
        self.tell("failed", f"FAILED in step {error.step}: {error.item}: {error.cause}\n"
                  f"           mend: {error.mend}\n           nothing was published; log: {log}",
                  step=error.step, item=error.item, cause=error.cause, mend=error.mend, log=str(log))


def mend_of(error):
    if error.errno == 28:
        return "free some space, or put --cache and --out on another file system"
    if error.errno in (1, 13):
        return "check who owns the directory, or choose others with --out and --cache"
    return "see the log"
