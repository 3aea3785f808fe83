"""The VM or a service in it runs out of something."""
from lab.row import Between, Like, Row, Script

ONCE = {"essential": False, "restart": "never"}

ROWS = [
    Row("memory-limit", "a service reaches its memory limit", "service.oom_killed", "victim",
        fields={"limit": 24 << 20, "peak": Between(0.9 * (24 << 20), 1.1 * (24 << 20)), "victim": Like(r"^dd \(pid \d+\)$")},
        services={"<victim>": {"exec": Script("exec dd if=/dev/zero of=/dev/null bs=64M"), "limits": {"memory": "24M"}, **ONCE}}, ci=True),
    Row("memory-of-the-vm", "the VM as a whole runs out of memory", "guest.oom", "victim", fields={"victim": Like(r"^\w+ \(pid \d+\)$")},
        services={"<victim>": {"exec": Script("exec dd if=/dev/zero of=/dev/null bs=2G count=1"), "after": ["web", "echo", "ticker"], **ONCE}},
        vm={"memory_mib": 192}),
    Row("disk-full", "the VM's disk is full", "guest.disk_full", fields={"mount": "/"}, place="also",
        services={"<victim>": {"exec": Script("dd if=/dev/zero of=/<word:fill> bs=1M 2>/dev/null; " "read up idle </proc/uptime; sleep 1000"),
                               "after": ["web"], **ONCE}}, vm={"disk_mib": 2048}),
]
