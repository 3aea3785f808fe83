"""The mirror is read from the machine's own apt, whatever else is configured there. Addresses here are made up."""
import unittest

import made  # noqa: F401  (puts rootfs-build on the path)
from image_build import mirror, packages
from image_build.errors import BuildError

BOOKWORM = """\
Debian|Debian|bookworm|main|http://mirror.example/debian/
Debian|Debian|bookworm|contrib|http://mirror.example/debian/
Debian|Debian|bookworm-updates|main|http://mirror.example/debian/
Debian|Debian-Security|bookworm-security|main|http://safe.example/debian-security/
Some Vendor|Some Vendor|nodistro|main|https://vendor.example/apt/
"""


class ReadsTheMirror(unittest.TestCase):
    def test_by_label_beside_third_party_repositories(self):
        found = mirror.parse_targets(BOOKWORM)
        self.assertEqual(found, mirror.Mirror("http://mirror.example/debian/", "http://safe.example/debian-security/"))

    def test_backports_alone_are_not_the_main_archive(self):
        self.assertEqual(mirror.parse_targets("Debian|Debian|bookworm-backports|main|http://other.example/debian/\n").main, "")

    def test_lists_that_were_never_fetched_have_no_labels(self):
        unread = "||trixie|main|http://mirror.example/debian/\n||trixie-security|main|http://mirror.example/debian-security/\n||x|main|http://v.example/apt/\n"
        self.assertEqual(mirror.parse_targets(unread), mirror.Mirror("http://mirror.example/debian/", "http://mirror.example/debian-security/"))

    def test_nothing_usable(self):
        self.assertEqual(mirror.parse_targets("garbage\n\nDebian|Debian|bookworm|main|\n"), mirror.Mirror("", ""))

    def test_a_path_with_a_bar_in_it_is_kept_whole(self):
        self.assertEqual(mirror.parse_targets("Debian|Debian|trixie|main|file:/srv/a|b/debian/\n").main, "file:/srv/a|b/debian/")


class WritesSources(unittest.TestCase):
    def test_a_stable_suite_with_updates_and_security_fixes(self):
        lines = mirror.Mirror("http://m.example/debian/", "http://s.example/debian-security/").sources("trixie")
        self.assertEqual([line.split("] ")[1] for line in lines],
                         ["http://m.example/debian/ trixie main", "http://m.example/debian/ trixie-updates main",
                          "http://s.example/debian-security/ trixie-security main"])
        self.assertTrue(all(mirror.KEYRING in line for line in lines))

    def test_without_a_security_mirror(self):
        self.assertEqual(len(mirror.Mirror("http://m.example/debian/", "").sources("trixie")), 2)

    def test_sid_has_neither(self):
        self.assertEqual(len(mirror.Mirror("http://m.example/debian/", "http://s.example/x/").sources("sid")), 1)

    def test_proxies_of_the_machine_are_handed_on_and_nothing_else(self):
        passed = 'Acquire::http::Proxy "http://proxy.example:3128/";'
        self.assertTrue(mirror.TRANSPORT.fullmatch(passed))
        for other in ('Acquire::Languages "none";', 'APT::Architecture "amd64";', 'Dir::State "/x";', 'Acquire::http::Proxy "a"; Dir::State "b";'):
            self.assertIsNone(mirror.TRANSPORT.fullmatch(other), other)


class ReadsDpkgStatus(unittest.TestCase):
    def test_installed_packages_by_name(self):
        text = ("Package: zlib\nStatus: install ok installed\nVersion: 1:2-3\nArchitecture: amd64\nDescription: a\n Status: not this\n\n"
                "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n"
                "Package: base\nStatus: install ok installed\nArchitecture: all\nVersion: 13.1\n")
        self.assertEqual(packages.parse_status(text), [{"name": "base", "version": "13.1", "architecture": "all"},
                                                       {"name": "zlib", "version": "1:2-3", "architecture": "amd64"}])


class APackageThatTheSuiteLacks(unittest.TestCase):
    def test_is_named_and_the_network_is_not_suspected(self):
        for words in ("apt-get failed with code 100: E: Unable to locate package nosuch", "apt-get failed with code 100: E: Package 'nosuch' has no installation candidate"):
            error = mirror.named(BuildError("packages busybox nosuch", words, "check the network"))
            self.assertEqual((error.item, error.cause), ("package nosuch", "the suite has no package of this name"))
            self.assertIn("profile.json", error.mend)

    def test_other_errors_of_apt_stay_as_they_are(self):
        error = BuildError("packages busybox", "apt-get failed with code 100: E: Failed to fetch http://127.0.0.1/x", "check the network")
        self.assertIs(mirror.named(error), error)


if __name__ == "__main__":
    unittest.main()
