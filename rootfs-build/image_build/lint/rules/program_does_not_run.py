"""A program whose loader or libraries were left out is found by the first user, not by the build."""
import os
import re
import struct

from ... import jsonc
from ...elf import PT_INTERP, Elf, ElfError

PREVENTS = "a program that cannot start"
FOLDERS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/libexec/vigil")
LIBRARIES = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib")
SERVICES = "/etc/vigil/services.d"
EXEC = re.compile(r"^[ \t]*Exec(?:Start|StartPre|StartPost|Condition|Reload|Stop|StopPost)[ \t]*=[ \t]*[-@:+!]*(/[^\s;]*)", re.MULTILINE)
DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 1, 5, 15, 29
PT_LOAD, PT_DYNAMIC = 1, 2


def faults(subject):
    for entry in subject.tree.entries:
        if entry.is_file and entry.mode & 0o111 and os.path.dirname(entry.path) in FOLDERS:
            yield from ((entry.path, fault) for fault in missing_parts(subject.tree, entry.path))
    for argv in subject.programs or []:
        code, said = subject.run(argv)
        if code != 0:
            yield argv[0], f"`{' '.join(argv)}` ended with code {code} in the image: {said[-200:].strip() or 'it said nothing'}"


    if subject.programs is not None:
        yield from undeclared(subject.tree, subject.programs)


def undeclared(tree, programs):
    """What a service starts and nobody tried: a program counts as tried that is a word of a command line in `programs`."""
    tried = {tree.real(word) for argv in programs for word in argv if word.startswith("/")}
    for path, program in sorted(set(started(tree))):
        if tree.real(program) not in tried:
            yield path, f"starts {program}, which is not among the profile's programs: nobody knows that it runs"


def started(tree):
    """(file, program) of the services of the agent, and of units and drop-ins that are not Debian's."""
    for entry in tree.below(SERVICES):
        if entry.path.endswith(".json"):
            try:
                yield from ((entry.path, program) for program in programs_of(jsonc.parse(tree.text(entry.path))))
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                yield entry.path, "what cannot be read"
    for entry in (*tree.below("/etc/systemd/system"), *tree.below("/usr/lib/systemd/system")):
        if entry.is_file and (entry.path.startswith("/etc/") or entry.path.endswith("-vigil.conf")):
            yield from ((entry.path, program) for program in EXEC.findall(tree.text(entry.path)) if not program.startswith("/run/"))


def programs_of(spec):
    """Of a service and its probes, of which there may be one or a list."""
    ready = spec.get("ready", [])
    probes = [*(ready if isinstance(ready, list) else [ready]), spec.get("health", {})]
    return [spec["exec"][0], *(probe["exec"]["argv"][0] for probe in probes if isinstance(probe, dict) and "exec" in probe)]


def missing_parts(tree, path):
    data = tree.read(path, 64 << 20)
    if data.startswith(b"#!"):
        words = data[2:256].split(b"\n")[0].split()
        interpreter = words[0].decode(errors="replace") if words else ""
        if tree.real(interpreter) is None:
            yield f"its interpreter {interpreter!r} is not in the image"
        return
    if not data.startswith(b"\x7fELF"):
        return
    try:
        loader, needed, folders = dynamic(Elf(data), path)
    except (ElfError, struct.error, ValueError) as error:
        yield f"damaged: {error}"
        return
    if loader and tree.real(loader) is None:
        yield f"its loader {loader} is not in the image"
    for name in needed:
        places = [name] if name.startswith("/") else [f"{folder}/{name}" for folder in (*folders, *configured(tree), *LIBRARIES)]
        if not any(tree.real(place) for place in places):
            yield f"its library {name} is not in the image"


def configured(tree):
    texts = [tree.text("/etc/ld.so.conf"), *(tree.text(entry.path) for entry in tree.below("/etc/ld.so.conf.d"))]
    return [line.strip() for text in texts for line in text.splitlines() if line.strip().startswith("/")]


def dynamic(elf, path):
    """(loader, needed libraries, folders in which the program itself looks)."""
    loader, entries, loads = "", [], []
    for at in range(elf.phnum):
        kind, _, offset, address, _, size, _, _ = struct.unpack("<IIQQQQQQ", elf.bytes_at(elf.phoff + at * elf.phentsize, 56))
        if kind == PT_INTERP:
            loader = elf.bytes_at(offset, size).rstrip(b"\0").decode(errors="replace")
        elif kind == PT_LOAD:
            loads.append((address, offset, size))
        elif kind == PT_DYNAMIC:
            entries = [struct.unpack_from("<qQ", elf.bytes_at(offset, size), n) for n in range(0, size // 16 * 16, 16)]
    table = next((value for tag, value in entries if tag == DT_STRTAB), None)
    if table is None:
        return loader, [], []
    strings = next((offset + table - address for address, offset, size in loads if address <= table < address + size), None)
    if strings is None:
        raise ValueError("its string table lies in no segment")

    def string(at):
        end = elf.data.find(b"\0", strings + at)
        return elf.data[strings + at:end].decode(errors="replace")
    folders = [folder.replace("$ORIGIN", os.path.dirname(path)).replace("${ORIGIN}", os.path.dirname(path))
               for tag, value in entries if tag in (DT_RPATH, DT_RUNPATH) for folder in string(value).split(":")]
    return loader, [string(value) for tag, value in entries if tag == DT_NEEDED], folders
