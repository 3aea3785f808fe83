"""The files that lints look at: what git tracks or would track, as paths from the repository's root."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE_FOLDERS = ("shared", "guest", "host")
CPP = (".hpp", ".cpp", ".inc")


def files(*suffixes, under=()):
    """Tracked and new files with one of the suffixes (all files when none is given), below one of the folders."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *under],
                            cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    paths = sorted({pathlib.PurePosixPath(name) for name in listed if name})
    return [p for p in paths if (not suffixes or p.suffix in suffixes) and (ROOT / p).is_file()]


def text_of(path):
    return (ROOT / path).read_text(errors="replace")


def report(findings):
    """Prints `path:line: message` for each; the exit status says whether there were any."""
    for path, line, message in findings:
        print(f"{path}:{line}: {message}")
    return 1 if findings else 0
