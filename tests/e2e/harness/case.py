"""The base of the end-to-end tests: one daemon a class, assertions about causes."""
import os
import unittest

from .daemon import BIN, IMAGES, Daemon
from .image import with_this_agent


def busybox_sh(script):
    return ["/bin/sh", "-c", script]


class VmCase(unittest.TestCase):
    daemon_class, daemon_options = Daemon, ()

    @classmethod
    def setUpClass(cls):
        for need in (BIN / "vigild", IMAGES / "minimal" / "current"):
            if not need.exists():
                raise RuntimeError(f"{need} is missing: ./dev build && ./dev image")
        cls.daemon = cls.daemon_class(options=cls.daemon_options).use_images()
        if os.environ.get("VIGIL_THIS_AGENT"):
            for image in os.environ["VIGIL_THIS_AGENT"].split(","):
                with_this_agent(cls.daemon, image, image)
        cls.daemon.start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def up(self, name, **spec):
        vm = self.daemon.create(name, **spec)
        self.addCleanup(self.remove, vm)
        return vm

    def remove(self, vm):
        code, _, _ = self.daemon.vigil("rm", "--force", vm["id"])
        return code

    def service(self, vm, name):
        services = self.daemon.api.get(f"/v1/instances/{vm['id']}/services")
        return next(s for s in services if s["name"] == name)

    def assert_cause(self, cause, code, /, **fields):
        self.assertIsNotNone(cause, f"no cause at all, wanted {code}")
        self.assertEqual(cause["code"], code, cause)
        for name, wanted in fields.items():
            found = cause["fields"].get(name)
            if callable(wanted):
                self.assertTrue(wanted(found), f"{code}.{name} is {found!r}")
            else:
                self.assertEqual(found, wanted, f"{code}.{name}")

    def crash_of(self, vm, service, deadline=150):
        event = self.daemon.wait_for(vm, lambda e: e["type"] == "crash" and e["body"].get("service") == service
                                     and not e["body"]["report"].get("partial"), deadline)
        return event["body"]
