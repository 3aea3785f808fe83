"""A small image that keeps every rule, and for each rule one that only it refuses."""
import dataclasses
import hashlib
import os
import pathlib

import made
from image_build.lint import rules, subject   # noqa: F401  (rules: so that a missing one is told here)

UNITS = "usr/lib/systemd/system"
ENABLED = "etc/systemd/system/multi-user.target.wants"
DRIVERS = ("VIRTIO_BLK", "VIRTIO_MMIO", "VIRTIO_VSOCKETS", "EXT4_FS", "OVERLAY_FS", "SERIAL_8250_CONSOLE")


@dataclasses.dataclass
class Scene:
    tree: pathlib.Path
    manifest: dict = dataclasses.field(default_factory=lambda: {"min_memory_mib": 128, "name": "fixture", "image_id": "id", "boot_test": {"memory_peak_mib": 100},
                                                                "agent": {"sha256": hashlib.sha256(b"agent").hexdigest(), "version": "1", "build_id": "b"}})
    host_agent: dict = dataclasses.field(default_factory=lambda: {"sha256": hashlib.sha256(b"agent").hexdigest(), "version": "1", "build_id": "b"})
    initrd: dict = dataclasses.field(default_factory=lambda: {"init": b"agent", "etc/vigil/image-id": b"id\n"})
    config: dict = dataclasses.field(default_factory=lambda: {f"CONFIG_{name}": "y" for name in DRIVERS})
    programs: list = dataclasses.field(default_factory=list)
    answers: dict = dataclasses.field(default_factory=dict)     # program -> (code, what it said)

    def file(self, path, text="", mode=0o644):
        target = self.tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        target.chmod(mode)

    def link(self, path, target):
        (self.tree / path).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, self.tree / path)

    def unit(self, name, text="", wanted_by="multi-user.target"):
        self.file(f"{UNITS}/{name}", text)
        self.link(f"etc/systemd/system/{wanted_by}.wants/{name}", f"/{UNITS}/{name}")

    def subject(self):
        return subject.Subject(subject.Tree(self.tree), self.manifest, self.initrd, self.config, self.programs, lambda argv: self.answers[argv[0]], self.host_agent)


def clean(tree):
    scene = Scene(tree)
    for folder, mode in (("tmp", 0o1777), ("var/tmp", 0o1777), ("root", 0o700)):
        (tree / folder).mkdir(parents=True)
        (tree / folder).chmod(mode)
    scene.file("usr/lib/systemd/systemd", made.elf(), 0o755)
    scene.file("usr/bin/tool", "#!/usr/bin/sh\n", 0o755)
    scene.file("usr/bin/sh", made.elf(), 0o755)
    scene.file("usr/bin/su", made.elf(), 0o4755)
    scene.file("etc/vigil/image-id", "id\n")
    scene.file("etc/shadow", "root:*:1:0:99999:7:::\nuser:!:1::::::\n", 0o640)
    scene.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    scene.file("etc/ssl/certs/ca.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n")
    scene.file("usr/share/doc/example.pem", "-----BEGIN PRIVATE KEY-----\nMIIB\n")
    example = hashlib.md5((tree / "usr/share/doc/example.pem").read_bytes()).hexdigest()
    scene.file("var/lib/dpkg/info/tool.md5sums", f"{example}  usr/share/doc/example.pem\n")
    scene.file("etc/vigil/services.d/tool.json", '{"name": "tool", "exec": ["/bin/tool"], "ready": [{"tcp": {"port": 1}}, {"exec": {"argv": ["/bin/tool"]}}]} // a comment\n')
    scene.link("bin", "usr/bin")
    scene.unit("web.service", "[Unit]\nAfter=network.target\n")
    scene.unit("systemd-networkd.service")
    # What is there but not started, or masked, slows nothing.
    scene.file(f"{UNITS}/apt-daily.timer", "[Timer]\n")
    scene.file(f"{UNITS}/mail.service", "[Unit]\nAfter=network-online.target\n")
    scene.unit("fstrim.timer", wanted_by="timers.target")
    scene.link("etc/systemd/system/fstrim.timer", "/dev/null")
    scene.link(f"{ENABLED}/gone.timer", f"/{UNITS}/gone.timer")
    scene.programs, scene.answers = [["/usr/bin/tool", "--version"]], {"/usr/bin/tool": (0, "1")}
    return scene


def another_agent(scene):
    scene.initrd["init"] = b"another"


def another_root(scene):
    scene.initrd["etc/vigil/image-id"] = b"other\n"


def built_differently(scene):
    scene.initrd["init"] = made.elf(notes=made.note("GNU", 3, b"\xab\xcd"))
    scene.manifest["agent"].update(sha256=hashlib.sha256(scene.initrd["init"]).hexdigest(), build_id="0123")


def claims_another_version(scene):
    scene.manifest["agent"]["version"] = "0.9"


def asked_for_by_another(scene):
    scene.file(f"{UNITS}/web.service", "[Unit]\nWants=helper@a.service\n")
    scene.file(f"{UNITS}/helper@.service", "[Unit]\nAfter=network-online.target\n")


def forged_list(scene):
    scene.file("usr/share/forged", "token: ghp_" + "a1" * 18 + "\n")
    scene.file("var/lib/dpkg/info/forged.list", "/usr/share/forged\n")
    scene.file("var/lib/dpkg/info/forged.md5sums", f"{'0' * 32}  usr/share/forged\n")


def answers_with_an_error(scene):
    scene.answers["/usr/bin/tool"] = (127, "not found")


# rule -> [(what, change)]: each is refused by that rule and by no other.
FIXTURES = {
    "agent_is_another": [("another agent", another_agent), ("the initramfs of another root", another_root), ("no init", lambda s: s.initrd.pop("init")),
                         ("another build", built_differently), ("another version", claims_another_version)],
    "boot_slowed_by_units": [("a timer", lambda s: s.unit("apt-daily-upgrade.timer", wanted_by="timers.target")),
                             ("a terminal", lambda s: s.link("etc/systemd/system/getty.target.wants/getty@tty1.service", "/usr/lib/systemd/system/getty@.service")),
                             ("a serial terminal", lambda s: s.link(f"{ENABLED}/serial-getty@ttyS0.service", "/usr/lib/systemd/system/serial-getty@.service"))],
    "boot_waits_for_network": [("a service", lambda s: s.unit("mailer.service", "[Unit]\nWants=a.service network-online.target\n")),
                               ("a drop-in", lambda s: s.file(f"{UNITS}/web.service.d/net.conf", "[Unit]\n After = network-online.target\n")),
                               ("an instance", lambda s: (s.file(f"{UNITS}/mail@.service", "[Unit]\nAfter=network-online.target\n"),
                                                          s.link(f"{ENABLED}/mail@x.service", f"/{UNITS}/mail@.service"))),
                               ("what another wants", asked_for_by_another),
                               ("a line that goes on", lambda s: s.unit("mailer.service", "[Unit]\nAfter=a.service \\\n# why\n  network-online.target\n")),
                               ("the target itself", lambda s: s.unit("network-online.target"))],
    "default_password": [("a hash", lambda s: s.file("etc/shadow", "root:$y$j9T$abc$def:1::::::\n")), ("an empty one", lambda s: s.file("etc/shadow", "root::1::::::\n")),
                         ("an old one", lambda s: s.file("etc/passwd", "root:ab12cd34ef56g:0:0::/root:/bin/sh\n"))],
    "device_without_driver": [("no disk driver", lambda s: s.config.pop("CONFIG_VIRTIO_BLK")),
                              ("a module that is listed and not there", lambda s: (s.config.update(CONFIG_EXT4_FS="m"), s.initrd.update({"etc/vigil/modules": b"ext4.ko\n"})))],
    "memory_too_small": [("a peak above", lambda s: s.manifest["boot_test"].update(memory_peak_mib=129.5)), ("no room", lambda s: s.manifest["boot_test"].update(memory_peak_mib=113)),
                         ("no peak", lambda s: s.manifest["boot_test"].update(memory_peak_mib=None)), ("no peak at all", lambda s: s.manifest.update(boot_test={}))],
    "network_managers_fight": [("a second", lambda s: s.unit("NetworkManager.service"))],
    "program_does_not_run": [("no loader", lambda s: s.file("usr/bin/broken", made.elf(interpreter=True), 0o755)),
                             ("no interpreter", lambda s: s.file("usr/bin/script", "#!/usr/bin/python9 -u\n", 0o755)),
                             ("cut off", lambda s: s.file("usr/sbin/cut", made.elf()[:70], 0o755)), ("a code", answers_with_an_error),
                             ("a service that nobody tried", lambda s: s.file("etc/vigil/services.d/x.json", '{"name": "x", "exec": ["/usr/bin/sh"]}')),
                             ("a probe that nobody tried", lambda s: s.file("etc/vigil/services.d/x.json", '{"exec": ["/bin/tool"], "ready": {"exec": {"argv": ["/bin/sh"]}}}')),
                             ("a unit", lambda s: s.file("etc/systemd/system/x.service", "[Service]\nExecStart=-/usr/bin/sh -c x\n")),
                             ("a drop-in", lambda s: s.file(f"{UNITS}/rescue.service.d/10-vigil.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/sh\n"))],
    "secret_in_image": [("a private key", lambda s: s.file("srv/key.pem", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n")),
                        ("a token", lambda s: s.file("home/user/.config/x", "token: ghp_" + "a1" * 18 + "\n")),
                        ("in a large file", lambda s: s.file("srv/dump", b"x" * ((4 << 20) - 20) + b" ghp_" + b"a1" * 18 + b" " + b"y" * (5 << 20))),
                        ("that a list claims", forged_list), ("host keys", lambda s: s.file("etc/ssh/ssh_host_ed25519_key", "x")), ("kept credentials", lambda s: s.file("root/.netrc", "x"))],
    "setuid_surprise": [("a program of one's own", lambda s: s.file("usr/local/bin/root", made.elf(), 0o4755)),
                        ("a known name elsewhere", lambda s: s.file("opt/su", made.elf(), 0o4755)), ("a known name in an odd place", lambda s: s.file("usr/lib/x/su", made.elf(), 0o4755)),
                        ("a file for all", lambda s: s.file("etc/x", "", 0o666)),
                        ("setgid", lambda s: s.file("usr/bin/other", made.elf(), 0o2755)),
                        ("a folder for all", lambda s: (s.file("srv/x"), (s.tree / "srv").chmod(0o777)))],
}
