"""The command itself on bad input: exit code, what it says, and that nothing is published. And the cache of steps."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import made
from image_build import agent, locks, places, root_worker, step_cache, tools
from image_build.errors import BuildError
from image_build.progress import Progress

BUILD = places.REPOSITORY / "rootfs-build" / "build"
VERIFY = places.REPOSITORY / "rootfs-build" / "verify"


class InAFolder(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-build-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def quiet(self):
        out = open(os.devnull, "w", encoding="ascii")   # noqa: SIM115
        self.addCleanup(out.close)
        return Progress(out=out)


class TheCommand(InAFolder):
    def run_build(self, *arguments, **env):
        return subprocess.run([sys.executable, BUILD, *arguments, "--out", self.directory / "out", "--cache", self.directory / "cache"],
                              capture_output=True, text=True, check=False, env={**os.environ, **env})

    def failure(self, *arguments, **env):
        done = self.run_build(*arguments, "--json", **env)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertFalse((self.directory / "out").exists() and any(self.directory.glob("out/*/current")))
        return json.loads(done.stdout.splitlines()[-1])

    def test_an_unknown_profile(self):
        event = self.failure("nothing")
        self.assertEqual((event["event"], event["step"], event["item"]), ("failed", "profile", "nothing"))
        self.assertIn("minimal", event["mend"])

    def test_no_agent(self):
        event = self.failure("minimal", "--agent", str(self.directory / "gone"))
        self.assertEqual((event["step"], event["cause"]), ("agent", "there is no agent binary"))
        self.assertTrue(pathlib.Path(event["log"]).is_file())

    def test_missing_programs_are_named_with_their_packages(self):
        done = subprocess.run([sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); from image_build import tools; tools.SBIN = '/nowhere';"
                               "tools.check_tools()", str(places.REPOSITORY / "rootfs-build")], capture_output=True, text=True, check=False, env={"PATH": "/nowhere"})
        self.assertIn("missing packages: apt, dpkg, mmdebstrap, tar, util-linux, zstd", done.stderr)

    def test_a_cache_that_cannot_be_written(self):
        (self.directory / "cache").write_text("a file")
        self.assertEqual(self.failure("minimal")["step"], "setup")

    def test_failures_for_people_name_step_cause_and_mend(self):
        done = self.run_build("nothing")
        self.assertRegex(done.stdout, r"FAILED in step profile: nothing: there is no such profile\n.*mend: .*\n.*nothing was published; log:")

    def test_usage(self):
        for arguments in ((), ("minimal", "--colour", "red"), ("minimal", "--wait", "soon")):
            self.assertEqual(self.run_build(*arguments).returncode, 2)
        self.assertEqual(subprocess.run([sys.executable, VERIFY], capture_output=True, check=False).returncode, 2)

    def test_verify_of_what_is_no_image(self):
        done = subprocess.run([sys.executable, VERIFY, self.directory], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("manifest.json", done.stdout)


class TheAgent(InAFolder):
    def refused(self, data, words):
        path = self.directory / "vigil-guest"
        path.write_bytes(data)
        path.chmod(0o755)
        with self.assertRaisesRegex(BuildError, words):
            agent.read(path)

    def test_must_be_a_static_program_for_this_machine_that_tells_its_version(self):
        self.refused(b"#!/bin/sh\n", "not a 64-bit")
        self.refused(made.elf(interpreter=True), "not a static")
        self.refused(made.elf(machine=183), "not a static x86-64")

    def test_a_missing_core_helper_is_told_with_its_option(self):
        with self.assertRaisesRegex(BuildError, "no core-helper binary") as caught:
            agent.read(self.directory / "gone", "core-helper")
        self.assertIn("--core-helper", caught.exception.mend)

    def test_the_core_helper_goes_where_the_agent_looks_for_it(self):
        (self.directory / "helper").write_bytes(b"helper")
        root_worker.install_core_helper(self.directory / "helper", self.directory / "tree")
        header = (places.REPOSITORY / "guest/init/core_pattern.hpp").read_text()
        inside = re.search(r'core_helper = "/([^"]+)"', header).group(1)
        installed = self.directory / "tree" / inside
        self.assertEqual((installed.read_bytes(), installed.stat().st_mode & 0o777), (b"helper", 0o755))

    def test_what_it_says(self):
        self.assertEqual(agent.version_in("vigil-guest 1.2.3-dev (build abc)", "x"), "1.2.3-dev")
        self.assertEqual(agent.build_id_in("vigil-guest 1.2.3 (build 0f3a-dirty)"), "0f3a-dirty")
        with self.assertRaises(BuildError):
            agent.version_in("usage: what", "x")


class StepsAreCached(InAFolder):
    def setUp(self):
        super().setUp()
        self.cache = step_cache.StepCache(self.directory, self.quiet())
        self.made = []

    def get(self, key, **options):
        def build(directory):
            self.made.append(key)
            (directory / "out").write_text(key)
        return self.cache.get("step", key, "what", build, **options)

    def test_once_for_each_key_and_again_when_refreshed(self):
        self.assertEqual(self.get("a"), self.get("a"))
        self.get("b")
        self.get("a", refresh=True)
        self.assertEqual(self.made, ["a", "b", "a"])

    def test_a_failed_step_leaves_nothing_and_names_itself(self):
        def fail(directory):
            (directory / "half").write_text("")
            raise BuildError("item", "cause", "mend")
        with self.assertRaises(BuildError) as caught:
            self.cache.get("step", "k", "what", fail)
        self.assertEqual(caught.exception.step, "step")
        self.assertEqual(list((self.directory / "step").iterdir()), [])

    def test_a_full_disk_is_told_as_such(self):
        def fail(directory):
            raise OSError(28, "No space left on device", str(directory / "root.ext4"))
        with self.assertRaises(BuildError) as caught:
            self.cache.get("root", "k", "what", fail)
        self.assertEqual((caught.exception.step, caught.exception.cause), ("root", "No space left on device"))
        self.assertIn("--cache", caught.exception.mend)

    def test_old_entries_are_removed_and_what_killed_builds_left(self):
        (self.directory / "step/.new-1").mkdir(parents=True)
        for number in range(6):
            os.utime(self.get(f"k{number}"), (number, number))
        self.assertEqual(sorted(p.name for p in (self.directory / "step").iterdir()), ["k3", "k4", "k5"])

    def test_a_key_changes_with_contents_names_links_and_executable_bits(self):
        tree = self.directory / "tree"
        tree.mkdir()
        seen = {step_cache.hash_of_tree(tree)}
        for change in (lambda: (tree / "a").write_text("1"), lambda: (tree / "a").write_text("2"), lambda: (tree / "a").chmod(0o755),
                       lambda: (tree / "a").rename(tree / "b"), lambda: (tree / "l").symlink_to("b"), lambda: (tree / "d").mkdir()):
            change()
            seen.add(step_cache.hash_of_tree(tree))
        self.assertEqual(len(seen), 7)


class BuildsWaitForEachOther(InAFolder):
    def test_a_lock_that_stays_held_is_an_error_that_names_the_holder(self):
        path = self.directory / "lock"
        with locks.locked(path, self.quiet(), 0):
            with self.assertRaisesRegex(BuildError, f"pid {os.getpid()}"):
                locks.take(open(path, "a+", encoding="ascii"), path, self.quiet(), 0)

    def test_the_next_build_goes_on_when_the_lock_is_free(self):
        path, entered, order = self.directory / "lock", threading.Event(), []

        def second():
            entered.set()
            with locks.locked(path, self.quiet(), 30):
                order.append("second")
        with locks.locked(path, self.quiet(), 0):
            thread = threading.Thread(target=second)
            thread.start()
            entered.wait()
            order.append("first")
        thread.join(30)
        self.assertEqual(order, ["first", "second"])


class ToolsFail(InAFolder):
    def test_with_the_programs_own_words(self):
        runner = tools.Tools(self.directory / "log", 0)
        with self.assertRaises(BuildError) as caught:
            runner.run(["sh", "-c", "echo noise >&2; echo 'E: Unable to locate package nosuch' >&2; echo tail >&2; exit 9"], "packages")
        self.assertEqual(caught.exception.cause, "sh failed with code 9: E: Unable to locate package nosuch")
        with self.assertRaisesRegex(BuildError, "killed by signal 9"):
            runner.run(["sh", "-c", "kill -9 $$"], "packages")
        self.assertIn("noise", (self.directory / "log").read_text())

    def test_an_interrupted_build_ends_the_program_and_its_children_and_lets_them_clean_up(self):
        script = self.directory / "script"
        script.write_text("trap 'rm mark; exit 1' TERM\nread x <never &\ntouch mark\necho up >up\nwait\n")
        os.mkfifo(self.directory / "up")
        os.mkfifo(self.directory / "never")
        build = subprocess.Popen([sys.executable, "-c", "import signal, sys; sys.path.insert(0, sys.argv[1])\nfrom image_build import tools\n"
                                  "def stop(*_): raise KeyboardInterrupt\nsignal.signal(signal.SIGTERM, stop)\n"
                                  "tools.Tools('log', 0).run(['sh', 'script'], 'x')", str(places.REPOSITORY / "rootfs-build")],
                                 cwd=self.directory, stderr=subprocess.DEVNULL)
        self.assertEqual((self.directory / "up").read_text(), "up\n")
        self.assertTrue((self.directory / "mark").exists())
        build.terminate()
        self.assertNotEqual(build.wait(30), 0)
        self.assertFalse((self.directory / "mark").exists())

    def test_see_a_clean_environment(self):
        os.environ["VIGIL_TEST_SECRET"] = "x"
        self.addCleanup(os.environ.pop, "VIGIL_TEST_SECRET")
        said = tools.Tools(self.directory / "log", 77).run(["env"], "env").decode()
        self.assertIn("SOURCE_DATE_EPOCH=77", said)
        self.assertNotIn("VIGIL_TEST_SECRET", said)


if __name__ == "__main__":
    unittest.main()
