#!/usr/bin/env python3
"""The Debian packages in a Debian 13 with systemd, which is a VM of ours: installed, started, killed, upgraded while VMs run, stopped, removed, purged.
VMs in that VM are simulated (simulated_vmm.c): what is tested is what outlives what."""
import json
import pathlib
import re
import subprocess
import unittest

from harness.case import VmCase
from harness.daemon import IMAGES, ROOT, Daemon
from harness.image import part_of, variant

PACKAGES = ROOT / "build/packages"
DROP_IN = """[Service]
Environment=VIGIL_QEMU=/opt/test/qemu-system-x86_64 VIGIL_VSOCK_DEVICE=/opt/test/vhost-device-vsock
WatchdogSec=20s
"""


def missing():
    if not list(PACKAGES.glob("*.deb")):
        return f"{PACKAGES} has no packages: ./dev package"
    if not (IMAGES / "installed" / "current").exists():
        return f"{IMAGES}/installed is missing: rootfs-build/build installed --profiles tests/e2e/profiles"
    return None


def newer(package, folder):
    """The same package under the next version."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True, capture_output=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*", "Version: 99.0.0", control.read_text()))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, folder / "newer.deb"], check=True, capture_output=True)
    return folder / "newer.deb"


@unittest.skipIf(missing() is not None, missing() or "")
class Packages(VmCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().use_images().start()

    def inside(self, *words, check=0, timeout=300):
        code, out, err = self.daemon.vigil("exec", "host", "--", *words, timeout=timeout)
        if check is not None:
            self.assertEqual(code, check, f"{' '.join(words)}\n{out}{err}")
        return out + err if check is None else out

    def shell(self, script, check=0):
        return self.inside("/bin/sh", "-c", script, check=check)

    def put(self, source, there):
        self.daemon.vigil("cp", str(source), f"host:{there}", check=0, timeout=300)

    def unit(self, name, *properties):
        shown = self.inside("systemctl", "show", name, *[f"-p{each}" for each in properties])
        return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)

    def settled(self, script, what, tries=60):
        """Inside, once a second of the VM's clock, until the shell command succeeds."""
        told = self.shell(f"n=0; until {script}; do n=$((n+1)); [ $n -lt {tries} ] || {{ echo late; systemctl status vigild --no-pager; exit 0; }}; sleep 1; done", check=None)
        self.assertFalse(told.startswith("late"), f"no {what}: {told}")

    def simulated_vm(self):
        """An image of hardly anything, for a VMM that boots nothing."""
        folder = self.daemon.base / "simulated"
        folder.mkdir()
        kernel, source = folder / "kernel", pathlib.Path(__file__).with_name("silent_kernel.S")
        subprocess.run(["gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x100000", "-Wl,--build-id=none", "-Wl,-e,entry", "-o", kernel, source], check=True, capture_output=True)
        small = {name: folder / name for name in ("root", "overlay")}
        for path in small.values():
            path.write_bytes(b"\0" * 4096)
        digest = variant(self.daemon, "tiny", image="installed", min_memory_mib=64, parts={"kernel": kernel, "initrd": part_of(self.daemon, "initrd", "installed"), **small})
        archive = folder / "tiny.tar"
        subprocess.run(["tar", "-C", self.daemon.state / "images", "-cf", archive, f"tiny/{digest}", "tiny/current"], check=True)
        program = folder / "simulated_vmm"
        subprocess.run(["gcc", "-O1", "-static", "-Wall", "-Werror", pathlib.Path(__file__).with_name("simulated_vmm.c"), "-o", program], check=True)
        self.shell("mkdir -p /opt/test /var/lib/vigil/images")
        self.put(archive, "/opt/test/tiny.tar")
        self.put(program, "/opt/test/qemu-system-x86_64")
        self.shell("chmod 755 /opt/test/* && ln -f /opt/test/qemu-system-x86_64 /opt/test/vhost-device-vsock && tar -C /var/lib/vigil/images --no-same-owner -xf /opt/test/tiny.tar")

    def vms(self):
        return json.loads(self.inside("vigil", "ps", "--json"))

    def vmm(self):
        return self.shell("pidof qemu-system-x86_64").split()

    def test_install_start_kill_upgrade_stop_remove_and_purge_while_a_vm_runs(self):
        self.daemon.vigil("up", "installed", "--name", "host", "--memory", "512", check=0, timeout=400)
        self.addCleanup(lambda: self.daemon.vigil("rm", "--force", "host"))
        host, = PACKAGES.glob("vigil-host_*.deb")
        guest, = PACKAGES.glob("vigil-guest_*.deb")
        self.put(host, "/tmp/host.deb")
        self.put(guest, "/tmp/guest.deb")
        self.put(newer(host, self.daemon.base), "/tmp/newer.deb")

        with self.subTest("install: the units run, the socket is the group's, the daemon is in its leaf"):
            self.shell(f"mkdir -p /etc/systemd/system/vigild.service.d && printf '%s' '{DROP_IN}' >/etc/systemd/system/vigild.service.d/test.conf")
            self.inside("dpkg", "-i", "/tmp/guest.deb", "/tmp/host.deb", timeout=600)
            self.assertEqual(self.inside("dpkg", "--audit"), "")
            self.assertEqual(self.inside("systemctl", "is-active", "vigild.socket", "vigild.service").split(), ["active", "active"])
            self.assertEqual(self.inside("systemctl", "is-enabled", "vigild.socket", "vigild.service").split(), ["enabled", "enabled"])
            self.assertEqual(self.inside("stat", "-c", "%U:%G %a", "/run/vigil/vigild.sock").strip(), "root:vigil 660")
            shown = self.unit("vigild.service", "MainPID", "StatusText", "ControlGroup", "WatchdogUSec")
            self.assertEqual(shown["StatusText"], "0 VMs")
            self.assertEqual(shown["WatchdogUSec"], "20s")
            self.assertEqual(self.inside("cat", f"/proc/{shown['MainPID']}/cgroup").strip(), f"0::{shown['ControlGroup']}/vigild")
            self.assertIn("memory", self.inside("cat", f"/sys/fs/cgroup{shown['ControlGroup']}/cgroup.subtree_control"))

        with self.subTest("a VM has a group of its own, with memory"):
            self.simulated_vm()
            self.inside("vigil", "up", "tiny", "--name", "inner", "--no-wait")
            self.settled("pidof qemu-system-x86_64 >/dev/null", "a VMM")
            inner, = self.vms()
            before = self.vmm()
            self.assertEqual(len(before), 1)
            group = self.inside("cat", f"/proc/{before[0]}/cgroup").strip().split("::")[1]
            self.assertEqual(group, f"{shown['ControlGroup']}/vigil-{inner['id']}-1")
            self.assertGreater(int(self.inside("cat", f"/sys/fs/cgroup{group}/memory.current")), 0)
            self.settled("systemctl show -pStatusText vigild | grep -q '1 VM:'", "a status")

        def survives(what, before_pid):
            self.settled("systemctl is-active --quiet vigild.service && vigil ps >/dev/null", what)
            self.assertEqual(self.vmm(), before, f"{what}: the VM is the same")
            pid = self.unit("vigild.service", "MainPID")["MainPID"]
            self.assertNotEqual(pid, before_pid, f"{what}: the daemon is another")
            look, = self.vms()
            self.assertEqual((look["id"], look["power"], look["run"]), (inner["id"], "running", 1))
            return pid

        pid = shown["MainPID"]
        with self.subTest("killed"):
            self.shell(f"kill -KILL {pid}")
            self.settled(f"! systemctl show -pMainPID vigild | grep -qx MainPID={pid} && systemctl is-active --quiet vigild", "another daemon")
            pid = survives("kill", pid)
        with self.subTest("hung: the watchdog ends it"):
            self.shell(f"kill -STOP {pid}")
            self.settled(f"! systemctl show -pMainPID vigild | grep -qx MainPID={pid} && systemctl is-active --quiet vigild", "another daemon", 180)
            self.assertIn("Watchdog timeout", self.inside("journalctl", "-u", "vigild", "--no-pager", check=None))
            pid = survives("watchdog", pid)
        with self.subTest("upgraded"):
            self.inside("dpkg", "-i", "/tmp/newer.deb", timeout=600)
            pid = survives("upgrade", pid)
        with self.subTest("stopped; who asks, starts it again"):
            self.inside("systemctl", "stop", "vigild.service")
            self.assertEqual(self.vmm(), before)
            self.assertEqual(self.vms()[0]["power"], "running")
            pid = survives("socket activation", pid)
        with self.subTest("the units are right, and as tight as they were"):
            self.inside("systemd-analyze", "verify", "--man=no", "vigild.service", "vigild.socket", "vigil-image@minimal.service")
            for unit, most in (("vigild.service", 3.5), ("vigil-image@minimal.service", 5.5)):
                told = self.inside("systemd-analyze", "security", "--no-pager", unit, check=None)
                score = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", told).group(1))
                print(f"      systemd-analyze security {unit}: {score}", flush=True)
                self.assertLessEqual(score, most)
        with self.subTest("removed: the units go, the VM does not, and it is named"):
            told = self.inside("dpkg", "-r", "vigil-host", check=None, timeout=600)
            self.assertIn(inner["id"], told)
            self.assertEqual(self.vmm(), before)
            self.assertEqual(self.shell("systemctl is-active vigild.service vigild.socket; ls /etc/default/vigild", check=None).split()[-1], "/etc/default/vigild")
            self.shell("! systemctl cat vigild.service 2>/dev/null | grep -q ExecStart")
        with self.subTest("installed again, it is adopted"):
            self.inside("dpkg", "-i", "/tmp/host.deb", timeout=600)
            survives("a new installation", "")
            self.inside("vigil", "rm", "--force", "inner")
            self.assertEqual(self.shell("pidof qemu-system-x86_64 vigil-shim || echo none").strip(), "none")
        with self.subTest("purged: the administrator's disks stay, all else goes"):
            told = self.inside("dpkg", "-P", "vigil-host", "vigil-guest", check=None, timeout=600)
            self.assertIn("/var/lib/vigil", told)
            # /run/vigil and /usr/libexec/vigil are also of the agent of the VM that we are in.
            left = self.shell("ls -d /etc/default/vigild /usr/libexec/vigil/vigil-shim /usr/share/vigil /usr/bin/vigil /run/vigil/vigild.sock /etc/systemd/system/multi-user.target.wants/vigild.service "
                              "/var/lib/vigil 2>/dev/null", check=None).split()
            self.assertEqual(left, ["/var/lib/vigil"])


if __name__ == "__main__":
    unittest.main()
