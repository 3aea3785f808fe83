"""What an image is made of, by size: each Debian package, each npm package, the rest. A file counts once, for whoever names it first."""
import os
import stat

from .npm_tree import MODULES

LISTS = "var/lib/dpkg/info"
SHOWN = 10


def debian_packages(tree):
    """(name, paths) of each, by dpkg's own lists."""
    for name in tree.names(LISTS):
        if name.endswith(".list"):
            yield name.removesuffix(".list").partition(":")[0], (tree.read_text(f"{LISTS}/{name}") or "").splitlines()


def npm_packages(tree):
    for name in tree.names(MODULES):
        for package in [f"{name}/{below}" for below in tree.names(f"{MODULES}/{name}")] if name.startswith("@") else [name]:
            yield f"npm {package}", sorted(below(tree, f"{MODULES}/{package}"))


def below(tree, path):
    """Paths of what is no directory, below a directory that is no link."""
    facts = tree.facts(path)
    if facts is not None and stat.S_ISDIR(facts.st_mode):
        fd = tree.directory(path)
        try:
            for folder, _, names, _ in os.fwalk(".", dir_fd=fd, follow_symlinks=False):
                yield from (os.path.normpath(os.path.join(path, folder, name)) for name in names)
        finally:
            os.close(fd)


class Counter:
    def __init__(self, tree):
        self.tree, self.seen = tree, set()

    def size(self, path):
        """Bytes of a plain file that was not counted yet."""
        return self.count(self.tree.facts(path)) if path.strip("/") else 0

    def count(self, facts):
        if facts is None or not stat.S_ISREG(facts.st_mode) or facts.st_ino in self.seen:
            return 0
        self.seen.add(facts.st_ino)
        return facts.st_size


def largest(tree, shown=SHOWN):
    """[[name, bytes]], the largest first, at most `shown`; and the bytes of all files. `tree`: a GuestTree."""
    counter = Counter(tree)
    sizes = [[name, sum(map(counter.size, paths))] for name, paths in (*debian_packages(tree), *npm_packages(tree))]
    rest = sum(counter.count(os.stat(name, dir_fd=fd, follow_symlinks=False)) for _, _, names, fd in os.fwalk(tree.root, follow_symlinks=False) for name in names)
    sizes.append(["everything else", rest])
    sizes.sort(key=lambda pair: (-pair[1], pair[0]))
    return sizes[:shown], sum(size for _, size in sizes)


def told(parts, total):
    lines = [f"             {size / (1 << 20):7.1f} MiB  {name}" for name, size in parts]
    return f"root: {total / (1 << 20):.1f} MiB of files, the largest parts:\n" + "\n".join(lines)
