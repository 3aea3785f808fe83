"""Runs every rule, and leaves out what the profile allows."""
import importlib
import pkgutil

from . import rules


def all_rules():
    names = sorted(found.name for found in pkgutil.iter_modules(rules.__path__))
    return {name: importlib.import_module(f"{rules.__name__}.{name}") for name in names}


def looked_over(subject, allowed):
    """(faults, notes): [{"rule","item","cause","prevents"}] by rule, and [{"rule","item","note"}] of what is no fault: differences that a rule reports, and
    what was excused. `allowed`: {rule: [item...]}; an item that is allowed for nothing is a fault, too: it would excuse a fault that comes later."""
    found, notes = [], []
    for name, rule in all_rules().items():
        excused = {item for item in allowed.get(name, ()) if isinstance(item, str)}
        used = set()
        for item, cause in rule.faults(subject):
            if item in excused:
                used.add(item)
                notes.append({"rule": name, "item": item, "note": f"excused by the lint_allow of {subject.manifest.get('name', 'this image')} itself: {cause}"})
            else:
                found.append({"rule": name, "item": item, "cause": cause, "prevents": rule.PREVENTS})
        if hasattr(rule, "notes"):
            notes += [{"rule": name, "item": item, "note": note} for item, note in rule.notes(subject)]
        found += [{"rule": name, "item": item, "cause": "is allowed by the profile, and there is nothing to allow", "prevents": rule.PREVENTS}
                  for item in sorted(excused - used)]
    unknown = sorted(set(allowed) - set(all_rules()))
    found += [{"rule": name, "item": "lint_allow", "cause": "there is no such rule", "prevents": "an exception that means nothing"} for name in unknown]
    return found, notes


def faults(subject, allowed):
    return looked_over(subject, allowed)[0]


def said(fault):
    return f"{fault['rule']}: {fault['item']}: {fault['cause']}"


def noted(note):
    return f"{note['rule']}: {note['item']}: {note['note']}"
