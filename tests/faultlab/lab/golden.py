"""Recordings for tests/unit/host/verdict: what a named row's verdict rests on, and no more."""
import json
import re

# Derived, or read by no verdict.
LEFT_OUT = ("state", "clock_synced", "logs_lost", "net")
SENDER = re.compile(r"(from pid )\d+ \([^)\"]*\)")   # of the signal that ended QEMU: a path of the machine that recorded
SPEC = ("name", "image", "vcpus", "memory_mib", "disk_mib", "restart", "deadlines_ms", "kernel_args")


def keep(results, folder):
    """DIR/ROW.jsonl, and a line of DIR/rows.jsonl that says what it must be named. What is there stays (tests know it): to record a row anew, remove its file."""
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "rows.jsonl"
    rows = {row["row"]: row for row in map(json.loads, index.read_text().splitlines())} if index.exists() else {}
    for result in results:
        file = folder / f"{result.row.name}.jsonl"
        if not result.row.code or not result.good or (file.exists() and rows.get(result.row.name, {}).get("code") == result.row.code):
            continue
        lines = [SENDER.sub(r"\g<1>1 (/usr/bin/python3)", json.dumps(trimmed(event))) + "\n" for event in result.events if event["type"] not in LEFT_OUT]
        file.write_text("".join(lines), encoding="utf-8")
        rows[result.row.name] = {"row": result.row.name, "code": result.row.code, "service": result.service}
    index.write_text("".join(json.dumps(rows[name]) + "\n" for name in sorted(rows)), encoding="utf-8")


def trimmed(event):
    if event["type"] != "created":
        return event
    return {**event, "body": {"spec": {key: value for key, value in event["body"]["spec"].items() if key in SPEC}}}
