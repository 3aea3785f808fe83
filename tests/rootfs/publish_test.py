"""Manifest, digest and publication: all of an image or nothing, and an image that was changed is found out."""
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import unittest
from unittest import mock

import made  # noqa: F401  (puts rootfs-build on the path)
from image_build import manifest, publish, root
from image_build.errors import BuildError


class WithFiles(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-publish-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.images = self.directory / "images/small"
        self.sources = {}
        for part, name in manifest.FILES.items():
            self.sources[part] = self.directory / name
            self.sources[part].write_bytes(f"the {part}".encode())

    def manifest(self, created=1):
        parts = {part: manifest.file_facts(path, manifest.FILES[part]) for part, path in self.sources.items()}
        return {"format": 1, "name": "small", "created_unix": created, **parts}

    def publish(self, created=1):
        return publish.publish(self.images, self.sources, self.manifest(created))

    def left_over(self):
        return sorted(p.name for p in self.images.iterdir() if p.name.startswith("."))


class Publishes(WithFiles):
    def test_the_digest_is_the_hash_of_the_manifest_and_current_leads_to_it(self):
        digest = self.publish()
        self.assertEqual(os.readlink(self.images / "current"), digest)
        self.assertEqual(hashlib.sha256((self.images / digest / "manifest.json").read_bytes()).hexdigest(), digest)
        self.assertEqual(list(manifest.faults_in(self.images / "current")), [])
        self.assertEqual(self.left_over(), [])

    def test_the_order_of_inputs_does_not_change_the_manifest(self):
        self.assertEqual(self.publish(), self.publish())

    def test_files_are_read_only_for_everyone(self):
        digest = self.publish()
        for name in (*manifest.FILES.values(), "manifest.json"):
            self.assertEqual((self.images / digest / name).stat().st_mode & 0o777, 0o444)

    def test_the_image_before_stays(self):
        first = self.publish(1)
        second = self.publish(2)
        self.assertNotEqual(first, second)
        self.assertEqual(list(manifest.faults_in(self.images / first)), [])
        self.assertEqual(os.readlink(self.images / "current"), second)

    def test_a_failure_at_any_call_leaves_the_old_image_current_and_whole(self):
        first = self.publish(1)
        (self.sources["root"]).write_bytes(b"another root")
        for call in ("copy_sparse", "check", "write_synced", "sync_directory", "switch"):
            with self.subTest(call), mock.patch.object(publish, call, side_effect=OSError(28, "No space left on device")):
                with self.assertRaises(OSError):
                    self.publish(2)
                self.assertEqual(os.readlink(self.images / "current"), first)
                self.assertEqual(list(manifest.faults_in(self.images / first)), [])
                self.assertEqual(self.left_over(), [])

    def test_what_a_killed_build_left_is_swept_away(self):
        (self.images / ".new-123").mkdir(parents=True)
        (self.images / ".new-123/root.ext4").write_text("half")
        (self.images / ".current-9").symlink_to("nowhere")
        self.publish()
        self.assertEqual(self.left_over(), [])

    def test_a_cached_file_that_is_not_what_was_built_is_not_published(self):
        described = self.manifest()
        self.sources["kernel"].write_bytes(b"The kernel")
        with self.assertRaisesRegex(BuildError, "kernel: the cached file is not the one"):
            publish.publish(self.images, self.sources, described)
        self.assertFalse((self.images / "current").is_symlink())

    def test_equal_files_of_two_images_are_one_file(self):
        first = self.publish(1)
        self.sources["initrd"].write_bytes(b"another agent")
        second = self.publish(2)
        inode = lambda digest, name: (self.images / digest / name).stat().st_ino    # noqa: E731
        self.assertEqual(inode(first, "root.ext4"), inode(second, "root.ext4"))
        self.assertNotEqual(inode(first, "initrd"), inode(second, "initrd"))

    def test_a_damaged_file_of_another_image_is_not_taken_over(self):
        first = self.publish(1)
        root_file = self.images / first / "root.ext4"
        root_file.chmod(0o644)
        root_file.write_bytes(b"THE root")
        second = self.publish(2)
        self.assertEqual(list(manifest.faults_in(self.images / second)), [])

    def test_a_published_image_that_lost_a_file_is_made_whole_again(self):
        digest = self.publish()
        (self.images / digest / "initrd").unlink()
        self.publish()
        self.assertEqual(list(manifest.faults_in(self.images / digest)), [])


class FindsDamage(WithFiles):
    def faults(self, change):
        digest = self.publish()
        directory = self.images / digest
        for path in directory.iterdir():
            path.chmod(0o644)
        change(directory)
        found = list(manifest.faults_in(directory))
        shutil.rmtree(directory)
        return found

    def test_every_kind_is_named(self):
        self.assertRegex(self.faults(lambda d: (d / "root.ext4").write_bytes(b"THE root"))[0], "root.ext4: sha256 is")
        self.assertRegex(self.faults(lambda d: (d / "initrd").write_bytes(b"short"))[0], "initrd: bytes is 5")
        self.assertRegex(self.faults(lambda d: (d / "kernel").unlink())[0], "kernel: No such file")
        self.assertRegex(self.faults(lambda d: (d / "manifest.json").write_text("{"))[0], "manifest.json: ")
        self.assertRegex(self.faults(lambda d: (d / "manifest.json").write_text("[]"))[0], "not an object")

    def test_a_manifest_that_was_changed_with_its_file_is_still_found_out(self):
        def swap(directory):
            (directory / "kernel").write_bytes(b"bad kernel")
            text = json.loads((directory / "manifest.json").read_text())
            text["kernel"] = manifest.file_facts(directory / "kernel", "kernel")
            (directory / "manifest.json").write_bytes(manifest.encode(text))
        self.assertRegex(self.faults(swap)[0], "its digest is")

    def test_a_file_name_cannot_lead_elsewhere(self):
        def point_out(directory):
            text = json.loads((directory / "manifest.json").read_text())
            text["root"]["file"] = "../../../../etc/passwd"
            (directory / "manifest.json").write_bytes(manifest.encode(text))
        self.assertTrue(any("root.file is" in fault for fault in self.faults(point_out)))


class CopiesSparsely(WithFiles):
    def test_holes_and_zeros_cost_nothing_and_contents_are_the_same(self):
        source, target = self.directory / "sparse", self.directory / "copy"
        with open(source, "wb") as file:
            file.truncate(64 << 20)
            file.seek(5 << 20)
            file.write(b"data")
            file.seek(20 << 20)
            file.write(b"\0" * (4 << 20))
        publish.copy_sparse(source, target)
        self.assertEqual(manifest.file_facts(source, "x"), manifest.file_facts(target, "x"))
        self.assertLess(target.stat().st_blocks * 512, 1 << 20)


class NamesImages(unittest.TestCase):
    def test_ids_and_uuids_follow_from_the_inputs(self):
        self.assertEqual(root.filesystem_uuid("a"), root.filesystem_uuid("a"))
        self.assertNotEqual(root.filesystem_uuid("a"), root.filesystem_uuid("b"))
        self.assertEqual(root.image_id("ab" * 32), "ab" * 16)

    def test_the_date_alone_makes_no_other_image(self):
        self.assertTrue(manifest.same_but_for_date({"created_unix": 1, "a": 1}, {"created_unix": 2, "a": 1}))
        self.assertFalse(manifest.same_but_for_date({"created_unix": 1, "a": 1}, {"created_unix": 1, "a": 2}))


if __name__ == "__main__":
    unittest.main()
