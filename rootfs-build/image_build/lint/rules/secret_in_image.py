"""An image is copied to every VM and every host: a key in it is everybody's key."""
import hashlib
import posixpath
import re

PREVENTS = "a key, token or password that is given to every VM"
# Read in pieces, so that a large file costs no memory; each begins with the end of that before it, or a key across the seam would be missed.
PIECE, OVERLAP = 4 << 20, 512
# Of one file, and of all: a file system of holes is read for hours otherwise.
LIMIT, LIMIT_OF_ALL = 1 << 30, 16 << 30
# what -> (words with which it begins, what then follows). Words are looked for first, and fast: an image has gigabytes.
BOUND = rb"(?<![0-9A-Za-z_])"
PATTERNS = {
    "a private key": ((b"PRIVATE KEY-----",), rb"PRIVATE KEY-----\s+[A-Za-z0-9+/=]"),
    "an AWS key": ((b"AKIA", b"ASIA"), BOUND + rb"A[KS]IA[0-9A-Z]{16}\b"),
    "a GitHub token": ((b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"), BOUND + rb"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})"),
    "a GitLab token": ((b"glpat-",), BOUND + rb"glpat-[A-Za-z0-9_-]{20}"),
    "an API key": ((b"sk-",), BOUND + rb"sk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}"),
    "a Google API key": ((b"AIza",), BOUND + rb"AIza[0-9A-Za-z_-]{35}"),
    "a Slack token": ((b"xoxa", b"xoxb", b"xoxp", b"xoxr", b"xoxs"), BOUND + rb"xox[abprs]-[0-9A-Za-z-]{20,}"),
    "an npm token": ((b"_authToken", b"npm_"), rb"(?:_authToken\s*=\s*|(?<![0-9A-Za-z_])npm_)[A-Za-z0-9-]{36}"),
}
WORDS = [(word, what, re.compile(pattern)) for what, (words, pattern) in PATTERNS.items() for word in words]
BEGIN = re.compile(rb"-----BEGIN (?:[A-Z]+ )*$")
LONGEST_HEAD = 64
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
    return next(filter(None, (found_in(piece) for piece in tree.pieces(path, PIECE, OVERLAP))), "")


def found_in(data):
    for word, what, pattern in WORDS:
        at = data.find(word)
        while at >= 0:
            if pattern.match(data, at) and (what != "a private key" or BEGIN.search(data, max(0, at - LONGEST_HEAD), at)):
                return what
            at = data.find(word, at + 1)
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
