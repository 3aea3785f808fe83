"""What an image is made of, by size: each Debian package, each npm package, the rest. A file counts once, for whoever names it first."""
import os
import stat

from .npm_tree import MODULES

SHOWN = 10


def debian_packages(tree):
    """(name, paths) of each, by dpkg's own lists."""
    for path in sorted((tree / "var/lib/dpkg/info").glob("*.list")):
        yield path.name.removesuffix(".list").partition(":")[0], path.read_text(errors="replace").splitlines()


def npm_packages(tree):
    modules = tree / MODULES
    for entry in sorted(modules.glob("*")) if modules.is_dir() else ():
        for package in sorted(entry.glob("*")) if entry.name.startswith("@") else [entry]:
            paths = ["/" + os.path.relpath(os.path.join(folder, name), tree) for folder, _, names in os.walk(package) for name in names]
            yield f"npm {package.relative_to(modules)}", sorted(paths)


class Counter:
    def __init__(self, tree):
        self.tree, self.seen = tree, set()

    def size(self, path):
        """Bytes of a plain file that was not counted yet."""
        try:
            facts = os.lstat(os.path.join(self.tree, path.lstrip("/")))
        except OSError:
            return 0
        if not stat.S_ISREG(facts.st_mode) or facts.st_ino in self.seen:
            return 0
        self.seen.add(facts.st_ino)
        return facts.st_size


def largest(tree, shown=SHOWN):
    """[[name, bytes]], the largest first, at most `shown`; and the bytes of all files."""
    counter = Counter(tree)
    sizes = [[name, sum(map(counter.size, paths))] for name, paths in (*debian_packages(tree), *npm_packages(tree))]
    rest = sum(counter.size(os.path.relpath(os.path.join(folder, name), tree)) for folder, _, names in os.walk(tree) for name in names)
    sizes.append(["everything else", rest])
    sizes.sort(key=lambda pair: (-pair[1], pair[0]))
    return sizes[:shown], sum(size for _, size in sizes)


def told(parts, total):
    lines = [f"             {size / (1 << 20):7.1f} MiB  {name}" for name, size in parts]
    return f"root: {total / (1 << 20):.1f} MiB of files, the largest parts:\n" + "\n".join(lines)
