"""Bad profiles and service files: each fault is named with its file and key, all at once, before anything is built."""
import json
import os
import pathlib
import shutil
import tempfile
import unittest

import made  # noqa: F401  (puts rootfs-build on the path)
from image_build import jsonc, places, profile, service_files
from image_build.errors import BuildError
from image_build.guest_tree import GuestTree

GOOD = {"format": 1, "name": "small", "suite": "trixie", "packages": ["socat"], "min_memory_mib": 128,
        "kernel": {"package": "linux-image-cloud-amd64", "modules": ["virtio_blk"]}}


class InAFolder(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-profile-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.services = self.directory / "small/files/etc/vigil/services.d"
        self.services.mkdir(parents=True)
        self.write(GOOD)

    def write(self, values):
        (self.directory / "small/profile.json").write_text(values if isinstance(values, str) else json.dumps(values))

    def service(self, name, spec):
        (self.services / f"{name}.json").write_text(spec if isinstance(spec, str) else json.dumps(spec))

    def fault(self, name="small"):
        with self.assertRaises(BuildError) as caught:
            profile.load(self.directory, name)
        self.assertTrue(caught.exception.mend)
        return str(caught.exception)


class ReadsProfiles(InAFolder):
    def test_the_profiles_of_the_repository_are_right(self):
        minimal = profile.load(places.PROFILES, "minimal")
        self.assertEqual(minimal.services, ["echo", "ticker", "web"])
        systemd = profile.load(places.PROFILES, "systemd")
        self.assertEqual((systemd.init, systemd.services), ("systemd", ["echo", "ticker", "web"]), "units that are linked to a target")

    def test_service_files_beside_systemd_are_refused_since_nobody_reads_them(self):
        self.write({**GOOD, "init": "systemd"})
        self.assertIn("nobody reads service files", self.fault())

    def test_defaults_are_filled_in(self):
        loaded = profile.load(self.directory, "small")
        self.assertEqual((loaded.init, loaded.variant, loaded.overlay_mib, loaded.services), ("pid1", "essential", 2048, []))

    def test_every_fault_of_a_profile_is_told_at_once(self):
        self.write({**GOOD, "name": "other", "colour": "red", "packages": ["ok", "Bad Name"], "min_memory_mib": True, "suite": "a; rm -rf /",
                    "kernel": {"package": "linux", "modules": ["../x"]}})
        fault = self.fault()
        for word in ('unknown key "colour"', '"packages" must be', '"min_memory_mib" must be', '"suite" must be', '"kernel" must be', '"name" must be the folder'):
            self.assertIn(word, fault)

    def test_a_missing_key(self):
        self.write({k: v for k, v in GOOD.items() if k != "suite"})
        self.assertIn('the key "suite" is missing', self.fault())

    def test_where_its_programs_go_is_a_list_of_addresses(self):
        self.write({**GOOD, "egress_targets": ["https://api.example.com", "http://[::1]:8080/x"]})
        self.assertEqual(len(profile.load(self.directory, "small").egress_targets), 2)
        for wrong in (["api.example.com"], ["https://a b"], ["https://user@host"], ["https://h/\u0000"], ["https://h"] * 33, "https://h"):
            self.write({**GOOD, "egress_targets": wrong})
            self.assertIn('"egress_targets" must be', self.fault())

    def test_a_pattern_cannot_smuggle_in_another_option(self):
        self.write({**GOOD, "exclude": ["/usr/x --hook=evil"]})
        self.assertIn('"exclude" must be', self.fault())

    def test_what_is_not_json(self):
        self.write("{\n  \"format\": 1,\n}")
        self.assertIn("line 3", self.fault())
        self.write("[]")
        self.assertIn("not a JSON object", self.fault())
        (self.directory / "small/profile.json").write_bytes(b"\xff\xfe")
        self.assertIn("not JSON", self.fault())

    def test_unknown_profiles_say_which_exist(self):
        for name in ("none", "../small", "", "small/../small"):
            with self.assertRaises(BuildError) as caught:
                profile.load(self.directory, name)
            self.assertIn("profiles are: small", caught.exception.mend)


class ReadsServiceFiles(InAFolder):
    def test_a_file_with_comments_and_every_key(self):
        self.service("web", """{
            // what it is
            "name": "web", "exec": ["/bin/true", "// not a comment"], "user": "nobody", "env": {"A": "/* nor this */"}, "cwd": "/srv",
            "after": [], "requires": [], "wants": ["absent"], "essential": false, "ready": [{"tcp": {"port": 1}}, {"notify-fd": {}}],
            "ready_timeout_s": 5, "restart": {"policy": "always", "crash_loop": {"exits": 3, "window_s": 10}}, "stop": {"signal": "SIGINT", "grace_s": 0.5},
            "limits": {"memory": "64M", "pids": 10}, "health": {"probe": {"exec": {"argv": ["/bin/true"]}}, "interval_s": 1}, "secrets": ["token"] /* end */
        }""")
        self.assertEqual(profile.load(self.directory, "small").services, ["web"])

    def test_each_fault_is_named_with_file_and_key(self):
        table = {
            "colour: unknown key": {"colour": 1},
            "exec: wrong type": {"exec": ["relative"]},
            "ready.http.port: wrong type": {"ready": {"http": {"port": 0}}},
            "ready.http.port: missing": {"ready": {"http": {}}},
            "ready[1].grpc: unknown probe": {"ready": [{"sd-notify": {}}, {"grpc": {}}]},
            "ready.x11.window: a probe of its own": {"ready": {"x11": {"display": ":1", "window": True, "size": "1280x720"}}},
            "ready.tcp.colour: unknown key": {"ready": {"tcp": {"port": 1, "colour": 2}}},
            "ready: a probe is an object with one key": {"ready": {"tcp": {"port": 1}, "file": {"path": "/x"}}},
            "restart: one of always": {"restart": "sometimes"},
            "restart.policy: wrong": {"restart": {"policy": "sometimes"}},
            "stop.signal: wrong type": {"stop": {"signal": "TERM"}},
            "limits.memory: wrong type": {"limits": {"memory": "64X"}},
            "health.probe: missing": {"health": {"interval_s": 1}},
            "essential: wrong type": {"essential": "yes"},
            "env: wrong type": {"env": {"A": 1}},
            "name: must be the file's name": {"name": "other"},
            "after: wrong type": {"after": "web"},
        }
        for words, change in table.items():
            with self.subTest(words):
                self.service("web", {"name": "web", "exec": ["/bin/true"], **change})
                self.assertIn(f"web.json: {words}", self.fault())

    def test_dependencies(self):
        self.service("a", {"name": "a", "exec": ["/x"], "requires": ["b"]})
        self.assertIn("a.json: after/requires: there is no service b", self.fault())
        self.service("b", {"name": "b", "exec": ["/x"], "after": ["c"]})
        self.service("c", {"name": "c", "exec": ["/x"], "after": ["a"]})
        self.assertIn("a cycle: a -> b -> c -> a", self.fault())
        self.service("c", {"name": "c", "exec": ["/x"], "after": ["c"]})
        self.assertIn("a cycle: c -> c", self.fault())

    def test_all_files_are_told_at_once(self):
        self.service("a", "{")
        self.service("b", {"name": "b"})
        self.assertRegex(self.fault(), r"a\.json: not JSON.*b\.json: exec: missing")

    def test_a_key_that_stands_there_twice(self):
        with self.assertRaisesRegex(jsonc.JsoncError, "twice"):
            jsonc.parse('{"a": 1, "a": 2}')


class LooksForPrograms(InAFolder):
    def setUp(self):
        super().setUp()
        self.root = self.directory / "root"
        (self.root / "usr/bin").mkdir(parents=True)
        (self.root / "bin").symlink_to("usr/bin")
        (self.root / "usr/bin/tool").write_text("")
        (self.root / "usr/bin/tool").chmod(0o755)
        (self.root / "usr/bin/plain").write_text("")
        (self.root / "usr/bin/plain").chmod(0o644)

    def missing(self, program):
        directory = self.root / service_files.SERVICES
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "web.json").write_text(json.dumps({"name": "web", "exec": [program]}))
        with GuestTree(self.root) as tree:
            return list(service_files.missing_programs(tree))

    def test_found_through_links_within_the_root(self):
        (self.root / "usr/bin/alias").symlink_to("/bin/tool")
        self.assertEqual(self.missing("/bin/tool"), [])
        self.assertEqual(self.missing("/bin/alias"), [])

    def test_links_never_lead_out_of_the_root(self):
        (self.root / "usr/bin/out").symlink_to("../../../../../../../../../../bin/sh")
        (self.root / "usr/bin/host").symlink_to(f"{os.path.realpath('/bin')}/sh")
        self.assertEqual(self.missing("/bin/out"), ["web.json: exec: /bin/out is not in the image"])
        self.assertEqual(self.missing("/bin/host"), ["web.json: exec: /bin/host is not in the image"])

    def test_what_is_missing_not_executable_or_a_loop(self):
        (self.root / "usr/bin/loop").symlink_to("loop")
        self.assertEqual(self.missing("/bin/none"), ["web.json: exec: /bin/none is not in the image"])
        self.assertEqual(self.missing("/bin"), ["web.json: exec: /bin is not in the image"])
        self.assertEqual(self.missing("/bin/loop"), ["web.json: exec: /bin/loop is not in the image"])
        # Root may execute nothing either when no executable bit is set at all.
        self.assertEqual(self.missing("/bin/plain"), ["web.json: exec: /bin/plain is not executable"])


if __name__ == "__main__":
    unittest.main()
