"""Profiles that extend others: what is joined and how, whose files win, and that a chain which leads nowhere or in a circle is told by its names."""
import json
import pathlib
import shutil
import tempfile
import unittest

import made  # noqa: F401  (puts rootfs-build on the path)
from image_build import places, profile, root, service_files
from image_build.errors import BuildError

BASE = {"format": 1, "name": "base", "suite": "trixie", "packages": ["socat", "git"], "min_memory_mib": 256, "overlay_mib": 1024, "exclude": ["/a"],
        "programs": [["/usr/bin/socat", "-V"]], "lint_allow": {"setuid_surprise": ["/usr/bin/one"]}, "npm": ["@x/tool@1.0.0", "plain@2.0.0"],
        "users": [{"name": "agent", "uid": 1000}, {"name": "other", "uid": 1001}],
        "kernel": {"package": "linux-image-cloud-amd64", "modules": ["virtio_blk"]}}


class InAFolder(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-extends-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.write(BASE)

    def write(self, values):
        folder = self.directory / values["name"]
        folder.mkdir(exist_ok=True)
        (folder / "profile.json").write_text(json.dumps(values))

    def child(self, name="child", extends="base", **more):
        self.write({"format": 1, "name": name, "extends": extends, **more})

    def file(self, name, path, text):
        target = self.directory / name / "files" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def service(self, profile_name, name, **more):
        self.file(profile_name, f"etc/vigil/services.d/{name}.json", json.dumps({"name": name, "exec": ["/bin/true"], **more}))

    def load(self, name="child"):
        return profile.load(self.directory, name)

    def fault(self, name="child"):
        with self.assertRaises(BuildError) as caught:
            self.load(name)
        self.assertTrue(caught.exception.mend)
        return str(caught.exception)


class Joins(InAFolder):
    def test_what_the_child_leaves_out_is_its_parents(self):
        self.child()
        parent, child = self.load("base"), self.load()
        self.assertEqual({**child.values, "name": "", "extends": ""}, {**parent.values, "name": "", "extends": ""})
        self.assertEqual((child.name, child.init), ("child", "pid1"))

    def test_lists_grow_and_the_larger_memory_wins(self):
        self.child(packages=["git", "tmux"], exclude=["/b"], programs=[["/usr/bin/tmux", "-V"]], min_memory_mib=2048, overlay_mib=512,
                   lint_allow={"setuid_surprise": ["/usr/bin/two"], "secret_in_image": ["/x"]})
        child = self.load()
        self.assertEqual((child.packages, child.exclude), (["socat", "git", "tmux"], ["/a", "/b"]))
        self.assertEqual(child.programs, [["/usr/bin/socat", "-V"], ["/usr/bin/tmux", "-V"]])
        self.assertEqual((child.min_memory_mib, child.overlay_mib), (2048, 1024))
        self.assertEqual(child.lint_allow, {"setuid_surprise": ["/usr/bin/one", "/usr/bin/two"], "secret_in_image": ["/x"]})

    def test_what_has_a_name_is_replaced_by_it(self):
        self.child(npm=["@x/tool@1.1.0", "more@3.0.0"], users=[{"name": "agent", "uid": 2000, "shell": "/bin/sh"}])
        child = self.load()
        self.assertEqual(child.npm, ["plain@2.0.0", "@x/tool@1.1.0", "more@3.0.0"])
        self.assertEqual(child.users, [{"name": "other", "uid": 1001}, {"name": "agent", "uid": 2000, "shell": "/bin/sh"}])

    def test_a_kernel_is_taken_whole(self):
        self.child(kernel={"build": "small"})
        self.assertEqual((self.load().built_kernel, self.load().kernel), ("small", {"build": "small"}))

    def test_services_of_all_and_the_childs_own_wins(self):
        self.service("base", "web", requires=["db"])
        self.service("base", "db")
        self.child()
        self.service("child", "more", after=["web"])
        self.assertEqual(self.load().services, ["db", "more", "web"])
        self.service("child", "db", user="nobody")
        with service_files.gathered(self.load().service_directories) as gathered:
            self.assertEqual(json.loads((gathered / "db.json").read_text())["user"], "nobody")
            self.assertEqual(len(list(gathered.iterdir())), 3)
        self.service("child", "db", requires=["web"])
        self.assertIn("a cycle: db -> web -> db", self.fault())

    def test_files_are_laid_in_the_order_of_the_chain_and_all_count(self):
        self.child()
        self.child("grandchild", "child")
        loaded = self.load("grandchild")
        self.assertEqual([layer.parent.name for layer in loaded.layers], ["base", "child", "grandchild"])
        before = root.inputs(loaded, "b", "n", {"sha256": "h"}, "t", 1)
        self.file("base", "etc/motd", "hello")
        self.assertNotEqual(root.inputs(self.load("grandchild"), "b", "n", {"sha256": "h"}, "t", 1), before)

    def test_a_profile_without_a_parent_is_as_it_was(self):
        self.assertEqual((self.load("base").layers, self.load("base").packages), ([self.directory / "base/files"], ["socat", "git"]))


class Refuses(InAFolder):
    def test_an_unknown_parent_by_the_chain_that_led_to_it(self):
        self.child("grandchild", "child")
        self.child(extends="gone")
        self.assertIn("grandchild: extends: there is no profile gone (grandchild -> child -> gone)", self.fault("grandchild"))

    def test_a_cycle_by_its_names(self):
        self.child(extends="other")
        self.child("other", "third")
        self.child("third", "other")
        self.assertIn("child: extends: a cycle: other -> third -> other", self.fault())
        self.child(extends="child")
        self.assertIn("a cycle: child -> child", self.fault())

    def test_a_chain_without_an_end(self):
        for number in range(12):
            self.child(f"p{number}", f"p{number + 1}")
        self.assertIn("more than 8 deep: p0 -> p1", self.fault("p0"))

    def test_a_parents_own_fault_by_its_file(self):
        self.write({**BASE, "packages": ["Bad Name"]})
        self.child()
        self.assertIn('base/profile.json: "packages" must be', self.fault())

    def test_what_only_a_parent_may_leave_to_another(self):
        self.write({"format": 1, "name": "base"})
        self.child()
        self.assertIn('the key "suite" is missing', self.fault())
        self.write({"name": "child", "extends": "base"})
        self.assertIn('the key "format" is missing', self.fault())

    def test_names_versions_and_users_that_are_not_exact(self):
        for key, values in {"npm": (["tool"], ["tool@^1.0.0"], ["tool@latest"], ["tool@1.0.0", "tool@1.0.1"], ["../x@1.0.0"], ["a@file:x@1.0.0"]),
                            "users": ([{"name": "root", "uid": 0}], [{"name": "a"}], [{"name": "a:b", "uid": 1000}], [{"name": "a", "uid": 1000, "home": "/etc"}],
                                      [{"name": "a", "uid": 1000}, {"name": "b", "uid": 1000}], [{"name": "a", "uid": 1000, "password": "x"}]),
                            "extends": ("../base", "")}.items():
            for value in values:
                with self.subTest(f"{key} {value}"):
                    self.write({**BASE, key: value})
                    self.assertIn(f'"{key}" must be', self.fault("base"))


class TheRepositorysOwn(unittest.TestCase):
    def test_each_cli_is_run_by_the_lint(self):
        cli = profile.load(places.PROFILES, "cli")
        run = {word for argv in cli.programs for word in argv}
        for name in ("claude", "codex", "gemini"):
            self.assertIn(f"/usr/local/bin/{name}", run)
        self.assertEqual([user["name"] for user in cli.users], ["agent"])

    def test_the_desktop_runs_as_its_user_with_chromiums_sandbox_on(self):
        browser = profile.load(places.PROFILES, "browser")
        self.assertEqual(browser.services, ["browser", "clis", "display", "novnc", "session-bus", "terminal", "window-manager"])
        for path in service_files.files_in(browser.service_directories).values():
            spec = service_files.jsonc.parse(path.read_text())
            self.assertEqual(spec["user"], "agent", path.name)
            self.assertFalse([word for word in spec["exec"] if "sandbox" in word], path.name)


if __name__ == "__main__":
    unittest.main()
