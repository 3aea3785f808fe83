"""An image is copied to every VM and every host: a key in it is everybody's key."""
import posixpath
import re

PREVENTS = "a key, token or password that is given to every VM"
LIMIT = 2 << 20
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
    owned = owned_by_packages(subject.tree)
    for entry in subject.tree.entries:
        if not entry.is_file or entry.size == 0:
            continue
        if HOST_KEY.search(entry.path):
            yield entry.path, "a host key that all VMs would share"
        elif KEPT_FILES.search(entry.path):
            yield entry.path, "a file in which programs keep credentials"
        elif entry.size <= LIMIT and entry.path not in owned and (match := EXPRESSION.search(subject.tree.read(entry.path, LIMIT))):
            yield entry.path, f"holds {list(PATTERNS)[match.lastindex - 1]}"


def owned_by_packages(tree):
    """Files that came out of Debian's packages (their tests and examples hold keys): as dpkg lists them, with /usr merged."""
    owned = set()
    for entry in tree.below("/var/lib/dpkg/info"):
        if entry.path.endswith(".list"):
            for line in tree.text(entry.path).splitlines():
                owned.add(line)
                owned.add("/usr" + line)
    return {path for path in owned if path.startswith("/usr/") and not posixpath.normpath(path).startswith("/usr/local/")}
