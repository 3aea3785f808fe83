"""The programs of ours that go into an image (the agent into the initramfs, the core helper into the root): checked, and what they say of themselves."""
import re
import subprocess

from .elf import EM_X86_64, Elf, ElfError, build_id
from .errors import BuildError
from .step_cache import hash_of_file

ANSWER_S = 10


def read(path, what="agent"):
    """{"version","build_id","sha256"} of the binary; `what` is its option, too."""
    if not path.is_file():
        raise BuildError(str(path), f"there is no {what} binary", f"build it with ./dev build, or give --{what} PATH", what)
    try:
        elf = Elf(path.read_bytes())
        if elf.machine != EM_X86_64 or not elf.is_static():
            raise ElfError("not a static x86-64 program, and the guest has no libraries for it")
        found = build_id(elf)
    except ElfError as error:
        raise BuildError(str(path), str(error), f"build it with ./dev build (release), or give another --{what}", what) from error
    digest = hash_of_file(path)
    said = ask(path)
    return {"version": version_in(said, path), "build_id": build_id_in(said) or found or digest[:32], "sha256": digest}


def ask(path):
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=ANSWER_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(str(path), f"does not answer --version: {error}", "build the agent again", "agent") from error
    return done.stdout.strip() if done.returncode == 0 else ""


def check_services(path, directory, item=None):
    """The service files as the agent itself will read them in the guest: what service_files cannot tell, this does.
    `item`: what people know the files by."""
    if not directory.is_dir():
        return
    try:
        done = subprocess.run([path, "check", directory], capture_output=True, text=True, timeout=ANSWER_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(str(path), f"does not answer check: {error}", "build the agent again", "agent") from error
    if done.returncode != 0:
        wrong = [line for line in (done.stdout + done.stderr).replace(f"{directory}/", "").split("\n") if not line.startswith("ok ")]
        said = " / ".join(wrong[:10]).strip(" /")
        raise BuildError(str(item or directory), f"vigil-guest check (code {done.returncode}): {said}", "mend these service files", "agent")


def version_in(said, path):
    match = re.search(r"\b(\d+\.\d+(?:\.\d+)?[\w.+~-]*)", said)
    if not match:
        raise BuildError(str(path), f"--version answered {said[:80]!r}, where a version was expected", "is this vigil-guest?", "agent")
    return match.group(1)


def build_id_in(said):
    match = re.search(r"build(?:[ _-]?id)?[ :=]+([0-9A-Za-z._-]+)", said)
    return match.group(1) if match else ""
