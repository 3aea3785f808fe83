"""The boot test's judgement, and how it offers an image that is not published. Real boots: tests/e2e/image_test.py."""
import json
import os
import pathlib
import tempfile
import types
import unittest
from unittest import mock

import made     # noqa: F401  (sets the path of image_build)
from image_build import boot_test, manifest
from image_build.errors import BuildError
from image_build.lint.rules import memory_too_small

VM = {"state": "ready", "liveness": "ok", "services": [{"name": "web", "state": "ready", "probes": [{"probe": "http:8080", "passed": True}]}, {"name": "once", "state": "done"}]}


class AReadyVm(unittest.TestCase):
    def faults(self, **changes):
        return list(boot_test.faults_of({**VM, **changes}, ["web", "once"]))

    def test_has_every_service_ready_and_every_probe_passed(self):
        self.assertEqual(self.faults(), [])

    def test_lacks_nothing_of_the_readiness_graph(self):
        web = VM["services"][0]
        for changes, fault in (({"state": "degraded"}, "the VM is degraded, its agent ok"), ({"liveness": "silent"}, "the VM is ready, its agent silent"),
                               ({"services": [web]}, "service once is not in the VM"),
                               ({"services": [{**web, "state": "starting"}, VM["services"][1]]}, "service web is starting"),
                               ({"services": [{**web, "probes": [{"probe": "tcp:7000", "passed": False}]}, VM["services"][1]]}, "service web: probe tcp:7000 has not passed")):
            self.assertEqual(self.faults(**changes), [fault])


class TheTest(unittest.TestCase):
    def test_offers_the_image_under_its_digest(self):
        with tempfile.TemporaryDirectory() as folder:
            state, part = pathlib.Path(folder) / "s", pathlib.Path(folder) / "part"
            part.write_text("x")
            boot_test.offer({"name": "p"}, {part_name: part for part_name in manifest.FILES}, state)
            digest = os.readlink(state / "images/p/current")
            self.assertEqual(manifest.digest_of((state / "images/p" / digest / "manifest.json").read_bytes()), digest)
            self.assertEqual((state / "images/p" / digest / "root.ext4").read_text(), "x")

    def test_names_the_programs_that_it_lacks(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "vigild").touch()
            missing = boot_test.missing_programs(pathlib.Path(folder))
            self.assertTrue("vigil" in missing and "vigild" not in missing, missing)

    def test_tells_why_a_vm_does_not_come_up(self):
        answers = {"up": (1, "said"), "why": (0, "service.exited\nweb ended with code 1\n")}
        daemon = types.SimpleNamespace(vigil=lambda verb, *_, **__: answers[verb])
        with self.assertRaisesRegex(BuildError, "p with 64 MiB: does not come up: service.exited / web ended with code 1"):
            boot_test.try_out(daemon, {"name": "p", "min_memory_mib": 64})

    def looks(self, *answers):
        """A daemon that answers these one after the other, the last for ever."""
        left = list(answers)
        return types.SimpleNamespace(get=lambda path: left.pop(0) if len(left) > 1 else left[0])

    def with_probe(self, **probe):
        return {"state": "ready", "liveness": "ok", "services": [{"name": "web", "state": "ready", "probes": [{"probe": "http:8080", "passed": True, **probe}]}]}

    def test_waits_until_every_probe_that_passed_says_when(self):
        with mock.patch.object(boot_test, "LOOK_S", 0):
            vm = boot_test.with_times(self.looks(self.with_probe(), self.with_probe(), self.with_probe(passed_us=7000)), ["web"])
            self.assertEqual(boot_test.probes_of(vm["services"]), [["web", "http:8080", 7]])
            with mock.patch.object(boot_test, "TIMES_S", 0), self.assertRaisesRegex(BuildError, "web: http:8080: passed, and the agent has not told when"):
                boot_test.with_times(self.looks(self.with_probe()), ["web"])

    def test_takes_the_peak_of_a_report_that_came_after_ready(self):
        early, late = ({"health": {"memory_peak_kib": mib << 10}} for mib in (30, 50))
        with mock.patch.object(boot_test, "LOOK_S", 0):
            self.assertEqual(boot_test.memory_peak(self.looks(early, early, early, late)), 50)
            self.assertEqual(boot_test.memory_peak(self.looks({"health": None}, late)), 50)
            with mock.patch.object(boot_test, "HEALTH_S", 0.01):
                self.assertIsNone(boot_test.memory_peak(self.looks(early)))

    def test_a_vm_that_needs_more_than_it_promises_is_refused(self):
        image = types.SimpleNamespace(manifest=json.loads('{"min_memory_mib": 64, "boot_test": {"memory_peak_mib": 64.5}}'))
        self.assertEqual(list(memory_too_small.faults(image)), [("min_memory_mib", "64 MiB are declared, the boot test used 64.5 MiB: less than 12.5% is left for work")])


if __name__ == "__main__":
    unittest.main()
