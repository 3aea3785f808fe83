"""A guest without a network card that waits for the network waits for two minutes."""
import re

from .. import units

PREVENTS = "a boot that waits for a network which never comes"
TARGET = "network-online.target"
ORDERED = re.compile(r"^\s*(After|Wants|Requires|Requisite|BindsTo|Upholds)\s*=.*\bnetwork-online\.target(?![\w.-])", re.MULTILINE)
# The target's own folder and the units that make it up only matter when something asks for the target.
WAITERS = ("systemd-networkd-wait-online.service", "NetworkManager-wait-online.service", "ifupdown-wait-online.service")


def faults(subject):
    texts = list(units.texts(subject.tree))
    started = units.started(subject.tree, texts)
    for path, text in texts:
        name = path.split("/system/", 1)[1].split("/")[0].removesuffix(".d")
        if any(units.is_of(name, unit) for unit in started) and name not in WAITERS and ORDERED.search(text):
            yield path, f"is started at boot and ordered on {TARGET}"
    for wanted_by, unit, path in units.enabled(subject.tree):
        if unit == TARGET:
            yield path, f"{wanted_by} wants {TARGET}"
