"""The worker that fills a root, over trees that were made to lead it out: what lies beside the tree stays as it is."""
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

import made     # noqa: F401  (sets the path of image_build)
from image_build import root, root_worker, settled
from image_build.guest_tree import GuestTree, TreeError

CANARY = {"apt/sources.list": "mirror", "hosts": "mine", "hostname": "mine", "machine-id": "0123", "passwd": "root:x:0:0::/root:/bin/sh\n", "group": "root:x:0:\n",
          "shadow": "root:*:1::::::\n", "resolv.conf": "mine", "vigil-core": "mine", "vigil/image-id": "mine", "lib/apt/lists": "mine", "log/dpkg.log": "mine", "f": "mine",
          "services.d/spy.json": '{"name": "spy", "exec": ["/the/secret/of/the/host"]}', "dpkg/info/spy.list": "/hosts\n"}
# what -> links of the base: path -> target below the canary's folder ("" is that folder itself)
HOSTILE = {
    "etc": {"etc": ""}, "tmp": {"tmp": ""}, "dev": {"dev": ""}, "run": {"run": ""}, "usr": {"usr": ""}, "var": {"var": ""}, "home": {"home": ""},
    "libexec": {"usr/libexec": ""}, "the helper": {"usr/libexec/vigil/vigil-core": "vigil-core"}, "the helper's folder": {"usr/libexec/vigil": ""},
    "files of etc": {f"etc/{name}": name for name in ("hosts", "hostname", "machine-id", "passwd", "group", "shadow", "resolv.conf", "apt", "vigil")},
    "a file of etc/vigil": {"etc/vigil/image-id": "hosts"}, "apt's lists": {"var/lib": "lib"}, "logs": {"var/log": "log"},
    "what the profile lays over": {"srv": ""}, "a file that the profile lays over": {"srv/f": "f"},
    "services": {"etc/vigil/services.d": "services.d"}, "one service": {"etc/vigil/services.d/spy.json": "services.d/spy.json"}, "dpkg's lists": {"var/lib/dpkg": "dpkg"},
}


class Case(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("not root: owners are written")
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="vigil-worker-"))
        self.addCleanup(shutil.rmtree, self.work)
        self.canary = self.work / "canary"
        for path, text in CANARY.items():
            (self.canary / path).parent.mkdir(parents=True, exist_ok=True)
            (self.canary / path).write_text(text)
        (self.work / "files/srv").mkdir(parents=True)
        (self.work / "files/srv/f").write_text("the profile's")
        (self.work / "helper").write_bytes(b"helper")

    def base(self, links, members=()):
        with tarfile.open(self.work / "base.tar", "w", format=tarfile.PAX_FORMAT) as tar:
            for path, target in links.items():
                info = tarfile.TarInfo(f"./{path}")
                info.type, info.linkname = tarfile.SYMTYPE, target
                tar.addfile(info)
            for info, data in members:
                tar.addfile(info, io.BytesIO(data))

    def fill(self, users=()):
        """(exit code, answer or complaint); the packer only notes that it was called."""
        job = {"base": str(self.work / "base.tar"), "npm": "", "layers": [str(self.work / "files")], "users": list(users), "core_helper": str(self.work / "helper"),
               "work": str(self.work / "tree"), "out": str(self.work / "root.ext4"), "image_id": "id", "uuid": "u", "epoch": 0,
               "mke2fs": ["sh", "-c", f'cp -a {self.work}/tree {self.work}/packed']}
        done = subprocess.run([sys.executable, "-I", root.WORKER, json.dumps(job)], capture_output=True, text=True, check=False)
        shutil.rmtree(self.work / "tree", ignore_errors=True)
        return done.returncode, json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def facts(self):
        return {str(path.relative_to(self.canary)): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.lstat().st_ctime_ns, path.is_file() and path.read_text())
                for path in [self.canary, *sorted(self.canary.rglob("*"))]}


class Hostile(Case):
    def test_what_lies_beside_the_tree_stays_as_it_is(self):
        before = self.facts()
        for climbing in (False, True):
            for what, links in HOSTILE.items():
                with self.subTest(what, climbing=climbing):
                    up = "../" * 40 if climbing else "/"
                    self.base({path: f"{up}{str(self.canary)[1:]}/{target}".rstrip("/") for path, target in links.items()})
                    code, said = self.fill([{"name": "agent", "uid": 1000}])
                    self.assertEqual(self.facts(), before)
                    self.assertNotIn("the/secret", str(said))
                    if code != 0:
                        self.assertRegex(said, "is a link that leads to nothing in the image|Too many levels of symbolic links")
                        self.assertTrue(any(f"error: /{path}: " in said for path in links), said)
                    shutil.rmtree(self.work / "packed", ignore_errors=True)

    def test_the_last_component_is_replaced_and_not_followed(self):
        self.base({"usr/libexec/vigil/vigil-core": f"{self.canary}/vigil-core", "etc/hosts": "motd", "etc/motd": "/etc/passwd"})
        self.assertEqual(self.fill()[0], 0)
        self.assertEqual((self.work / "packed/usr/libexec/vigil/vigil-core").read_bytes(), b"helper")
        self.assertFalse((self.work / "packed/etc/hosts").is_symlink())
        self.assertEqual(os.readlink(self.work / "packed/etc/motd"), "/etc/passwd")


class Honest(Case):
    def test_a_profile_writes_through_the_absolute_links_that_a_debian_has(self):
        (self.work / "files/var/run").mkdir(parents=True)
        (self.work / "files/var/run/f").write_text("of the profile")
        folder = tarfile.TarInfo("./run")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        self.base({"var/run": "/run"}, [(folder, b"")])
        code, said = self.fill()
        self.assertEqual(code, 0, said)
        self.assertEqual((self.work / "packed/run/f").read_text(), "of the profile")
        self.assertEqual(os.readlink(self.work / "packed/var/run"), "/run")

    def test_a_package_s_file_that_the_profile_replaces_is_told(self):
        listed = b"/.\n/srv\n/srv/f\n/srv/g\n"
        member, info = tarfile.TarInfo("./srv/f"), tarfile.TarInfo("./var/lib/dpkg/info/web.list")
        info.size = len(listed)
        self.base({}, [(member, b""), (info, listed)])
        code, said = self.fill()
        self.assertEqual((code, said["replaced"]), (0, ["/srv/f"]))
        self.assertEqual((self.work / "packed/srv/f").read_text(), "the profile's")

    def test_a_folder_where_a_file_is_to_be_is_told(self):
        folder = tarfile.TarInfo("./srv/f")
        folder.type = tarfile.DIRTYPE
        self.base({}, [(folder, b"")])
        self.assertIn("error: /srv/f: is a directory where a file is to be written", self.fill()[1])


class Packed(Case):
    def test_has_room_for_all_and_hardly_more(self):
        """Hard and symbolic links cost nothing; real mke2fs says so by not running out of space."""
        mke2fs = shutil.which("mke2fs", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if not mke2fs:
            self.skipTest("no mke2fs")
        tree, out = self.work / "tree", self.work / "root.ext4"
        tree.mkdir()
        for number in range(300):
            (tree / f"{number}").write_bytes(b"x" * number * 100)
            os.link(tree / f"{number}", tree / f"hard{number}")
            (tree / f"soft{number}").symlink_to(f"{number}")
            (tree / f"long{number}").symlink_to("l" * 100)
        root_worker.pack(tree, out, "8f1c5a52-6f0e-4b8e-9d3c-2f7a1e5b9c40", [mke2fs])
        needed = sum(-(-path.stat().st_size // 4096) for path in tree.glob("[0-9]*")) + 300
        self.assertLess(out.stat().st_size // 4096 - needed, 300)


class Settled(Case):
    HEAD, A, B = b"# made by a program\n#\n", b'"/l/a.so"\n"a" 4\n', b'"/l/b.so"\n"b" 5\n"x" ""\n'

    def test_is_the_same_in_whatever_order_directories_were_read(self):
        found = {settled.in_order(data) for data in (self.HEAD + self.A + b"\n" + self.B + b"\n\n", self.HEAD + b"# LoaderDir = /l\n" + self.B + b"\n" + self.A + b"\n\n")}
        self.assertEqual(found, {self.A + b"\n" + self.B + b"\n"})

    def test_in_the_root(self):
        info = tarfile.TarInfo("./usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/2.10.0/loaders.cache")
        data = self.HEAD + self.B + b"\n" + self.A
        info.size, info.mode = len(data), 0o644
        log = tarfile.TarInfo("./var/log/fontconfig.log")
        self.base({}, [(info, data), (log, b"")])
        self.assertEqual(self.fill()[0], 0)
        self.assertEqual((self.work / "packed" / info.name).read_bytes(), self.A + b"\n" + self.B + b"\n")
        self.assertFalse((self.work / "packed/var/log/fontconfig.log").exists())


class Resolves(Case):
    def test_as_the_guest_would(self):
        tree = self.work / "t"
        (tree / "a").mkdir(parents=True)
        (tree / "a/f").write_text("inside")
        (tree / "abs").symlink_to("/a")
        (tree / "up").symlink_to("../../../../a")
        (tree / "out").symlink_to(self.canary)
        (tree / "loop").symlink_to("loop")
        os.mkfifo(tree / "pipe")
        with GuestTree(tree) as guest:
            self.assertEqual([guest.read_text(f"{link}/f") for link in ("a", "/a", "abs", "up")], ["inside"] * 4)
            self.assertEqual([guest.read(path) for path in ("out/hosts", "loop", "pipe", "a", "gone")], [None] * 5)
            self.assertEqual((guest.names("abs"), guest.names("out")), (["f"], []))
            with self.assertRaises(TreeError):
                guest.write("out/hosts", "x")
            guest.remove("out/hosts")
            guest.remove("out")
        self.assertEqual((self.canary / "hosts").read_text(), "mine")


if __name__ == "__main__":
    unittest.main()
