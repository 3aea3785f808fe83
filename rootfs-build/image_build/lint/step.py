"""The step `lint`: the rules over a finished root and initramfs; also over any image that is there already."""
import contextlib
import json
import os
import pathlib
import shutil
import sys
import tempfile

from ..errors import BuildError
from ..tools import Tools, search_path
from . import runner

WORKER = pathlib.Path(__file__).with_name("worker.py")
SHOWN = 12


def host_e2fsprogs():
    """This machine's, for an image that is checked where none is built."""
    return {name: [shutil.which(name, path=search_path()) or name] for name in ("e2fsck", "debugfs")}


def looked_over(root, initrd, config, manifest, programs, allowed, owner_prefix, scratch, tools, e2fsprogs, host_agent=None):
    """(faults, notes), as the runner tells them."""
    job = {"root": str(root), "initrd": str(initrd or ""), "config": str(config or ""), "manifest": manifest, "scratch": str(scratch),
           "programs": programs, "allow": allowed, "agent": host_agent, **e2fsprogs}
    path = pathlib.Path(scratch) / "job.json"
    path.write_text(json.dumps(job))
    try:
        out = tools.run([*owner_prefix, sys.executable, "-I", WORKER, path], "lint", "see the log; if space is short, free some")
    finally:
        tools.run([*owner_prefix, "rm", "-rf", pathlib.Path(scratch) / "tree"], "lint")
    answer = json.loads(out.decode().strip().splitlines()[-1])
    return answer["faults"], answer["notes"]


def refuse(found):
    """A BuildError that tells every fault, or nothing when there is none."""
    if found:
        said = [runner.said(fault) for fault in found]
        more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
        raise BuildError(f"{len(said)} lint fault{'s' if len(said) > 1 else ''}", "; ".join(said[:SHOWN]) + more,
                         'mend the profile; what is meant to be so goes into its "lint_allow" as {"RULE": ["ITEM"]}')


def of_image(directory, manifest, host_agent=None, scratch_parent=None):
    """(faults, notes) of an image directory; nothing of it is run. What its own manifest excuses is told: a foreign image excuses what it likes."""
    directory = pathlib.Path(directory)
    with contextlib.suppress(OSError, ValueError):
        manifest = {**manifest, "boot_test": json.loads((directory / "boot-test.json").read_bytes())}
    with tempfile.TemporaryDirectory(prefix="vigil-lint-", dir=scratch_parent) as scratch:
        log = pathlib.Path(scratch) / "log"
        log.touch()
        config = directory / "kernel.config"
        allowed = manifest.get("lint_allow", {})
        prefix = [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto", "--"]
        return looked_over(directory / "root.ext4", directory / "initrd", config if config.is_file() else None, manifest, None,
                           lists_of(allowed), prefix, scratch, Tools(log, 0), host_e2fsprogs(), host_agent)


def lists_of(allowed):
    return {rule: items for rule, items in allowed.items() if isinstance(items, list)} if isinstance(allowed, dict) else {}
