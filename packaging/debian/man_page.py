#!/usr/bin/env python3
"""Makes a manual page of what a program says about itself (--help), so that the two cannot disagree.

    man_page.py NAME SECTION VERSION "what it is" PROGRAM [HELP ARGUMENT...] >PAGE

A program with subcommands ("Subcommands:" in its help) has one section for each of them.
"""
import os
import re
import subprocess
import sys

SEE_ALSO = {"vigil": "vigild(8), vigil-guest(1)", "vigild": "vigil(1), systemd.service(5)", "vigil-guest": "vigil(1), vigild(8)"}
FILES = {
    "vigild": [("/etc/default/vigild", "VIGILD_OPTIONS: options for the service"),
               ("/etc/credstore/vigil-master-key", "the key under which values of VMs' secrets and the vault are sealed; without it a key file in the state directory"),
               ("/var/lib/vigil", "store, images, disks, logs, black boxes"), ("/run/vigil", "sockets of the daemon and of running VMs")],
}


def help_of(words):
    """Some print it as an answer, some as what is wrong with the question."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "HOME": "/root", "COLUMNS": "100"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL)
    text = done.stdout or done.stderr
    if "sage:" not in text:
        raise SystemExit(f"man_page: {' '.join(words)} says nothing about its use (exit {done.returncode})")
    return re.sub(r"\A.*unknown command.*\n", "", text).rstrip()


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"(?m)^([.])", r"\\&\1", text)


def as_printed(text):
    return f".nf\n{escaped(text)}\n.fi"


def subcommands(text):
    listed = re.search(r"(?ms)^Subcommands:\n(.*?)(?:\n\n|\Z)", text)
    return [line.split()[0].rstrip(",") for line in listed.group(1).splitlines() if re.match(r"  \S", line)] if listed else []


def page(name, section, version, what, words):
    text = help_of(words)
    footer = re.search(r"(?ms)^Examples:\n.*", text)
    lines = [f'.TH {name.upper()} {section} "" "vigil {version}" "Vigil"', ".SH NAME", f"{escaped(name)} \\- {escaped(what)}", ".SH DESCRIPTION", as_printed(text)]
    commands = subcommands(text)
    if commands:
        lines.append(".SH COMMANDS")
    for command in commands:
        told = help_of([words[0], command, *words[1:]])
        lines += [f'.SS "{escaped(name)} {escaped(command)}"', as_printed(told.replace(footer.group(0), "").rstrip() if footer else told)]
    if name in FILES:
        lines.append(".SH FILES")
        for path, meaning in FILES[name]:
            lines += [".TP", f".I {escaped(path)}", escaped(meaning)]
    lines += [".SH SEE ALSO", escaped(SEE_ALSO.get(name, "vigil(1)"))]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) < 6:
        raise SystemExit(__doc__)
    sys.stdout.write(page(*sys.argv[1:5], sys.argv[5:]))
