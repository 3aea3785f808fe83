"""Locks and kept packages: the same packages until somebody asks for newer ones, also when the mirror has moved on. The packages are made by dpkg-deb."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import types
import unittest

import made     # noqa: F401  (sets the path of image_build)
from image_build import local_archive, lock, mirror, package_store, packages, resolver
from image_build.errors import BuildError
from image_build.progress import Progress
from image_build.step_cache import hash_of_file


def row(name="one", version="1:2.0-1", sha256="a" * 64, size=10):
    return {"name": name, "version": version, "architecture": "amd64", "sha256": sha256, "bytes": size}


class InAFolder(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-lock-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def refused(self, words, call, *arguments):
        with self.assertRaisesRegex(BuildError, words) as caught:
            call(*arguments)
        return caught.exception


class ALock(InAFolder):
    def test_is_kept_and_read_again(self):
        one = lock.Lock(self.directory / "l.json")
        self.assertFalse(one.holds("root", {"suite": "trixie"}))
        one.keep("root", {"suite": "trixie"}, [row()])
        other = lock.Lock(self.directory / "l.json")
        self.assertTrue(other.holds("root", {"suite": "trixie"}))
        self.assertFalse(other.holds("root", {"suite": "forky"}), "other wishes are resolved anew")
        self.assertEqual((other.rows("root"), other.resolved_unix), ([row()], one.resolved_unix))

    def test_the_same_answer_is_the_same_lock(self):
        one = lock.Lock(self.directory / "l.json")
        one.keep("root", {}, [row()])
        one.value["resolved_unix"] = 7
        one.keep("root", {}, [row()])
        self.assertEqual(one.resolved_unix, 7, "a refresh that found nothing newer is no other image")
        one.keep("root", {}, [row(version="3")])
        self.assertNotEqual(one.resolved_unix, 7)

    def test_what_is_no_lock_is_refused_by_its_faults(self):
        path = self.directory / "l.json"
        good = {"format": 1, "resolved_unix": 1, "groups": {"root": {"wanted": {}, "packages": [row()]}}}
        path.write_text(json.dumps(good))
        lock.Lock(path)
        for change, words in ((lambda v: v.update(format=2), "not a lock of format 1"), (lambda v: v.update(groups=[]), "groups are missing"),
                              (lambda v: v["groups"]["root"]["packages"][0].update(name="../x"), "package 0: name is"),
                              (lambda v: v["groups"]["root"]["packages"][0].update(sha256="A"), "sha256 is"),
                              (lambda v: v["groups"]["root"]["packages"][0].update(bytes="10"), "bytes is not"),
                              (lambda v: v["groups"]["root"].pop("wanted"), "wanted or packages")):
            value = json.loads(json.dumps(good))
            change(value)
            path.write_text(json.dumps(value))
            self.refused(words, lock.Lock, path)
        path.write_text("{")
        self.assertEqual(self.refused("not JSON", lock.Lock, path).step, "resolve")

    def test_what_changed_is_told_in_a_line(self):
        before = [row("a", "1"), row("b", "1"), row("c", "1")]
        self.assertEqual(lock.told([row("a", "1"), row("b", "2"), row("d", "1")], before), "b 1 -> 2, d 1 (new), c (gone)")
        self.assertEqual(lock.told(before, []), "")


class Resolving(InAFolder):
    def resolver(self, refresh):
        out = open(self.directory / "out", "a", encoding="utf-8")     # noqa: SIM115
        self.addCleanup(out.close)
        made_resolver = resolver.Resolver(self.directory, "http://127.0.0.1:9/debian", refresh, Progress(out=out), None)
        made_resolver.apts["trixie"] = types.SimpleNamespace(update_once=lambda: None)
        return made_resolver

    def rows(self, answer, wanted=None, refresh=False):
        asker = self.resolver(refresh)
        asked = []
        found = asker.rows(asker.default_lock("p"), "root", "trixie", wanted or {"packages": []}, lambda apt: asked.append(1) or answer)
        return found, bool(asked)

    def test_happens_once_then_on_request_or_for_other_wishes(self):
        old, new = [row(version="1")], [row(version="2")]
        self.assertEqual(self.rows(old), (old, True))
        self.assertEqual(self.rows(new), (old, False), "the mirror has moved on; the lock has not")
        self.assertEqual(self.rows(new, wanted={"packages": ["x"]}), (new, True))
        self.assertEqual(self.rows(old, wanted={"packages": ["x"]}, refresh=True), (old, True))


    def test_a_lock_that_is_damaged_keeps_everything(self):
        store = self.directory / "packages"
        store.mkdir()
        (store / f"{'c' * 64}.deb").write_text("old")
        os.utime(store / f"{'c' * 64}.deb", (0, 0))
        (self.directory / "locks").mkdir()
        (self.directory / "locks/other.json").write_text("{")
        self.resolver(False).sweep()
        self.assertEqual(len(list(store.iterdir())), 1)
        (self.directory / "locks/other.json").unlink()
        self.resolver(False).sweep()
        self.assertEqual(list(store.iterdir()), [])


class Packages(InAFolder):
    def package(self, name="one", version="1:2.0-1", depends=""):
        tree = self.directory / "tree" / name
        (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (tree / "DEBIAN/control").write_text(f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: n <n@example.org>\n"
                                             f"Essential: yes\nDescription: made\n" + (f"Depends: {depends}\n" if depends else ""))
        (self.directory / "mirror").mkdir(exist_ok=True)
        path = self.directory / "mirror" / f"{name}.deb"
        subprocess.run(["dpkg-deb", "-b", "--root-owner-group", tree, path], check=True, capture_output=True)
        return path, row(name, version, hash_of_file(path), path.stat().st_size)

    def apt(self, **files):
        """Hands out the files that it has, as a mirror does."""
        def download(rows, folder):
            self.asked = [r["name"] for r in rows]
            for r in rows:
                if r["name"] in files:
                    shutil.copyfile(files[r["name"]], folder / package_store.file_name(r))
        return lambda: types.SimpleNamespace(download_exactly=download)

    def bring(self, rows, apt):
        target = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
        package_store.PackageStore(self.directory / "store").bring(rows, target, apt)
        return target

    def test_are_kept_so_that_a_lock_can_be_built_without_its_mirror(self):
        path, one = self.package()
        self.bring([one], self.apt(one=path))
        target = self.bring([one], self.apt())
        self.assertEqual((target / "one_1%3a2.0-1_amd64.deb").read_bytes(), path.read_bytes())
        self.assertEqual(self.asked, ["one"], "the second time nobody was asked")

    def test_that_are_gone_from_the_mirror_are_named(self):
        _, one = self.package()
        error = self.refused("one 1:2.0-1: the mirror has it no more", self.bring, [one], self.apt())
        self.assertIn("--refresh", error.mend)

    def test_that_are_not_what_the_lock_says_are_not_kept(self):
        path, one = self.package()
        path.write_bytes(path.read_bytes() + b"more")
        self.refused("hashes to .*, the lock says", self.bring, [one], self.apt(one=path))
        self.assertEqual(list((self.directory / "store").iterdir()), [])

    def test_that_were_damaged_while_kept_are_removed(self):
        path, one = self.package()
        self.bring([one], self.apt(one=path))
        kept = self.directory / "store" / f"{one['sha256']}.deb"
        kept.unlink()
        kept.write_bytes(b"damaged")
        self.refused("damaged", self.bring, [one], self.apt(one=path))
        self.bring([one], self.apt(one=path))

    def test_an_archive_holds_exactly_the_lock(self):
        path, one = self.package(depends="libc6 (>= 2)")
        shutil.copyfile(path, self.directory / package_store.file_name(one))
        local_archive.write([one], self.directory, "trixie", self.directory)
        index = (self.directory / "Packages").read_text()
        for line in ("Package: one", "Version: 1:2.0-1", "Essential: yes", "Depends: libc6 (>= 2)", "Filename: one_1%3a2.0-1_amd64.deb", f"SHA256: {one['sha256']}"):
            self.assertIn(line + "\n", index)
        self.assertNotIn("Maintainer", index)
        self.assertIn("Codename: trixie\n", (self.directory / "Release").read_text())

    def test_a_file_that_is_another_package_is_refused(self):
        path, one = self.package()
        other = {**one, "name": "other"}
        shutil.copyfile(path, self.directory / package_store.file_name(other))
        self.refused("the file is one 1:2.0-1", local_archive.write, [other], self.directory, "trixie", self.directory)


class WhatWasInstalled(unittest.TestCase):
    def test_must_be_what_the_lock_says(self):
        installed = [{"name": "one", "version": "1", "architecture": "amd64"}]
        packages.check_installed(installed, [row("one", "1")])
        self.assertEqual(installed[0]["sha256"], "a" * 64)
        for rows, words in (([row("one", "2")], "one 1: it was installed and is not"), ([row("one", "1"), row("two", "1")], "two 1: it is in the lock")):
            with self.assertRaisesRegex(BuildError, words):
                packages.check_installed(installed, rows)


class WhatAptSays(unittest.TestCase):
    def apt(self, **answers):
        apt = object.__new__(mirror.PrivateApt)
        apt.run = lambda program, *words, **_: answers[words[0]].encode()
        return apt

    def test_of_a_closure(self):
        uris = "'http://m/pool/a_1%253a2_amd64.deb' a_1%3a2_amd64.deb 10 MD5Sum:00\n'http://m/b_1_all.deb' b_1_all.deb 5 MD5Sum:00\n"
        facts = (f"Package: b\nVersion: 1\nArchitecture: all\nSize: 5\nSHA256: {'b' * 64}\nDescription: x\n more: y\n\n"
                 f"Package: a\nVersion: 1:2\nArchitecture: amd64\nSize: 10\nSHA256: {'a' * 64}\n\n")
        self.assertEqual(self.apt(install=uris, show=facts).closure(["a"]), [
            row("a", "1:2"), {**row("b", "1", "b" * 64, 5), "architecture": "all"}])

    def test_a_package_without_a_hash_is_refused(self):
        with self.assertRaisesRegex(BuildError, "a 1:2: the package lists have no SHA-256"):
            self.apt(install="'http://m/a' a_1%3a2_amd64.deb 10 x\n", show="Package: a\nVersion: 1:2\nArchitecture: amd64\nSize: 1\n").closure(["a"])

    def test_of_versions_that_are_still_there(self):
        apt = self.apt(madison=" a | 1:2 | http://m trixie/main amd64 Packages\n b | 3 | http://m trixie/main amd64 Packages\n")
        self.assertEqual(apt.held([row("a", "1:2"), row("b", "2")]), [row("a", "1:2")])


if __name__ == "__main__":
    unittest.main()
