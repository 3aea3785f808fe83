"""Two network managers undo each other's addresses, now and then."""
from .. import units

PREVENTS = "two programs that each configure the network"
MANAGERS = {"systemd-networkd.service": "systemd-networkd", "NetworkManager.service": "NetworkManager", "networking.service": "ifupdown",
            "dhcpcd.service": "dhcpcd", "connman.service": "connman"}


def faults(subject):
    found = {}
    for _, unit, path in units.enabled(subject.tree):
        if unit in MANAGERS and units.exists(subject.tree, unit):
            found.setdefault(MANAGERS[unit], path)
    if len(found) > 1:
        names = sorted(found)
        yield found[names[-1]], f"more than one network manager is enabled: {', '.join(names)}"
