#!/usr/bin/env python3
"""The table is sound, and the published report is of this table and of a run."""
import json
import pathlib
import random
import re
import sys
import types
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from lab import match, report, rounds   # noqa: E402
from lab.reference import Reference   # noqa: E402
from lab.row import Between, Like, Row, Script   # noqa: E402
from lab.scene import Scene   # noqa: E402
from lab.watch import Watch   # noqa: E402
from rows import all_rows   # noqa: E402

CAUSES = set(re.findall(r'^VIGIL_CAUSE\(\w+, "([\w.]+)"', (ROOT / "shared/protocol/cause_rows.inc").read_text(), re.M))


def finding(code, service=None, evidence=(), /, **fields):
    return {"cause": {"code": code, "fields": fields, "evidence": list(evidence)}, "service": service}


class Table(unittest.TestCase):
    def test_every_expected_cause_exists(self):
        self.assertEqual({row.code for row in all_rows() if row.code} - CAUSES, set())

    def test_the_ci_subset_is_large_enough_and_holds_nothing_that_is_not_named(self):
        faults = [row for row in all_rows() if row.ci and row.code]
        controls = [row for row in all_rows() if row.ci and not row.code]
        self.assertGreaterEqual(len(faults), 20)
        self.assertGreaterEqual(len(controls), 8)
        self.assertEqual([row.name for row in faults if row.not_yet or row.impossible], [])

    def test_every_row_of_a_fault_asks_for_evidence(self):
        self.assertEqual([row.name for row in all_rows() if row.code and not row.evidence and not row.no_evidence], [], "give it evidence=(Like(...),), or no_evidence with the reason")
        self.assertEqual([row.name for row in all_rows() if row.evidence and row.no_evidence], [])

    def test_every_fault_is_recorded_and_its_evidence_taken_away(self):
        lines = (ROOT / "tests/golden/faultlab/rows.jsonl").read_text().splitlines()
        recorded = {row["row"]: row["code"] for row in map(json.loads, lines)}
        wanted = {row.name: row.code for row in all_rows() if row.code and not row.not_yet and not row.impossible}
        self.assertEqual(recorded, wanted, "record them: ./dev faultlab ROW --golden tests/golden/faultlab")

    def test_no_recording_tells_of_the_machine_that_made_it(self):
        told = [file.name for file in (ROOT / "tests/golden/faultlab").glob("*.jsonl") if re.search(r"/(root|home|work)/", file.read_text())]
        self.assertEqual(told, [], "lab/golden.py takes such places out")

    def test_every_family_has_a_title(self):
        self.assertEqual({row.family for row in all_rows()} - set(report.FAMILY_TITLES), set())

    def test_no_vm_sees_the_name_of_its_fault(self):
        for row in all_rows():
            scene = Scene(None, row, "1")
            seen = json.dumps([scene.fill_all(row.services), scene.fill_all(row.vm)])
            self.assertNotIn(row.name, seen, row.name)
            if row.code:
                self.assertNotIn(row.code, seen, row.name)

    def test_the_published_report_is_of_this_table_and_untouched(self):
        document = json.loads((ROOT / "docs/faultlab.json").read_text())
        self.assertEqual([r["row"] for r in document["rows"]], [row.name for row in all_rows()], "make it anew: ./dev faultlab --all --report docs/faultlab.md")
        self.assertEqual((ROOT / "docs/faultlab.md").read_text(), report.markdown(document))
        unnamed = {r["row"] for r in document["rows"] if not r["good"]}
        self.assertEqual(unnamed - {row.name for row in all_rows() if row.not_yet or row.impossible}, set())

    def test_the_published_report_asked_what_the_table_asks(self):
        document = json.loads((ROOT / "docs/faultlab.json").read_text())
        for told, row in zip(document["rows"], all_rows(), strict=True):
            with self.subTest(row=row.name):
                asked = (row.what, row.code or None, row.place, row.deadline_s * document["scale"], row.later_s)
                self.assertEqual((told["fault"], told["expected"], told["place"], told["deadline_s"], told["later_s"]), asked)

    def test_every_row_of_the_report_is_in_what_people_read(self):
        document, text = json.loads((ROOT / "docs/faultlab.json").read_text()), (ROOT / "docs/faultlab.md").read_text()
        self.assertEqual([r["row"] for r in document["rows"] if f"| {report.cell(r['fault'])} |" not in text], [])


class Matching(unittest.TestCase):
    def setUp(self):
        self.row = Row("r", "what", "service.exited", "victim", fields={"code": Between(1, 3), "text": Like("<word:w>")}, evidence=(Like("last <word:w>"),))
        self.fill = Scene(None, self.row, "seed").fill
        self.good = finding("service.exited", self.fill("<victim>"), [self.fill("last <word:w>")], code=2, text=self.fill("<word:w>"))

    def test_code_service_and_subject_must_all_be_right(self):
        self.assertTrue(match.is_named(self.row, self.good, self.fill))
        for change in ({"code": "service.signalled"}, {"fields": {"code": 4, "text": self.fill("<word:w>")}}, {"fields": {"code": 2}}):
            self.assertFalse(match.is_named(self.row, {**self.good, "cause": {**self.good["cause"], **change}}, self.fill))
        self.assertFalse(match.is_named(self.row, {**self.good, "service": "other"}, self.fill))
        self.assertFalse(match.is_named(self.row, None, self.fill))

    def test_a_cause_beside_the_verdict_is_not_the_verdict(self):
        self.assertIsNone(match.find(self.row, {"verdict": None, "also": [self.good]}, self.fill))
        self.assertIs(match.find(self.row, {"verdict": self.good, "also": []}, self.fill), self.good)

    def test_evidence_that_is_missing_is_told(self):
        self.assertEqual(match.missing_evidence(self.row, self.good, self.fill), [])
        self.assertEqual(len(match.missing_evidence(self.row, finding("service.exited"), self.fill)), 1)

    def test_an_event_of_a_healthy_vm_carries_no_cause(self):
        self.assertEqual(match.causes_in({"body": {"state": "ready", "cause": None}}), [])
        self.assertEqual(len(match.causes_in({"body": {"causes": [{"code": "guest.disk_full"}]}})), 1)


class Watching(unittest.TestCase):
    def watch(self, **row):
        return Watch(Scene(types.SimpleNamespace(daemon=None), Row("r", "what", "service.exited", **row), "1"))

    def test_another_verdict_before_the_right_one_is_wrong_unless_the_row_allows_it(self):
        for allowed, wrong in (((), ["host.starved"]), (("host.starved",), [])):
            watch = self.watch(allowed_before=allowed)
            watch.remember(finding("host.starved"))
            watch.remember(finding("service.exited"))   # its own cause, without the fields yet
            self.assertEqual(watch.result.wrong_before, wrong)
            self.assertEqual(watch.result.before, ["host.starved", "service.exited"])


class Asking(unittest.TestCase):
    """What the reference's method would have told."""

    @staticmethod
    def ready(at, state="ready"):
        return {"type": "service", "at_unix_us": at * 1_000_000, "body": {"name": "web", "state": state}}

    def test_it_asks_on_after_the_fault_was_named(self):
        reference = Reference()
        self.assertFalse(reference.is_settled())
        reference.note(self.ready(9))
        self.assertTrue(reference.is_settled())
        self.assertEqual(reference.says(0, 3_000_000), "ready after 10 s, and nothing more")

    def test_it_gives_up_after_the_scaled_time(self):
        self.assertEqual(Reference().says(0, 3_000_000), "VM not ready after 180000ms (18 s here)")
        self.assertEqual(Reference().says(0, 40_000_000), "VM not ready after 180000ms (40 s here)")

    def test_a_vm_that_ended_is_asked_no_more(self):
        reference = Reference()
        reference.note({"type": "vmm_exited", "at_unix_us": 1, "body": {}})
        self.assertTrue(reference.is_settled())


class Rounds(unittest.TestCase):
    def test_what_was_printed_is_read_again(self):
        lines = ["faultlab: 2 rows, accelerator tcg, 3 VMs at a time, seed 1", "named           0 s       18 ms  kernel-cut                   boot.kernel_invalid{path=/x}",
                 "round 1 of 2: named 1 of 1, false alarms 0 of 0", "no evidence     3 s     2018 ms  kernel-cut                   boot.kernel_invalid{path=/x}",
                 "            not in the evidence: /x/", "round 2 of 2: named 1 of 2, false alarms 0 of 0", "named 1 of 2, false alarms 0 of 0"]
        rows, summary = rounds.read(lines)
        self.assertEqual([(row[0], row[1], row[2]) for row in rows], [(1, "named", 0.018), (2, "no evidence", 2.018)])
        self.assertEqual(summary, [lines[0], lines[-1]])
        self.assertIn("| kernel-cut | 1 of 2 | 1.02 s | 2.02 s |", rounds.markdown(lines))
        self.assertIn("- round 2: kernel-cut: no evidence: boot.kernel_invalid{path=/x}", rounds.markdown(lines))


class Names(unittest.TestCase):
    def test_names_are_the_same_within_a_run_and_others_in_another(self):
        row = Row("r", "what", "", services={"<a>": {"exec": Script("echo <a> <path:p> <port:x>")}})
        one, again, other = (Scene(None, row, seed).fill("<a> <path:p> <port:x>") for seed in ("1", "1", "2"))
        self.assertEqual(one, again)
        self.assertNotEqual(one, other)

    def test_a_port_token_alone_is_a_number(self):
        scene = Scene(None, Row("r", "what", ""), random.random())
        self.assertIsInstance(scene.fill_all({"port": "<port:a>"})["port"], int)


if __name__ == "__main__":
    unittest.main()
