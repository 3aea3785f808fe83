"""The boot test's judgement, and how it offers an image that is not published. Real boots: tests/e2e/image_test.py."""
import json
import os
import pathlib
import tempfile
import types
import unittest

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

    def test_a_vm_that_needs_more_than_it_promises_is_refused(self):
        image = types.SimpleNamespace(manifest=json.loads('{"min_memory_mib": 64, "boot_test": {"memory_peak_mib": 64.5}}'))
        self.assertEqual(list(memory_too_small.faults(image)), [("min_memory_mib", "64 MiB are declared, the boot test used 64 MiB")])


if __name__ == "__main__":
    unittest.main()
