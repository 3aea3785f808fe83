#!/usr/bin/env python3
"""Who writes the tables of the store: the log has one writer and its projections have one, so that nothing is in a table that does not follow from an event.

Which tables are projections stands in host/store/projector.hpp."""
import re
import sys

import tree

PROJECTOR, LOG, SCHEMA = "host/store/projector.cpp", "host/store/log.cpp", "host/store/schema.cpp"
PLACES = "host/store/event_places.cpp"
NAMES = re.compile(r"projected_tables\[\]\s*=\s*\{([^}]*)\}")
WRITE = re.compile(r"\b(INSERT(?:\s+OR\s+\w+)?\s+INTO|REPLACE\s+INTO|UPDATE(?:\s+OR\s+\w+)?|DELETE\s+FROM|DROP\s+TABLE(?:\s+IF\s+EXISTS)?|ALTER\s+TABLE)\s+"
                   r"(?:(?:main|temp)\.)?(\w+|(?=\"))", re.IGNORECASE)
OF_THE_LOG = {"events": (LOG,), "log_instances": (LOG,), "checkpoints": (), "snapshots": ("host/store/snapshots.cpp",),
              "event_places": (PLACES,), "event_places_mark": (PLACES,)}


def projected_tables():
    found = NAMES.search(tree.text_of("host/store/projector.hpp"))
    return re.findall(r'"(\w+)"', found.group(1))


def allowed(path, verb, table, projected):
    """Migrations make and drop tables; the rows of a projected one come from the projector in their time, too."""
    if not table:
        return path == PROJECTOR                  # a name that is put together
    writers = (PROJECTOR,) if table in projected else OF_THE_LOG.get(table)
    if writers is None or path in writers:
        return True
    return path == SCHEMA and (table in OF_THE_LOG or verb.split()[0].upper() in ("DROP", "ALTER"))


def faults(path, source, projected):
    for match in WRITE.finditer(source):
        verb, table = match.group(1), match.group(2).lower()
        if not allowed(str(path), verb, table, projected):
            what = f"{' '.join(verb.split())} {table}" if table else f"{' '.join(verb.split())} with a name that is put together"
            owner = f"the tables that follow from the log are written by {PROJECTOR} alone" if table in projected else f"the log is written by {LOG} alone"
            yield source.count("\n", 0, match.start()) + 1, f"{what}: {owner}"


def main(names):
    projected, findings = projected_tables(), []
    for path in names or tree.files(".cpp", ".hpp"):
        if str(path).startswith("host/"):
            findings += [(path, line, what) for line, what in faults(path, tree.text_of(path), projected)]
    return tree.report(findings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
