"""The linker's map: which input section of which object lies where; and prefixes that say which sections are meant."""
import bisect
import collections
import re

Section = collections.namedtuple("Section", "address size name object")
ARCHIVE_MEMBER = re.compile(r"([\w+]+\.a)\((\S+)\)$")
TEXT_KINDS = ("unlikely.", "startup.", "exit.", "hot.")


def read(path):
    """In the order of their addresses; a long name and its place are on two lines."""
    found, name = [], None
    for line in open(path, errors="replace"):
        both = re.match(r"^ (\.\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (.+)$", line)
        alone = re.match(r"^ (\.\S+)$", line)
        place = re.match(r"^\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (.+)$", line)
        if both:
            name, fields = both[1], both.groups()[1:]
        elif place and name:
            fields = place.groups()
        else:
            name, fields = alone[1] if alone else None, None
        if fields:
            section = Section(int(fields[0], 16), int(fields[1], 16), name, fields[2].strip())
            if section.address and section.size:
                found.append(section)
            name = None
    return sorted(found)


class Places:
    def __init__(self, sections, kind):
        self.sections = [section for section in sections if section.name.startswith(kind)]
        self.addresses = [section.address for section in self.sections]

    def at(self, address):
        n = bisect.bisect_right(self.addresses, address) - 1
        return self.sections[n] if n >= 0 and address < self.sections[n].address + self.sections[n].size else None


def member(section):
    """(archive, object) of what can only be named by its object: the C library has one section an object."""
    found = ARCHIVE_MEMBER.search(section.object)
    has_own_name = re.match(r"\.(text|rodata)\.(\w+\.)*_Z", section.name) is not None
    return None if has_own_name or not found else found.groups()


def symbol(section):
    """The function or variable that a section is of, after the kind of code that it may be, without what the compiler appends to clones; None when it is of many."""
    name = section.name.split(".", 2)[2] if section.name.count(".") > 1 else ""
    kind = next((kind for kind in TEXT_KINDS if name.startswith(kind)), "")
    name = name.removeprefix(kind).split(".")[0]
    return kind + name if name.startswith("_Z") or section.name.startswith(".text.") else None


def prefixes(wanted, others, tolerance=0.1):
    """The shortest beginnings of names that hold all that is `wanted` (name -> bytes) and at most `tolerance` as many bytes of `others`: who adds a
    function to a class that is called all the time gets the right place for it."""
    keys = {True: sorted(wanted), False: sorted(others)}
    sums = {}
    for side, sizes in ((True, wanted), (False, others)):
        sums[side] = [0]
        for name in keys[side]:
            sums[side].append(sums[side][-1] + sizes[name])

    def under(side, prefix):
        first, last = bisect.bisect_left(keys[side], prefix), bisect.bisect_left(keys[side], prefix + "\x7f")
        return sums[side][last] - sums[side][first]

    found = []
    for name in keys[True]:
        if found and name.startswith(found[-1]):
            continue
        length = min(10, len(name))
        while length < len(name) and under(False, name[:length]) > tolerance * under(True, name[:length]):
            length += 1
        found.append(name[:length])
    return found
