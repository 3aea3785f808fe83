"""Users of a profile in the root's files; and what is told of its largest parts."""
import os
import pathlib
import shutil
import tempfile
import unittest
from unittest import mock

import made  # noqa: F401  (puts rootfs-build on the path)
from image_build import accounts, sizes
from image_build.guest_tree import GuestTree

DAY = 86_400


class InATree(unittest.TestCase):
    def setUp(self):
        self.tree = pathlib.Path(tempfile.mkdtemp(prefix="vigil-tree-"))
        self.addCleanup(shutil.rmtree, self.tree)
        self.guest = GuestTree(self.tree)
        self.addCleanup(self.guest.close)
        self.file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        self.file("etc/group", "root:x:0:\naudio:x:29:pulse\nvideo:x:44:\n")
        self.file("etc/shadow", "root:*:1:0:99999:7:::\n")

    def file(self, path, text):
        (self.tree / path).parent.mkdir(parents=True, exist_ok=True)
        (self.tree / path).write_text(text)

    def line(self, name, of):
        return next(line for line in (self.tree / "etc" / of).read_text().splitlines() if line.startswith(f"{name}:"))


class Users(InATree):
    def test_are_locked_and_have_a_home(self):
        users = [{"name": "agent", "uid": 1000, "groups": ["audio", "video"]}]
        self.assertEqual(accounts.add(self.guest, users, 100 * DAY), [])
        self.assertEqual(self.line("agent", "passwd"), "agent:x:1000:1000::/home/agent:/bin/bash")
        self.assertEqual(self.line("agent", "shadow"), "agent:!:100:0:99999:7:::")
        self.assertEqual([self.line(name, "group") for name in ("agent", "audio", "video")], ["agent:x:1000:", "audio:x:29:pulse,agent", "video:x:44:agent"])
        self.assertEqual((self.tree / "etc/shadow").stat().st_mode & 0o777, 0o640)
        self.file("home/agent/.config/x", "")
        given = []
        with mock.patch.object(os, "chown", lambda name, *ids, dir_fd, **_: given.append((os.path.relpath(os.readlink(f"/proc/self/fd/{dir_fd}"), self.tree), name, *ids))), \
                mock.patch.object(os, "fchown", lambda fd, *ids: given.append((os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), self.tree), "", *ids))):
            accounts.give_homes(self.guest, users)
        self.assertEqual(set(given), {(path, name, 1000, 1000) for path, name in (("home/agent", ""), ("home/agent", ".config"), ("home/agent/.config", "x"))})
        self.assertEqual((self.tree / "home/agent").stat().st_mode & 0o777, 0o750)

    def test_that_a_package_brings_already_are_faults_and_nothing_is_written(self):
        before = (self.tree / "etc/passwd").read_text()
        users = [{"name": "video", "uid": 1000}, {"name": "a", "uid": 44}, {"name": "b", "uid": 1001, "groups": ["gone"]}, {"name": "good", "uid": 1002}]
        self.assertEqual(accounts.add(self.guest, users, 0),
                         ["user video: name or id 1000 is that of video, which a package brings", "user a: name or id 44 is that of video, which a package brings",
                          "user b: there is no group gone"])
        self.assertEqual((self.tree / "etc/passwd").read_text(), before)

    def test_shadow_keeps_its_group(self):
        if os.geteuid() != 0:
            self.skipTest("not root")
        os.chown(self.tree / "etc/shadow", 0, 42)
        accounts.add(self.guest, [{"name": "agent", "uid": 1000}], 0)
        self.assertEqual((self.tree / "etc/shadow").stat().st_gid, 42)

    def test_none_change_nothing(self):
        facts = (self.tree / "etc/passwd").stat()
        self.assertEqual(accounts.add(self.guest, [], 0), [])
        self.assertEqual((self.tree / "etc/passwd").stat().st_mtime_ns, facts.st_mtime_ns)


class Sizes(InATree):
    def test_are_counted_once_by_package_and_the_rest_is_named(self):
        shutil.rmtree(self.tree / "etc")
        self.file("usr/bin/big", "x" * 3000)
        os.link(self.tree / "usr/bin/big", self.tree / "usr/bin/same")
        self.file("usr/lib/y", "y" * 100)
        self.file("var/lib/dpkg/info/big:amd64.list", "/.\n/usr\n/usr/bin/big\n/usr/bin/same\n/usr/bin/gone\n")
        self.file("usr/local/lib/node_modules/@x/tool/cli.js", "z" * 2000)
        self.file("usr/local/lib/node_modules/plain/x", "z" * 10)
        listed = (self.tree / "var/lib/dpkg/info/big:amd64.list").stat().st_size
        found, total = sizes.largest(self.guest)
        self.assertEqual(found, [["big", 3000], ["npm @x/tool", 2000], ["everything else", 100 + listed], ["npm plain", 10]])
        self.assertEqual(total, 5110 + listed)
        self.assertEqual(sizes.largest(self.guest, 1)[0], [["big", 3000]])
        self.assertIn("2.0 MiB  big", sizes.told([["big", 2 << 20]], 3 << 20))


if __name__ == "__main__":
    unittest.main()
