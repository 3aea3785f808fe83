"""Kernel configurations: a fragment's lines, and whether a finished .config keeps them.

Kconfig drops a symbol in silence when something that it depends on is missing; a kernel without PSI would boot and be blind.
"""
import re

LINE = re.compile(r"(CONFIG_\w+)=(.+)")
OFF = re.compile(r"# (CONFIG_\w+) is not set")


def parse(text):
    """{symbol: value}; "n" for a symbol that is not set. The last line about a symbol holds."""
    values = {}
    for line in text.splitlines():
        if match := LINE.fullmatch(line.strip()):
            values[match.group(1)] = match.group(2)
        elif match := OFF.fullmatch(line.strip()):
            values[match.group(1)] = "n"
    return values


def faults_of_fragment(text):
    """Lines that are neither a comment nor a setting, and symbols that are set twice."""
    seen = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        match = LINE.fullmatch(line) or OFF.fullmatch(line)
        if match and match.group(1) in seen:
            yield f"line {number}: {match.group(1)} is set in line {seen[match.group(1)]} already"
        elif match:
            seen[match.group(1)] = number
        elif line and not line.startswith("#"):
            yield f"line {number}: neither CONFIG_NAME=VALUE nor a comment: {line[:60]}"


def broken_wishes(fragment, finished):
    """What the fragment asks and the finished configuration does not have."""
    have = parse(finished)
    for symbol, wanted in parse(fragment).items():
        found = have.get(symbol)
        if (found or "n") != wanted:
            said = "does not exist or lacks what it depends on" if found is None else f"came out as {found}"
            yield f"{symbol}={wanted}: {said}"
