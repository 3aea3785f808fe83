"""The log of one build, in CACHE/logs; the newest few are kept."""
import os
import time

KEPT_LOGS = 10


def open_log(cache, name):
    directory = cache / "logs"
    directory.mkdir(parents=True, exist_ok=True)
    for old in sorted(directory.glob("*.log"))[:-KEPT_LOGS]:
        old.unlink(missing_ok=True)
    path = directory / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{name}-{os.getpid()}.log"
    path.touch()
    return path
