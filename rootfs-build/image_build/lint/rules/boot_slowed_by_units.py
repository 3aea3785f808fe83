"""Timers that download package lists and terminals that nobody sees cost seconds of every boot."""
from .. import units

PREVENTS = "timers and login terminals that every VM pays for"


def faults(subject):
    if not subject.has_systemd:
        return      # without systemd nothing reads them
    for wanted_by, unit, path in units.enabled(subject.tree):
        if not units.exists(subject.tree, unit) and "@" not in unit:
            continue    # a link to what is not there starts nothing
        if unit.endswith(".timer"):
            yield path, f"the timer {unit} is enabled (by {wanted_by})"
        elif unit.startswith(("getty@", "serial-getty@", "console-getty", "container-getty@")):
            yield path, f"the terminal {unit} is enabled (by {wanted_by})"
