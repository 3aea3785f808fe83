"""The few facts about ELF files that a build checks: class and machine, notes, one section, static or not. Sizes in a file are not believed."""
import struct

PT_INTERP, PT_NOTE = 3, 4
EM_X86_64 = 62


class ElfError(ValueError):
    pass


class Elf:
    def __init__(self, data):
        if data[:7] != b"\x7fELF\x02\x01\x01" or len(data) < 64:
            raise ElfError("not a 64-bit little-endian ELF file")
        self.data = data
        self.type, self.machine = struct.unpack_from("<HH", data, 16)
        self.phoff, self.shoff = struct.unpack_from("<QQ", data, 32)
        self.phentsize, self.phnum, self.shentsize, self.shnum, self.shstrndx = struct.unpack_from("<HHHHH", data, 54)

    def bytes_at(self, offset, size):
        if offset + size > len(self.data):
            raise ElfError("truncated: a header points past the end")
        return self.data[offset:offset + size]

    def segments(self):
        for at in range(self.phnum):
            kind, _, offset, _, _, size, _, _ = struct.unpack("<IIQQQQQQ", self.bytes_at(self.phoff + at * self.phentsize, 56))
            yield kind, offset, size

    def is_static(self):
        return all(kind != PT_INTERP for kind, _, _ in self.segments())

    def notes(self):
        """(owner, type, description) of every note."""
        for kind, offset, size in self.segments():
            if kind == PT_NOTE:
                yield from notes_in(self.bytes_at(offset, size))

    def section(self, name):
        """The bytes of a section, or None."""
        headers = [struct.unpack("<IIQQQQIIQQ", self.bytes_at(self.shoff + at * self.shentsize, 64)) for at in range(self.shnum)]
        if self.shstrndx >= len(headers):
            return None
        names = self.bytes_at(headers[self.shstrndx][4], headers[self.shstrndx][5])
        for header in headers:
            if names[header[0]:names.find(b"\0", header[0])] == name.encode():
                return self.bytes_at(header[4], header[5])
        return None


def notes_in(block):
    at = 0
    while at + 12 <= len(block):
        name_size, size, kind = struct.unpack_from("<III", block, at)
        owner = block[at + 12:at + 12 + name_size].rstrip(b"\0").decode(errors="replace")
        begin = at + 12 + (name_size + 3) // 4 * 4
        yield owner, kind, block[begin:begin + size]
        at = begin + (size + 3) // 4 * 4


def build_id(elf):
    """The GNU build id in hex, or an empty text."""
    return next((text.hex() for owner, kind, text in elf.notes() if owner == "GNU" and kind == 3), "")
