#!/usr/bin/env python3
"""Runs Python unit tests (*_test.py) of the folders given; appends each result to the file in VIGIL_TEST_RESULTS."""
import argparse
import os
import pathlib
import sys
import time
import unittest


class Recorder(unittest.TextTestResult):
    """Notes name, time and outcome of each test; sub-tests count with their test."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rows = []

    def startTest(self, test):
        super().startTest(test)
        self._start, self._bad = time.monotonic(), len(self.failures) + len(self.errors)
        self._skips = len(self.skipped)

    def stopTest(self, test):
        super().stopTest(test)
        status, reason = "pass", ""
        if len(self.failures) + len(self.errors) > self._bad:
            status, reason = "fail", (self.errors + self.failures)[-1][1].strip().splitlines()[-1]
        elif len(self.skipped) > self._skips:
            status, reason = "skip", self.skipped[-1][1]
        self.rows.append((status, test.id(), time.monotonic() - self._start, reason))


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--match", default="")
    arguments.add_argument("folders", nargs="+", type=pathlib.Path)
    options = arguments.parse_args()
    wanted = unittest.TestSuite()
    for folder in options.folders:
        if folder.is_dir():
            found = unittest.TestLoader().discover(str(folder), pattern="*_test.py", top_level_dir=str(folder))
            wanted.addTests(t for t in tests_of(found) if options.match in t.id())
    if not wanted.countTestCases():
        return 0
    result = unittest.TextTestRunner(resultclass=Recorder, verbosity=1).run(wanted)
    # An import error is a test that unittest made up: it failed, and is in the rows like any other.
    with open(os.environ.get("VIGIL_TEST_RESULTS", os.devnull), "a", encoding="utf-8") as out:
        for status, name, seconds, reason in result.rows:
            out.write(f"{status}\t{name}\t{seconds:.1f}\t{' '.join(reason.split())}\n")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
