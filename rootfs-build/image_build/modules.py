"""Which kernel modules go into the initramfs, and in which order they must be loaded.

Debian's package has no modules.dep (depmod makes it at installation), so the dependencies are read where depmod reads them:
from each module's .modinfo section ("depends=", "softdep=pre:").
"""
import lzma
import re

from .elf import Elf, ElfError


SIGNED = b"~Module signature appended~\n"


class ModuleError(ValueError):
    def __init__(self, module, cause):
        super().__init__(f"{module}: {cause}")
        self.module, self.cause = module, cause


def plain_name(name):
    """Modules are named with - in files and _ in dependencies; one of them is used throughout."""
    return re.sub(r"\.ko(\.xz)?$", "", name.rsplit("/", 1)[-1]).replace("-", "_")


def read_module(path):
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def without_signature(data):
    """The module less Debian's signature: without lockdown the kernel loads it all the same (and says so once, as taint E), and checking costs
    some 70 ms a module under emulation. What the guest loads is vouched for by the image's digest.

    Source: kernel/module_signature.c (struct module_signature: 8 bytes, then the signature's length as u32 big-endian, then the magic text).
    """
    if not data.endswith(SIGNED):
        return data
    end = len(data) - len(SIGNED)
    length = int.from_bytes(data[end - 4:end], "big")
    return data[:end - 12 - length] if length + 12 < end else data


def dependencies(data):
    """Names of the modules that must be loaded first, as the module itself says."""
    info = Elf(data).section(".modinfo") or b""
    names = []
    for entry in info.decode(errors="replace").split("\0"):
        key, _, value = entry.partition("=")
        if key == "depends":
            names += [n for n in value.split(",") if n]
        elif key == "softdep" and "pre:" in value:
            names += value.split("pre:", 1)[1].split("post:")[0].split()
    return [plain_name(n) for n in names]


class ModuleTree:
    """usr/lib/modules/VERSION of an unpacked kernel package."""

    def __init__(self, directory):
        self.files = {plain_name(p.name): p for p in sorted(directory.glob("kernel/**/*.ko*"))}
        builtin = directory / "modules.builtin"
        self.builtin = {plain_name(line) for line in builtin.read_text().split()} if builtin.is_file() else set()

    def load_order(self, wanted):
        """[(file name, contents)], dependencies first; what is built in is left out."""
        order, state = [], {}
        for name in wanted:
            self.visit(plain_name(name), order, state, asked_by=None)
        return order

    def visit(self, name, order, state, asked_by):
        if name in self.builtin or state.get(name) == "done":
            return
        if state.get(name) == "open":
            raise ModuleError(name, "depends on itself")
        if name not in self.files:
            raise ModuleError(name, "the kernel has no such module" + (f" (needed by {asked_by})" if asked_by else ""))
        state[name] = "open"
        try:
            data = read_module(self.files[name])
            needed = dependencies(data)
        except (lzma.LZMAError, ElfError) as error:
            raise ModuleError(name, f"damaged: {error}") from error
        for other in needed:
            self.visit(other, order, state, asked_by=name)
        state[name] = "done"
        order.append((self.files[name].name.removesuffix(".xz"), without_signature(data)))
