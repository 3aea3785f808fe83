"""The VM or a service in it runs out of something."""
from lab import images
from lab.row import SEEN, Between, Like, Row, Script

ONCE = {"essential": False, "restart": "never"}

LATE = {"after": ["web", "echo", "ticker"]}
FORKS = "i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done; wait"
KILLED_BY_LIMIT = "kernel:Memory cgroup out of memory"   # the kernel stamps its own lines

ROWS = [
    Row("memory-limit", "a service reaches its memory limit", "service.oom_killed", "victim",
        fields={"limit": 24 << 20, "peak": Between(0.9 * (24 << 20), 1.1 * (24 << 20)), "victim": Like(r"^dd \(pid \d+\)$")},
        services={"<victim>": {"exec": Script("exec dd if=/dev/zero of=/dev/null bs=64M"), "limits": {"memory": "24M"}, **ONCE}},
        since=KILLED_BY_LIMIT, ci=True, evidence=(Like("ended with SIGKILL"),)),
    Row("memory-limit-of-a-child", "a child of a service reaches the service's memory limit", "service.oom_killed", "victim",
        fields={"limit": 24 << 20, "victim": Like(r"^tail \(pid \d+\)$")},
        services={"<first>": {"exec": Script("tail -c 1 /etc/hostname; exec sleep 1000"), **ONCE},   # tail's pages are not the victim's: nothing to take back
                  "<victim>": {"exec": Script("tail /dev/zero; exit $?"), "limits": {"memory": "24M"}, "after": ["<first>"], **ONCE}}, since=KILLED_BY_LIMIT,
                      evidence=(Like("ended with (SIGKILL|code 137)"),)),
    Row("memory-of-the-vm", "the VM as a whole runs out of memory", "guest.oom", "victim", fields={"victim": Like(r"^tail \(pid \d+\)$")},
        services={"<victim>": {"exec": Script("exec tail /dev/zero"), **LATE, **ONCE}}, vm={"memory_mib": 160},
        since="kernel:Out of memory: Killed process", evidence=(Like("ended with SIGKILL"),)),
    Row("disk-full", "the VM's disk is full", "guest.disk_full", fields={"mount": "/"}, place="also",
        services={"<victim>": {"exec": Script("set -- $(stat -f -c '%a %S' /); fallocate -l $(($1 * $2 - 1048576)) /<word:fill>; @stamp exec sleep 1000"),
                               **LATE, **ONCE}}, vm={"disk_mib": 2048}, deadline_s=3, no_evidence=SEEN),
    Row("inodes-used-up", "the VM's disk has no inodes left", "guest.inodes_full", fields={"mount": "/"}, place="also", image=images.few_inodes,
        services={"<victim>": {"exec": Script("mkdir /<word:many>; cd /<word:many>; "
                                              "perl -e 'for (1..3000) { open(F, \">\", $_) or last }'; @stamp exec sleep 1000"),
                               **LATE, **ONCE}}, no_evidence=SEEN),
    # The bomb goes off within its control group's limit of processes: without one it takes the VM's memory, which is `memory-of-the-vm`.
    Row("forks-without-end", "a service forks up to its limit of processes and dies of it", "guest.fork_bomb", "victim", fields={"service": "<victim>"},
        services={"<victim>": {"exec": Script(FORKS), "limits": {"pids": 20}, **ONCE}}, evidence=(Like("[Cc]annot fork"),)),
    Row("forks-and-goes-on", "a service reaches its limit of processes and lives on", "guest.fork_bomb", fields={"service": "<victim>"}, place="also",
        services={"<victim>": {"exec": Script("perl -e 'for (1..60) { my $p = fork; if (defined $p && !$p) { sleep 1000; exit } } sleep 1000'"),
                               "limits": {"pids": 20}, **ONCE}}, no_evidence=SEEN),
    Row("processor-withheld", "a service gets three percent of a processor and is not ready in time", "service.cpu_starved", "victim",
        services={"<victim>": {"exec": Script("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exec socat TCP-LISTEN:<port:a> PIPE"),
                               "limits": {"cpu_percent": 3}, "ready": {"tcp": {"port": "<port:a>"}}, "ready_timeout_s": 0.5, **ONCE}}, later_s=5, evidence=(Like(r"held back in \d+ of \d+ periods"),)),
]
