"""The table: one list a family. A new row is one entry, and a function where nothing in lab/ does what it needs."""
import dataclasses
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]   # for lab and harness, whoever imports the table

from . import boot, channels, controls, displays, egress, kernel, languages, resources, services, signin, systemd, unseen, unseen_later   # noqa: E402

MODULES = {"boot": boot, "services": services, "languages": languages, "displays": displays, "resources": resources, "kernel": kernel, "systemd": systemd, "channels": channels, "egress": egress,
           "signin": signin,
           "unseen": unseen, "unseen-later": unseen_later, "controls": controls}


def all_rows():
    rows = []
    for family, module in MODULES.items():
        for row in module.ROWS:
            rows.append(dataclasses.replace(row, family=family))
    names = [row.name for row in rows]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"two rows of one name: {twice}"
    return rows

