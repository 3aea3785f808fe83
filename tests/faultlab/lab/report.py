"""The report of a run: Markdown for people, JSON for machines; both made from results, never by hand."""
import json
import os
import statistics

FAMILY_TITLES = {"boot": "Boot", "services": "Services", "languages": "Languages", "displays": "Displays", "resources": "Resources", "kernel": "Kernel and VM",
                 "systemd": "The systemd profile", "channels": "Channels", "egress": "What leaves a VM", "signin": "Sign-in",
                 "unseen": "Written after the rules", "unseen-later": "Written after the rules, a second time",
                 "controls": "Healthy controls"}


def split(results):
    return [r for r in results if r.row.code], [r for r in results if not r.row.code]


def rounds_line(results, rounds):
    controls = split(results)[1]
    return f"in {rounds} rounds: false alarms {sum(not r.good for r in controls)} of {len(controls)}, wrong or late {sum(not r.good for r in split(results)[0])} of {len(results) - len(controls)}"


def last_line(results):
    faults, controls = split(results)
    return (f"named {sum(r.good for r in faults)} of {len(faults)}, "
            f"false alarms {sum(not r.good for r in controls)} of {len(controls)}")


def is_good(results):
    return all(r.good for r in results)


def percentile(samples, percent):
    """Nearest rank."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def figures(samples):
    return f"median {statistics.median(samples):.2f} s, 95th percentile {percentile(samples, 95):.2f} s, longest {max(samples):.2f} s, n = {len(samples)}"


def keep_events(results, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        with open(folder / f"{result.row.name}.jsonl", "w", encoding="utf-8") as file:
            for event in result.events:
                file.write(json.dumps(event) + "\n")
        (folder / f"{result.row.name}.console").write_text(result.console, encoding="utf-8")


def first_score(results):
    missed = sum(r.row.missed_at_first for r in results)
    return f" (when they were first run, before any rule was mended for them: {len(results) - missed} of {len(results)})" if missed else ""


def cell(text):
    return " ".join(str(text).replace("|", "\\|").split())


class Summary:
    def __init__(self, results, laboratory, options, seconds):
        self.results, self.options, self.seconds = results, options, seconds
        self.machine = f"{os.cpu_count()} cores, {laboratory.accelerator.upper()}"
        self.scale, self.seed = laboratory.scale, laboratory.seed

    def latencies(self):
        """Seconds from evidence to subscriber, of those rows whose instant of evidence a clock tells: not only the VM's start, no wait that belongs to the fault."""
        return [r.seconds for r in self.timed() if not r.since.startswith("start") and not r.row.later_s]

    def timed(self):
        return [r for r in split(self.results)[0] if r.good and r.seconds is not None]

    def lines(self):
        faults, _ = split(self.results)
        lines = [f"machine: {self.machine}; deadlines times {self.scale}; {self.seconds:.0f} s in all; seed {self.seed}"]
        if self.latencies():
            lines.append(f"time to name, from the evidence to the subscriber: {figures(self.latencies())}")
            lines.append(f"the same with the rows in brackets, their waits and the VM's boot included: {figures([r.seconds for r in self.timed()])}")
        for title, families in (("rows that the rules were made with", None), ("rows written after the rules", "unseen"), ("rows written after the rules, a second time", "unseen-later")):
            rows = [r for r in faults if (r.row.family == families if families else not r.row.family.startswith("unseen"))]
            if rows:
                lines.append(f"{title}: named {sum(r.good for r in rows)} of {len(rows)}" + first_score(rows))
        return lines

    def write(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        document = self.document()
        path.write_text(markdown(document), encoding="utf-8")
        path.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    def document(self):
        rows = [{"row": r.row.name, "family": r.row.family, "fault": r.row.what, "expected": r.row.code or None, "place": r.row.place, "named": r.named,
                 "verdict": r.verdict, "good": r.good, "seconds": r.seconds, "since": r.since, "later_s": r.row.later_s, "deadline_s": r.row.deadline_s * self.scale,
                 "earlier": r.before, "wrong_earlier": r.wrong_before, "evidence": r.evidence, "note": r.note, "not_yet": r.row.not_yet or r.row.impossible or None, "reference": r.reference} for r in self.results]
        return {"scale": self.scale, "lines": [*self.lines(), last_line(self.results)], "rows": rows}


# ---- Markdown, made from the JSON document alone ----

HEAD = """# The fault laboratory's report

Written by `./dev faultlab --all --report docs/faultlab.md` from one run; do not edit. Each row is a fault in a VM of its own, whose services, files,
ports and names are drawn at random. *Time* is from the instant when the evidence existed (the guest's clock, mapped by the link's pings, or the host's
for what the host did) to the instant when a subscriber of the event stream had the cause. In brackets: only the VM's start is known, so that its boot is counted in,
or the fault itself takes a wait to show, which is counted in and said: a deadline of the product, a script that sleeps, an X server that starts.
*Reference method* is what asking port 8080 every 2 s for 180 s would have told of the same run: derived from the run's own events, the 180 s cut
down to 18 s, or to the time until the fault was named where that was longer. *Before it* is another cause that was the verdict for a while; where the row does not
allow it, the row is not named. Twenty rounds of the subset that each build runs: [faultlab-rounds.md](faultlab-rounds.md).""".split("\n")


def markdown(document):
    out = [*HEAD, "", *[f"- {line}" for line in document["lines"]]]
    for family, title in FAMILY_TITLES.items():
        rows = [r for r in document["rows"] if r["family"] == family]
        if rows:
            out += ["", f"## {title}", "", *(control_table(rows) if family == "controls" else fault_table(rows))]
    return "\n".join([*out, *unnamed(document["rows"]), ""])


def fault_table(rows):
    out = ["| fault | expected | named | time | verdict | reference method |", "|---|---|---|---|---|---|"]
    for r in rows:
        where = " (beside the verdict)" if r["place"] == "also" else ""
        out.append(f"| {cell(r['fault'])} | `{r['expected']}`{where} | {cell(r['named'])}{before(r)} | {time_of(r)} | {r['verdict']} | {cell(r['reference'])} |")
    return out


def control_table(rows):
    return ["| nothing is wrong | causes raised | verdict |", "|---|---|---|", *[f"| {cell(r['fault'])} | {cell(r['named'])} | {r['verdict']} |" for r in rows]]


def before(row):
    return "; before it: " + cell("; ".join(row["earlier"])) if row["earlier"] else ""


def time_of(row):
    if row["seconds"] is None:
        return ""
    text = f"{row['seconds']:.2f} s"
    waits = f", {row['later_s']:g} s of wait allowed" if row["later_s"] else ""
    return f"({text}{waits})" if row["since"].startswith("start") or waits else text


def unnamed(rows):
    missed = [r for r in rows if r["expected"] and not r["good"]]
    if not missed:
        return []
    return ["", "## Not named", "", *[f"- {cell(r['fault'])} (`{r['expected']}`): {cell(r['not_yet'] or r['note'] or r['verdict'])}" for r in missed]]
