"""Importing: what would lead out of an image is refused by its name, the rest arrives as it was."""
import io
import os
import pathlib
import shutil
import socket
import tarfile
import tempfile
import unittest

import made     # noqa: F401  (sets the path of image_build)
from image_build import import_source
from image_build.errors import BuildError


def member(name, data=b"x", **facts):
    info = tarfile.TarInfo(name)
    info.size = len(data) if data else 0
    info.mode = 0o644
    for key, value in facts.items():
        setattr(info, key, value)
    if info.type != tarfile.REGTYPE:
        info.size = 0
    return info, data if info.type == tarfile.REGTYPE else None


def link(name, target, kind=tarfile.SYMTYPE):
    return member(name, b"", type=kind, linkname=target)


GOOD = member("./etc/hostname")
# what -> (members, the name that is told, why)
HOSTILE = {
    "upwards": ([member("../escape")], "'../escape'", "leads out of the image"),
    "upwards in the middle": ([member("usr/../../escape")], "'usr/../../escape'", "leads out"),
    "absolute": ([member("/etc/passwd")], "'/etc/passwd'", "leads out"),
    "through an absolute link": ([link("out", "/tmp"), member("out/file")], "'out/file'", "behind the link out -> /tmp"),
    "through a link upwards": ([link("a/up", "../.."), member("a/up/x/file")], "'a/up/x/file'", "behind the link a/up"),
    "a hard link upwards": ([link("h", "../../etc/shadow", tarfile.LNKTYPE)], "'h'", "hard link that leads out"),
    "an absolute hard link": ([link("h", "/etc/shadow", tarfile.LNKTYPE)], "'h'", "hard link that leads out"),
    "a hard link to nothing": ([link("h", "gone", tarfile.LNKTYPE)], "'h'", "no file before it"),
    "a hard link through a link": ([link("s", "/etc/shadow"), link("h", "s", tarfile.LNKTYPE)], "'h'", "no file before it"),
    "a block device": ([member("srv/disk", type=tarfile.BLKTYPE, devmajor=8)], "'srv/disk'", "device node"),
    "a character device": ([member("dev/x/mem", type=tarfile.CHRTYPE, devmajor=1, devminor=1)], "'dev/x/mem'", "device node"),
    "a control character": ([member("line\nbreak")], r"'line\nbreak'", "control character"),
}


# An image's own folders as links that lead out of it; and the same where they stay within.
for ours in ("etc", "usr", "var", "tmp", "dev", "proc", "usr/libexec/vigil"):
    HOSTILE[f"{ours} leads out"] = ([link(ours, "/somewhere")], f"'{ours}'", "leads out of it: /somewhere")
    HOSTILE[f"{ours} leads upwards"] = ([link(ours, "../../../../x")], f"'{ours}'", "leads out of it: ../../../../x")


class InAFolder(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-import-test-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.out = self.directory / "base.tar"

    def tar(self, *members, mode="w"):
        path = self.directory / "brought.tar"
        with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as tar:
            for info, data in members:
                tar.addfile(info, io.BytesIO(data) if data is not None else None)
        return path

    def brought(self):
        with tarfile.open(self.out) as tar:
            return {info.name: info for info in tar}

    def refused(self, path):
        with self.assertRaises(BuildError) as caught:
            import_source.bring(path, self.out)
        return caught.exception.cause


class ATar(InAFolder):
    def test_with_a_hostile_member_is_refused_by_its_name(self):
        for what, (members, name, why) in HOSTILE.items():
            with self.subTest(what):
                cause = self.refused(self.tar(GOOD, *members))
                self.assertIn(name, cause)
                self.assertIn(why, cause)

    def test_tells_all_of_them(self):
        cause = self.refused(self.tar(GOOD, member("../one"), member("/two")))
        self.assertIn("'../one'", cause)
        self.assertIn("'/two'", cause)

    def test_arrives_with_owners_modes_links_and_attributes(self):
        path = self.tar(member("./usr", type=tarfile.DIRTYPE, mode=0o755), member("usr/bin/su", uid=0, gid=5, mode=0o4755, uname="me"),
                        link("usr/bin/hard", "./usr/bin/su", tarfile.LNKTYPE), link("bin", "usr/bin"), link("etc/awk", "/etc/alternatives/awk"), link("up", "../../x"),
                        member("cap", pax_headers={"SCHILY.xattr.security.capability": "c", "comment": "host"}), member("home/u", uid=1000, gid=1000),
                        member("run/pipe", type=tarfile.FIFOTYPE), mode="w:gz")
        self.assertEqual(import_source.bring(path, self.out), [])
        found = self.brought()
        self.assertEqual((found["./usr/bin/su"].mode, found["./usr/bin/su"].gid, found["./usr/bin/su"].uname), (0o4755, 5, ""))
        self.assertTrue(found["./usr/bin/hard"].islnk() and found["./bin"].issym() and found["./run/pipe"].isfifo())
        self.assertEqual((found["./etc/awk"].linkname, found["./up"].linkname, found["./home/u"].uid), ("/etc/alternatives/awk", "../../x", 1000))
        self.assertEqual(found["./cap"].pax_headers, {"SCHILY.xattr.security.capability": "c"})

    def test_its_own_folders_may_be_links_within(self):
        import_source.bring(self.tar(GOOD, link("tmp", "var/tmp"), link("usr/libexec", "lib/../lib")), self.out)
        self.assertEqual(self.brought()["./tmp"].linkname, "var/tmp")

    def test_device_nodes_in_dev_are_left_out_and_told(self):
        path = self.tar(GOOD, member("./dev/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3))
        self.assertEqual(import_source.bring(path, self.out), ["dev/null"])
        self.assertNotIn("./dev/null", self.brought())

    def test_a_link_that_was_replaced_by_a_folder_is_none_any_more(self):
        path = self.tar(link("a", "/tmp"), member("a", type=tarfile.DIRTYPE), member("a/file"))
        import_source.bring(path, self.out)
        self.assertIn("./a/file", self.brought())

    def test_that_is_none_or_holds_nothing_is_told(self):
        (self.directory / "text").write_text("not a tar")
        self.assertIn("not a tar archive", self.refused(self.directory / "text"))
        self.assertIn("holds no files", self.refused(self.tar(link("a", "b"))))
        cut = self.tar(member("big", b"x" * 100_000))
        cut.write_bytes(cut.read_bytes()[:50_000])
        self.assertIn("not a tar archive", self.refused(cut))
        self.assertIn("neither a file nor a directory", self.refused(self.directory / "gone"))


class ADirectory(InAFolder):
    def test_brings_the_capabilities_of_its_programs(self):
        tree = self.directory / "tree"
        tree.mkdir()
        (tree / "ping").write_bytes(b"x")
        value = b"\1\0\0\2\0\x20\0\0" + b"\0" * 12
        try:
            os.setxattr(tree / "ping", "security.capability", value)
        except OSError as error:
            self.skipTest(f"no capabilities on files here: {error}")
        import_source.bring(tree, self.out)
        self.assertEqual(self.brought()["./ping"].pax_headers["SCHILY.xattr.security.capability"].encode("utf-8", "surrogateescape"), value)

    def test_is_judged_as_a_tar_is(self):
        tree = self.directory / "tree"
        (tree / "etc").mkdir(parents=True)
        (tree / "etc/hostname").write_text("x")
        os.link(tree / "etc/hostname", tree / "etc/same")
        os.symlink("/etc", tree / "out")
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(tree / "socket"))
        import_source.bring(tree, self.out)
        found = self.brought()
        self.assertEqual(sorted(found), ["./etc", "./etc/hostname", "./etc/same", "./out"])
        self.assertTrue(found["./etc/same"].islnk() and found["./out"].issym())
        (tree / "bad\x01name").write_text("")
        self.assertIn("control character", self.refused(tree))


if __name__ == "__main__":
    unittest.main()
