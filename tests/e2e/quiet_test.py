#!/usr/bin/env python3
"""Nobody dials a guest to find out whether it is ready: every connect() of daemon, shim and vsock device is looked at."""
import re
import shutil
import unittest

from harness.daemon import Daemon


class Traced(Daemon):
    """vigild and all that it starts, under strace."""

    def command(self):
        return ["strace", "-f", "--seccomp-bpf", "-s", "200", "-ttt", "-e", "trace=connect", "-o", str(self.base / "trace"), *super().command()]

    def connects(self):
        """(microseconds of the wall clock, family, path) of each."""
        found = re.findall(r'(\d+)\.(\d{6}) connect\(\d+, \{sa_family=(AF_\w+)(?:, sun_path="([^"]*)")?', (self.base / "trace").read_text())
        return [(int(seconds) * 1_000_000 + int(micros), family, path) for seconds, micros, family, path in found]


@unittest.skipUnless(shutil.which("strace"), "needs strace")
class Quiet(unittest.TestCase):
    def test_no_process_of_the_host_connects_to_the_guest_before_it_is_ready(self):
        daemon = Traced().use_images().start()
        try:
            vm = daemon.create("quiet")
            ready = daemon.wait_for(vm, lambda e: e["type"] == "state" and e["body"]["state"] == "ready", 300)["at_unix_us"]
            daemon.vigil("exec", vm["id"], "true", check=0)
            connects = daemon.connects()
            paths = [path for _, family, path in connects if family == "AF_UNIX"]
            self.assertTrue(any(p.endswith("vsock_5252") for p in paths), f"the trace sees the guest's own dial: {paths}")
            dials = [at for at, _, path in connects if path.endswith("/vsock")]
            self.assertTrue(dials, "the trace sees the dial of exec")
            self.assertEqual([ready - at for at in dials if at < ready], [], "microseconds before ready of a connect to the socket through which a guest is dialled")
            self.assertEqual([family for _, family, _ in connects if family not in ("AF_UNIX",)], [], "nothing but Unix sockets")
        finally:
            daemon.close()


if __name__ == "__main__":
    unittest.main()
