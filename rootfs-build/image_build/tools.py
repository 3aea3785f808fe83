"""Runs the programs that a build needs; their output goes to the log, their failure becomes a BuildError."""
import os
import shutil
import subprocess

from .errors import BuildError

# Program -> the Debian package that brings it.
NEEDED = {"apt-get": "apt", "dpkg-deb": "dpkg", "mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "debugfs": "e2fsprogs", "fallocate": "util-linux", "zstd": "zstd", "tar": "tar"}
# How programs begin the lines that say why; and lines that only say that a program called by another failed.
TROUBLE = ("E:", "W: Failed to fetch", "error:", "dpkg: error", "mke2fs: ", "tar: ", "zstd: ")
ECHOES = ("failed to run", "E: setup failed", "E: apt-get ", "E: run_", "index files failed to download", "E: system failed", "command failed")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def search_path():
    return os.environ.get("PATH", "/usr/bin:/bin") + ":" + SBIN


def check_tools(needed=None):
    missing = {package for program, package in (needed or NEEDED).items() if not shutil.which(program, path=search_path())}
    if missing:
        raise BuildError("programs", f"missing packages: {', '.join(sorted(missing))}", f"apt-get install {' '.join(sorted(missing))}")


def clean_environment(epoch, **more):
    """What must not reach the image: language, time zone, and what else the caller's shell happens to export."""
    kept = {k: v for k, v in os.environ.items() if k in ("HOME", "TMPDIR", "USER") or k.lower().endswith("_proxy")}
    return {**kept, "PATH": search_path(), "LC_ALL": "C.UTF-8", "TZ": "UTC", "SOURCE_DATE_EPOCH": str(epoch), **more}


class Tools:
    def __init__(self, log_path, epoch):
        self.log_path, self.epoch = log_path, epoch

    def run(self, argv, item, mend="see the log", **options):
        """Returns the program's stdout as bytes; its stderr goes to the log."""
        argv = [str(a) for a in argv]
        env = clean_environment(self.epoch, **options.pop("env", {}))
        with open(self.log_path, "ab") as log:
            log.write(("\n$ " + " ".join(argv) + "\n").encode())
            log.flush()
            at = log.tell()
            done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=log, env=env, check=False, **options)
            log.seek(0, os.SEEK_END)
            log.write(done.stdout[-65536:] if len(done.stdout) < 1 << 20 else b"")
        if done.returncode != 0:
            raise BuildError(item, f"{argv[0]} {how_it_ended(done.returncode)}: {self.complaint(at)}", mend)
        return done.stdout

    def complaint(self, at):
        """The lines with which a program says why it failed: its errors, else its last line."""
        with open(self.log_path, "rb") as log:
            log.seek(at)
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(TROUBLE) and not any(echo in line for echo in ECHOES)]
        return " / ".join(list(dict.fromkeys(errors))[:3] or (lines or ["it said nothing"])[-1:])


def how_it_ended(returncode):
    return f"was killed by signal {-returncode}" if returncode < 0 else f"failed with code {returncode}"
