#!/usr/bin/env python3
"""Files of at most 500 lines, functions of at most 60. A flat table (.inc) may be longer."""
import sys

import cpp_tokens
import tree

FILE_LINES = 500
FUNCTION_LINES = 60
SIZED = (".hpp", ".cpp", ".py", ".sh")


def long_functions(source):
    """(first line, lines) of each function over the limit, from its declaration to its closing brace."""
    for block in cpp_tokens.parse(source)[1]:
        if block.is_function:
            first = block.head.tokens[0].line
            lines = block.last_line - first + 1
            if lines > FUNCTION_LINES:
                yield first, lines


def main(names):
    findings = []
    for path in names or tree.files(*SIZED):
        source = tree.text_of(path)
        lines = source.count("\n")
        if lines > FILE_LINES:
            findings.append((path, lines, f"{lines} lines, at most {FILE_LINES}: which second thing does this file do?"))
        if str(path).endswith(tree.CPP):
            findings += [(path, first, f"a function of {count} lines, at most {FUNCTION_LINES}")
                         for first, count in long_functions(source)]
    return tree.report(findings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
