#!/usr/bin/env python3
"""The comparison of what guests said with what the store has finds what it is for. No VM is needed."""
import unittest

from harness.told import Comparison, Log

VM, BOOT = "vm-a", "0123abcd-0000"


class Told(unittest.TestCase):
    def setUp(self):
        self.log = Log()
        self.said = {(VM, BOOT, str(seq)): ("stage", "ready") for seq in range(1, 11)}
        for seq in range(1, 11):
            self.store(seq)

    def store(self, seq, boot=BOOT, partial=False):
        self.log.take((VM, boot, str(seq)), "stage", {"stage": "ready"}, {"partial": partial})

    def store_given_up(self, first, last, count):
        self.log.take((VM, BOOT, "11"), "dropped", {"kind": "service", "first_seq": first, "last_seq": last, "count": count}, {})

    def forget(self, seq):
        del self.log.full[(VM, BOOT, str(seq))]

    def assert_faults(self, **wanted):
        compared = Comparison(self.said, self.log)
        found = {what.split(":")[0]: len(keys) for what, keys in compared.faults().items() if keys}
        self.assertEqual(found, {what.replace("_", " "): count for what, count in wanted.items()})
        self.assertEqual(bool(compared.describe()), bool(wanted))

    def test_what_is_as_it_was_said_is_no_fault(self):
        self.assert_faults()

    def test_one_that_is_not_there_is_lost(self):
        self.forget(4)
        self.assert_faults(reports_lost=1)

    def test_one_that_is_not_there_and_counted_was_given_up(self):
        self.forget(4)
        self.store_given_up(2, 6, 1)
        self.assert_faults()
        self.assertEqual(Comparison(self.said, self.log).given_up, 1)

    def test_more_that_are_not_there_than_are_counted_are_lost(self):
        self.forget(4)
        self.forget(5)
        self.store_given_up(2, 6, 1)
        self.assert_faults(reports_lost=2)

    def test_one_stored_twice_is_doubled(self):
        self.store(4)
        self.assert_faults(reports_doubled=1)

    def test_one_with_another_row_or_that_nobody_said_is_strange(self):
        self.said[(VM, BOOT, "4")] = ("stage", "agent")
        self.store(12)
        self.assert_faults(reports_that_are_not_as_they_were_said=2)

    def test_a_digest_after_its_report_or_of_none_is_told(self):
        self.store(4, boot=BOOT[:8], partial=True)
        self.store(44, boot=BOOT[:8], partial=True)
        self.assert_faults(digests_stored_twice_or_after_their_report=1, digests_of_no_report=1)


if __name__ == "__main__":
    unittest.main()
