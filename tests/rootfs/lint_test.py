"""Each rule of the lint: what it refuses, and that no other rule does; what a profile allows; an image whose names lead out of it."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import lint_fixtures
import made
from image_build import agent as agent_module
from image_build import cpio, places, vmm
from image_build.errors import BuildError
from image_build.lint import runner, step, subject, worker
from image_build.lint.rules import program_does_not_run


class InAFolder(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-lint-test-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def scene(self):
        return lint_fixtures.clean(pathlib.Path(tempfile.mkdtemp(dir=self.directory)))


class EachRule(InAFolder):
    def test_has_a_fixture(self):
        self.assertEqual(sorted(runner.all_rules()), sorted(lint_fixtures.FIXTURES))

    def test_keeps_quiet_about_an_image_that_is_right(self):
        self.assertEqual(runner.faults(self.scene().subject(), {}), [])

    def test_alone_refuses_its_fixtures(self):
        for rule, fixtures in lint_fixtures.FIXTURES.items():
            for what, change in fixtures:
                with self.subTest(rule=rule, what=what):
                    scene = self.scene()
                    change(scene)
                    found = runner.faults(scene.subject(), {})
                    self.assertEqual({fault["rule"] for fault in found}, {rule}, found)
                    self.assertTrue(all(fault["item"] and fault["cause"] and fault["prevents"] for fault in found))

    def test_can_be_told_that_one_item_is_meant_to_be_so(self):
        scene = self.scene()
        scene.file("usr/local/bin/root", made.elf(), 0o4755)
        scene.file("usr/local/bin/other", made.elf(), 0o4755)
        found = runner.faults(scene.subject(), {"setuid_surprise": ["/usr/local/bin/root"]})
        self.assertEqual([fault["item"] for fault in found], ["/usr/local/bin/other"])

    def test_an_exception_without_a_fault_is_a_fault(self):
        found = runner.faults(self.scene().subject(), {"setuid_surprise": ["/gone"], "no_such_rule": ["x"]})
        self.assertEqual([(fault["rule"], fault["item"]) for fault in found], [("setuid_surprise", "/gone"), ("no_such_rule", "lint_allow")])

    def test_without_systemd_nobody_reads_timers(self):
        scene = self.scene()
        (scene.tree / "usr/lib/systemd/systemd").unlink()
        scene.unit("apt.timer", wanted_by="timers.target")
        self.assertEqual(runner.faults(scene.subject(), {}), [])

    def test_what_only_a_masked_target_wants_is_not_started(self):
        scene = self.scene()
        scene.unit("apt.timer", wanted_by="timers.target")
        self.assertEqual([fault["rule"] for fault in runner.faults(scene.subject(), {})], ["boot_slowed_by_units"])
        scene.link("etc/systemd/system/timers.target", "/dev/null")
        self.assertEqual(runner.faults(scene.subject(), {}), [])


class Links(InAFolder):
    def test_are_followed_within_the_image_only(self):
        scene = self.scene()
        secret = self.directory / "host-secret"
        secret.write_text("-----BEGIN PRIVATE KEY-----\nMIIB\n")
        scene.link("etc/absolute", str(secret))
        scene.link("etc/upwards", "../" * 20 + str(secret))
        tree = subject.Tree(scene.tree)
        self.assertEqual((tree.read("/etc/absolute"), tree.read("/etc/upwards")), (b"", b""))

    def test_to_a_pipe_do_not_hang(self):
        scene = self.scene()
        os.mkfifo(scene.tree / "usr/bin/pipe")
        scene.link("usr/bin/linked", "pipe")
        self.assertEqual(runner.faults(scene.subject(), {}), [])


class Libraries(InAFolder):
    def test_of_a_real_program_are_all_found_or_named(self):
        tree = self.directory / "real"
        for path in ("/bin/tar",):
            source = pathlib.Path(path).resolve()
            target = tree / "usr/bin/tar"
            target.parent.mkdir(parents=True)
            shutil.copyfile(source, target)
        missing = list(program_does_not_run.missing_parts(subject.Tree(tree), "/usr/bin/tar"))
        self.assertTrue(any("libc.so.6" in fault for fault in missing) and any("loader" in fault for fault in missing), missing)
        for name in ("libc.so.6", "libacl.so.1", "libselinux.so.1"):
            (tree / "lib64").mkdir(exist_ok=True)
            (tree / "lib64" / name).write_bytes(b"")
        left = list(program_does_not_run.missing_parts(subject.Tree(tree), "/usr/bin/tar"))
        self.assertEqual([fault for fault in left if "library" in fault], [])


class AnImage(InAFolder):
    """The whole way: a real ext4 file, unpacked and looked at; with this machine's e2fsprogs."""

    def image(self, change=lambda scene: None):
        scene = self.scene()
        change(scene)
        scene.manifest.pop("boot_test")
        directory = self.directory / "image"
        directory.mkdir()
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", scene.tree, directory / "root.ext4", "8M"], check=True,
                       capture_output=True, env={"PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"})
        (directory / "initrd").write_bytes(cpio.archive({path: (0o100644, data) for path, data in scene.initrd.items()}, 0))
        (directory / "manifest.json").write_text(json.dumps(scene.manifest))
        return directory, scene

    def verify(self, directory, *more):
        done = subprocess.run([sys.executable, places.REPOSITORY / "rootfs-build/verify", directory, "--no-hashes", "--json", "--agent", "/none", *more], capture_output=True, text=True, check=False)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines() if '"note"' not in line], done.stderr

    def notes(self, directory, *more):
        done = subprocess.run([sys.executable, places.REPOSITORY / "rootfs-build/verify", directory, "--no-hashes", "--json", "--agent", "/none", *more],
                              capture_output=True, text=True, check=False)
        return [line for line in map(json.loads, done.stdout.splitlines()) if "note" in line]

    def test_that_is_right_is_whole(self):
        directory, _ = self.image()
        self.assertEqual(self.verify(directory), (0, [], ""))

    def test_whose_kernel_configuration_was_changed(self):
        directory, scene = self.image()
        (directory / "kernel.config").write_text("CONFIG_X=y\n")
        scene.manifest["config"] = {"file": "kernel.config", "sha256": "0" * 64, "bytes": 11}
        (directory / "manifest.json").write_text(json.dumps(scene.manifest))
        code, found, _ = self.verify(directory)
        self.assertEqual((code, [fault["rule"] for fault in found]), (1, ["hash"]))

    def test_from_elsewhere_is_refused_by_name(self):
        directory, _ = self.image(lambda scene: scene.file("usr/local/bin/root", made.elf(), 0o4755))
        code, found, _ = self.verify(directory)
        self.assertEqual((code, [(fault["rule"], fault["item"]) for fault in found]), (1, [("setuid_surprise", "/usr/local/bin/root")]))

    def test_from_elsewhere_tells_what_it_excuses(self):
        def change(scene):
            scene.file("usr/local/bin/root", made.elf(), 0o4755)
            scene.manifest["lint_allow"] = {"setuid_surprise": ["/usr/local/bin/root", ["odd"]], "default_password": 7}
        directory, _ = self.image(change)
        self.assertEqual(self.verify(directory)[0], 0)
        note = next(note for note in self.notes(directory) if note["rule"] == "setuid_surprise")
        self.assertEqual((note["item"], note["note"]), ("/usr/local/bin/root", "excused by the lint_allow of fixture itself: is setuid (mode 4755)"))

    def test_of_another_agent_or_vmm_than_this_host_s_says_so(self):
        directory, _ = self.image(lambda scene: scene.manifest.update(pinned={"vmm": "another VMM 1.0", "kernel_sha256": "0"}))
        agent = self.directory / "agent"
        agent.write_bytes(made.elf(notes=made.note("GNU", 3, b"\xab")))
        agent.chmod(0o755)
        with mock.patch("image_build.agent.ask", return_value="vigil-guest 7.1 build-id ab"):
            host = agent_module.read(agent)
        found, told = step.of_image(directory, json.loads((directory / "manifest.json").read_text()), host)
        self.assertEqual((found, [note["note"].split(";")[0] for note in told if note["rule"] == "agent_is_another"]),
                         ([], ["the image's agent is 1 (build b), this host's is 7.1 (build ab)"]))
        with mock.patch.object(vmm, "version", return_value="QEMU 9"):
            self.assertEqual([note["note"] for note in vmm.differences({"pinned": {"vmm": "QEMU 8"}})], ["the image was made and tried with QEMU 8; this host has QEMU 9"])
            self.assertEqual(list(vmm.differences({"pinned": {"vmm": "QEMU 9"}})), [])

    def test_that_is_not_the_tuple_which_was_tried(self):
        directory, scene = self.image()
        scene.manifest.update(kernel={"sha256": "a" * 64}, pinned={"vmm": "", "kernel_sha256": "b" * 64})
        (directory / "manifest.json").write_text(json.dumps(scene.manifest))
        code, found, _ = self.verify(directory)
        self.assertEqual((code, found[0]["rule"]), (1, "hash"))
        self.assertIn("pinned.kernel_sha256 is bbbb", found[0]["cause"])

    def test_with_odd_names_is_read_all_the_same(self):
        directory, _ = self.image(lambda scene: scene.file('srv/a "b" c/tool', made.elf(), 0o4755))
        self.assertEqual([fault["item"] for fault in self.verify(directory)[1]], ['/srv/a "b" c/tool'])

    def test_with_names_that_cannot_be_told_apart(self):
        for name in ("line\nbreak/x", "srv/line\nbreak"):
            with self.subTest(name):
                directory, _ = self.image(lambda scene, name=name: scene.file(name, "x"))
                code, found, _ = self.verify(directory)
                self.assertEqual((code, found[0]["rule"]), (1, "file_system_damaged"))
                shutil.rmtree(directory)

    def test_whose_initramfs_is_cut_off(self):
        directory, _ = self.image()
        (directory / "initrd").write_bytes((directory / "initrd").read_bytes()[:200])
        self.assertIn("cut off", self.verify(directory)[1][0]["cause"])

    def test_whose_names_lead_out_of_it_is_not_unpacked(self):
        """A directory entry with slashes in its name, as no kernel would write it."""
        directory, _ = self.image(lambda scene: scene.file("etc/" + "z" * 13, "outside"))
        root = directory / "root.ext4"
        data = root.read_bytes()
        self.assertIn(b"z" * 13, data)
        root.write_bytes(data.replace(b"z" * 13, b"../../escaped"))
        code, found, _ = self.verify(directory)
        self.assertEqual((code, found[0]["rule"]), (1, "file_system_damaged"), found)
        self.assertFalse(list(self.directory.rglob("escaped")))

    def test_that_is_no_file_system(self):
        directory, _ = self.image()
        (directory / "root.ext4").write_bytes(b"\0" * 100_000)
        code, found, _ = self.verify(directory)
        self.assertEqual((code, found[0]["rule"]), (1, "file_system_damaged"))


class TheStep(unittest.TestCase):
    def test_tells_every_fault(self):
        step.refuse([])
        found = [{"rule": "r", "item": f"/{n}", "cause": "c"} for n in range(20)]
        with self.assertRaisesRegex(BuildError, "20 lint faults: r: /0: c; .*; and 8 more"):
            step.refuse(found)


@unittest.skipUnless(os.geteuid() == 0, "not root: programs run in the image by chroot")
class Programs(InAFolder):
    def test_run_in_the_image_as_nobody_without_a_network(self):
        for folder in ("proc", "dev", "bin"):
            (self.directory / "t" / folder).mkdir(parents=True)
        busybox = shutil.which("busybox")
        if not busybox:
            self.skipTest("no busybox here")
        shutil.copy(busybox, self.directory / "t/bin/busybox")
        self.directory.chmod(0o755)
        run = worker.confined(self.directory / "t")
        code, said = run(["/bin/busybox", "sh", "-c", "/bin/busybox id -u; /bin/busybox ls /proc/1/exe >/dev/null && /bin/busybox cat /proc/net/dev"])
        self.assertEqual((code, said.splitlines()[0]), (0, "65534"), said)
        self.assertEqual([line.split(":")[0].strip() for line in said.splitlines() if ":" in line], ["lo"])
        self.assertEqual(run(["/bin/gone"])[0], 127)
        self.assertNotIn(str(self.directory), pathlib.Path("/proc/self/mounts").read_text())

    def test_do_not_run_where_a_link_would_have_the_host_written(self):
        (self.directory / "t").mkdir()
        outside = self.directory / "outside"
        outside.mkdir()
        (self.directory / "t/proc").mkdir()
        (self.directory / "t/dev").symlink_to(outside)
        self.assertEqual(worker.confined(self.directory / "t")(["/bin/true"]), (-1, "/dev is a link"))
        self.assertEqual(list(outside.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
