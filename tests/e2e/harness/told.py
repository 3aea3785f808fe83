"""What guests said, by their own journals, set against what the store's log has, row by row: each report once and as it was said, or counted by a later one as given up by a full
outbox; each digest of one that was said, and never after the report itself. The key of a report: (VM, boot, sequence number as text); a row: (type, what of it is its own)."""
import collections
import json
import sqlite3

THINNED = ("health", "net")          # of which the store keeps not every one


def journal_rows(lines):
    """Of lines "VM BOOT SEQ TYPE WHAT"."""
    return {tuple(fields[:3]): tuple(fields[3:5]) for fields in map(str.split, lines)}


def what_of(kind, body):
    """As the guest's journal has it (tests/bench/native/talker/row.cpp)."""
    if kind == "service":
        return f"{body['name']}:{body['state']}:{body.get('restarts', 0)}:{body.get('since_us', 0)}"
    return body["stage"] if kind == "stage" else "-"


class Log:
    """What the store's log has of the guests' reports."""

    def __init__(self):
        self.full, self.partial, self.late = collections.defaultdict(list), collections.Counter(), []
        self.short = set()
        self.given_up = collections.defaultdict(list)      # of a VM: (first, last, count) of what its reports say was given up

    @classmethod
    def of(cls, state):
        """As the store in the state directory has it."""
        log, store = cls(), sqlite3.connect(f"file:{state / 'vigil.db'}?mode=ro", uri=True)
        names = dict(store.execute("SELECT row, id FROM log_instances"))
        marks = ",".join("?" * len(THINNED))
        for row, kind, text in store.execute(f"SELECT instance, type, body FROM events WHERE body LIKE '%\"report\"%' AND type NOT IN ({marks}) ORDER BY seq", THINNED):
            body = json.loads(text)
            report = body.get("report")
            if report:
                log.take((names[row], report["boot"], str(report["seq"])), kind, body, report)
        store.close()
        return log

    def take(self, key, kind, body, report):
        if report.get("partial"):                          # of the boot its first eight digits are known
            if (key[0], key[1][:8], key[2]) in self.short:
                self.late.append(key)
            self.partial[key] += 1
            return
        self.short.add((key[0], key[1][:8], key[2]))
        self.full[key].append((kind, what_of(kind, body)))
        if kind == "dropped" and body["kind"] not in THINNED:
            self.given_up[key[0]].append((body["first_seq"], body["last_seq"], body["count"]))

    def is_counted(self, key):
        return any(first <= int(key[2]) <= last for first, last, _ in self.given_up[key[0]])


class Comparison:
    """`said` (journal_rows) against `log`."""

    def __init__(self, said, log):
        self.said, self.log = said, log
        absent = [key for key in said if key not in log.full]
        self.absent_of = collections.Counter(key[0] for key in absent)
        self.counted = {vm: sum(count for _, _, count in log.given_up[vm]) for vm in self.absent_of}   # what had come before it was given up is counted, too
        self.lost = [key for key in absent if not log.is_counted(key) or self.absent_of[key[0]] > self.counted[key[0]]]
        self.given_up = len(absent) - len(self.lost)
        self.doubled = [key for key, rows in log.full.items() if len(rows) > 1]
        self.strange = [key for key, rows in log.full.items() if key in said and rows[0] != said[key]]
        self.strange += [key for key, rows in log.full.items() if key not in said and rows[0][0] != "dropped"]
        short = {(vm, boot[:8], seq) for vm, boot, seq in said}
        self.late_digests = [key for key, n in log.partial.items() if n > 1] + log.late
        self.digests_of_none = [key for key in log.partial if key not in short]

    def faults(self):
        """{what: keys}; none of it may be."""
        return {"reports lost: neither there nor counted": self.lost, "reports doubled": self.doubled, "reports that are not as they were said": self.strange,
                 "digests stored twice or after their report": self.late_digests, "digests of no report": self.digests_of_none}

    def describe(self):
        """The first of each fault, a line each."""
        lines = [f"{vm}: {self.absent_of[vm]} reports are not in the log, which counts {self.counted[vm]} as given up" for vm in sorted({key[0] for key in self.lost})[:10]]
        for what, keys in self.faults().items():
            lines += [f"{what}: {' '.join(key)} said {self.said.get(key)} stored {self.log.full.get(key)}" for key in keys[:10]]
        return lines
