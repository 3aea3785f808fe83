#!/usr/bin/env python3
"""The table is sound, and the published report is of this table and of a run."""
import json
import pathlib
import random
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from lab import match, report   # noqa: E402
from lab.row import Between, Like, Row, Script   # noqa: E402
from lab.scene import Scene   # noqa: E402
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

    def test_the_evidence_of_what_was_silent_or_not_let_out_is_taken_away_in_a_test(self):
        tested = set(re.findall(r'^    \{"([\w-]+)", \{', (ROOT / "tests/unit/host/verdict/recorded_evidence_test.cpp").read_text(), re.M))
        wanted = {row.name for row in all_rows() if row.family == "egress" or row.code in ("guest.frozen", "host.starved")}
        self.assertEqual(wanted - tested, set(), "record them: --events DIR, then a row there")

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
