#!/usr/bin/env python3
"""Each folder of code opens with a README.md of at most 30 lines: the decision it hides, its main type, who may include it.
Folder names that say nothing (utils, common, helpers, misc) are refused."""
import sys

import tree

README_LINES = 30
DRAWERS = {"utils", "util", "common", "helpers", "helper", "misc", "lib"}
ROOTS = ("shared", "guest", "host", "rootfs-build", "tests", "packaging", "cmake")
NO_README = {"corpus", "golden", "files"}   # files that something above reads and describes
MIRRORS = "tests/unit/"                     # the source tree once more: its own README says so


def folders():
    found = set()
    for path in tree.files(under=ROOTS):
        for parent in path.parents:
            if parent.parts and not NO_README & set(parent.parts) and not str(parent).startswith(MIRRORS):
                found.add(parent)
    return sorted(found)


def main():
    findings = []
    for folder in folders():
        if folder.name in DRAWERS:
            findings.append((folder, 1, "a folder named after nothing: name the decision that it hides"))
        readme = tree.ROOT / folder / "README.md"
        # A folder below a part's own folders (host/vmm/qemu) is described by the README above it, when that names it.
        deep = len(folder.parts) > 2
        if not readme.exists():
            above = tree.ROOT / folder.parent / "README.md"
            if not (deep and above.exists() and folder.name in above.read_text()):
                findings.append((folder, 1, "no README.md (what it hides, its main type, who may include it)"))
        elif len(readme.read_text().splitlines()) > README_LINES:
            findings.append((folder / "README.md", README_LINES + 1, f"longer than {README_LINES} lines"))
    return tree.report(findings)


if __name__ == "__main__":
    sys.exit(main())
