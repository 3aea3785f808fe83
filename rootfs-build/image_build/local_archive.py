"""A Debian archive of exactly the packages of a lock, for mmdebstrap: apt can choose nothing else, and needs no network."""
import hashlib
import pathlib
import re
import subprocess

from .errors import BuildError
from .package_store import file_name, said
from .tools import search_path

# Fields that apt resolves by; the rest would only make the index long.
KEPT = ("Package", "Version", "Architecture", "Multi-Arch", "Essential", "Protected", "Important", "Priority", "Section", "Installed-Size", "Depends",
        "Pre-Depends", "Conflicts", "Breaks", "Replaces", "Provides", "Recommends", "Suggests", "Enhances")


def control_of(path, row):
    done = subprocess.run(["dpkg-deb", "-f", path, *KEPT], capture_output=True, text=True, check=False, env={"PATH": search_path(), "LC_ALL": "C.UTF-8"})
    if done.returncode != 0:
        raise BuildError(said(row), f"not a Debian package: {done.stderr.strip()}", "run the build again with --refresh")
    return done.stdout.strip()


def stanza(path, row):
    control = control_of(path, row)
    fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", control, re.MULTILINE))
    if (fields.get("Package"), fields.get("Version")) != (row["name"], row["version"]):
        raise BuildError(said(row), f"the file is {fields.get('Package')} {fields.get('Version')}", "run the build again with --refresh")
    return f"{control}\nFilename: {file_name(row)}\nSize: {row['bytes']}\nSHA256: {row['sha256']}\n"


def write(rows, debs, suite, directory):
    """Packages and Release in `directory`. The packages themselves are `debs`/NAME, handed to apt as if it had downloaded them."""
    index = "\n".join(stanza(pathlib.Path(debs) / file_name(row), row) for row in rows).encode()
    (directory / "Packages").write_bytes(index)
    release = (f"Origin: Debian\nLabel: Debian\nSuite: {suite}\nCodename: {suite}\nArchitectures: amd64\nDate: Thu, 01 Jan 1970 00:00:00 UTC\n"
               f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n")
    (directory / "Release").write_text(release)


def source_line(directory):
    # Trusted: each package was checked against the lock when it came out of the store, and the lock against Debian's signature when it was made.
    return f"deb [trusted=yes] copy:{directory} ./"
