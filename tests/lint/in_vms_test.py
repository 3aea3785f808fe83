#!/usr/bin/env python3
"""./dev test: a runner of tests in VMs that ends badly leaves a failure in the results, whatever it had said before."""
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def results(runner, *match):
    """What the results hold after a runner of these shell words."""
    with tempfile.TemporaryDirectory() as folder:
        file, program = pathlib.Path(folder, "results.tsv"), pathlib.Path(folder, "runner")
        file.write_text("fail\tof an earlier runner\t0\t\n")
        program.write_text(f"#!/bin/bash\nsay() {{ printf '%s\\t%s\\t0\\t\\n' \"$1\" \"$2\" >>'{file}'; }}\n{runner}\n")
        program.chmod(0o755)
        script = f"set -euo pipefail; ROOT={ROOT}; VIGIL_TEST_RESULTS={file}; source $ROOT/packaging/dev/test.sh; in_vms lab {program} {' '.join(match)}"
        subprocess.run(["bash", "-c", script], check=True, capture_output=True)
        return [line.split("\t")[:2] for line in file.read_text().splitlines()[1:]]


class InVms(unittest.TestCase):
    def test_a_runner_that_dies_after_its_first_result_is_a_failure(self):
        self.assertEqual(results("say pass first; kill -9 $$"), [["pass", "first"], ["fail", "lab"]])

    def test_a_runner_that_dies_before_its_first_result_is_a_failure(self):
        self.assertEqual(results("exit 3"), [["fail", "lab"]])

    def test_a_test_that_failed_is_told_once(self):
        self.assertEqual(results("say fail first; say pass second; exit 1"), [["fail", "first"], ["pass", "second"]])

    def test_a_runner_that_ends_well_adds_nothing(self):
        self.assertEqual(results("say pass first"), [["pass", "first"]])

    def test_a_match_that_no_test_has_is_no_failure(self):
        self.assertEqual(results("exit 1", "other"), [])


if __name__ == "__main__":
    unittest.main()
