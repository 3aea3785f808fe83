"""Is this the cause that the row asks for? Pure: works on what `why` answered, so it also works on kept reports."""
import re

from .row import Between, Like


def same(wanted, found, fill):
    if isinstance(wanted, (Like, Between)):
        return wanted.matches(found, fill)
    if isinstance(wanted, str):
        filled = fill(wanted)
        return found == filled or (filled.isdigit() and found == int(filled))
    return found == wanted


def is_named(row, finding, fill):
    """Code, service and subject are those of the row."""
    if finding is None or finding["cause"]["code"] != row.code:
        return False
    if row.service and finding.get("service") != fill(f"<{row.service}>"):
        return False
    return all(same(wanted, finding["cause"]["fields"].get(key), fill) for key, wanted in row.fields.items())


def find(row, why, fill):
    """The finding that names the row's fault, or None. A main cause may not stand under `also`, nor the other way round."""
    candidates = [why["verdict"]] if row.place == "main" else why["also"]
    return next((f for f in candidates if is_named(row, f, fill)), None)


def evidence_of(finding):
    return finding["cause"].get("evidence") or finding.get("evidence") or []


def missing_evidence(row, finding, fill):
    lines = evidence_of(finding)
    return [str(like) for like in row.evidence if not any(re.search(fill(like.pattern, re.escape), line) for line in lines)]


def causes_in(event):
    """Every cause that a stored event carries: a healthy VM's events carry none."""
    body = event["body"]
    causes = [body["cause"]] if body.get("cause") else []
    return causes + list(body.get("causes") or [])


def told(finding):
    """A finding in one line, for the report."""
    if finding is None:
        return "nothing"
    fields = ", ".join(f"{key}={str(value)[:60]}" for key, value in finding["cause"]["fields"].items())
    service = f"{finding['service']}: " if finding.get("service") else ""
    return f"{service}{finding['cause']['code']}" + (f"{{{fields}}}" if fields else "")
