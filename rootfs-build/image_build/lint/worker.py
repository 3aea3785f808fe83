"""Unpacks an image's root where its files have their owners (as its own process: perhaps in a user namespace) and runs the rules over it. Takes the
path of a JSON file {"root","initrd","config","manifest","scratch","e2fsck","debugfs","programs","allow","agent"}, answers with one JSON line {"faults": [...], "notes": [...]}."""
import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from image_build import cpio, kernel_config  # noqa: E402  (the path is set just above)
from image_build.lint import runner, subject  # noqa: E402
from image_build.tools import search_path  # noqa: E402

# Chromium and the CLIs are 200 MB programs; on a loaded machine, from a file system in user space, the first start of one takes a minute.
ANSWER_S = 180
ROW = re.compile(r"/\d+/(\d+)/\d+/\d+/([^/]*)/\d*/")
# Nobody, without a network, with a /proc of its own; $1 is the tree. The tree is first made a mount of its own that shares nothing: what is mounted below
# it is seen nowhere else, also where the namespace's other mounts are shared.
CONFINED = ["--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts", "--", "sh", "-c",
            'tree=$1; shift; mount --bind "$tree" "$tree" && mount --make-private "$tree" && mount -t proc proc "$tree/proc" && '
            'for node in null zero urandom; do : >"$tree/dev/$node"; mount --bind "/dev/$node" "$tree/dev/$node"; done && '
            'chroot --userspec=65534:65534 "$tree" "$@"; status=$?; umount -R "$tree"; exit $status', "sh"]


class BadNames(ValueError):
    pass


def damaged(job, cause):
    return [{"rule": "file_system_damaged", "item": os.path.basename(job["root"]), "cause": cause, "prevents": "an image that cannot be read"}]


def unpack(job, tree):
    """The file system is checked first: a name with a slash in it would be written elsewhere."""
    checked = subprocess.run([*job["e2fsck"], "-f", "-n", job["root"]], capture_output=True, text=True, check=False)
    if checked.returncode != 0:
        lines = [line for line in checked.stdout.splitlines() if line and not line.startswith(("Pass ", "e2fsck "))]
        return f"its file system is damaged: {lines[0] if lines else checked.stderr.strip()}"
    tree.mkdir(parents=True)
    done = subprocess.run([*job["debugfs"], "-R", f"rdump / {tree}", job["root"]], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if line and not line.startswith("debugfs ")]
    return f"cannot be unpacked: {complaints[0]}" if complaints or done.returncode != 0 else ""


def modes_of(job, tree):
    """{path: mode} as the file system says: what rdump unpacks has lost setuid, setgid and sticky bits. BadNames when names cannot be told apart."""
    directories = ["/"] + ["/" + os.path.relpath(os.path.join(folder, name), tree) for folder, names, _ in os.walk(tree) for name in names
                           if not os.path.islink(os.path.join(folder, name))]
    bad = next((path for path in directories if re.search(r"[\x00-\x1f]", path)), None)
    if bad is not None:
        raise BadNames(f"a folder's name has a control character: {bad!r}")
    commands = "".join('ls -p "{}"\n'.format(path.replace('"', '""')) for path in directories)
    done = subprocess.run([*job["debugfs"], "-f", "-", job["root"]], input=os.fsencode(commands), capture_output=True, check=False)
    found, folder = {}, ""
    for line in done.stdout.decode(errors="surrogateescape").splitlines():
        if line.startswith("debugfs: ls -p "):
            folder = line[len('debugfs: ls -p "'):-1].replace('""', '"').rstrip("/")
        elif match := ROW.fullmatch(line):
            if match.group(2) not in (".", ".."):
                found[f"{folder}/{match.group(2)}"] = int(match.group(1), 8)
        elif line:
            raise BadNames(f"a name that cannot be listed, in {folder or '/'}: {line[:80]!r}")
    return found


def unshare_here():
    """In a chroot "/" is no mount, and its propagation cannot be changed."""
    alone = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return ["unshare"] if alone.returncode == 0 else ["unshare", "--propagation", "unchanged"]


def confined(tree):
    unshare = unshare_here()
    # A link would have us mount and write where it leads on this machine.
    wrong = [name for name in ("proc", "dev", "dev/null", "dev/zero", "dev/urandom") if os.path.islink(tree / name)]

    def run(argv):
        if wrong:
            return -1, f"/{wrong[0]} is a link"
        try:
            done = subprocess.run([*unshare, *CONFINED, str(tree), *argv], capture_output=True, timeout=ANSWER_S, check=False, stdin=subprocess.DEVNULL,
                                  env={"PATH": search_path(), "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"})
        except subprocess.TimeoutExpired:
            return -1, f"no end within {ANSWER_S} s"
        return done.returncode, (done.stdout + done.stderr).decode(errors="replace")
    return run


def main(job):
    """(faults, notes)"""
    tree = pathlib.Path(job["scratch"]) / "tree"
    damage = unpack(job, tree)
    if damage:
        return damaged(job, damage), []
    try:
        seen = subject.Tree(tree, modes_of(job, tree))
        members = {path: data for path, (_, data) in cpio.members(pathlib.Path(job["initrd"]).read_bytes()).items()} if job["initrd"] else {}
    except BadNames as error:
        return damaged(job, str(error)), []
    except cpio.CpioError as error:
        return [{"rule": "agent_is_another", "item": "initrd", "cause": str(error), "prevents": "an initramfs that the kernel cannot unpack"}], []
    config = kernel_config.parse(pathlib.Path(job["config"]).read_text()) if job["config"] else {}
    image = subject.Subject(seen, job["manifest"], members, config, job["programs"], confined(tree), job["agent"])
    return runner.looked_over(image, job["allow"])


if __name__ == "__main__":
    found, told = main(json.loads(pathlib.Path(sys.argv[1]).read_text()))
    print(json.dumps({"faults": found, "notes": told}))
