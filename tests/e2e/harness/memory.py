"""Looks for secrets in the memory of a process, as a core dump of it would have them."""
import collections
import re

BLOCK = 16 << 20
WRITABLE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) rw.. \S+ \S+ \S+ *(.*)$")


def in_memory_of(pid, secrets):
    """{name: {kind of memory: how often}} of the secrets ({name: text}) that are there. Only what can be written is read: nothing secret is in a program's file."""
    longest = max(len(secret) for secret in secrets.values())
    found = collections.defaultdict(collections.Counter)
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for area in filter(None, map(WRITABLE.match, maps)):
            start, end, name = int(area[1], 16), int(area[2], 16), area[3] or "anonymous"
            for at in range(start, end, BLOCK):
                try:
                    memory.seek(at)
                    block = memory.read(min(BLOCK + longest, end - at))
                except (OSError, ValueError):
                    continue                              # [vvar] and the like
                for secret, text in secrets.items():
                    if count := block.count(text.encode()):
                        found[secret][name] += count
    return {name: dict(kinds) for name, kinds in found.items()}
