#!/usr/bin/env python3
"""GCC 12 destroys a temporary twice when it shares a full expression with co_await: a braced value, a lambda that
captures by value, or an operand of ?: of class type. The cure is always the same: give it a name on its own line first.

The lint cannot see types, so it also flags harmless ones (an int in ?:); naming those costs nothing.
Files that are given are checked, else all of ours."""
import sys

import cpp_tokens
import tree


def faults(source):
    """(line, what) of each co_await that shares its full expression with something that must be named first."""
    if "co_await" not in source:
        return
    for statement in cpp_tokens.parse(source)[0]:
        awaits = [t for t in statement.tokens if t.text == "co_await"]
        if not awaits:
            continue
        if statement.captures:
            yield awaits[0].line, "a lambda that captures by value"
        if any(t.text == "?" for t in statement.tokens):
            yield awaits[0].line, "a conditional operator"
        if statement.braced:
            yield awaits[0].line, "a braced value"


def main(names):
    paths = names or tree.files(*tree.CPP)
    return tree.report([(path, line, f"co_await in one full expression with {what}: name it on a line of its own first")
                        for path in paths for line, what in faults(tree.text_of(path))])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
