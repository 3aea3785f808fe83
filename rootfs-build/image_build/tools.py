"""Runs the programs that a build needs; their output goes to the log, their failure becomes a BuildError."""
import os
import shutil
import signal
import subprocess

from .errors import BuildError

# Program -> the Debian package that brings it.
NEEDED = {"apt-get": "apt", "dpkg-deb": "dpkg", "mmdebstrap": "mmdebstrap", "fallocate": "util-linux", "zstd": "zstd", "tar": "tar"}
# How programs begin the lines that say why; and lines that only say that a program called by another failed.
TROUBLE = ("E:", "trying to overwrite ", "W: Failed to fetch", "error:", "dpkg: error", "mke2fs: ", "tar: ", "zstd: ")
ECHOES = ("failed to run", "E: setup failed", "E: apt-get ", "E: run_", "index files failed to download", "E: system failed", "command failed")
KEPT_STDOUT = 65_536
GRACE_S = 60
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
            code, out = run_to_its_end(argv, stdout=subprocess.PIPE, stderr=log, env=env, **options)
            log.seek(0, os.SEEK_END)
            log.write(out[-KEPT_STDOUT:])
        if code != 0:
            raise BuildError(item, f"{argv[0]} {how_it_ended(code)}: {self.complaint(at)}", mend)
        return out

    def complaint(self, at):
        """The lines with which a program says why it failed: its errors, else its last line."""
        with open(self.log_path, "rb") as log:
            log.seek(at)
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(TROUBLE) and not any(echo in line for echo in ECHOES)]
        return " / ".join(list(dict.fromkeys(errors))[:3] or (lines or ["it said nothing"])[-1:])


def run_to_its_end(argv, **options):
    """In a session of its own, so that an interrupted build can end the program with all its children and let it clean up first."""
    # An interruption while the program is being started would lose it: it waits until there is somebody to end it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))

    def unblock():
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=unblock, **options)
    except BaseException:
        unblock()
        raise
    with process:
        try:
            unblock()
            out, _ = process.communicate()
        except BaseException:
            end_session(process)
            raise
        return process.returncode, out


def end_session(process):
    for number, grace_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
            process.wait(grace_s)
            return
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


def how_it_ended(returncode):
    return f"was killed by signal {-returncode}" if returncode < 0 else f"failed with code {returncode}"
