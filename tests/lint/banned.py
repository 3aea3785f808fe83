#!/usr/bin/env python3
"""Calls and names that have no place here, each with what to use instead; and texts that tie the tree to one machine:
the addresses of its package mirrors and the path of its checkout, both asked of the machine itself."""
import re
import subprocess
import sys

import cpp_tokens
import tree

# token: (where it is allowed, what to do instead)
WAIT = "wait for the event, with a deadline"
TOKENS = {
    "sleep_for": ((), WAIT),
    "sleep_until": ((), WAIT),
    "usleep": ((), WAIT),
    "nanosleep": ((), WAIT),
    "detached": ((), "give the coroutine an owner (a task group) that can stop it"),
    "AF_VSOCK": (("guest/link/",), "go through guest/link: outside a VM of ours a Unix socket stands for vsock"),
    "system": ((), "start the program with an argv; no shell"),
    "NLOHMANN_JSON_SERIALIZE_ENUM": ((), "shared/base/enum_names.hpp: an unknown text must stay unknown"),
}
CALLED = {"system", "usleep", "nanosleep"}       # banned as a call only, these are fine as other names
TYPE_NAME = re.compile(r"\w*(Manager|Helper|Utils?)")
WORTH_A_LOOK = re.compile(r"\b(" + "|".join(TOKENS) + r")\b|(class|struct)\s+" + TYPE_NAME.pattern + r"\b")
TEXT_FILES = (".hpp", ".cpp", ".inc", ".py", ".sh", ".md", ".json", ".txt", ".yml", ".yaml", ".cmake", "")


def token_faults(path, source):
    if not WORTH_A_LOOK.search(source):
        return
    stream = cpp_tokens.tokens(source)
    for at, token in enumerate(stream):
        if token.text in TOKENS:
            where, instead = TOKENS[token.text]
            before, after = stream[at - 1].text if at else "", stream[at + 1].text if at + 1 < len(stream) else ""
            namesake = token.text in CALLED and (after != "(" or before in (".", "->"))
            if not namesake and not any(str(path).startswith(prefix) for prefix in where):
                yield token.line, f"{token.text}: {instead}"
        elif at and stream[at - 1].text in ("class", "struct") and TYPE_NAME.fullmatch(token.text):
            yield token.line, f"{token.text}: a name that says nothing; name it by its role"


# CTest reads test names as a CMake list, in which an open bracket swallows every test that follows.
TEST_NAME = {r'TEST_CASE\("[^"\n]*[\[\]]': "a test's name holds no brackets: CTest would take it and its neighbours for one test"}

# Bytes become an object by memcpy: a cast may be misaligned, which the test build's sanitizers do not look for (cmake/vigil_compile.cmake).
CASTS = {r"reinterpret_cast<(?!(const )?(char|unsigned char|sockaddr\w*)[*&]>)[\w: ]+[*&]>": "a cast that takes bytes for an object: memcpy them into one"}


def machine_texts():
    """Patterns that must not stand in any file, from what this machine is."""
    texts = {}
    try:
        sites = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        sites = ""
    for site in set(sites.split()):
        host = re.sub(r"^[a-z+]+://([^/]+).*$", r"\1", site)
        texts[re.escape(host)] = "the address of a package mirror: take it from the machine's apt"
    for place in {tree.ROOT, tree.ROOT.parent}:
        if len(place.parts) > 2 or str(place) not in ("/", "/home", "/root", "/tmp", "/srv", "/opt", "/usr"):
            texts[rf"(?<![\w./-]){re.escape(str(place))}/"] = "a path of this checkout's machine: use a path from the repository's root"
    return texts


def text_faults(source, texts):
    for pattern, message in texts.items():
        for match in re.finditer(pattern, source):
            yield source.count("\n", 0, match.start()) + 1, message


def main(names):
    texts, findings = machine_texts(), []
    for path in names or tree.files(*TEXT_FILES):
        source = tree.text_of(path)
        findings += [(path, line, what) for line, what in text_faults(source, texts)]
        if str(path).endswith(tree.CPP):
            findings += [(path, line, what) for line, what in text_faults(source, TEST_NAME | CASTS)]
            findings += [(path, line, what) for line, what in token_faults(path, source)]
    return tree.report(findings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
