"""Runs every rule, and leaves out what the profile allows."""
import importlib
import pkgutil

from . import rules


def all_rules():
    names = sorted(found.name for found in pkgutil.iter_modules(rules.__path__))
    return {name: importlib.import_module(f"{rules.__name__}.{name}") for name in names}


def faults(subject, allowed):
    """[{"rule","item","cause","prevents"}] by rule. `allowed`: {rule: [item...]}; an item that is allowed for nothing is a fault, too: it would
    excuse a fault that comes later."""
    found = []
    for name, rule in all_rules().items():
        excused = set(allowed.get(name, ()))
        used = set()
        for item, cause in rule.faults(subject):
            if item in excused:
                used.add(item)
            else:
                found.append({"rule": name, "item": item, "cause": cause, "prevents": rule.PREVENTS})
        found += [{"rule": name, "item": item, "cause": "is allowed by the profile, and there is nothing to allow", "prevents": rule.PREVENTS}
                  for item in sorted(excused - used)]
    unknown = sorted(set(allowed) - set(all_rules()))
    found += [{"rule": name, "item": "lint_allow", "cause": "there is no such rule", "prevents": "an exception that means nothing"} for name in unknown]
    return found


def said(fault):
    return f"{fault['rule']}: {fault['item']}: {fault['cause']}"
