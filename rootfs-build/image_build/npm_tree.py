"""The step `npm`: the locked packages as one tar to lay over the base: usr/local/lib/node_modules, and a link in usr/local/bin for each program of those
that the profile names. As `npm install --global` would lay them, but without network, scripts, dates, logs or npm itself: the same lock gives the same bytes.
"""
import json
import posixpath
import re
import tarfile

from .errors import BuildError
from .inheritance import npm_name
from .npm_store import said

MODULES = "usr/local/lib/node_modules"
PROGRAMS = "usr/local/bin"
PROGRAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
MAX_BYTES, MAX_PACKAGE_JSON = 4 << 30, 4 << 20
MEND = "choose another version in the profile's \"npm\""


class Writer:
    def __init__(self, out, epoch):
        self.out, self.epoch, self.directories = out, epoch, set()

    def info(self, name, mode, kind=tarfile.REGTYPE):
        info = tarfile.TarInfo(f"./{name}")
        info.mode, info.type, info.mtime = mode, kind, self.epoch
        return info

    def directory(self, name):
        if name and name not in self.directories:
            self.directory(posixpath.dirname(name))
            self.directories.add(name)
            self.out.addfile(self.info(name, 0o755, tarfile.DIRTYPE))

    def file(self, name, size, contents, mode):
        self.directory(posixpath.dirname(name))
        info = self.info(name, mode)
        info.size = size
        self.out.addfile(info, contents)

    def link(self, name, target):
        self.directory(posixpath.dirname(name))
        info = self.info(name, 0o777, tarfile.SYMTYPE)
        info.linkname = target
        self.out.addfile(info)


def inner_name(info, row):
    """The member's name without the folder that every package has around it."""
    parts = info.name.removeprefix("./").split("/")
    if info.name.startswith("/") or ".." in parts or re.search(r"[\0-\x1f\x7f]", info.name):
        raise BuildError(said(row), f"holds {info.name!r}, which leads out of the package", MEND)
    return "/".join(part for part in parts[1:] if part not in ("", "."))


def package_json(path, row):
    try:
        with tarfile.open(path, "r:gz") as package:
            for info in package:
                if info.isreg() and inner_name(info, row) == "package.json" and info.size <= MAX_PACKAGE_JSON:
                    value = json.loads(package.extractfile(info).read())
                    return value if isinstance(value, dict) else {}
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise BuildError(said(row), f"not a package: {error}", MEND) from error
    raise BuildError(said(row), "has no package.json", MEND)


def programs_of(facts, row):
    """{program: path in the package} as its package.json says."""
    said_by_it = facts.get("bin") or {}
    if isinstance(said_by_it, str):
        said_by_it = {row["name"].rpartition("/")[2]: said_by_it}
    found = {}
    for name, path in said_by_it.items():
        path = posixpath.normpath(str(path))
        if not PROGRAM.fullmatch(name) or path.startswith(("/", "..")):
            raise BuildError(said(row), f"its program {name!r} is {path!r}, which leads out of the package", MEND)
        found[name] = path
    return found


def write_package(writer, path, row, programs):
    folder, total = f"{MODULES}/{row['path'].removeprefix('node_modules/')}", 0
    with tarfile.open(path, "r:gz") as package:
        for info in package:
            name = inner_name(info, row)
            if info.isdir() or not name:
                continue
            if not info.isreg():
                raise BuildError(said(row), f"holds {info.name!r}, which is no plain file", MEND)
            total += info.size
            if total > MAX_BYTES:
                raise BuildError(said(row), f"is larger than {MAX_BYTES >> 30} GiB", MEND)
            mode = 0o755 if info.mode & 0o111 or name in programs.values() else 0o644
            writer.file(f"{folder}/{name}", info.size, package.extractfile(info), mode)


def older_than(node, wanted):
    """Whether `node` (20.19.2) is older than `wanted` says (>=22.0.0); of other ways to say it we say nothing."""
    match = re.fullmatch(r">=\s*v?(\d+)(?:\.(\d+))?(?:\.(\d+))?", wanted.strip())
    have = re.match(r"(\d+)\.(\d+)\.(\d+)", node)
    return bool(match and have) and tuple(map(int, have.groups())) < tuple(int(part or 0) for part in match.groups())


def write(specs, rows, paths, node, epoch, out):
    """Notes for people: packages that ask for a newer Node.js than `node`, the version in the image."""
    direct, notes, taken = {f"node_modules/{npm_name(spec)}" for spec in specs}, [], {}
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        writer = Writer(tar, epoch)
        for row in rows:
            facts = package_json(paths[row["integrity"]], row)
            programs = programs_of(facts, row)
            write_package(writer, paths[row["integrity"]], row, programs)
            engines = facts.get("engines")
            if isinstance(engines, dict) and older_than(node, str(engines.get("node", ""))):
                notes.append(f"{said(row)} asks for Node.js {engines['node']}, the image has {node or 'none'}")
            for name, path in sorted(programs.items()) if row["path"] in direct else ():
                if name in taken:
                    raise BuildError(said(row), f"its program {name} is also that of {taken[name]}", "leave one of them out of the profile's \"npm\"")
                taken[name] = said(row)
                writer.link(f"{PROGRAMS}/{name}", f"../lib/node_modules/{row['path'].removeprefix('node_modules/')}/{path}")
    return notes

