"""An image is copied to every VM and every host: a key in it is everybody's key."""
import hashlib
import posixpath
import re

PREVENTS = "a key, token or password that is given to every VM"
# Read in pieces, so that a large file costs no memory; each begins with the end of that before it, or a key across the seam would be missed.
PIECE, OVERLAP = 4 << 20, 512
# Of one file, and of all: a file system of holes is read for hours otherwise.
LIMIT, LIMIT_OF_ALL = 1 << 30, 16 << 30
PATTERNS = {
    "a private key": rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]",
    "an AWS key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})",
    "a GitLab token": rb"\bglpat-[A-Za-z0-9_-]{20}",
    "an API key": rb"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}",
    "a Google API key": rb"\bAIza[0-9A-Za-z_-]{35}",
    "a Slack token": rb"\bxox[abprs]-[0-9A-Za-z-]{20,}",
    "an npm token": rb"(?:_authToken\s*=\s*|\bnpm_)[A-Za-z0-9-]{36}",
}
EXPRESSION = re.compile(b"|".join(b"(" + pattern + b")" for pattern in PATTERNS.values()))
HOST_KEY = re.compile(r"/etc/ssh/ssh_host_\w+_key$")
KEPT_FILES = re.compile(r"/(\.netrc|\.git-credentials|\.aws/credentials|\.docker/config\.json|\.npmrc|\.pypirc|\.bash_history)$")


def faults(subject):
    left, lists = LIMIT_OF_ALL, None
    subject.tree.remembered["secrets of packages"] = told = []
    for entry in subject.tree.entries:
        if not entry.is_file or entry.size == 0:
            continue
        left -= entry.size
        if HOST_KEY.search(entry.path):
            yield entry.path, "a host key that all VMs would share"
        elif KEPT_FILES.search(entry.path):
            yield entry.path, "a file in which programs keep credentials"
        elif entry.size > LIMIT or left < 0:
            yield entry.path, "too large to be looked through for keys"
        elif what := held(subject.tree, entry.path):
            lists = hashes_of_packages(subject.tree) if lists is None else lists
            if digest_of(subject.tree, entry.path) in lists.get(entry.path, ()):
                told.append((entry.path, f"holds {what}, as a package brought it (an example or a test, by the image's own /var/lib/dpkg/info)"))
            else:
                yield entry.path, f"holds {what}"


def notes(subject):
    """Not in silence: a foreign image's lists may say what they like."""
    return subject.tree.remembered["secrets of packages"]


def held(tree, path):
    for piece in tree.pieces(path, PIECE, OVERLAP):
        if match := EXPRESSION.search(piece):
            return list(PATTERNS)[match.lastindex - 1]
    return ""


def digest_of(tree, path):
    digest = hashlib.md5(usedforsecurity=False)
    for piece in tree.pieces(path, PIECE, 0):
        digest.update(piece)
    return digest.hexdigest()


def hashes_of_packages(tree):
    """{path: hashes} of dpkg, with /usr merged. (A list of names alone would excuse whatever is put there under such a name.)"""
    found = {}
    for entry in tree.below("/var/lib/dpkg/info"):
        for line in tree.text(entry.path).splitlines() if entry.path.endswith(".md5sums") else ():
            digest, _, name = line.partition("  ")
            path = posixpath.normpath("/" + name)
            for place in (path, "/usr" + path):
                if place.startswith("/usr/") and not place.startswith("/usr/local/"):
                    found.setdefault(place, set()).add(digest)
    return found
