"""Many rounds of the same rows: a report of what the runner printed, so that a kept output can be made a report too."""
import re
import statistics

from .report import figures

ROW = re.compile(r"^(\S[a-z ]*?) +(\d+) s +(?:(-?\d+) ms +)?([a-z][a-z0-9-]+) +(.*)$")
ROUND = re.compile(r"^round \d+ of \d+: named ")
SUMMARY = re.compile(r"^(faultlab: |machine: |in \d+ rounds: |named \d+ of \d+, false alarms)")
GOOD = ("named", "quiet")


def read(lines):
    """Rows as (round, verdict, seconds or None, name, what was named), and the lines about the whole run."""
    rows, summary, number = [], [], 1
    for line in lines:
        found = ROW.match(line)
        if ROUND.match(line):
            number += 1
        elif SUMMARY.match(line):
            summary.append(line)
        elif found:
            verdict, _, millis, name, named = found.groups()
            rows.append((number, verdict, None if millis is None else int(millis) / 1000, name, named))
    return rows, summary


def markdown(lines):
    rows, summary = read(lines)
    rounds = max(number for number, *_ in rows)
    samples = [seconds for _, verdict, seconds, _, _ in rows if verdict == "named" and seconds is not None]
    out = [f"# The fault laboratory, {rounds} rounds", "",
           f"Written by `./dev faultlab --repeat {rounds} --report docs/faultlab-rounds.md` from what the run printed (`--rounds-of FILE` makes it again of a kept output); do not edit.",
           "The rows are the subset that each build runs, every round with other names. Times hold the waits that belong to a fault where the run counted them in.", "",
           *[f"- {line}" for line in summary], f"- over all rounds: {figures(samples)}", "",
           "| row | good | median | longest |", "|---|---|---|---|"]
    for name in dict.fromkeys(row[3] for row in rows):
        mine = [row for row in rows if row[3] == name]
        times = [row[2] for row in mine if row[2] is not None]
        told = [f"{statistics.median(times):.2f} s", f"{max(times):.2f} s"] if times else ["", ""]
        out.append(f"| {name} | {sum(row[1] in GOOD for row in mine)} of {len(mine)} | {told[0]} | {told[1]} |")
    bad = [row for row in rows if row[1] not in GOOD]
    out += ["", "Nothing was missed, late or a false alarm." if not bad else "Not good:", ""]
    return "\n".join(out + [f"- round {number}: {name}: {verdict}: {named}" for number, verdict, _, name, named in bad]).rstrip() + "\n"
