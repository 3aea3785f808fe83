#!/usr/bin/env python3
"""The same image built again is the same bytes, whatever the folder, user, umask, time zone, clock, processors and the order of directories.

Here with a small root, in seconds. With VIGIL_REBUILD=minimal,browser those profiles' whole images, too: from the packages of the cache, without a mirror (minutes).
"""
import functools
import hashlib
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "rootfs-build"))
from harness.case import VmCase  # noqa: E402
from harness.daemon import BIN  # noqa: E402
from harness.image import digest_of, part_of, variant  # noqa: E402
from image_build import places  # noqa: E402  (the path is set just above)

REBUILD = HERE / "rebuild"
AHEAD_S = 400 * 86_400
# Made up where the build runs. Programs of the machine's own alone: others may lie where that user cannot look.
USER, PLAIN_PATH = "builder:4000", "/usr/sbin:/usr/bin:/sbin:/bin"


class Rebuilt(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("not root: mounts a shuffling file system")
        missing = [program for program in ("disorderfs", "gcc", "fusermount") if not shutil.which(program)]
        if missing:
            self.skipTest(f"not installed: {', '.join(missing)}")
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            self.skipTest("no /dev/fuse: no shuffling file system")
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="vigil-rebuild-"))
        self.work.chmod(0o755)      # the shuffling file system reads as whoever asks, and the lint runs programs as nobody
        self.addCleanup(shutil.rmtree, self.work)
        self.clock = self.work / "clock.so"
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", self.clock, REBUILD / "shifted_clock.c"], check=True)

    def here(self, *command, timeout=600):
        return self.run_it(command, timeout)

    def elsewhere(self, *command, timeout=600, user=""):
        named = ["env", f"ELSEWHERE_USER={user}", f"PATH={PLAIN_PATH}"] if user else []
        return self.run_it([*named, "unshare", "-m", "--propagation", "unchanged", REBUILD / "elsewhere", self.work / "other", self.clock, *command], timeout)

    def run_it(self, command, timeout):
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            if process.poll() is None:
                process.terminate()          # `elsewhere` takes back what it made
                process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, out + err)
        return out.splitlines()[-1]

    def test_what_is_otherwise_elsewhere(self):
        """A rebuild that changes nothing would prove nothing."""
        (self.work / "other/under").mkdir(parents=True)
        for number in range(100):
            (self.work / f"other/under/{number}").touch()
        (self.work / "script").write_text(
            "import os, pathlib, sys, tempfile, time, json; mask = os.umask(0); names = os.listdir(sys.argv[1]); temporary = pathlib.Path(tempfile.mkdtemp());"
            "[(temporary / str(number)).touch() for number in range(100)];"
            "print(json.dumps({'names': names, 'temporary': os.listdir(temporary), 'time': time.time(), 'mask': mask, 'zone': time.tzname[0], 'home': os.environ['HOME'],"
            "'processors': len(os.sched_getaffinity(0)), 'folder': str(pathlib.Path(sys.argv[1]).resolve()), 'in': str(temporary), 'uid': os.getuid()}))")
        here = json.loads(self.here(sys.executable, self.work / "script", self.work / "other/under"))
        there = json.loads(self.elsewhere(sys.executable, self.work / "script", self.work / "other/seen"))
        self.assertEqual(sorted(here["names"]), sorted(there["names"]))
        for fact in ("names", "temporary", "zone", "folder", "home"):
            self.assertNotEqual(here[fact], there[fact], fact)
        self.assertTrue(there["in"].startswith(str(self.work / "other/tmp")), there["in"])
        self.assertAlmostEqual(there["time"] - here["time"], AHEAD_S, delta=600)
        self.assertEqual((there["mask"], there["processors"]), (0o077, 1))
        if pathlib.Path("/usr/bin/python3").exists():
            another = json.loads(self.elsewhere("/usr/bin/python3", self.work / "script", self.work / "other/seen", user=USER))
            self.assertEqual(another["uid"], int(USER.split(":")[1]))

    def test_a_small_image_is_the_same_bytes(self):
        found = sorted((places.cache() / "steps/tools").glob("[0-9a-f]*"))
        if not found:
            self.skipTest("no image was built here yet: ./dev image")
        one = self.here(REBUILD / "small_image.py", found[0], self.work / "one")
        self.assertEqual(self.here(REBUILD / "small_image.py", found[0], self.work / "two"), one)
        self.assertEqual(self.elsewhere(REBUILD / "small_image.py", found[0], self.work / "other/seen/three"), one)
        told = subprocess.run(["debugfs", "-R", "ea_list /usr/bin/ping", self.work / "one/root/root.ext4"], capture_output=True, text=True, check=True,
                              env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}).stdout
        self.assertIn("security.capability (20)", told)
        self.assertIn("user.note", told)

    def test_a_whole_image_is_the_same_bytes(self):
        asked = os.environ.get("VIGIL_REBUILD")
        if not asked:
            self.skipTest("takes minutes: VIGIL_REBUILD=minimal,browser or other profiles")
        for profile in asked.split(","):
            with self.subTest(profile):
                one, two = self.work / f"{profile}-one", self.work / "other/seen" / profile
                digests = [self.built(profile, run, directory) for run, directory in ((self.here, one), (self.elsewhere, two))]
                self.assertEqual(*digests, "\n".join(self.otherwise(one, self.work / "other/under" / profile, profile)))
                # The packages' own scripts saw the other date, too.
                self.assertAlmostEqual(int((self.work / "other/chroot-clock").read_text()) - time.time(), AHEAD_S, delta=7200)
                shutil.rmtree(self.work / "other/under" / profile)
                shutil.rmtree(one)

    def test_a_whole_image_of_an_ordinary_user_is_the_same_bytes(self):
        if not os.environ.get("VIGIL_REBUILD"):
            self.skipTest("takes minutes: VIGIL_REBUILD=minimal")
        if missing := [path for path in ("/usr/bin/python3", "/usr/bin/newuidmap") if not os.path.exists(path)]:
            self.skipTest(f"not installed: {', '.join(missing)}")
        one, two = self.work / "one", self.work / "other/seen"
        theirs = self.built("minimal", functools.partial(self.elsewhere, "/usr/bin/python3", user=USER), two)
        self.assertEqual(self.built("minimal", self.here, one), theirs, "\n".join(self.otherwise(one, self.work / "other/under", "minimal")))

    def built(self, profile, run, directory):
        """The digest of an image built without a mirror: from the lock and the kept packages alone."""
        source, real = places.cache(), pathlib.Path(str(directory).replace("/seen", "/under"))
        for kept in ("packages", "npm"):
            if (source / kept).is_dir():
                shutil.copytree(source / kept, real / "cache" / kept)
        shutil.copyfile(source / f"locks/{profile}.json", real / "lock.json")
        line = run(HERE.parents[1] / "rootfs-build/build", profile, "--json", "--no-boot-test", "--out", directory / "out", "--cache", directory / "cache",
                   "--lock", directory / "lock.json", "--mirror", "http://127.0.0.1:9/debian", timeout=5400)
        return json.loads(line)["digest"]

    @staticmethod
    def otherwise(one, two, profile):
        """For who has to mend it: what the two manifests say of each part, and the first files of the roots that differ."""
        manifests = [json.loads((made / "out" / profile / "current/manifest.json").read_text()) for made in (one, two)]
        yield from (f"{key}: {manifests[0][key]} {manifests[1].get(key)}"[:300] for key in manifests[0] if manifests[0][key] != manifests[1].get(key))
        trees = [dict(files_of(made / "out" / profile / "current" / manifest["root"]["file"])) for made, manifest in zip((one, two), manifests)]
        yield from [path for path in sorted(trees[0].keys() | trees[1].keys()) if trees[0].get(path) != trees[1].get(path)][:40]


def files_of(root):
    """(path, kind, owner and hash) of what is in an ext4, unpacked beside it."""
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        subprocess.run(["debugfs", "-R", f"rdump / {folder}", root], capture_output=True, check=True)
        for path in pathlib.Path(folder).rglob("*"):
            facts = path.lstat()
            text = os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            yield str(path.relative_to(folder)), (facts.st_mode, facts.st_uid, facts.st_gid, text)


class BootTest(unittest.TestCase):
    """An image that does not come up is never published; the one that is live stays."""

    def setUp(self):
        self.lock = places.cache() / "locks/minimal.json"
        if not self.lock.is_file():
            self.skipTest("no image was built here yet: ./dev image")
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="vigil-boot-test-"))
        self.addCleanup(shutil.rmtree, self.work)
        shutil.copyfile(self.lock, self.work / "lock.json")
        shutil.copytree(places.PROFILES / "minimal", self.work / "profiles/tried")
        profile = self.work / "profiles/tried/profile.json"
        profile.write_text(profile.read_text().replace('"name": "minimal"', '"name": "tried"'))

    def build(self):
        done = subprocess.run([HERE.parents[1] / "rootfs-build/build", "tried", "--json", "--profiles", self.work / "profiles", "--out", self.work / "out",
                               "--lock", self.work / "lock.json", "--agent", BIN / "vigil-guest", "--core-helper", BIN / "vigil-core"],
                              capture_output=True, text=True, timeout=1800, check=False)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def test_an_image_that_comes_up_is_published_with_what_its_boot_took(self):
        code, events = self.build()
        self.assertEqual((code, events[-1]["event"]), (0, "done"), events[-1])
        tried = json.loads((pathlib.Path(events[-1]["path"]) / "boot-test.json").read_text())
        self.assertEqual(set(tried["services"].values()), {"ready"})
        self.assertGreater(tried["ready_ms"], 0)
        self.assertLess(tried["memory_peak_mib"], tried["memory_mib"])

    def test_an_image_whose_service_ends_is_refused_with_its_cause(self):
        code, events = self.build()
        self.assertEqual(code, 0)
        live = os.readlink(self.work / "out/tried/current")
        (self.work / "profiles/tried/files/etc/vigil/services.d/doomed.json").write_text(
            '{"name": "doomed", "exec": ["/bin/sh", "-c", "echo no luck >&2; exit 3"], "restart": "never", "ready": {"tcp": {"port": 99}}}')
        code, events = self.build()
        self.assertEqual((code, events[-1]["event"], events[-1]["step"]), (1, "failed", "boot-test"), events[-1])
        self.assertIn("doomed", events[-1]["cause"])
        self.assertEqual(os.readlink(self.work / "out/tried/current"), live)
        self.assertEqual(sorted(path.name for path in (self.work / "out/tried").iterdir()), sorted([live, "current"]))


class Disk(VmCase):
    def test_a_vm_that_asks_for_a_larger_disk_can_use_it(self):
        """The template holds 2 GiB; the file system in the guest is as large as the disk. (Beyond 8 GiB ext4 takes another way to grow.)"""
        sizes = {}
        for name, mib in (("small", 1024), ("large", 20480)):
            vm = self.up(name, disk_mib=mib)
            self.daemon.wait_state(vm, "ready")
            _, out, _ = self.daemon.vigil("exec", name, "--", "busybox", "df", "-m", "/", check=0)
            sizes[name] = int(out.splitlines()[-1].split()[1])
            self.daemon.vigil("exec", name, "--", "busybox", "touch", "/written", check=0)
        self.assertTrue(1800 < sizes["small"] < 2100, sizes)
        self.assertTrue(19000 < sizes["large"] <= 20480, sizes)

    def test_unused_images_go_and_those_of_vms_stay(self):
        current = digest_of(self.daemon)
        used = variant(self.daemon, "minimal", min_memory_mib=129)
        unused = variant(self.daemon, "minimal", min_memory_mib=130)
        link = self.daemon.state / "images/minimal/current"
        link.unlink()
        link.symlink_to(current)
        self.daemon.api.post("/v1/instances", {"name": "keeper", "image": f"minimal@{used}"})
        self.assertIn(unused[:12], self.daemon.vigil("image", "gc", "--dry-run", check=0)[1])
        self.assertTrue((self.daemon.state / "images/minimal" / unused).exists())
        answer = self.daemon.vigil_json("image", "gc")
        self.assertEqual([image["digest"] for image in answer["images"]], [unused])
        self.assertEqual(sorted(path.name for path in (self.daemon.state / "images/minimal").iterdir()), sorted([current, used, "current"]))
        self.daemon.vigil("rm", "keeper", check=0)
        self.assertEqual([image["digest"] for image in self.daemon.vigil_json("image", "gc")["images"]], [used])

    def test_what_a_user_brings_becomes_an_image_that_comes_up(self):
        """A directory with one static program and one service: no Debian, no shell."""
        busybox = self.busybox()
        tree = self.daemon.base / "brought"
        for folder in ("bin", "etc/vigil/services.d", "srv"):
            (tree / folder).mkdir(parents=True)
        shutil.copyfile(busybox, tree / "bin/busybox")
        (tree / "bin/busybox").chmod(0o755)
        (tree / "srv/index.html").write_text("brought by hand\n")
        (tree / "etc/passwd").write_text("root:x:0:0:root:/:/bin/busybox\n")
        (tree / "etc/group").write_text("root:x:0:\n")
        (tree / "etc/vigil/services.d/files.json").write_text(json.dumps(
            {"name": "files", "exec": ["/bin/busybox", "httpd", "-f", "-p", "8090", "-h", "/srv"], "ready": {"http": {"port": 8090, "path": "/"}}}))
        code, out, err = self.daemon.vigil("image", "import", "brought", tree, timeout=900)
        self.assertEqual(code, 0, out + err)
        vm = self.up("guest", image="brought")
        self.daemon.wait_state(vm, "ready")
        self.assertEqual(self.service(vm, "files")["state"], "ready")
        (tree / "srv/escape").symlink_to("/etc")
        os.mknod(tree / "srv/disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0))
        code, out, err = self.daemon.vigil("image", "import", "brought", tree, timeout=900)
        self.assertEqual(code, 1)
        self.assertIn("'srv/disk': it is a device node", out + err)

    def busybox(self):
        """The image's own: static."""
        out = self.daemon.base / "busybox"
        subprocess.run(["debugfs", "-R", f"dump /usr/bin/busybox {out}", part_of(self.daemon, "root")], check=True, capture_output=True)
        return out

    def test_verify_lints_too(self):
        self.assertIn("rules kept", self.daemon.vigil("image", "verify", "minimal", check=0)[1])


if __name__ == "__main__":
    unittest.main()
