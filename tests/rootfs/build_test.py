"""The command itself on bad input: exit code, what it says, and that nothing is published. And the cache of steps."""
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

import made
from image_build import agent, boot_guard, guest_tree, interruption, locks, places, root_worker, step_cache, tools
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
        (self.directory / "tree").mkdir()
        with guest_tree.GuestTree(self.directory / "tree") as tree:
            tree.copy_in(self.directory / "helper", root_worker.CORE_HELPER, 0o755)
        header = (places.REPOSITORY / "guest/init/core_pattern.hpp").read_text()
        inside = re.search(r'core_helper = "/([^"]+)"', header).group(1)
        installed = self.directory / "tree" / inside
        self.assertEqual((installed.read_bytes(), installed.stat().st_mode & 0o777), (b"helper", 0o755))

    def test_what_it_says(self):
        self.assertEqual(agent.version_in("vigil-guest 1.2.3-dev (build abc)", "x"), "1.2.3-dev")
        self.assertEqual(agent.build_id_in("vigil-guest 1.2.3 (build 0f3a-dirty)"), "0f3a-dirty")
        with self.assertRaises(BuildError):
            agent.version_in("usage: what", "x")


class Interrupted(InAFolder):
    def said(self, **facts):
        out = io.StringIO()
        progress = Progress(out=out)
        progress.log = "/the/log"
        for key, value in facts.items():
            setattr(progress, key, value)
        self.assertEqual(interruption.told(progress), 130)
        return out.getvalue().split("] ", 1)[1].strip()

    def test_says_the_step_and_whether_something_was_published(self):
        self.assertEqual(self.said(current="base"), "interrupted in step base; nothing was published; log: /the/log")
        self.assertEqual(self.said(current="", published="p@12"), "interrupted; p@12 was published before that; log: /the/log")

    def test_a_step_that_was_under_way_stays_the_current_one(self):
        progress = self.quiet()
        with progress.step("root", "x"):
            pass
        self.assertEqual(progress.current, "")
        with self.assertRaises(KeyboardInterrupt), progress.step("base", "x"):
            raise KeyboardInterrupt
        self.assertEqual(progress.current, "base")

    def test_by_a_closed_terminal_too_in_a_real_build(self):
        """The step is one that waits: another build holds the lock of the cache. Whoever runs the tests may ignore these signals (nohup); this build does not."""
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            with self.subTest(number), locks.locked(self.directory / "cache/lock", self.quiet(), 1):
                agent_path = self.directory / "vigil-guest"
                build = subprocess.Popen(["env", "--default-signal", sys.executable, BUILD, "minimal", "--json", "--out", self.directory / "out", "--cache", self.directory / "cache",
                                          "--agent", self.agent(agent_path), "--core-helper", agent_path], stdout=subprocess.PIPE, text=True)
                events = iter(map(json.loads, build.stdout))
                event = next(found for found in events if found["event"] in ("waiting", "failed"))
                self.assertEqual(event["event"], "waiting", event)
                build.send_signal(number)
                event = list(events)[-1]
                build.stdout.close()
                self.assertEqual((build.wait(), event["event"], event["published"]), (130, "interrupted", ""))
                self.assertTrue(pathlib.Path(event["log"]).is_file())

    @staticmethod
    def agent(path):
        """A static program that says what the agent would."""
        source = path.with_suffix(".c")
        source.write_text('#include <stdio.h>\nint main(void) { puts("vigil-guest 1.0 build-id ab"); return 0; }\n')
        subprocess.run(["gcc", "-static", "-o", path, source], check=True)
        return path


class BadSurroundings(InAFolder):
    """Real builds where something of the machine is not as it should be."""

    def build(self, program, *arguments, within=()):
        agent_path = self.directory / "vigil-guest"
        Interrupted.agent(agent_path)
        done = subprocess.run([*within, sys.executable, places.REPOSITORY / "rootfs-build" / program, *arguments, "--json", "--out", self.directory / "out",
                               "--cache", self.directory / "cache", "--agent", agent_path, "--core-helper", agent_path], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertFalse(any(self.directory.glob("out/*/current")))
        return json.loads(done.stdout.splitlines()[-1])

    def test_a_mirror_that_does_not_answer_is_named(self):
        event = self.build("build", "minimal", "--mirror", "http://127.0.0.1:9/debian")
        self.assertEqual((event["event"], event["step"]), ("failed", "resolve"), event)
        self.assertIn("127.0.0.1:9", event["item"] + event["cause"])
        self.assertTrue(event["mend"])

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("dpkg"), "not root, or no dpkg: packages are unpacked")
    def test_a_file_that_two_packages_bring_is_named_with_both(self):
        root = self.directory / "root"
        for folder in ("updates", "info", "triggers"):
            (root / "var/lib/dpkg" / folder).mkdir(parents=True)
        for name in ("status", "available"):
            (root / "var/lib/dpkg" / name).touch()
        for name in ("one", "two"):
            tree = self.directory / name
            (tree / "DEBIAN").mkdir(parents=True)
            (tree / "DEBIAN/control").write_text(f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n")
            (tree / "same").write_text(name)
            subprocess.run(["dpkg-deb", "--build", tree, f"{tree}.deb"], check=True, capture_output=True)
        (self.directory / "log").touch()
        with self.assertRaises(BuildError) as caught:
            tools.Tools(self.directory / "log", 0).run(["dpkg", "--root", root, "--force-script-chrootless", "--unpack", self.directory / "one.deb",
                                                        self.directory / "two.deb"], "packages")
        self.assertIn("trying to overwrite '/same', which is also in package one 1", caught.exception.cause)
        self.assertIn("two.deb", caught.exception.cause)

    @unittest.skipUnless(os.geteuid() == 0, "not root: mounts a small file system")
    def test_a_file_system_that_is_full_is_told_with_the_step(self):
        brought, cache = self.directory / "brought", self.directory / "cache"
        brought.mkdir()
        cache.mkdir()
        (brought / "big").write_bytes(b"x" * (8 << 20))
        event = self.build("import", "mine", brought, within=["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size=4m tmpfs {cache} && exec "$@"', "sh"])
        self.assertEqual((event["event"], event["step"], event["cause"]), ("failed", "import", "No space left on device"), event)
        self.assertIn("--cache", event["mend"])


class TheGuard(InAFolder):
    """What a daemon started ends with the build, also one that was killed."""

    DAEMON = "import os, subprocess, sys, time\np = subprocess.Popen(['setsid', 'sh', '-c', 'sleep 600 & echo $! >' + sys.argv[1] + '; sleep 600'])\n" \
             "while not (os.path.exists(sys.argv[1]) and open(sys.argv[1]).read()): time.sleep(0.01)\nos.write(int(sys.argv[3]), b'1')\ntime.sleep(600)\n"

    def started(self):
        (self.directory / "b").mkdir()
        ready, write_end = os.pipe()
        guard = subprocess.Popen([sys.executable, "-I", boot_guard.__file__, self.directory / "b", sys.executable, "-c", self.DAEMON, self.directory / "b/pid",
                                  "--ready-fd", str(write_end)], stdin=subprocess.PIPE, pass_fds=[write_end])
        self.addCleanup(guard.stdin.close)
        os.close(write_end)
        with os.fdopen(ready, "rb") as file:
            self.assertEqual(file.read(1), b"1")
        return guard, int((self.directory / "b/pid").read_text())

    def test_ends_all_when_the_build_is_gone(self):
        guard, orphan = self.started()
        guard.stdin.close()
        guard.wait(60)
        self.assertRaises(ProcessLookupError, os.kill, orphan, 0)
        self.assertFalse((self.directory / "b").exists())

    def test_ends_all_when_it_is_told_to(self):
        guard, orphan = self.started()
        guard.terminate()
        guard.wait(60)
        self.assertRaises(ProcessLookupError, os.kill, orphan, 0)
        self.assertTrue((self.directory / "b").exists())


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

    def test_profiles_do_not_evict_each_other(self):
        for owner in ("one", "two", "three"):
            self.cache.owner = owner
            for number in range(4):
                self.get(f"{owner}{number}")
        self.assertEqual(sorted(p.name for p in (self.directory / "step").iterdir()), sorted(f"{owner}{n}" for owner in ("one", "two", "three") for n in (1, 2, 3)))
        for name in ("one", "three"):
            os.utime(self.directory / ".owners/step" / name, (1, 1))
        self.cache.owner = "two"
        self.get("two4")
        self.assertEqual(sorted(p.name for p in (self.directory / "step").iterdir()), ["two2", "two3", "two4"])

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
