"""VMs whose init is systemd: what a unit does, or waits for."""
from lab import images
from lab.row import Like, Row

UNITS = "/etc/systemd/system"
# By itself, for the drop-in brings the unit into the boot without a link that debugfs cannot make in a folder that is there.
WANTED = {f"{UNITS}/multi-user.target.d/<word:dropin>.conf": "[Unit]\nWants=<victim>.service\n"}
STANDSTILL = 50     # seconds, under emulation: a job is called blocked when the queue has not moved for so long
TCG_SYSTEMD = 150   # seconds of a whole row: such a boot takes some 20 s where the minimal image takes 6


def unit(settings, script="@stamp exec sleep 100000", more_of_unit="", name="<victim>"):
    """A unit and the program that it runs; the program says first what the guest's clock shows."""
    return {f"{UNITS}/{name}.service": f"[Unit]\n{more_of_unit}\n[Service]\nExecStart=/opt/{name}\n{settings}\n",
            f"/opt/{name}": f"#!/bin/sh\n{script}\n"}


def row(name, what, code, files, **more):
    return Row(name, what, code, image=images.with_files(files, "systemd"), limit_s=TCG_SYSTEMD, **more)


def mount(device, kind):
    """A mount that the local file systems need."""
    return {f"{UNITS}/mnt-<word:point>.mount": f"[Mount]\nWhat={device}\nWhere=/mnt/<word:point>\nType={kind}\n",
            f"{UNITS}/local-fs.target.d/<word:dropin>.conf": "[Unit]\nRequires=mnt-<word:point>.mount\nAfter=mnt-<word:point>.mount\n"}


ROWS = [
    row("unit-network-never-online", "a unit is ordered after network-online.target, which never comes", "unit.blocked",
        {**WANTED, **unit("", more_of_unit="Wants=network-online.target\nAfter=network-online.target"),
         **unit("Type=oneshot\nTimeoutStartSec=infinity", name="<blocker>", more_of_unit="Before=network-online.target"),
         f"{UNITS}/network-online.target.d/<word:other>.conf": "[Unit]\nWants=<blocker>.service\n"},
        service="victim", fields={"unit": "<victim>.service", "waits_for": "network-online.target"},
        evidence=(Like(r"network-online\.target waits for <blocker>\.service, whose start job is running"),), later_s=STANDSTILL, deadline_s=5),
    row("unit-failed", "a unit fails", "unit.failed", {**WANTED, **unit("Type=exec", "@stamp echo <word:said>; exit 3")}, service="victim",
        fields={"unit": "<victim>.service"}, evidence=(Like("ended with code 3"), Like("<word:said>"))),
    row("unit-start-limit", "a unit reaches its start limit", "unit.start_limit",
        {**WANTED, **unit("Restart=on-failure\nRestartSec=100ms", "@stamp exit 4", "StartLimitBurst=3\nStartLimitIntervalSec=120")}, service="victim",
        fields={"unit": "<victim>.service"}, evidence=(Like("ended with code 4"),), allowed_before=("service.exited",)),
    row("unit-ends-well-for-ever", "a unit ends with success and is started again, for ever", "service.crash_loop",
        {**WANTED, **unit("Restart=always\nRestartSec=500ms", "@stamp exit 0", "StartLimitIntervalSec=0")}, service="victim", fields={"first": "service.exited"},
            evidence=(Like("code 0"),), allowed_before=("service.exited",)),
    row("emergency-mode", "a file system cannot be mounted, and systemd goes into emergency mode", "unit.emergency_mode", mount("nodev", "<word:kind>"),
        evidence=(Like(r"mnt-<word:point>\.mount: failed"),), since="stage:agent"),
    row("unit-waits-for-device", "a mount, and so everything, waits for a device", "unit.device_timeout", mount("/dev/<word:disk>", "ext4"),
        fields={"device": "/dev/<word:disk>"}, evidence=(Like(r"mnt-<word:point>\.mount waits for"),), since="stage:agent", later_s=STANDSTILL, deadline_s=5),
    Row("systemd-plain", "the systemd image as it is", "", image=lambda scene: "systemd", limit_s=TCG_SYSTEMD),
]
