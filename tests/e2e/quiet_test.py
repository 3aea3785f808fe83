#!/usr/bin/env python3
"""Nobody dials a guest to find out whether it is ready: every connect() of daemon, shim and vsock device is looked at."""
import re
import shutil
import unittest

from harness.daemon import Daemon


class Traced(Daemon):
    """vigild and all that it starts, under strace."""

    def command(self):
        return ["strace", "-f", "--seccomp-bpf", "-s", "200", "-e", "trace=connect", "-o", str(self.base / "trace"), *super().command()]

    def connects(self):
        return re.findall(r'connect\(\d+, \{sa_family=(AF_\w+)(?:, sun_path="([^"]*)")?', (self.base / "trace").read_text())


@unittest.skipUnless(shutil.which("strace"), "needs strace")
class Quiet(unittest.TestCase):
    def test_no_process_of_the_host_connects_to_the_guest_before_it_is_ready(self):
        daemon = Traced().use_images().start()
        try:
            vm = daemon.create("quiet")
            daemon.wait_state(vm, "ready", deadline=300)
            connects = daemon.connects()
            paths = [path for family, path in connects if family == "AF_UNIX"]
            self.assertTrue(any(p.endswith("vsock_5252") for p in paths), f"the trace sees the guest's own dial: {paths}")
            self.assertEqual([p for p in paths if p.endswith("/vsock")], [], "a connect to the socket through which a guest is dialled")
            self.assertEqual([family for family, _ in connects if family not in ("AF_UNIX",)], [], "nothing but Unix sockets")
        finally:
            daemon.close()


if __name__ == "__main__":
    unittest.main()
