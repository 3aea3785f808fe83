"""systemd units in an image's tree."""
import posixpath
import re

FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
# A line that ends with a backslash goes on in the next; comments between them are passed over.
CONTINUED = re.compile(r"\\\n(?:[ \t]*[#;][^\n]*\n)*")
PULLS = re.compile(r"^[ \t]*(?:Wants|Requires|Requisite|BindsTo|Upholds)[ \t]*=(.*)$", re.MULTILINE)
WANTED = re.compile(r"/systemd/system/([^/]+)\.(wants|requires|upholds)/([^/]+)$")


def masked(tree):
    """Names that /etc turns off: links to /dev/null, or empty files."""
    return {posixpath.basename(entry.path) for entry in tree.below("/etc/systemd/system")
            if entry.path.count("/") == 4 and (entry.target == "/dev/null" or (entry.is_file and entry.size == 0))}


def enabled(tree):
    """[(what wants it, unit, path of the link)] of units that are started; masked ones, and what only those want, are left out."""
    off = masked(tree)
    for folder in FOLDERS:
        for entry in tree.below(folder):
            match = WANTED.search(entry.path)
            if match and not {match.group(1), match.group(3)} & off and entry.target != "/dev/null":
                yield match.group(1), match.group(3), entry.path


def texts(tree):
    """(path, text) of unit files and their drop-ins."""
    off = masked(tree)
    for folder in FOLDERS:
        for entry in tree.below(folder):
            name = entry.path[len(folder) + 1:].split("/")[0].removesuffix(".d")
            if entry.is_file and name not in off and re.search(r"\.(service|socket|target|timer|mount|path|conf)$", entry.path):
                yield entry.path, CONTINUED.sub(" ", tree.text(entry.path))


def is_of(name, unit):
    """Does the file `name` describe `unit`: itself, or the template of an instance?"""
    template = re.sub(r"@[^@]*(\.[a-z]+)$", r"@\1", unit)
    return name in (unit, template)


def started(tree, read):
    """Names of the units that a boot starts: the enabled ones, and what these pull in by their own words. `read`: texts(tree)."""
    found = {unit for _, unit, _ in enabled(tree)}
    off, new = masked(tree), set(found)
    by_name = {}
    for path, text in read:
        by_name.setdefault(path.split("/system/", 1)[1].split("/")[0].removesuffix(".d"), []).append(text)
    while new:
        words = {word for unit in new for name in by_name if is_of(name, unit) for text in by_name[name] for line in PULLS.findall(text) for word in line.split()}
        new = words - found - off
        found |= new
    return found


def exists(tree, unit):
    return any(tree.real(f"{folder}/{unit}") is not None for folder in FOLDERS)
