#!/usr/bin/env python3
"""Results of a test run: adds a JUnit file to the results (--junit FILE), or sums them up and says by its exit status
whether all is well. No result at all is a failure: a run that tested nothing has shown nothing."""
import argparse
import re
import sys
import xml.etree.ElementTree as xml


def rows_of_junit(path):
    try:
        suite = xml.parse(path).getroot()
    except (OSError, xml.ParseError) as error:
        return [("fail", "unit tests", 0.0, f"CTest left no results: {error}")]
    rows = []
    for case in suite.iter("testcase"):
        state = case.get("status", "")
        name, seconds = f"unit {case.get('name')}", float(case.get("time", 0))
        if case.find("failure") is not None or state == "fail":
            rows.append(("fail", name, seconds, said(case, r"^(\S+:\d+): FAILED:") or "see build/log/ctest.log"))
        elif case.find("skipped") is not None or state in ("notrun", "disabled"):
            rows.append(("skip", name, seconds, said(case, r"SKIPPED:\n.*message:\n\s*(.*)") or state))
        else:
            rows.append(("pass", name, seconds, ""))
    return rows or [("fail", "unit tests", 0.0, "CTest ran no test")]


def said(case, pattern):
    """The first match in what the test printed."""
    match = re.search(pattern, case.findtext("system-out") or "", re.M)
    return match.group(1) if match else ""


def add(junit, results):
    with open(results, "a", encoding="utf-8") as out:
        for status, name, seconds, reason in rows_of_junit(junit):
            out.write(f"{status}\t{name}\t{seconds:.1f}\t{' '.join(reason.split())}\n")


def sum_up(results):
    with open(results, encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if line.strip()]
    by = {status: [row for row in rows if row[0] == status] for status in ("pass", "fail", "skip")}
    for status, title in (("skip", "skipped"), ("fail", "failed")):
        if by[status]:
            print(f"\n{title}:")
        for row in by[status]:
            print(f"  {row[1]}" + (f": {row[3]}" if len(row) > 3 and row[3] else ""))
    print(f"\n{len(by['pass'])} passed, {len(by['fail'])} failed, {len(by['skip'])} skipped")
    return 0 if by["pass"] and not by["fail"] else 1


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--junit")
    arguments.add_argument("results")
    options = arguments.parse_args()
    if options.junit:
        return add(options.junit, options.results)
    return sum_up(options.results)


if __name__ == "__main__":
    sys.exit(main())
