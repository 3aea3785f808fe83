#!/usr/bin/env python3
"""Which folder may include which: the table in layers.json against every #include line.

A folder may include itself, what its row names, and everything below a name that ends in `/`. A folder without a row is
an error: adding a folder means deciding what it may know. `heavy` lists library headers that no header of ours includes,
since each file that includes them costs seconds to compile."""
import json
import pathlib
import re
import sys

import tree

TABLE = json.loads((pathlib.Path(__file__).parent / "layers.json").read_text())
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def folder_of(path):
    """The row that a file belongs to: the longest listed folder that holds it, else its own folder."""
    parents = [str(p) for p in pathlib.PurePosixPath(path).parents]
    return next((p for p in parents if p in TABLE["folders"]), parents[0])


def allowed(folder, target):
    row = TABLE["folders"][folder]
    return target == folder or any(target == name or (name.endswith("/") and f"{target}/".startswith(name)) for name in row)


def is_light(path):
    """A header that many files include, so that what it includes is paid many times. A precompiled.hpp is what heavy
    headers are for; `heavy_allowed` are headers that only the adapters beside them include."""
    name = pathlib.PurePosixPath(path)
    return name.suffix == ".hpp" and name.name != "precompiled.hpp" and str(name) not in TABLE["heavy_allowed"]


def include_faults(path, source):
    folder = folder_of(path)
    if folder not in TABLE["folders"]:
        yield 1, f"folder {folder} has no row in tests/lint/layers.json: say what it may include"
        return
    for number, line in enumerate(source.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        ours, theirs = match.groups()
        if ours:
            target = folder_of(ours)
            if target.split("/")[0] in tree.CODE_FOLDERS and not allowed(folder, target):
                yield number, f"{folder} may not include {target} ({ours})"
        elif is_light(path) and any(re.fullmatch(heavy, theirs) for heavy in TABLE["heavy"]):
            yield number, f"<{theirs}> in a header: it costs every includer seconds; move it to a .cpp"


def main(names):
    paths = names or [p for p in tree.files(*tree.CPP) if p.parts[0] in tree.CODE_FOLDERS]
    return tree.report([(path, line, text) for path in paths for line, text in include_faults(path, tree.text_of(path))])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
