"""npm packages: what is chosen from npm's own answer, kept by its hash, and laid out as the same bytes each time. npm itself is a script that stands for it."""
import base64
import contextlib
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import tarfile
import tempfile
import unittest

import made  # noqa: F401  (puts rootfs-build on the path)
from image_build import lock, npm_client, npm_store, npm_tree, resolver
from image_build.errors import BuildError
from image_build.progress import Progress
from image_build.tools import Tools


def packed(files, folder="package", mtime=1, **modes):
    """A package of npm: {name: text}; a value that is no text is the type of another kind of member."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=mtime) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}" if folder else name)
            info.mtime, info.mode, info.uid, info.uname = mtime, modes.get(name.rpartition("/")[2], 0o600), 1234, "builder"
            if isinstance(text, str):
                info.size = len(text)
                tar.addfile(info, io.BytesIO(text.encode()))
            else:
                info.type, info.linkname = text, "/etc/passwd"
                tar.addfile(info)
    return out.getvalue()


def integrity(data):
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def row(name, data=b"x", version="1.0.0", path=None):
    return {"name": name, "version": version, "integrity": integrity(data), "path": path or f"node_modules/{name}"}


def entry(name="", **more):
    return {"version": "1.0.0", "integrity": integrity(name.encode()), **more}


class InAFolder(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-npm-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def refused(self, words, call, *arguments):
        with self.assertRaisesRegex(BuildError, words) as caught:
            call(*arguments)
        self.assertTrue(caught.exception.mend)
        return caught.exception


class Choosing(unittest.TestCase):
    def paths(self, entries, *wanted):
        return [found["path"].replace("node_modules/", "") for found in npm_client.chosen({f"node_modules/{k}": v for k, v in entries.items()}, wanted)]

    def test_packages_for_other_machines_are_left_out(self):
        entries = {"a": entry(optionalDependencies={"a-mac": "1", "a-linux": "1", "a-musl": "1", "a-not": "1"}), "a-mac": entry(os=["darwin"]),
                   "a-linux": entry(os=["linux"], cpu=["x64"], libc=["glibc"]), "a-musl": entry(os=["linux"], libc=["musl"]), "a-not": entry(os=["!linux"])}
        self.assertEqual(self.paths(entries, "a"), ["a", "a-linux"])

    def test_what_would_have_to_be_compiled_is_left_out_where_it_may_be_with_all_that_only_it_needs(self):
        entries = {"a": entry(optionalDependencies={"native": "1"}), "native": entry(hasInstallScript=True, dependencies={"headers": "1"}), "headers": entry()}
        self.assertEqual(self.paths(entries, "a"), ["a"])
        self.assertEqual(self.paths({**entries, "a": entry(dependencies={"native": "1"})}, "a"), ["a", "headers", "native"])

    def test_a_package_of_ones_own_is_found_before_that_of_all(self):
        entries = {"a": entry(dependencies={"b": "1"}), "a/node_modules/b": entry(dependencies={"c": "1"}), "b": entry(), "c": entry()}
        self.assertEqual([p.replace("/node_modules", "") for p in self.paths(entries, "a")], ["a", "a/b", "c"])

    def test_an_alias_keeps_its_own_name_and_place(self):
        entries = {"node_modules/a": entry(dependencies={"other": "1"}), "node_modules/other": entry(name="real")}
        entries["node_modules/other"]["name"] = "@x/real"
        self.assertEqual([(r["name"], r["path"]) for r in npm_client.chosen(entries, ["a"])], [("a", "node_modules/a"), ("@x/real", "node_modules/other")])

    def test_what_is_needed_and_not_there_or_not_from_a_registry(self):
        for entries, words in (({"node_modules/a": entry(dependencies={"gone": "1"})}, "a 1.0.0: needs gone"),
                               ({"node_modules/a": entry(dependencies={"mac": "1"}), "node_modules/mac": entry(os=["darwin"])}, "needs mac"),
                               ({"node_modules/a": {"version": "1.0.0", "integrity": "sha1-x"}}, "integrity is"),
                               ({"node_modules/a": {"version": "git+ssh://x", "integrity": integrity(b"")}}, "version is")):
            with self.assertRaisesRegex(BuildError, words):
                npm_client.chosen(entries, ["a"])

    def test_no_older_hash_is_taken(self):
        both = {"node_modules/a": {"version": "1.0.0", "integrity": f"sha1-abc= {integrity(b'x')}"}}
        self.assertEqual(npm_client.chosen(both, ["a"])[0]["integrity"], integrity(b"x"))


class ALock(InAFolder):
    def test_holds_names_versions_and_hashes_and_no_address(self):
        one = lock.Lock(self.directory / "l.json")
        one.keep("npm", {"packages": ["a@1.0.0"]}, [row("a")])
        text = (self.directory / "l.json").read_text()
        self.assertEqual(lock.Lock(self.directory / "l.json").npm_rows(), [row("a")])
        self.assertNotRegex(text, "http|resolved\"|registry")
        self.assertEqual(one.debian_rows(), [])

    def test_with_anything_more_or_less_is_refused(self):
        for change in ({"resolved": "https://x"}, {"integrity": "sha1-abc"}, {"path": "node_modules/../../etc"}, {"path": "/node_modules/a"}, {"name": "../a"},
                       {"version": "latest"}):
            value = {"format": 1, "resolved_unix": 1, "groups": {"npm": {"wanted": {}, "packages": [{**row("a"), **change}]}}}
            (self.directory / "l.json").write_text(json.dumps(value))
            self.refused("group npm, package 0", lock.Lock, self.directory / "l.json")


class AStore(InAFolder):
    def setUp(self):
        super().setUp()
        self.asked, self.offered = [], {}
        self.store = npm_store.NpmStore(self.directory / "npm")

    @contextlib.contextmanager
    def client(self):
        yield self

    def download(self, rows, directory):
        self.asked.append([r["name"] for r in rows])
        for r in rows:
            (pathlib.Path(directory) / f"{r['name'].replace('/', '-')}.tgz").write_bytes(self.offered[r["name"]])

    def test_downloads_once_and_keeps_by_hash(self):
        self.offered = {"a": b"one", "@x/b": b"two"}
        rows = [row("a", b"one"), row("@x/b", b"two")]
        found = self.store.bring(rows, self.client)
        self.assertEqual([found[r["integrity"]].read_bytes() for r in rows], [b"one", b"two"])
        self.store.bring(rows, self.client)
        self.assertEqual(self.asked, [["a", "@x/b"]], "from the cache, without npm")
        self.assertFalse([p for p in self.store.directory.iterdir() if p.suffix != ".tgz"])

    def test_another_file_under_the_same_name_is_refused(self):
        self.offered = {"a": b"evil"}
        self.refused("a 1.0.0: the registry's file does not hash", self.store.bring, [row("a", b"good")], self.client)
        self.assertEqual(list(self.store.directory.glob("*.tgz")), [])

    def test_a_damaged_file_is_removed_and_named(self):
        self.offered = {"a": b"good"}
        path = self.store.bring([row("a", b"good")], self.client)[integrity(b"good")]
        path.write_bytes(b"bad")
        self.refused("damaged", self.store.bring, [row("a", b"good")], self.client)
        self.assertFalse(path.exists())

    def test_a_sweep_keeps_what_a_lock_names_or_was_used(self):
        self.offered = {name: name.encode() for name in "abc"}
        found = self.store.bring([row(name, name.encode()) for name in "abc"], self.client)
        for name in "ab":
            os.utime(found[integrity(name.encode())], (0, 0))
        kept = lock.Lock(self.directory / "l.json")
        kept.keep("npm", {}, [row("a", b"a")])
        self.store.sweep([kept])
        self.assertEqual({integrity(p.read_bytes()) for p in self.store.directory.iterdir()}, {integrity(b"a"), integrity(b"c")})


class ATree(InAFolder):
    def write(self, packages, specs=("a@1.0.0",), node="20.19.2", out="npm.tar"):
        rows, paths = [], {}
        for name, data in packages.items():
            rows.append(row(name, data))
            path = self.directory / f"{len(paths)}.tgz"
            path.write_bytes(data)
            paths[integrity(data)] = path
        return npm_tree.write(specs, rows, paths, node, 1_000_000, self.directory / out)

    def members(self):
        with tarfile.open(self.directory / "npm.tar") as tar:
            return {info.name.removeprefix("./"): info for info in tar}

    def test_has_links_to_the_programs_of_what_was_asked_for(self):
        self.write({"a": packed({"package.json": '{"bin": {"tool": "./cli.js"}}', "cli.js": "#!", "lib/x": ""}), "b": packed({"package.json": '{"bin": "b.js"}', "b.js": ""})})
        found = self.members()
        self.assertEqual(found["usr/local/bin/tool"].linkname, "../lib/node_modules/a/cli.js")
        self.assertNotIn("usr/local/bin/b", found, "what others only need is no program of the image")
        self.assertEqual([found[f"usr/local/lib/node_modules/{p}"].mode for p in ("a/cli.js", "a/lib/x", "a/lib")], [0o755, 0o644, 0o755])
        self.assertEqual({(m.uid, m.gid, m.uname, m.mtime) for m in found.values()}, {(0, 0, "", 1_000_000)})

    def test_is_the_same_bytes_whenever_and_wherever(self):
        files = {"package.json": "{}", "x": "1"}
        self.write({"a": packed(files)})
        os.utime(self.directory / "0.tgz", (5, 5))
        self.write({"a": packed(files)}, out="again.tar")
        self.assertEqual((self.directory / "npm.tar").read_bytes(), (self.directory / "again.tar").read_bytes())
        self.assertNotIn(str(self.directory).encode(), (self.directory / "npm.tar").read_bytes())

    def test_what_leads_out_of_a_package_is_refused_by_its_name(self):
        for files, words in (({"package.json": "{}", "../../../etc/x": ""}, "a 1.0.0: holds 'package/../../../etc/x'"), ({"package.json": "{}", "l": tarfile.SYMTYPE}, "no plain file"),
                             ({"package.json": "{}", "l": tarfile.LNKTYPE}, "no plain file"), ({"package.json": '{"bin": {"t": "../../bin/sh"}}'}, "program 't'"),
                             ({"package.json": '{"bin": {"../../sbin/init": "x"}}'}, "leads out"), ({"x": ""}, "has no package.json"), ({"package.json": "{"}, "not a package")):
            with self.subTest(words):
                self.refused(words, self.write, {"a": packed(files)})
        self.refused("leads out", self.write, {"a": packed({"/package.json": "{}"}, folder="")})
        self.refused("not a package", self.write, {"a": b"no archive"})

    def test_two_programs_of_one_name(self):
        both = {name: packed({"package.json": '{"bin": {"tool": "x"}}', "x": name}) for name in "ab"}
        self.refused("b 1.0.0: its program tool is also that of a 1.0.0", self.write, both, ("a@1.0.0", "b@1.0.0"))

    def test_says_who_asks_for_a_newer_node(self):
        package = {"a": packed({"package.json": '{"engines": {"node": ">=22.0.0"}}'})}
        self.assertEqual(self.write(package), ["a 1.0.0 asks for Node.js >=22.0.0, the image has 20.19.2"])
        self.assertEqual(self.write(package, node="22.0.0"), [])
        self.assertEqual([npm_tree.older_than("20.19.2", wanted) for wanted in (">=20", ">=20.19", ">= 20.19.3", "^18 || ^20", "*")], [False, False, True, False, False])


class ByNpm(InAFolder):
    """A script in the place of npm: what it is told, and that nothing of its answer but names, versions and hashes is kept."""
    SCRIPT = """#!/bin/sh
echo "$@" >>"$NPM_TEST_SAID"
case $1 in
    install) cat "$NPM_TEST_ANSWER" >package-lock.json ;;
    *) exit 1 ;;
esac
"""

    def setUp(self):
        super().setUp()
        (self.directory / "bin").mkdir()
        (self.directory / "bin/npm").write_text(self.SCRIPT.replace("$NPM_TEST_SAID", f"{self.directory}/said").replace("$NPM_TEST_ANSWER", f"{self.directory}/answer"))
        (self.directory / "bin/npm").chmod(0o755)
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{self.directory}/bin:{before}"
        self.addCleanup(os.environ.__setitem__, "PATH", before)

    def test_resolves_into_the_lock(self):
        answer = {"packages": {"": {}, "node_modules/a": {**entry("a"), "resolved": "https://example.invalid/a.tgz"}}}
        (self.directory / "answer").write_text(json.dumps(answer))
        (self.directory / "log").touch()
        with open(self.directory / "out", "w", encoding="utf-8") as out:
            asker = resolver.Resolver(self.directory / "cache", "", False, Progress(out=out), Tools(self.directory / "log", 1))
            held = asker.default_lock("p")
            self.assertEqual(asker.npm_rows(held, ["a@1.0.0"]), [row("a", b"a")])
            asker.npm_rows(held, ["a@1.0.0"])
            self.assertNotIn("example.invalid", held.path.read_text())
            with self.assertRaisesRegex(BuildError, "1 npm packages: npm failed with code 1"):
                asker.npm_packages([row("a", b"a")])
        said = (self.directory / "said").read_text().splitlines()
        self.assertEqual([line.split()[0] for line in said], ["install", "pack"])
        self.assertTrue(all("--ignore-scripts" in line for line in said), "a package's own scripts are never run")
        self.assertEqual([p.name for p in (self.directory / "cache").iterdir() if p.name.startswith(".npm")], [])


if __name__ == "__main__":
    unittest.main()
